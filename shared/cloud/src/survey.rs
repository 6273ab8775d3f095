//! A look at what lies in a bucket, in a bounded number of lists: some folders of each depth, and some objects of each.

use export::{BucketName, SourceObject};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{Error, Lake, Result};

/// The most folders of a depth that are listed.
pub const MAX_LISTED_FOLDERS: usize = 32;
/// The deepest folders that are listed.
pub const MAX_LISTED_DEPTH: usize = 16;
/// The most objects of a folder that are taken note of.
const MAX_OBJECTS_OF_FOLDER: usize = 40;
/// The most objects of a page.
const PAGE: i32 = 1000;
/// Lists at the same time.
const MAX_CONCURRENT_LISTS: usize = 16;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// Some objects.
    pub objects: Vec<SourceObject>,
    /// Whether these are all there are.
    pub is_whole: bool,
}

/// What a folder has: folders, and objects.
struct Page {
    folders: Vec<String>,
    objects: Vec<SourceObject>,
    is_whole: bool,
}

impl Lake {
    /// Looks at what lies under a prefix of a bucket, by default that of the lake. Folders are chosen evenly, so that
    /// early and late ones, and those of many tenants, are among them.
    pub async fn survey(&self, bucket: Option<&BucketName>, prefix: &str) -> Result<Surveyed> {
        let mut found = Surveyed { objects: Vec::new(), is_whole: true };
        let mut folders = vec![prefix.to_owned()];
        for _ in 0..MAX_LISTED_DEPTH {
            let pages: Vec<Page> = stream::iter(&folders)
                .map(|folder| self.page(bucket, folder))
                .buffered(MAX_CONCURRENT_LISTS)
                .try_collect()
                .await?;
            let (quota, count) = (MAX_LISTED_FOLDERS / pages.len().max(1), pages.len());
            folders.clear();
            for (number, page) in pages.into_iter().enumerate() {
                let chosen = evenly(page.folders.len(), quota.max(1), number, count);
                found.is_whole &= page.is_whole && chosen.len() == page.folders.len();
                folders.extend(chosen.into_iter().filter_map(|at| page.folders.get(at).cloned()));
                found.objects.extend(page.objects);
            }
            if folders.is_empty() {
                return Ok(found);
            }
        }
        found.is_whole = false;
        Ok(found)
    }

    /// Lists what a folder begins with.
    async fn page(&self, bucket: Option<&BucketName>, prefix: &str) -> Result<Page> {
        let (client, name) = self.bucket(bucket)?;
        let list =
            client.list_objects_v2().bucket(name).prefix(prefix).delimiter("/").max_keys(PAGE);
        let page = list.send().await.map_err(Error::s3("list source objects"))?;
        let folders = page.common_prefixes.unwrap_or_default();
        let folders = folders.into_iter().filter_map(|folder| folder.prefix).collect();
        let all = page.contents.unwrap_or_default();
        let chosen = evenly(all.len(), MAX_OBJECTS_OF_FOLDER, 0, 1);
        let is_whole = page.is_truncated != Some(true) && chosen.len() == all.len();
        let objects = chosen.into_iter().filter_map(|at| all.get(at)).filter_map(|object| {
            // Consoles make empty objects that stand for folders.
            let key = object.key.clone().filter(|key| !key.ends_with('/'))?;
            Some(SourceObject {
                key,
                bucket: bucket.cloned(),
                etag: object.e_tag.clone().unwrap_or_default(),
                size_bytes: object.size.unwrap_or_default().try_into().unwrap_or_default(),
            })
        });
        Ok(Page { folders, objects: objects.collect(), is_whole })
    }
}

/// Returns which of `len` things are chosen, `most` of them at most: other ones for each of `count` lists, so that
/// together they are early as well as late ones.
fn evenly(len: usize, most: usize, number: usize, count: usize) -> Vec<usize> {
    if len <= most {
        return (0..len).collect();
    }
    if most == 1 {
        return vec![number * (len - 1) / count.saturating_sub(1).max(1)];
    }
    (0..most).map(|nth| nth * (len - 1) / (most - 1)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fake::{Fake, reply};

    #[test]
    fn what_is_chosen_is_spread() {
        assert_eq!(evenly(3, 5, 0, 1), [0, 1, 2]);
        assert_eq!(evenly(11, 3, 0, 1), [0, 5, 10]);
        let of_each: BTreeSet<usize> = (0..5).flat_map(|number| evenly(24, 1, number, 5)).collect();
        assert_eq!(of_each, [0, 5, 11, 17, 23].into());
    }

    #[tokio::test]
    async fn a_lake_without_end_is_looked_at_in_a_bounded_number_of_lists() {
        // Every folder has fifty folders and fifty objects.
        let fake = Fake::new(|request| {
            let query = request.split_whitespace().nth(1).unwrap();
            let prefix = query.split("prefix=").nth(1).unwrap().split('&').next().unwrap();
            let prefix = prefix.replace("%2F", "/");
            let folder =
                |n| format!("<CommonPrefixes><Prefix>{prefix}{n}/</Prefix></CommonPrefixes>");
            let object = |n| {
                format!("<Contents><Key>{prefix}{n}</Key><ETag>e</ETag><Size>1</Size></Contents>")
            };
            let all = (10..60).map(folder).chain((10..60).map(object)).collect::<String>();
            let body = format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{all}</ListBucketResult>"
            );
            reply("200 OK", &[], body.len(), body.as_bytes())
        });
        let lake = Lake::new(fake.s3().await, "lake".to_owned());

        let found = lake.survey(None, "raw/").await.unwrap();

        let lists = 1 + MAX_LISTED_FOLDERS * (MAX_LISTED_DEPTH - 1);
        assert_eq!(fake.requests().len(), lists);
        assert_eq!(found.objects.len(), lists * MAX_OBJECTS_OF_FOLDER);
        assert!(
            !found.is_whole && found.objects.iter().all(|object| object.key.starts_with("raw/"))
        );
    }
}
