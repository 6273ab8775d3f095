//! Source objects in the lake. Read only.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{ChecksumMode, ChecksumType},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use export::{Catalog, Dataset, SourceObject, Window, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Error, Result};

/// Up to so many partitions are listed one by one, more of them day by day.
const HOURS_OF_A_DAY: usize = 24;
/// Prefixes listed at the same time.
const LISTS_AT_ONCE: usize = 16;

/// The bucket of the lake.
#[derive(Clone, Debug)]
pub struct LakeBucket {
    client: Client,
    name: String,
    most_objects: usize,
}

impl LakeBucket {
    /// Returns the bucket called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name, most_objects: usize::MAX }
    }

    /// The same, of which no more objects are listed at a time.
    #[must_use]
    pub fn with_most_objects(self, most_objects: usize) -> Self {
        Self { most_objects, ..self }
    }

    /// Lists what is filed in each partition that may hold rows of `window`, in order of time and
    /// then by key. Partitions without any are left out.
    pub async fn filed(
        &self,
        dataset: &Dataset,
        workspace: &Workspace,
        window: Window,
    ) -> Result<Vec<(Timestamp, Vec<SourceObject>)>> {
        let partitions = dataset.path.partitions(workspace, window, dataset.late);
        let place: HashMap<&str, usize> =
            (0..).zip(&partitions).map(|(place, (_, prefix))| (prefix.as_str(), place)).collect();
        let mut filed: Vec<Vec<SourceObject>> = vec![Vec::new(); partitions.len()];
        let prefixes = if partitions.len() > HOURS_OF_A_DAY {
            dataset.path.day_prefixes(workspace, window, dataset.late)
        } else {
            partitions.iter().map(|(_, prefix)| prefix.clone()).collect()
        };
        for object in self.list(prefixes).await?.into_iter().flatten() {
            // Folders below a partition belong to it.
            let mut folders = object.key.rmatch_indices('/').map(|(end, _)| &object.key[..=end]);
            if let Some(place) = folders.find_map(|folder| place.get(folder)) {
                filed[*place].push(object);
            }
        }
        let times = partitions.iter().map(|(at, _)| *at);
        Ok(times.zip(filed).filter(|(_, objects)| !objects.is_empty()).collect())
    }

    /// Lists what lies under each of `prefixes`, in their order and then by key.
    async fn list(&self, prefixes: Vec<String>) -> Result<Vec<Vec<SourceObject>>> {
        let count = AtomicUsize::new(0);
        stream::iter(prefixes)
            .map(|prefix| self.list_one(prefix, &count))
            .buffered(LISTS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn list_one(&self, prefix: String, count: &AtomicUsize) -> Result<Vec<SourceObject>> {
        let mut found = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::aws("list source objects"))?;
            let objects = page.contents.unwrap_or_default();
            if count.fetch_add(objects.len(), Ordering::Relaxed) + objects.len() > self.most_objects
            {
                return Err(Error::TooManyObjects(self.most_objects));
            }
            for object in objects {
                let key = object.key.unwrap_or_default();
                // Consoles make empty objects that stand for folders.
                if !key.ends_with('/') {
                    found.push(SourceObject {
                        key,
                        etag: object.e_tag.unwrap_or_default(),
                        size_bytes: object.size.unwrap_or_default().try_into().unwrap_or_default(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Opens an object, provided it is still what it was when it was listed.
    pub async fn open(&self, object: &SourceObject) -> Result<ByteStream> {
        let get =
            self.client.get_object().bucket(&self.name).key(&object.key).if_match(&object.etag);
        match get.send().await {
            Ok(output) => Ok(output.body),
            Err(e) => Err(changed_or("open source object", object, e)),
        }
    }

    /// Reads `len` bytes of an object from `offset`, provided it is still what it was.
    pub async fn read(&self, object: &SourceObject, offset: u64, len: u64) -> Result<ByteStream> {
        let get =
            self.client.get_object().bucket(&self.name).key(&object.key).if_match(&object.etag);
        let get = get.range(format!("bytes={offset}-{}", offset + len - 1));
        match get.send().await {
            Ok(output) => Ok(output.body),
            Err(e) => Err(changed_or("read source object", object, e)),
        }
    }

    /// Returns the CRC-32 of an object, if S3 knows that of the whole.
    pub async fn crc32(&self, object: &SourceObject) -> Result<Option<u32>> {
        let head =
            self.client.head_object().bucket(&self.name).key(&object.key).if_match(&object.etag);
        let head = match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => head,
            Err(e) => return Err(changed_or("find source object", object, e)),
        };
        if head.checksum_type.is_some_and(|kind| kind != ChecksumType::FullObject) {
            return Ok(None);
        }
        let bytes = head.checksum_crc32.and_then(|text| BASE64_STANDARD.decode(text).ok());
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes))
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

/// What S3 has escaped of a key in `x-amz-copy-source`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn changed_or<E>(action: &'static str, object: &SourceObject, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    // A HEAD has no body that could say more than the status.
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error.code() {
        Some("NoSuchKey" | "NotFound" | "PreconditionFailed") => {
            Error::SourceChanged(object.key.clone())
        }
        _ if status == Some(412) => Error::SourceChanged(object.key.clone()),
        _ => Error::aws(action)(error),
    }
}
