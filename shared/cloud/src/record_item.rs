//! The record of an export as an item of DynamoDB: its keys, its place in the index of due exports, its end.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use export::{DueKind, Export, ExportId, State, Workspace};
use jiff::SignedDuration;
use serde_dynamo::{from_item, to_item};

use crate::{Error, Result};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// How long a record stays after its last change, before DynamoDB removes it.
pub(crate) const RECORD_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The same for an export that only counts rows, after the 24 hours of the archive that it has not. Its
/// answer is good for a minute.
const COUNT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// How many partitions the index has for each kind.
pub(crate) const DUE_SHARDS: u8 = 8;

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

/// Returns the partition of the index that a due export is in.
fn due_shard(export: &Export) -> u8 {
    export.id.shard(DUE_SHARDS) + first_shard(export.due_kind())
}

/// Returns the first partition of the index for a kind of work.
pub(crate) fn first_shard(kind: DueKind) -> u8 {
    match kind {
        DueKind::Unfinished => 0,
        DueKind::Removal => DUE_SHARDS,
    }
}

#[cfg(test)]
mod tests {
    use export::{Archive, ExportRequest, Format, Origin, TableFilter, TableSelection, Window};
    use jiff::Timestamp;

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
            receipt: None,
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

    #[test]
    fn a_record_is_kept_30_days_from_its_end_and_that_of_a_count_an_hour() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let window = Window::new(Timestamp::UNIX_EPOCH, now).unwrap();
        let tables = vec![TableSelection::whole("t")];
        let ttl = |request: ExportRequest| {
            let id = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
            let acme = "acme".parse().unwrap();
            let queued = Export::queued(id, acme, request, now, SignedDuration::from_hours(24));
            let ended = queued.cancel(now).unwrap();
            let ttl = item_of(&ended).unwrap()["ttl"].as_n().unwrap().parse::<i64>().unwrap();
            SignedDuration::from_secs(ttl - now.as_second())
        };
        let request = ExportRequest::new(tables, window, Format::Jsonl);
        let count = ExportRequest { files: export::Files::Counts, ..request.clone() };
        assert_eq!(ttl(request), SignedDuration::from_hours(30 * 24));
        assert_eq!(ttl(count), SignedDuration::from_hours(1));
    }

    /// Records as the first version stored them, each with the state that it saw them in.
    const STORED_BEFORE: &str = include_str!("record_item/stored_before.jsonl");

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
}
