//! Storing new exports, and which export a key stands for: an idempotency key, or the natural key behind a URL.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, builders::PutBuilder};
use export::{Export, ExportId, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::{from_item, to_item};

use crate::{
    Error, ExportTable, NewEntry, Result, StoreOutcome,
    record_item::{Item, RECORD_LIFETIME, item_of, number, pk, text},
    transaction::transact,
};

/// How long an idempotency key is remembered.
const IDEMPOTENCY_KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The export that a key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The export.
    pub export: ExportId,
    /// Of an idempotency key, the hash of the body that was sent with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Of an idempotency key, the hash of the request that was read from that body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When the identity ends, in seconds since 1970. DynamoDB removes it some time later.
    ttl: i64,
}

/// An identity that is stored together with its new export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewIdentity<'a> {
    /// An idempotency key. It takes the place of one that has ended, and of no other.
    IdempotencyKey {
        /// The hash of the key.
        key: &'a str,
        /// The hash of the body.
        body: &'a str,
        /// The hash of the request.
        request: &'a str,
    },
    /// A natural key, whose newest export this becomes.
    NaturalKey {
        /// The hash of the key.
        key: &'a str,
        /// The newest export so far. Another one that came between is not replaced.
        replaces: Option<ExportId>,
    },
}

impl Identity {
    /// Tells whether the identity has not ended yet.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now.as_second() < self.ttl
    }
}

impl ExportTable {
    /// Reads the identity of a key, given as its hash.
    pub async fn identity(&self, workspace: &Workspace, key: &str) -> Result<Option<Identity>> {
        let get = self.get_item(pk(workspace), sk(key)).consistent_read(true);
        let item = get.send().await.map_err(Error::aws("get identity"))?.item;
        item.map(from_item).transpose().map_err(|e| Error::Unreadable(e.into()))
    }

    /// Reads the newest export of a natural key, given as its hash.
    pub async fn newest(&self, workspace: &Workspace, key: &str) -> Result<Option<Export>> {
        match self.identity(workspace, key).await? {
            Some(identity) => self.get(workspace, identity.export).await,
            None => Ok(None),
        }
    }

    /// Stores a new export with its identity, its place in its lane and an entry that tells of it, all or nothing.
    pub async fn store(
        &self,
        export: &Export,
        identity: Option<NewIdentity<'_>>,
        also: Option<&NewEntry>,
    ) -> Result<StoreOutcome> {
        let record = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .condition_expression("attribute_not_exists(pk)");
        let place = match &export.lane {
            Some(lane) => Some(self.last_place(export, lane).await?),
            None => None,
        };
        let identity = identity.map(|identity| self.put_identity(export, identity)).transpose()?;
        let puts = [record].into_iter().chain(place.into_iter().flatten()).chain(identity);
        let write = |put: PutBuilder| {
            let put = put.build().map_err(Error::aws("create export"))?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        let entry = also.map(NewEntry::write);
        let writes: Vec<_> = puts.map(write).chain(entry).collect::<Result<_>>()?;
        transact(&self.client, "create export", writes).await
    }

    fn put_identity(&self, export: &Export, identity: NewIdentity<'_>) -> Result<PutBuilder> {
        let (key, body, request, lifetime) = match identity {
            NewIdentity::IdempotencyKey { key, body, request } => {
                (key, Some(body), Some(request), IDEMPOTENCY_KEY_LIFETIME)
            }
            NewIdentity::NaturalKey { key, .. } => (key, None, None, RECORD_LIFETIME),
        };
        let stored = Identity {
            export: export.id,
            body: body.map(str::to_owned),
            request: request.map(str::to_owned),
            ttl: (export.created_at + lifetime).as_second(),
        };
        let mut item: Item = to_item(stored).map_err(Error::aws("encode identity"))?;
        item.insert("pk".to_owned(), text(pk(&export.workspace)));
        item.insert("sk".to_owned(), text(sk(key)));
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        Ok(match identity {
            NewIdentity::IdempotencyKey { .. } => put
                .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":now", number(export.created_at.as_second())),
            NewIdentity::NaturalKey { replaces: None, .. } => {
                put.condition_expression("attribute_not_exists(pk)")
            }
            NewIdentity::NaturalKey { replaces: Some(before), .. } => put
                .condition_expression("#export = :before")
                .expression_attribute_names("#export", "export")
                .expression_attribute_values(":before", text(before)),
        })
    }
}

fn sk(key: &str) -> String {
    format!("I#{key}")
}
