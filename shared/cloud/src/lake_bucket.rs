//! Source objects in the lake. Read only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use aws_sdk_s3::Client;
use export::{Catalog, Dataset, SourceObject, Window, Workspace, sha256_hex};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    Error, ObjectBody, Result,
    body::{self},
};

/// Up to so many partitions are listed one by one, more of them day by day.
const HOURS_OF_A_DAY: usize = 24;
/// Prefixes listed at the same time.
const MAX_CONCURRENT_LISTS: usize = 16;

/// What is filed in a partition, without a list of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The bytes of its objects, as stored.
    pub bytes: u64,
    /// A fingerprint of their keys, sizes and entity tags: another one whenever any of them changes.
    pub print: u128,
}

impl Tally {
    fn add(&mut self, object: &SourceObject) {
        self.bytes += object.size_bytes;
        let named = format!("{}\n{}\n{}", object.key, object.etag, object.size_bytes);
        let digest = sha256_hex(named.as_bytes());
        // A sum, so that the order in which objects are listed does not matter.
        let print = u128::from_str_radix(&digest[..32], 16).unwrap_or_default();
        self.print = self.print.wrapping_add(print);
    }
}

/// The bucket of the lake.
#[derive(Clone, Debug)]
pub struct LakeBucket {
    client: Client,
    name: String,
}

impl LakeBucket {
    /// Returns the bucket called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Lists what is filed in each partition that may hold rows of `window`, in order of time and
    /// then by key. Partitions without any are left out. More than `most` objects are
    /// [`Error::TooManyObjects`].
    pub async fn filed(
        &self,
        dataset: &Dataset,
        workspace: &Workspace,
        window: Window,
        most: usize,
    ) -> Result<Vec<(Timestamp, Vec<SourceObject>)>> {
        let mut count = 0;
        self.fold(dataset, workspace, window, move |objects: &mut Vec<SourceObject>, object| {
            count += 1;
            if count > most {
                return Err(Error::TooManyObjects);
            }
            objects.push(object);
            Ok(())
        })
        .await
    }

    /// Tells how many bytes are filed in each partition, likewise, as stored. However many objects they
    /// are, they are not held.
    pub async fn filed_bytes(
        &self,
        dataset: &Dataset,
        workspace: &Workspace,
        window: Window,
    ) -> Result<Vec<(Timestamp, u64)>> {
        let sum = |bytes: &mut u64, object: SourceObject| {
            *bytes += object.size_bytes;
            Ok(())
        };
        self.fold(dataset, workspace, window, sum).await
    }

    /// Returns the tally of what is filed in each partition that may hold rows of `window`, in order of time.
    /// The listing stops as soon as there are more than `most` objects: [`Error::TooManyObjects`].
    pub async fn tallies(
        &self,
        dataset: &Dataset,
        workspace: &Workspace,
        window: Window,
        most: usize,
    ) -> Result<Vec<(Timestamp, Tally)>> {
        let mut count = 0;
        self.fold(dataset, workspace, window, move |tally: &mut Tally, object| {
            count += 1;
            if count > most {
                return Err(Error::TooManyObjects);
            }
            tally.add(&object);
            Ok(())
        })
        .await
    }

    /// Returns how many prefixes are listed for a window of a dataset: one for each partition of up to 24, one
    /// for each day of more.
    pub fn count_lists(dataset: &Dataset, workspace: &Workspace, window: Window) -> Result<usize> {
        Ok(listing(dataset, workspace, window)?.prefixes.len())
    }

    /// Folds what is filed in each partition, in order of its keys.
    async fn fold<T: Default + Send>(
        &self,
        dataset: &Dataset,
        workspace: &Workspace,
        window: Window,
        add: impl FnMut(&mut T, SourceObject) -> Result<()> + Send,
    ) -> Result<Vec<(Timestamp, T)>> {
        let Listing { partitions, prefixes } = listing(dataset, workspace, window)?;
        let folded = Mutex::new((BTreeMap::<Timestamp, T>::new(), add));
        let lock = &folded;
        let each = |object: SourceObject| {
            let partition = dataset.partition_of(workspace, &object.key);
            let Some(at) = partition.filter(|at| partitions.binary_search(at).is_ok()) else {
                return Ok(());
            };
            let mut folded = lock.lock().unwrap_or_else(PoisonError::into_inner);
            let (filed, add) = &mut *folded;
            add(filed.entry(at).or_default(), object)
        };
        stream::iter(prefixes)
            .map(Ok)
            .try_for_each_concurrent(MAX_CONCURRENT_LISTS, |prefix| self.list(prefix, each))
            .await?;
        let (filed, _) = folded.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(filed.into_iter().collect())
    }

    /// Hands on what lies under `prefix`, by key.
    async fn list(&self, prefix: String, each: impl Fn(SourceObject) -> Result<()>) -> Result<()> {
        let mut pages =
            self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::s3("list source objects"))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                // Consoles make empty objects that stand for folders.
                if !key.ends_with('/') {
                    each(SourceObject {
                        key,
                        etag: object.e_tag.unwrap_or_default(),
                        size_bytes: object.size.unwrap_or_default().try_into().unwrap_or_default(),
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Opens an object, provided it is still what it was when it was listed.
    pub async fn open(&self, object: &SourceObject) -> Result<ObjectBody> {
        ObjectBody::whole(body::source(&self.client, &self.name, object)).await
    }

    /// Opens `len` bytes of an object from `offset`, provided it is still what it was.
    pub async fn read(&self, object: &SourceObject, offset: u64, len: u64) -> Result<ObjectBody> {
        ObjectBody::range(body::source(&self.client, &self.name, object), offset, len).await
    }

    /// Returns what S3 calls the object where it is copied from.
    pub(crate) fn copy_source(&self, object: &SourceObject) -> String {
        format!("{}/{}", self.name, utf8_percent_encode(&object.key, KEY))
    }

    /// Reads the catalog at `key`, or takes the one that ships with the code where there is no key.
    pub async fn catalog(&self, key: Option<&str>) -> Result<Catalog> {
        let Some(key) = key else { return Catalog::built_in().map_err(Error::aws("read catalog")) };
        let output = self.client.get_object().bucket(&self.name).key(key).send().await;
        let body = output.map_err(Error::aws("open catalog"))?.body;
        let bytes = body.collect().await.map_err(Error::aws("fetch catalog"))?;
        let text = String::from_utf8(bytes.to_vec()).map_err(Error::aws("read catalog"))?;
        Catalog::parse(key, &text).map_err(Error::aws("read catalog"))
    }
}

/// What is listed for the rows of a window.
struct Listing {
    /// The beginnings of the partitions that may hold them, in order.
    partitions: Vec<Timestamp>,
    /// The prefixes to list: each partition by itself, or the days they are in.
    prefixes: Vec<String>,
}

fn listing(dataset: &Dataset, workspace: &Workspace, window: Window) -> Result<Listing> {
    let partitions = dataset.partitions(workspace, window);
    let partitions = partitions.map_err(Error::aws("list partitions"))?;
    let prefixes = dataset.prefixes(workspace, &partitions, HOURS_OF_A_DAY);
    Ok(Listing { partitions, prefixes })
}

/// What S3 has escaped of a key in `x-amz-copy-source`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, reply};

    /// The catalog, and a window of so many hours.
    fn events_of(hours: i64) -> (Catalog, Window) {
        let from: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let window = Window::new(from, from + jiff::SignedDuration::from_hours(hours)).unwrap();
        (Catalog::built_in().unwrap(), window)
    }

    #[tokio::test]
    async fn no_page_is_asked_for_once_there_are_too_many_objects() {
        // Pages of ten objects, each of which says that there are more.
        let page = std::sync::atomic::AtomicUsize::new(0);
        let fake = Fake::new(move |_| {
            let page = page.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let hour = "amplitude/events/workspace=acme/date=2026-03-01/hour=00/";
            let object = |n| {
                format!("<Contents><Key>{hour}{n}</Key><ETag>e</ETag><Size>1</Size></Contents>")
            };
            let objects: String = (0..10).map(object).collect();
            let next = format!("<NextContinuationToken>{page}</NextContinuationToken>");
            let body = format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated>{next}{objects}</ListBucketResult>"
            );
            reply("200 OK", &[], body.len(), body.as_bytes())
        });
        let lake = LakeBucket::new(fake.s3().await, "lake".to_owned());
        let (catalog, window) = events_of(1);
        let dataset = catalog.dataset_of(catalog.table("amplitude_events").unwrap());

        let tallies = lake.tallies(dataset, &"acme".parse().unwrap(), window, 30).await;

        assert!(matches!(tallies, Err(Error::TooManyObjects)), "{tallies:?}");
        assert_eq!(fake.requests().len(), 4);
    }

    #[test]
    fn a_window_of_a_day_takes_a_list_an_hour_and_a_longer_one_a_list_a_day() {
        for (hours, lists) in [(1, 1), (24, 24), (25, 2), (365 * 24, 365)] {
            let (catalog, window) = events_of(hours);
            let dataset = catalog.dataset_of(catalog.table("amplitude_events").unwrap());
            let counted = LakeBucket::count_lists(dataset, &"acme".parse().unwrap(), window);
            assert_eq!(counted.unwrap(), lists, "{hours} hours");
        }
    }

    #[test]
    fn a_tally_is_another_one_whenever_an_object_is_added_removed_or_changed() {
        let object = |key: &str, etag: &str, size_bytes| SourceObject {
            key: key.to_owned(),
            etag: etag.to_owned(),
            size_bytes,
        };
        let tally = |objects: &[SourceObject]| {
            let mut tally = Tally::default();
            for object in objects {
                tally.add(object);
            }
            tally
        };
        let (one, two) = (object("a", "\"1\"", 5), object("b", "\"2\"", 6));
        let both = tally(&[one.clone(), two.clone()]);

        assert_eq!(both, tally(&[two.clone(), one.clone()]), "in any order");
        assert_eq!(both.bytes, 11);
        for other in [
            tally(&[]),
            tally(std::slice::from_ref(&one)),
            tally(&[one.clone(), object("b", "\"3\"", 6)]),
            tally(&[one.clone(), object("c", "\"2\"", 6)]),
            tally(&[one.clone(), object("b", "\"2\"", 7)]),
            tally(&[one, two.clone(), two]),
        ] {
            assert_ne!(other.print, both.print);
        }
    }
}
