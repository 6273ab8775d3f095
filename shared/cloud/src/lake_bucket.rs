//! Source objects in the lake. Read only.

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    primitives::ByteStream,
};
use export::Catalog;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Prefixes listed at the same time.
const LISTS_AT_ONCE: usize = 16;

/// One source object as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// Its key.
    pub key: String,
    /// Its `ETag`, with quotes: changes whenever its bytes do.
    pub etag: String,
    /// Its size in bytes, as stored.
    pub size_bytes: u64,
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

    /// Lists what lies under each of `prefixes`, in their order and then by key.
    pub async fn list(&self, prefixes: Vec<String>) -> Result<Vec<SourceObject>> {
        let lists: Vec<Vec<SourceObject>> = stream::iter(prefixes)
            .map(|prefix| self.list_one(prefix))
            .buffered(LISTS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn list_one(&self, prefix: String) -> Result<Vec<SourceObject>> {
        let mut found = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::aws("list source objects"))?;
            for object in page.contents.unwrap_or_default() {
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
            Err(SdkError::ServiceError(e))
                if matches!(e.err().code(), Some("NoSuchKey" | "PreconditionFailed")) =>
            {
                Err(Error::SourceChanged(object.key.clone()))
            }
            Err(e) => Err(Error::aws("open source object")(e)),
        }
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
