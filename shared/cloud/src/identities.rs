//! Making exports, at most one of an identity: an idempotency key, or the natural key behind a URL.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, TransactWriteItem, builders::PutBuilder},
};
use export::{Export, ExportId, Workspace};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Error, ExportTable, Result,
    exports::{Item, RECORD_LIFETIME, item_of, number, pk, text},
};

/// How long an idempotency key is remembered.
const IDENTITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The most attempts to store an export while others store theirs, and the longest pause between two.
const MAX_ATTEMPTS: u32 = 20;
const MAX_PAUSE_MILLIS: u64 = 200;

/// An idempotency key and what was asked for under it, as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The body as it was sent.
    pub body: String,
    /// The request that was read from it. Two bodies may mean the same.
    pub request: String,
}

/// What came of a transaction that stores an export.
enum Stored {
    /// It is stored.
    Yes,
    /// A condition does not hold: somebody was faster.
    Refused,
    /// Another transaction was under way on the same items. Its outcome is not known yet.
    Conflict,
}

/// What came of creating an export.
#[derive(Clone, Debug)]
pub enum Created {
    /// It is new.
    New,
    /// The same request under the same key made this one before.
    Before(Box<Export>),
    /// Another request was made under the same key.
    OtherRequest,
}

/// What came of asking for the export of a natural key.
#[derive(Clone, Debug)]
pub enum Joined {
    /// It is new.
    New {
        /// The newest until now.
        before: Option<Box<Export>>,
    },
    /// The newest there is stays the newest.
    Kept(Box<Export>),
}

impl ExportTable {
    /// Stores a new export; under an idempotency key, at most one.
    pub async fn create(&self, export: &Export, key: Option<&IdempotencyKey>) -> Result<Created> {
        for attempt in 0..MAX_ATTEMPTS {
            if let Some(key) = key
                && let Some(made) = self.made_before(export, key).await?
            {
                return Ok(made);
            }
            let identity = key.map(|key| self.identity_of(export, key));
            match self.store(export, identity).await? {
                Stored::Yes => return Ok(Created::New),
                Stored::Refused if key.is_none() => return Err(Error::Stale(export.id)),
                // Somebody has the same key. Which export it stands for is known in a moment.
                Stored::Refused | Stored::Conflict => pause(attempt).await,
            }
        }
        Err(Error::Stale(export.id))
    }

    /// Reads the export that was made under a key of the same body.
    pub async fn replayed(
        &self,
        workspace: &Workspace,
        (key, body): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Export>> {
        let identity = self.identity(&pk(workspace), key).await?.filter(|it| is_live(it, now));
        let same = identity.filter(|identity| text_of(identity, "body") == Some(body));
        match same.as_ref().and_then(identified) {
            Some(id) => self.get(workspace, id).await,
            None => Ok(None),
        }
    }

    /// Returns the write of the identity that a key is for `export`.
    fn identity_of(&self, export: &Export, key: &IdempotencyKey) -> PutBuilder {
        let item = Item::from([
            ("pk".to_owned(), text(pk(&export.workspace))),
            ("sk".to_owned(), text(format!("I#{}", key.key))),
            ("export".to_owned(), text(export.id)),
            ("body".to_owned(), text(&key.body)),
            ("request".to_owned(), text(&key.request)),
            ("ttl".to_owned(), number((export.created_at + IDENTITY_LIFETIME).as_second())),
        ]);
        // DynamoDB removes items some time after their ttl, so an identity past it may be replaced.
        Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(export.created_at.as_second()))
    }

    /// Reads the newest export of a natural key; `key` is the key's hash.
    pub async fn newest(&self, workspace: &Workspace, key: &str) -> Result<Option<Export>> {
        let identity = self.identity(&pk(workspace), key).await?;
        match identity.as_ref().and_then(identified) {
            Some(id) => self.get(workspace, id).await,
            None => Ok(None),
        }
    }

    /// Stores a new export as the newest of its natural key, unless the newest so far is to be kept.
    /// Of many at once, one is stored.
    pub async fn join(
        &self,
        export: &Export,
        key: &str,
        keep: impl Fn(&Export) -> bool,
    ) -> Result<Joined> {
        let pk = pk(&export.workspace);
        for attempt in 0..MAX_ATTEMPTS {
            let identity = self.identity(&pk, key).await?;
            let before = identity.as_ref().and_then(identified);
            let newest = match before {
                Some(id) => self.get(&export.workspace, id).await?,
                None => None,
            };
            if let Some(kept) = newest.as_ref().filter(|newest| keep(newest)) {
                return Ok(Joined::Kept(Box::new(kept.clone())));
            }
            let item = Item::from([
                ("pk".to_owned(), text(&pk)),
                ("sk".to_owned(), text(format!("I#{key}"))),
                ("export".to_owned(), text(export.id)),
                ("ttl".to_owned(), number((export.created_at + RECORD_LIFETIME).as_second())),
            ]);
            let identity = Put::builder().table_name(&self.name).set_item(Some(item));
            let identity = match before {
                None => identity.condition_expression("attribute_not_exists(pk)"),
                Some(before) => identity
                    .condition_expression("#export = :before")
                    .expression_attribute_names("#export", "export")
                    .expression_attribute_values(":before", text(before)),
            };
            match self.store(export, Some(identity)).await? {
                Stored::Yes => return Ok(Joined::New { before: newest.map(Box::new) }),
                Stored::Refused | Stored::Conflict => pause(attempt).await,
            }
        }
        Err(Error::Stale(export.id))
    }

    /// Stores a new export with all that belongs to it.
    async fn store(&self, export: &Export, identity: Option<PutBuilder>) -> Result<Stored> {
        let record = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .condition_expression("attribute_not_exists(pk)");
        let place = match &export.lane {
            Some(lane) => Some(self.last_place(export, lane).await?),
            None => None,
        };
        let puts = [record].into_iter().chain(place.into_iter().flatten()).chain(identity);
        let mut write = self.client.transact_write_items();
        for put in puts {
            let put = put.build().map_err(Error::aws("create export"))?;
            write = write.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let Err(error) = write.send().await else { return Ok(Stored::Yes) };
        let stored = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let reasons = cancelled.cancellation_reasons();
                outcome(reasons.iter().filter_map(|reason| reason.code()))
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
                Some(Stored::Conflict)
            }
            _ => None,
        };
        stored.ok_or_else(|| Error::aws("create export")(error))
    }

    async fn identity(&self, pk: &str, key: &str) -> Result<Option<Item>> {
        let get = self.get_item(pk, format!("I#{key}")).consistent_read(true);
        Ok(get.send().await.map_err(Error::aws("get identity"))?.item)
    }

    async fn made_before(&self, new: &Export, key: &IdempotencyKey) -> Result<Option<Created>> {
        let identity = self.identity(&pk(&new.workspace), &key.key).await?;
        let Some(identity) = identity.filter(|it| is_live(it, new.created_at)) else {
            return Ok(None);
        };
        let is = |name: &str, hash: &str| text_of(&identity, name) == Some(hash);
        if !is("body", &key.body) && !is("request", &key.request) {
            return Ok(Some(Created::OtherRequest));
        }
        let Some(id) = identified(&identity) else { return Ok(None) };
        Ok(self.get(&new.workspace, id).await?.map(|export| Created::Before(Box::new(export))))
    }
}

/// What the reasons of a cancelled transaction say. None if it could not be tried, as when it was throttled.
fn outcome<'a>(reasons: impl IntoIterator<Item = &'a str>) -> Option<Stored> {
    let mut found = None;
    for reason in reasons {
        match reason {
            "None" => {}
            "ConditionalCheckFailed" => found = found.or(Some(Stored::Refused)),
            "TransactionConflict" => found = Some(Stored::Conflict),
            _ => return None,
        }
    }
    found
}

/// Waits before the next attempt, each time longer, and not as long as others do.
async fn pause(attempt: u32) {
    let most = u64::from(10 * attempt).min(MAX_PAUSE_MILLIS);
    let millis =
        most / 2 + u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) % (most / 2 + 1);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Whether an identity still counts: DynamoDB removes it some time after its ttl.
fn is_live(identity: &Item, now: Timestamp) -> bool {
    let ttl = identity.get("ttl").and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    ttl.is_some_and(|ttl| now.as_second() < ttl)
}

fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The export that an identity names.
fn identified(identity: &Item) -> Option<ExportId> {
    identity.get("export")?.as_s().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_of_transactions_is_not_a_refusal() {
        let of = |reasons: [&'static str; 3]| outcome(reasons);
        assert!(matches!(of(["None", "ConditionalCheckFailed", "None"]), Some(Stored::Refused)));
        assert!(matches!(of(["None", "None", "TransactionConflict"]), Some(Stored::Conflict)));
        let both = ["ConditionalCheckFailed", "None", "TransactionConflict"];
        assert!(matches!(of(both), Some(Stored::Conflict)), "the other may yet fail");
        assert!(of(["None", "ThrottlingError", "ConditionalCheckFailed"]).is_none());
        assert!(of(["None"; 3]).is_none());
    }
}
