//! What is filed in the datasets of one request.

use std::collections::BTreeMap;

use export::{Dataset, SourceObject, Window, Workspace};
use jiff::Timestamp;

use crate::{Error, Lake, Result};

/// Lists each dataset of a request once, however many tables are made of it. So tables of one dataset are
/// made of the same objects, too.
#[derive(Debug)]
pub struct Filings<'a> {
    lake: &'a Lake,
    workspace: &'a Workspace,
    window: Window,
    /// How many more objects may be held.
    room: usize,
    listed: BTreeMap<String, Vec<(Timestamp, Vec<SourceObject>)>>,
}

impl<'a> Filings<'a> {
    /// Returns one that holds up to `max_objects` of all datasets together.
    pub fn new(
        lake: &'a Lake,
        workspace: &'a Workspace,
        window: Window,
        max_objects: usize,
    ) -> Self {
        Self { lake, workspace, window, room: max_objects, listed: BTreeMap::new() }
    }

    /// Returns what is filed in each partition of a dataset that may hold rows of the window, in order of
    /// time and then by key, and how many objects that are. What does not fit is [`Error::TooManyObjects`].
    pub async fn of(
        &mut self,
        dataset: &Dataset,
    ) -> Result<(&[(Timestamp, Vec<SourceObject>)], usize), Error> {
        if !self.listed.contains_key(&dataset.name) {
            let filed = self.lake.filed(dataset, self.workspace, self.window, self.room).await?;
            self.room = self.room.saturating_sub(count(&filed));
            self.listed.insert(dataset.name.clone(), filed);
        }
        let filed = self.listed.get(&dataset.name).map_or(&[][..], Vec::as_slice);
        Ok((filed, count(filed)))
    }
}

fn count(filed: &[(Timestamp, Vec<SourceObject>)]) -> usize {
    filed.iter().map(|(_, objects)| objects.len()).sum()
}

#[cfg(test)]
mod tests {
    use export::Catalog;

    use super::*;
    use crate::fake::{Fake, reply};

    /// Says of each prefix that one object lies there.
    fn lake_of_one_object_an_hour() -> Fake {
        Fake::new(|head| {
            let prefix = head.split("prefix=").nth(1).unwrap_or_default();
            let prefix = prefix.split(['&', ' ']).next().unwrap_or_default();
            let prefix = prefix.replace("%2F", "/").replace("%3D", "=");
            let body = format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>{prefix}a</Key>\
                 <ETag>e</ETag><Size>9</Size></Contents></ListBucketResult>"
            );
            reply("200 OK", &[], body.len(), body.as_bytes())
        })
    }

    #[tokio::test]
    async fn a_dataset_is_listed_once_however_many_tables_are_made_of_it() {
        let fake = lake_of_one_object_an_hour();
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        let catalog = Catalog::built_in().unwrap();
        let dataset = catalog.dataset_of(catalog.table("liferay_page").unwrap());
        let at = |text: &str| text.parse().unwrap();
        let window = Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-01T02:00:00Z")).unwrap();
        let workspace = "acme".parse().unwrap();

        // Two hours of the window, one before it for rows that are filed early, one after it for late ones.
        let mut filings = Filings::new(&lake, &workspace, window, 5);
        let first = filings.of(dataset).await.unwrap().0.to_vec();
        let asked = fake.requests().len();
        let (second, objects) = filings.of(dataset).await.unwrap();

        assert_eq!((second, objects), (&first[..], 4));
        assert_eq!(fake.requests().len(), asked, "nothing is asked for again");
        assert_eq!(filings.room, 1);
        let small = Filings::new(&lake, &workspace, window, 2).of(dataset).await.map(|_| ());
        assert!(matches!(small, Err(Error::TooManyObjects)), "{small:?}");
    }
}
