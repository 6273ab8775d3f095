//! Export records in DynamoDB.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | record of an export | `W#workspace` | `E#id` |
//! | identity: which export an idempotency key or a natural key made last | `W#workspace` | `I#hash of the key` |
//! | place in a lane: an export that may not be finished | `W#workspace` | `Q#lane#id` |
//!
//! Batches of steps, named filters, signing secrets, slots, links and shares have items, too: see `batches.rs`,
//! `named_filters.rs`, `signing_secrets.rs`, `slots.rs`, `secret_links.rs` and `shares.rs`.
//!
//! A record is in the index `due` as long as the janitor has something to do about it: `due_shard`
//! and `due_at` (seconds since 1970); see `due.rs`.
//! Every change names the version it replaces, so of two writers one wins and the other learns it.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        get_item::builders::GetItemFluentBuilder, put_item::PutItemError,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{
        AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};
use export::{Export, ExportId, State, Workspace};
use jiff::Timestamp;

use crate::{
    Error, NewEntry, Result, StoreOutcome,
    condition::conditional,
    pause::Pauses,
    record_item::{export_of, item_of, number, pk, sk, text},
    transaction::transact,
};

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

    /// Stores a change as [`Self::put`] does, together with an entry that tells of it.
    async fn put_told(&self, export: &Export, entry: &NewEntry) -> Result<()> {
        let record = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .condition_expression("#version = :previous")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":previous", number(export.version - 1))
            .build()
            .map_err(Error::aws("put export"))?;
        let writes = vec![TransactWriteItem::builder().put(record).build(), entry.write()?];
        match transact(&self.client, "put export", writes).await? {
            StoreOutcome::Yes => Ok(()),
            StoreOutcome::Refused | StoreOutcome::Conflict => Err(Error::Stale(export.id)),
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
        self.change_told(workspace, id, None, change).await
    }

    /// Changes an export as [`Self::change`] does. The entry that tells of the change is written with it, and not at
    /// all if there is nothing to change.
    pub async fn change_told(
        &self,
        workspace: &Workspace,
        id: ExportId,
        entry: Option<&NewEntry>,
        change: impl Fn(&Export) -> Option<Export>,
    ) -> Result<Option<Export>> {
        for tries in 1..=MAX_CHANGE_TRIES {
            let Some(export) = self.get(workspace, id).await? else { return Ok(None) };
            let Some(next) = change(&export) else { return Ok(Some(export)) };
            let put = match entry {
                Some(entry) => self.put_told(&next, entry).await,
                None => self.put(&next).await,
            };
            match put {
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

#[cfg(test)]
mod tests {
    use export::{ExportRequest, Format, TableSelection, Window};
    use jiff::SignedDuration;

    use super::*;

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
