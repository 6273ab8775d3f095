//! Export records in DynamoDB.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | record of an export | `W#workspace` | `E#id` |
//! | identity: which export an idempotency key or a natural key made last | `W#workspace` | `I#hash of the key` |
//! | place in a lane: an export that may not be finished | `W#workspace` | `Q#lane#id` |
//!
//! A record is in the index `due` as long as the janitor has something to do about it: `due_shard`
//! (one of a few, so that no partition of the index is hot) and `due_at` (seconds since 1970).
//! Every change names the version it replaces, so of two writers one wins and the other learns it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::{AttributeValue, Put, TransactWriteItem, builders::PutBuilder},
};
use export::{Export, ExportId, Lane, Lease, State, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_item, to_item};

use crate::{Error, Result};

type Item = HashMap<String, AttributeValue>;

/// How many partitions the index of unfinished work has.
const DUE_SHARDS: u8 = 8;
const DUE_INDEX: &str = "due";

/// How long a record stays after its last change, before DynamoDB removes it.
const RECORD_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long an idempotency key is remembered.
const IDENTITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The table of exports.
#[derive(Clone, Debug)]
pub struct ExportTable {
    client: Client,
    name: String,
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

/// Some of a workspace's exports, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The exports.
    pub exports: Vec<Export>,
    /// Whether there are older ones.
    pub more: bool,
}

impl ExportTable {
    /// Returns the table called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Stores a new export; under an idempotency key, at most one. `key` is the key's hash and the
    /// request's.
    pub async fn create(&self, export: &Export, key: Option<(&str, &str)>) -> Result<Created> {
        let Some((key, request)) = key else {
            let stored = self.store(export, None).await?;
            return stored.then_some(Created::New).ok_or(Error::Stale(export.id));
        };
        let pk = pk(&export.workspace);
        let identity = self.identity(&pk, key).await?;
        if let Some(made) = self.made_before(export, identity, request).await? {
            return Ok(made);
        }
        let item = Item::from([
            ("pk".to_owned(), text(&pk)),
            ("sk".to_owned(), text(format!("I#{key}"))),
            ("export".to_owned(), text(export.id)),
            ("request".to_owned(), text(request)),
            ("ttl".to_owned(), number((export.created_at + IDENTITY_LIFETIME).as_second())),
        ]);
        // DynamoDB removes items some time after their ttl, so an identity past it may be replaced.
        let identity = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(export.created_at.as_second()));
        if self.store(export, Some(identity)).await? {
            return Ok(Created::New);
        }
        // Someone was faster with the same key.
        let identity = self.identity(&pk, key).await?;
        self.made_before(export, identity, request).await?.ok_or(Error::Stale(export.id))
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
        const MOST: u32 = 20;
        let pk = pk(&export.workspace);
        for attempt in 0..MOST {
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
            if self.store(export, Some(identity)).await? {
                return Ok(Joined::New { before: newest.map(Box::new) });
            }
            tokio::time::sleep(Duration::from_millis(u64::from(10 * attempt))).await;
        }
        Err(Error::Stale(export.id))
    }

    /// Stores a new export with all that belongs to it, or tells that a condition does not hold.
    async fn store(&self, export: &Export, identity: Option<PutBuilder>) -> Result<bool> {
        let record = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .condition_expression("attribute_not_exists(pk)");
        let place = export.lane.map(|lane| {
            let ttl = number((export.deadline + RECORD_LIFETIME).as_second());
            Put::builder()
                .table_name(&self.name)
                .item("pk", text(pk(&export.workspace)))
                .item("sk", text(format!("{}{}", lane_prefix(lane), export.id)))
                .item("ttl", ttl)
        });
        let mut write = self.client.transact_write_items();
        for put in [Some(record), place, identity].into_iter().flatten() {
            let put = put.build().map_err(Error::aws("create export"))?;
            write = write.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match write.send().await {
            Ok(_) => Ok(true),
            Err(e)
                if e.as_service_error().is_some_and(aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::is_transaction_canceled_exception) =>
            {
                Ok(false)
            }
            Err(e) => Err(Error::aws("create export")(e)),
        }
    }

    /// Reads the first export of a lane that is not finished, and clears away those before it.
    pub async fn first_in_lane(&self, workspace: &Workspace, lane: Lane) -> Result<Option<Export>> {
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("pk = :pk AND begins_with(sk, :lane)")
                .expression_attribute_values(":pk", text(pk(workspace)))
                .expression_attribute_values(":lane", text(lane_prefix(lane)))
                .consistent_read(true)
                .limit(1)
                .send()
                .await
                .map_err(Error::aws("read lane"))?;
            let Some(place) = output.items.unwrap_or_default().pop() else { return Ok(None) };
            let sk = place.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
            if let Some(id) = sk.strip_prefix(&lane_prefix(lane)).and_then(|id| id.parse().ok()) {
                let export = self.get(workspace, id).await?;
                if let Some(export) = export.filter(|e| e.status(e.created_at).is_unfinished()) {
                    return Ok(Some(export));
                }
            }
            self.client
                .delete_item()
                .table_name(&self.name)
                .key("pk", text(pk(workspace)))
                .key("sk", text(sk))
                .send()
                .await
                .map_err(Error::aws("clear lane"))?;
        }
    }

    async fn identity(&self, pk: &str, key: &str) -> Result<Option<Item>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(format!("I#{key}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("get identity"))?;
        Ok(output.item)
    }

    async fn made_before(
        &self,
        new: &Export,
        identity: Option<Item>,
        request: &str,
    ) -> Result<Option<Created>> {
        let Some(identity) = identity else { return Ok(None) };
        let of = |name: &str| identity.get(name).and_then(|value| value.as_s().ok());
        let ttl = identity.get("ttl").and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
        if ttl.is_none_or(|ttl| ttl <= new.created_at.as_second()) {
            return Ok(None);
        }
        if of("request").map(String::as_str) != Some(request) {
            return Ok(Some(Created::OtherRequest));
        }
        let Some(id) = identified(&identity) else { return Ok(None) };
        Ok(self.get(&new.workspace, id).await?.map(|export| Created::Before(Box::new(export))))
    }

    /// Reads the latest version of an export; none if the workspace has no such export.
    pub async fn get(&self, workspace: &Workspace, id: ExportId) -> Result<Option<Export>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(pk(workspace)))
            .key("sk", text(sk(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("get export"))?;
        output.item.map(export_of).transpose()
    }

    /// Stores a change, provided that the stored version is the one before.
    pub async fn put(&self, export: &Export) -> Result<()> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item_of(export)?));
        let put = match export.version - 1 {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            previous => put
                .condition_expression("#version = :previous")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":previous", number(previous)),
        };
        match put.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(e))
                if matches!(e.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Err(Error::Stale(export.id))
            }
            Err(e) => Err(Error::aws("put export")(e)),
        }
    }

    /// Changes an export by `change` until nobody else comes between; none if there is no such
    /// export, the export as it is if `change` has nothing to change.
    pub async fn change(
        &self,
        workspace: &Workspace,
        id: ExportId,
        change: impl Fn(&Export) -> Option<Export>,
    ) -> Result<Option<Export>> {
        const MOST: usize = 20;
        for _ in 0..MOST {
            let Some(export) = self.get(workspace, id).await? else { return Ok(None) };
            let Some(next) = change(&export) else { return Ok(Some(export)) };
            match self.put(&next).await {
                Ok(()) => return Ok(Some(next)),
                Err(Error::Stale(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Err(Error::Stale(id))
    }

    /// Records that a step is done, once, as long as `lease` is the latest. Tells whether it is.
    pub async fn step_done(
        &self,
        export: &Export,
        lease: Lease,
        step: u32,
        rows: u64,
        bytes: u64,
    ) -> Result<bool> {
        let result = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(pk(&export.workspace)))
            .key("sk", text(sk(export.id)))
            .update_expression("ADD steps_done :steps, #rows :rows, #bytes :bytes, version :one")
            .condition_expression(
                "#state.#status = :running AND #state.lease.#number = :lease \
                 AND NOT contains(steps_done, :step)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#number", "number")
            .expression_attribute_names("#rows", "rows")
            .expression_attribute_names("#bytes", "bytes")
            .expression_attribute_values(":steps", AttributeValue::Ns(vec![step.to_string()]))
            .expression_attribute_values(":step", number(step))
            .expression_attribute_values(":rows", number(rows))
            .expression_attribute_values(":bytes", number(bytes))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":running", text("running"))
            .expression_attribute_values(":lease", number(lease.number))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(e))
                if matches!(e.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(false)
            }
            Err(e) => Err(Error::aws("record step")(e)),
        }
    }

    /// Reads up to `limit` exports of a workspace, newest first, after `after`.
    pub async fn list(
        &self,
        workspace: &Workspace,
        after: Option<ExportId>,
        limit: i32,
    ) -> Result<Page> {
        let start = after.map(|id| {
            Item::from([("pk".to_owned(), text(pk(workspace))), ("sk".to_owned(), text(sk(id)))])
        });
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :exports)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":exports", text("E#"))
            .set_exclusive_start_key(start)
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(Error::aws("list exports"))?;
        let more = output.last_evaluated_key.is_some();
        let exports =
            output.items.unwrap_or_default().into_iter().map(export_of).collect::<Result<_>>()?;
        Ok(Page { exports, more })
    }

    /// Reads which exports the janitor has to look at by `now`, the longest due first in each shard.
    pub async fn due(
        &self,
        now: Timestamp,
        limit_per_shard: i32,
    ) -> Result<Vec<(Workspace, ExportId)>> {
        let mut due = Vec::new();
        for shard in 0..DUE_SHARDS {
            let output = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(DUE_INDEX)
                .key_condition_expression("due_shard = :shard AND due_at <= :now")
                .expression_attribute_values(":shard", number(shard))
                .expression_attribute_values(":now", number(now.as_second()))
                .limit(limit_per_shard)
                .send()
                .await
                .map_err(Error::aws("list due exports"))?;
            due.extend(output.items.unwrap_or_default().iter().filter_map(keys_of));
        }
        Ok(due)
    }
}

fn pk(workspace: &Workspace) -> String {
    format!("W#{workspace}")
}

/// How the sort keys of a lane's places begin. Ids sort by time, so places do.
fn lane_prefix(lane: Lane) -> String {
    format!("Q#{}#", lane.name())
}

/// The export that an identity names.
fn identified(identity: &Item) -> Option<ExportId> {
    identity.get("export")?.as_s().ok()?.parse().ok()
}

fn sk(id: ExportId) -> String {
    format!("E#{id}")
}

fn keys_of(item: &Item) -> Option<(Workspace, ExportId)> {
    let of = |name: &str, prefix: &str| item.get(name)?.as_s().ok()?.strip_prefix(prefix);
    Some((of("pk", "W#")?.parse().ok()?, of("sk", "E#")?.parse().ok()?))
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item_of(export: &Export) -> Result<Item> {
    let mut item: Item = to_item(export).map_err(Error::aws("encode export"))?;
    item.insert("pk".to_owned(), text(pk(&export.workspace)));
    item.insert("sk".to_owned(), text(sk(export.id)));
    // A set, because builders add to it; DynamoDB has no empty sets.
    if !export.steps_done.is_empty() {
        let steps = export.steps_done.iter().map(ToString::to_string).collect();
        item.insert("steps_done".to_owned(), AttributeValue::Ns(steps));
    }
    if let Some(due) = export.due() {
        item.insert("due_shard".to_owned(), number(export.id.shard(DUE_SHARDS)));
        item.insert("due_at".to_owned(), number(due.as_second()));
    } else {
        let end = match &export.state {
            State::Failed { finished_at, .. } | State::Cancelled { finished_at } => *finished_at,
            State::Deleted { deleted_at, .. } => *deleted_at,
            State::Expired { archive, .. } | State::Succeeded { archive } => archive.expires_at,
            State::Queued { .. } | State::Running { .. } => export.deadline,
        };
        item.insert("ttl".to_owned(), number((end + RECORD_LIFETIME).as_second()));
    }
    Ok(item)
}

fn export_of(mut item: Item) -> Result<Export> {
    let steps_done: BTreeSet<u32> = match item.remove("steps_done") {
        Some(AttributeValue::Ns(steps)) => {
            steps.iter().filter_map(|step| step.parse().ok()).collect()
        }
        _ => BTreeSet::new(),
    };
    let export: Export = from_item(item).map_err(Error::aws("decode export"))?;
    Ok(Export { steps_done, ..export })
}

#[cfg(test)]
mod tests {
    use export::{Archive, ExportRequest, Format, TableSelection, Window};

    use super::*;

    #[test]
    fn what_is_stored_is_what_is_read() {
        let now: Timestamp = "2026-03-01T00:00:00.123456Z".parse().unwrap();
        let request = ExportRequest {
            tables: vec![TableSelection { table: "t".into(), columns: Some(vec!["a".into()]) }],
            window: Window::new(Timestamp::UNIX_EPOCH, now).unwrap(),
            format: Format::Csv,
            name: Some("größe".into()),
            files: export::Files::default(),
            description: None,
            labels: [("k".into(), String::new())].into(),
        };
        let acme = "acme".parse().unwrap();
        let patience = SignedDuration::from_hours(24);
        let queued = Export::queued(ExportId::generate(), acme, request, now, patience);
        let mut running = queued.claim(now).unwrap().planned(3);
        running.steps_done = [0, 2].into();
        let built = Archive {
            published_at: now,
            expires_at: now,
            size_bytes: 22,
            crc32: 7,
            rows: None,
            bad_rows: 0,
        };
        let ready = running.succeed(now, &built);
        let gone = ready.delete(now).unwrap().removed().unwrap();

        for export in [queued, running, ready, gone] {
            let item = item_of(&export).unwrap();
            assert_eq!(item.contains_key("due_at"), export.due().is_some());
            assert_eq!(item.contains_key("ttl"), export.due().is_none());
            assert_eq!(export_of(item).unwrap(), export);
        }
    }
}
