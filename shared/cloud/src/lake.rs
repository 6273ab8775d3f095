//! Source objects in the lake: in its bucket, and in others that the catalog names. Read only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use aws_config::{SdkConfig, sts::AssumeRoleProvider};
use aws_sdk_s3::{
    Client,
    config::{Region, SharedCredentialsProvider},
    operation::get_object::builders::GetObjectFluentBuilder,
};
use export::{BucketName, Dataset, SourceBucket, SourceObject, Window, Workspace, sha256_hex};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Error, ObjectBody, Result, body, clients::s3_config, env};

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
        let SourceObject { bucket, key, etag, size_bytes } = object;
        let mut named = format!("{key}\n{etag}\n{size_bytes}");
        if let Some(bucket) = bucket {
            named = format!("{named}\n{bucket}");
        }
        let digest = sha256_hex(named.as_bytes());
        // A sum, so that the order in which objects are listed does not matter.
        let print = u128::from_str_radix(&digest[..32], 16).unwrap_or_default();
        self.print = self.print.wrapping_add(print);
    }
}

/// The lake: its own bucket, and others that the catalog names.
#[derive(Clone, Debug)]
pub struct Lake {
    client: Client,
    name: String,
    /// A client of each other bucket, with its region and its role.
    others: BTreeMap<String, Client>,
}

impl Lake {
    /// Returns the lake whose own bucket is called `name`, without any others.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name, others: BTreeMap::new() }
    }

    /// Reads the settings that `template.yaml` gives every function that reads the lake, or says which one is missing.
    pub fn from_env(aws: &SdkConfig) -> Result<Self, env::SettingError> {
        let region: Option<String> = env::optional("LAKE_REGION")?;
        let region = region.map(Region::new).or_else(|| aws.region().cloned());
        let client = Client::from_conf(s3_config(aws).region(region).build());
        Ok(Self::new(client, env::required("LAKE_BUCKET")?))
    }

    /// Adds the other buckets of a catalog. Roles are assumed when a bucket is first read.
    pub async fn with_others(
        mut self,
        aws: &SdkConfig,
        buckets: impl Iterator<Item = &SourceBucket>,
    ) -> Self {
        for bucket in buckets {
            let client = client_of(aws, bucket).await;
            self.others.insert(bucket.name.to_string(), client);
        }
        self
    }

    /// Returns the client and the name of a bucket, by default that of the lake.
    pub(crate) fn bucket(&self, named: Option<&BucketName>) -> Result<(&Client, &str)> {
        let Some(named) = named else { return Ok((&self.client, &self.name)) };
        let found = self.others.get_key_value(&named.to_string());
        let (name, client) = found.ok_or_else(|| Error::Denied {
            action: "find the bucket of a dataset",
            key: None,
            reason: format!("the catalog has no bucket \"{named}\" any more"),
        })?;
        Ok((client, name))
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
        let bucket = dataset.bucket.as_ref();
        stream::iter(prefixes)
            .map(Ok)
            .try_for_each_concurrent(MAX_CONCURRENT_LISTS, |prefix| self.list(bucket, prefix, each))
            .await?;
        let (filed, _) = folded.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(filed.into_iter().collect())
    }

    /// Hands on what lies under `prefix` of a bucket, by key.
    async fn list(
        &self,
        bucket: Option<&BucketName>,
        prefix: String,
        each: impl Fn(SourceObject) -> Result<()>,
    ) -> Result<()> {
        let (client, name) = self.bucket(bucket)?;
        let mut pages =
            client.list_objects_v2().bucket(name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::s3("list source objects"))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                // Consoles make empty objects that stand for folders.
                if !key.ends_with('/') {
                    each(SourceObject {
                        key,
                        bucket: bucket.cloned(),
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
        let (client, name) = self.bucket(object.bucket.as_ref())?;
        ObjectBody::whole(body::source(client, name, object)).await
    }

    /// Opens `len` bytes of an object from `offset`, provided it is still what it was.
    pub async fn read(&self, object: &SourceObject, offset: u64, len: u64) -> Result<ObjectBody> {
        let (client, name) = self.bucket(object.bucket.as_ref())?;
        ObjectBody::range(body::source(client, name, object), offset, len).await
    }

    /// Returns what S3 calls an object of the lake's own bucket where it is copied from. Plans have no others copied.
    pub(crate) fn copy_source(&self, object: &SourceObject) -> String {
        format!("{}/{}", self.name, utf8_percent_encode(&object.key, KEY))
    }

    /// Asks for an object of the lake's own bucket.
    pub(crate) fn get(&self, key: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.name).key(key)
    }
}

/// Returns a client of a bucket in its region, by its role.
async fn client_of(aws: &SdkConfig, bucket: &SourceBucket) -> Client {
    let region = bucket.region.clone().map(Region::new).or_else(|| aws.region().cloned());
    let mut config = s3_config(aws).region(region);
    if let Some(role) = &bucket.role {
        let mut assumed = AssumeRoleProvider::builder(&role.arn).session_name("decant");
        if let Some(id) = &role.external_id {
            assumed = assumed.external_id(id);
        }
        let provider = assumed.configure(aws).build().await;
        config = config.credentials_provider(SharedCredentialsProvider::new(provider));
    }
    Client::from_conf(config.build())
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
    use export::Catalog;

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
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        let (catalog, window) = events_of(1);
        let dataset = catalog.dataset_of(catalog.table("amplitude_events").unwrap());

        let tallies = lake.tallies(dataset, &"acme".parse().unwrap(), window, 30).await;

        assert!(matches!(tallies, Err(Error::TooManyObjects)), "{tallies:?}");
        assert_eq!(fake.requests().len(), 4);
    }

    /// A lake whose only dataset is in another bucket, in another region, by a role; and an hour of it.
    async fn elsewhere(fake: &Fake) -> (Lake, Dataset, Window) {
        let text = r#"
            [[bucket]]
            name = "acme-events"
            region = "eu-central-1"
            role = "arn:aws:iam::111122223333:role/lake"
            external_id = "decant"

            [[dataset]]
            name = "events"
            bucket = "acme-events"
            path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
            time = "at"
        "#;
        let catalog = Catalog::parse("test", text).unwrap();
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        let lake = lake.with_others(&fake.aws().await, catalog.buckets()).await;
        let dataset = catalog.datasets().next().unwrap().clone();
        (lake, dataset, events_of(1).1)
    }

    #[tokio::test]
    async fn a_bucket_elsewhere_is_read_in_its_region_by_its_role() {
        let fake = Fake::new(|request| {
            let credentials = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE\
                </AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>\
                2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
            let objects = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>\
                acme/2026/03/01/00/a</Key><ETag>e</ETag><Size>1</Size></Contents></ListBucketResult>";
            let body = if request.contains("Action=AssumeRole") { credentials } else { objects };
            reply("200 OK", &[("Content-Type", "text/xml")], body.len(), body.as_bytes())
        });
        let (lake, dataset, window) = elsewhere(&fake).await;

        let filed = lake.filed(&dataset, &"acme".parse().unwrap(), window, 10).await.unwrap();

        assert_eq!(filed[0].1[0].bucket, Some("acme-events".parse().unwrap()));
        let requests = fake.requests();
        let (assumed, listed) = (&requests[0], requests.last().unwrap());
        assert!(assumed.contains("ExternalId=decant"), "{assumed}");
        assert!(listed.starts_with("GET /acme-events"), "{listed}");
        assert!(listed.contains("Credential=ASIAROLE/"), "{listed}");
        assert!(listed.contains("/eu-central-1/s3/aws4_request"), "{listed}");
    }

    #[tokio::test]
    async fn what_keeps_a_bucket_elsewhere_from_being_read_is_told_at_once() {
        let role = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>may not assume lake</Message></Error>\
            </ErrorResponse>";
        let fake = Fake::new(move |_| {
            reply("403 Forbidden", &[("Content-Type", "text/xml")], role.len(), role.as_bytes())
        });
        let (lake, dataset, window) = elsewhere(&fake).await;
        let acme = "acme".parse().unwrap();
        let refused = lake.filed(&dataset, &acme, window, 10).await.unwrap_err();
        let Error::Denied { reason, .. } = refused else { panic!("{refused:?}") };
        assert!(reason.contains("may not assume lake"), "{reason}");

        let redirect = [("x-amz-bucket-region", "eu-west-1")];
        let fake = Fake::new(move |_| reply("301 Moved Permanently", &redirect, 0, b""));
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        let home = Dataset { bucket: None, ..dataset.clone() };
        let refused = lake.filed(&home, &acme, window, 10).await.unwrap_err();
        let Error::Denied { reason, .. } = refused else { panic!("{refused:?}") };
        assert!(reason.ends_with("Its bucket is in eu-west-1."), "{reason}");

        // A plan may have been made with a catalog that knew the bucket.
        let refused = lake.filed(&dataset, &acme, window, 10).await;
        assert!(matches!(refused, Err(Error::Denied { .. })), "{refused:?}");
    }

    #[test]
    fn a_window_of_a_day_takes_a_list_an_hour_and_a_longer_one_a_list_a_day() {
        for (hours, lists) in [(1, 1), (24, 24), (25, 2), (365 * 24, 365)] {
            let (catalog, window) = events_of(hours);
            let dataset = catalog.dataset_of(catalog.table("amplitude_events").unwrap());
            let counted = Lake::count_lists(dataset, &"acme".parse().unwrap(), window);
            assert_eq!(counted.unwrap(), lists, "{hours} hours");
        }
    }

    #[test]
    fn a_tally_is_another_one_whenever_an_object_is_added_removed_or_changed() {
        let object = |key: &str, etag: &str, size_bytes| SourceObject {
            key: key.to_owned(),
            bucket: None,
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
