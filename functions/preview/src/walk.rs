//! Lists a dataset from the beginning of a window, no further than somebody wants to look.

use cloud::{Error, Lake};
use export::{Dataset, SourceObject, Window, Workspace};
use jiff::{SignedDuration, Timestamp};

/// The first part of a window that is listed. Each part after it is four times as long as the one before.
const FIRST_PART: SignedDuration = SignedDuration::from_hours(1);
const GROWTH: i32 = 4;
/// The most prefixes that are listed for a table.
pub(crate) const MAX_LISTS: usize = 100;
/// The most objects of a part of a window that are listed.
pub(crate) const MAX_LISTED_OBJECTS: usize = 20_000;

/// A walk through the partitions that may hold rows of a window, in order.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    lake: &'a Lake,
    dataset: &'a Dataset,
    workspace: &'a Workspace,
    /// What is left of the window; `None` at its end.
    left: Option<Window>,
    part: SignedDuration,
    /// The last partition that was passed on. Parts overlap where rows are filed early or late.
    last: Option<Timestamp>,
    lists: usize,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Objects, each with the beginning of its partition.
    Objects(Vec<(Timestamp, SourceObject)>),
    /// There are too many prefixes or objects to look further.
    TooMuch,
    /// The window has ended.
    End,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        lake: &'a Lake,
        dataset: &'a Dataset,
        workspace: &'a Workspace,
        window: Window,
    ) -> Self {
        Self {
            lake,
            dataset,
            workspace,
            left: Some(window),
            part: FIRST_PART,
            last: None,
            lists: 0,
        }
    }

    /// Lists the next part of the window, once `spend` has counted what that costs.
    pub(crate) async fn next(
        &mut self,
        spend: impl AsyncFnOnce(&Dataset, Window) -> Result<(), service::Error>,
    ) -> Result<Next, service::Error> {
        let Some(left) = self.left else { return Ok(Next::End) };
        let end = left.from().saturating_add(self.part).unwrap_or(left.to()).min(left.to());
        let Ok(part) = Window::new(left.from(), end) else { return Ok(Next::End) };
        self.lists += Lake::count_lists(self.dataset, self.workspace, part)?;
        if self.lists > MAX_LISTS {
            return Ok(Next::TooMuch);
        }
        spend(self.dataset, part).await?;
        let filed = self.lake.filed(self.dataset, self.workspace, part, MAX_LISTED_OBJECTS).await;
        let filed = match filed {
            Err(Error::TooManyObjects) => return Ok(Next::TooMuch),
            filed => filed?,
        };
        self.left = Window::new(end, left.to()).ok();
        self.part = self.part.saturating_mul(GROWTH);
        let is_new = |begin: &Timestamp| self.last.is_none_or(|last| *begin > last);
        let new: Vec<_> = filed.into_iter().filter(|(begin, _)| is_new(begin)).collect();
        self.last = new.last().map(|(begin, _)| *begin).or(self.last);
        let each = |(begin, objects): (Timestamp, Vec<SourceObject>)| {
            objects.into_iter().map(move |object| (begin, object))
        };
        Ok(Next::Objects(new.into_iter().flat_map(each).collect()))
    }
}

#[cfg(test)]
mod tests {
    use export::Catalog;

    use super::*;
    use crate::fake_lake;

    /// Walks through this window of a lake in which each prefix that is listed holds `objects` objects. Returns the keys
    /// in their order, how the walk ended, and how many lists were made.
    async fn walk(from: &str, to: &str, objects: usize) -> (Vec<String>, bool, usize) {
        let (aws, lake) = fake_lake::start(objects).await;
        let catalog = Catalog::built_in().unwrap();
        let dataset = catalog.dataset_of(catalog.table("liferay_page").unwrap());
        let window = Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        let acme = "acme".parse().unwrap();
        let (mut walk, mut keys) = (Walk::new(&lake, dataset, &acme, window), Vec::new());
        let is_whole = loop {
            match walk.next(async |_, _| Ok(())).await.unwrap() {
                Next::Objects(more) => keys.extend(more.into_iter().map(|(_, object)| object.key)),
                Next::TooMuch => break false,
                Next::End => break true,
            }
        };
        (keys, is_whole, aws.calls().len())
    }

    #[tokio::test]
    async fn each_object_comes_once_and_in_order() {
        let (keys, is_whole, _) = walk("2026-03-01T00:30:00Z", "2026-03-02T02:00:00Z", 1).await;
        assert!(is_whole);
        // From an hour before the window to an hour after it, where rows may be filed that are early or late.
        assert_eq!(keys.len(), 28, "{keys:?}");
        assert!(keys.is_sorted());
        assert!(keys[0].contains("date=2026-02-28/hour=23"), "{}", keys[0]);
    }

    #[tokio::test]
    async fn a_hundred_prefixes_are_listed_and_no_more() {
        let (keys, is_whole, lists) = walk("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 0).await;
        assert_eq!((keys.len(), is_whole), (0, false));
        assert!((50..=MAX_LISTS).contains(&lists), "{lists}");
    }

    #[tokio::test]
    async fn twenty_thousand_objects_of_a_part_are_listed_and_no_more() {
        for (objects, is_listed) in [(6666, true), (6667, false)] {
            // Three hours.
            let found = walk("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", objects).await;
            assert_eq!(found.1, is_listed, "{objects}");
        }
    }
}
