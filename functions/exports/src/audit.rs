//! The audit trail of a workspace.

use axum::{Json, extract::RawQuery};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use export::{Action, Actor, AuditEntry, ExportId, Fault, Faults};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::{Builder, Uuid};
use web::{MAX_LIST_BYTES, Problem, limit, parameters, wrong_cursor};

use crate::app::Editor;

/// The most entries of a page.
const MAX_LIMIT: usize = 1000;
/// How many entries a page has unless its query says otherwise.
const DEFAULT_LIMIT: usize = 100;
/// How many entries are looked through for a page, at most. A page with fewer than were asked for has a cursor all the
/// same.
const MAX_LOOKED_THROUGH: usize = 5000;
/// How many entries are read at once.
const READ_AT_ONCE: usize = 1000;

/// A page of entries, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    entries: Vec<View>,
    /// None on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// An entry, without the workspace, which is the caller's.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    id: Uuid,
    at: Timestamp,
    action: Action,
    by: Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<ExportId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

/// Which entries are asked for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    export: Option<ExportId>,
    person: Option<String>,
    limit: usize,
    before: Option<Uuid>,
}

impl View {
    fn of(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, action, actor, export, subject, .. } = entry;
        Self { id, at, action, by: actor, export, subject }
    }
}

/// `GET /v1/audit`: who did what in the workspace, newest first.
pub(crate) async fn list(editor: Editor, RawQuery(query): RawQuery) -> Result<Json<Page>, Problem> {
    let query = Query::parse(query.as_deref().unwrap_or_default()).map_err(Problem::invalid)?;
    let range =
        (id_at(query.from.unwrap_or(Timestamp::UNIX_EPOCH)), query.to.map_or(Uuid::max(), id_at));
    let table = &editor.services.exports.audit.table;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let (mut before, mut looked_through) = (query.before, 0);
    loop {
        let most = READ_AT_ONCE.min(MAX_LOOKED_THROUGH - looked_through);
        let (read, next) = table.list(&editor.workspace, range, before, most).await?;
        looked_through += read.len();
        for entry in read {
            let id = entry.id;
            if query.wants(&entry) {
                let view = View::of(entry);
                bytes += serde_json::to_vec(&view).map_err(anyhow::Error::from)?.len();
                if bytes > MAX_LIST_BYTES && !entries.is_empty() {
                    return Ok(Json(Page { entries, next_cursor: before.map(cursor) }));
                }
                entries.push(view);
            }
            before = Some(id);
            if entries.len() == query.limit {
                return Ok(Json(Page { entries, next_cursor: before.map(cursor) }));
            }
        }
        if next.is_none() || looked_through >= MAX_LOOKED_THROUGH {
            return Ok(Json(Page { entries, next_cursor: next.map(cursor) }));
        }
        before = next;
    }
}

impl Query {
    fn wants(&self, entry: &AuditEntry) -> bool {
        self.export.is_none_or(|export| entry.export == Some(export))
            && self.person.as_deref().is_none_or(|person| entry.is_by(person))
    }

    fn parse(query: &str) -> Result<Self, Faults> {
        const KNOWN: [&str; 6] = ["from", "to", "export", "by", "limit", "cursor"];
        let mut parsed = Self {
            from: None,
            to: None,
            export: None,
            person: None,
            limit: DEFAULT_LIMIT,
            before: None,
        };
        let mut faults = Faults::default();
        for (name, value) in parameters(query, &KNOWN, &mut faults) {
            let mut fault = |fault: Fault| faults.push(fault.value(&Value::from(&*value)));
            match name {
                "from" | "to" => match value.parse() {
                    Ok(instant) if name == "from" => parsed.from = Some(instant),
                    Ok(instant) => parsed.to = Some(instant),
                    Err(_) => {
                        let detail = "Give an RFC 3339 instant, as 2026-03-01T00:00:00Z.";
                        fault(Fault::new("not_an_instant", name, detail));
                    }
                },
                "export" => match value.parse() {
                    Ok(export) => parsed.export = Some(export),
                    Err(_) => {
                        fault(Fault::new("wrong_id", "export", "Give the id of an export."));
                    }
                },
                "by" => parsed.person = Some(value),
                "limit" => {
                    let read = limit(("limit", &value), MAX_LIMIT, "entries", &mut faults);
                    parsed.limit = read.unwrap_or(parsed.limit);
                }
                _ => match from_cursor(&value) {
                    Some(id) => parsed.before = Some(id),
                    None => faults.push(wrong_cursor(&value)),
                },
            }
        }
        if let (Some(from), Some(to)) = (parsed.from, parsed.to)
            && to < from
        {
            let detail = "The time ends before it begins. Swap from and to.";
            faults.push(Fault::new("window_reversed", "to", detail));
        }
        if faults.is_empty() { Ok(parsed) } else { Err(faults) }
    }
}

/// Returns the id below which all entries are earlier than a time. Ids tell milliseconds.
fn id_at(time: Timestamp) -> Uuid {
    let millis = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

fn cursor(before: Uuid) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(before)
}

fn from_cursor(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_when_who_and_what() {
        let id = Uuid::from_bytes([7; 16]);
        let export = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
        let query = format!(
            "from=2026-03-01T00:00:00Z&export={export}&by=ana%20b&limit=5&cursor={}",
            cursor(id)
        );
        assert_eq!(
            Query::parse(&query).unwrap(),
            Query {
                from: "2026-03-01T00:00:00Z".parse().ok(),
                to: None,
                export: Some(export),
                person: Some("ana b".into()),
                limit: 5,
                before: Some(id),
            }
        );
    }

    #[test]
    fn every_fault_of_a_query_is_told() {
        let query = "from=today&export=1&limit=1001&cursor=%00&form=1&limit=2";
        let faults = Query::parse(query).unwrap_err();
        let told: Vec<_> =
            faults.listed().iter().map(|f| (f.code, f.suggestion.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("unknown_parameter", Some("from")),
                ("repeated_parameter", None),
                ("not_an_instant", None),
                ("wrong_id", None),
                ("wrong_limit", None),
                ("wrong_cursor", None),
            ]
        );
        assert!(Query::parse("limit=1000").is_ok());
        let range = |from: &str, to: &str| {
            let query = format!("from={from}-01-01T00:00:00Z&to={to}-01-01T00:00:00Z");
            Query::parse(&query).map_err(|faults| faults.listed()[0].code)
        };
        assert!(range("2026", "2026").is_ok());
        assert_eq!(range("2026", "0419"), Err("window_reversed"));
    }

    #[test]
    fn ids_sort_by_time() {
        let at = |text: &str| id_at(text.parse().unwrap());
        let entry = Builder::from_unix_timestamp_millis(1_000, &[255; 10]).into_uuid();
        assert!(at("1970-01-01T00:00:01Z") < entry && entry < at("1970-01-01T00:00:01.001Z"));
        assert!(entry < Uuid::max());
    }
}
