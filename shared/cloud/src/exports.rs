//! Export records in DynamoDB.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | record of an export | `W#workspace` | `E#id` |
//! | identity: which export an idempotency key or a natural key made last | `W#workspace` | `I#hash of the key` |
//! | place in a lane: an export that may not be finished | `W#workspace` | `Q#lane#id` |
//!
//! Batches of steps, named filters, signing secrets, slots and links have items, too: see `batches.rs`,
//! `named_filters.rs`, `signing_secrets.rs` and `slots.rs`.
//!
//! A record is in the index `due` as long as the janitor has something to do about it: `due_shard`
//! and `due_at` (seconds since 1970); see `due.rs`.
//! Every change names the version it replaces, so of two writers one wins and the other learns it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        get_item::builders::GetItemFluentBuilder, put_item::PutItemError,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use export::{Export, ExportId, State, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_item, to_item};

use crate::{Error, Result, condition::conditional, due::due_shard, pause::Pauses};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// How long a record stays after its last change, before DynamoDB removes it.
pub(crate) const RECORD_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The same for an export that only counts rows, after the 24 hours of the archive that it has not. Its
/// answer is good for a minute.
const COUNT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// How often a change of a record is tried while others change it, too.
const MAX_CHANGE_TRIES: u32 = 20;
/// How long these tries are apart: some seconds in all, where a thousand builders write to one record.
const CHANGE_PAUSES: Pauses =
    Pauses { first: Duration::from_millis(10), max: Duration::from_millis(500) };

/// The table of exports.
#[derive(Clone, Debug)]
pub struct ExportTable {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl ExportTable {
    /// Returns the table called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Reads the latest version of an export; none if the workspace has no such export.
    pub async fn get(&self, workspace: &Workspace, id: ExportId) -> Result<Option<Export>> {
        self.read(workspace, id, true).await
    }

    /// Reads a recent version of an export, at half the price: good for those who look again.
    pub async fn look(&self, workspace: &Workspace, id: ExportId) -> Result<Option<Export>> {
        self.read(workspace, id, false).await
    }

    async fn read(
        &self,
        workspace: &Workspace,
        id: ExportId,
        consistent: bool,
    ) -> Result<Option<Export>> {
        let get = self.get_item(pk(workspace), sk(id)).consistent_read(consistent);
        let output = get.send().await.map_err(Error::aws("get export"))?;
        output.item.map(export_of).transpose()
    }

    /// Begins to read an item.
    pub(crate) fn get_item(&self, pk: impl ToString, sk: impl ToString) -> GetItemFluentBuilder {
        self.client.get_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk))
    }

    /// Begins to change an item.
    pub(crate) fn update_item(
        &self,
        pk: impl ToString,
        sk: impl ToString,
    ) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk))
    }

    /// Stores a change, provided that the stored version is the one before. If the answer to an earlier
    /// try was lost, what is stored is this very change, and all is well.
    pub async fn put(&self, export: &Export) -> Result<()> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match export.version - 1 {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            previous => put
                .condition_expression("#version = :previous")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":previous", number(previous)),
        };
        match put.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(e)) => match e.into_err() {
                PutItemError::ConditionalCheckFailedException(found) => {
                    let found = found.item.map(export_of).transpose()?;
                    let is_ours = found.is_some_and(|found| found == *export);
                    if is_ours { Ok(()) } else { Err(Error::Stale(export.id)) }
                }
                other => Err(Error::aws("put export")(other)),
            },
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
        for tries in 1..=MAX_CHANGE_TRIES {
            let Some(export) = self.get(workspace, id).await? else { return Ok(None) };
            let Some(next) = change(&export) else { return Ok(Some(export)) };
            match self.put(&next).await {
                Ok(()) => return Ok(Some(next)),
                Err(Error::Stale(_)) => CHANGE_PAUSES.after(tries).await,
                Err(e) => return Err(e),
            }
        }
        Err(Error::Stale(id))
    }

    /// Records that a step is done, once, while the export is being built; the janitor is to look at
    /// `look_at` for what comes next. Returns the export as it is then; None if nobody wants it any more.
    pub async fn step_done(
        &self,
        export: &Export,
        step: u32,
        (rows, bytes): (u64, u64),
        look_at: Timestamp,
    ) -> Result<Option<Export>> {
        let due = look_at.min(export.deadline);
        let sent = self
            .update_item(pk(&export.workspace), sk(export.id))
            .update_expression(
                "ADD steps_done :steps, #rows :rows, #bytes :bytes, version :one \
                 SET #state.lease.look_at = :look_at, due_at = :due",
            )
            .condition_expression("#state.#status = :running AND NOT contains(steps_done, :step)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#rows", "rows")
            .expression_attribute_names("#bytes", "bytes")
            .expression_attribute_values(":steps", AttributeValue::Ns(vec![step.to_string()]))
            .expression_attribute_values(":step", number(step))
            .expression_attribute_values(":rows", number(rows))
            .expression_attribute_values(":bytes", number(bytes))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":running", text("running"))
            .expression_attribute_values(":look_at", text(look_at))
            .expression_attribute_values(":due", number(due.as_second()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        if let Some(output) = conditional("record step", sent)? {
            return output.attributes.map(export_of).transpose();
        }
        // Somebody was faster, or the export has ended.
        let found = self.get(&export.workspace, export.id).await?;
        Ok(found.filter(|export| matches!(export.state, State::Running { .. })))
    }
}

pub(crate) fn pk(workspace: &Workspace) -> String {
    format!("W#{workspace}")
}

pub(crate) fn sk(id: ExportId) -> String {
    format!("E#{id}")
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(crate) fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn item_of(export: &Export) -> Result<Item> {
    let mut item: Item = to_item(export).map_err(Error::aws("encode export"))?;
    item.insert("pk".to_owned(), text(pk(&export.workspace)));
    item.insert("sk".to_owned(), text(sk(export.id)));
    // A set, because builders add to it; DynamoDB has no empty sets.
    if !export.steps_done.is_empty() {
        let steps = export.steps_done.iter().map(ToString::to_string).collect();
        item.insert("steps_done".to_owned(), AttributeValue::Ns(steps));
    }
    if let Some(due) = export.due() {
        item.insert("due_shard".to_owned(), number(due_shard(export)));
        item.insert("due_at".to_owned(), number(due.as_second()));
    } else {
        let end = match &export.state {
            State::Failed { finished_at, .. } | State::Cancelled { finished_at } => *finished_at,
            State::Deleted { deleted_at, .. } => *deleted_at,
            State::Expired { archive, .. } | State::Succeeded { archive } => archive.expires_at,
            State::Queued { .. } | State::Running { .. } => export.deadline,
        };
        let lifetime = if export.is_shown() { RECORD_LIFETIME } else { COUNT_LIFETIME };
        item.insert("ttl".to_owned(), number((end + lifetime).as_second()));
    }
    Ok(item)
}

pub(crate) fn export_of(mut item: Item) -> Result<Export> {
    let steps_done: BTreeSet<u32> = match item.remove("steps_done") {
        Some(AttributeValue::Ns(steps)) => {
            steps.iter().filter_map(|step| step.parse().ok()).collect()
        }
        _ => BTreeSet::new(),
    };
    let export: Export = from_item(item).map_err(|e| Error::Unreadable(e.into()))?;
    Ok(Export { steps_done, ..export })
}

#[cfg(test)]
mod tests {
    use export::{Archive, ExportRequest, Format, Origin, TableFilter, TableSelection, Window};

    use super::*;

    #[test]
    fn what_is_stored_is_what_is_read() {
        let now: Timestamp = "2026-03-01T00:00:00.123456Z".parse().unwrap();
        let columns = Some(vec!["a".into()]);
        let tables = vec![TableSelection { columns, ..TableSelection::whole("t") }];
        let window = Window::new(Timestamp::UNIX_EPOCH, now).unwrap();
        let filter = TableFilter { tables: vec!["t".into()], filter: "a != 'b'".parse().unwrap() };
        let request = ExportRequest {
            name: Some("größe".into()),
            filters: vec![filter],
            labels: [("k".into(), String::new())].into(),
            ..ExportRequest::new(tables, window, Format::Csv)
        };
        let acme = "acme".parse().unwrap();
        let time_limit = SignedDuration::from_hours(24);
        let asked = Origin {
            dialect: "coveo".into(),
            requested_by: "me".into(),
            params: [("f".into(), vec!["a != 'b'".into()]), ("fs".into(), vec![])].into(),
        };
        let queued = Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            now,
            time_limit,
        );
        let queued = queued.with_origin(asked);
        let mut running = queued.claim(now).unwrap().planned(3);
        running.steps_done = [0, 2].into();
        let built = Archive {
            published_at: now,
            expires_at: now,
            size_bytes: 22,
            crc32: 7,
            rows: None,
            table_files: None,
            table_rows: None,
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

    /// Records as the first version stored them, each with the state that it saw them in.
    const STORED_BEFORE: &str = include_str!("exports/stored_before.jsonl");

    #[test]
    fn records_of_the_first_version_are_read_and_go_on() {
        let now: Timestamp = "2026-03-01T10:00:00.123456Z".parse().unwrap();
        for line in STORED_BEFORE.lines() {
            let stored: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = &stored["name"];
            let mut item: Item = to_item(&stored["record"]).unwrap();
            let steps = stored["steps_done"].as_array().unwrap().iter().map(ToString::to_string);
            let steps: Vec<String> = steps.collect();
            if !steps.is_empty() {
                item.insert("steps_done".to_owned(), AttributeValue::Ns(steps.clone()));
            }

            let export = export_of(item).unwrap_or_else(|e| panic!("{name}: {e:?}"));

            assert_eq!(
                format!("{:?}", export.status(now)).to_lowercase(),
                stored["status"],
                "{name}"
            );
            assert_eq!(export.steps_done.len(), steps.len(), "{name}");
            assert_eq!(export_of(item_of(&export).unwrap()).unwrap(), export, "{name}");
            if export.status(now).is_unfinished() {
                assert!(export.due().is_some() && export.cancel(now).is_some(), "{name}");
            }
        }
        assert_eq!(STORED_BEFORE.lines().count(), 15);
    }

    #[tokio::test]
    async fn a_claim_whose_answer_was_lost_is_ours() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let window = Window::new(Timestamp::UNIX_EPOCH, now).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Csv);
        let time_limit = SignedDuration::from_hours(24);
        let acme = "acme".parse().unwrap();
        let queued = Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            now,
            time_limit,
        );
        let ours = queued.claim(now).unwrap();
        let theirs = queued.claim(now + SignedDuration::from_millis(1)).unwrap();
        for (stored, is_ours) in [(&ours, true), (&theirs, false)] {
            let found = crate::fake::json_of_item(&item_of(stored).unwrap());
            let fake = crate::fake::Fake::new(move |_| crate::fake::condition_failed(&found));

            let put = fake.exports().await.put(&ours).await;

            assert_eq!(put.is_ok(), is_ours, "{put:?}");
        }
    }
}
