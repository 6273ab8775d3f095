//! Lists: exports, newest first, and tables.

use axum::{Json, extract::RawQuery};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cloud::Wanted;
use export::{ColumnType, ExportId, Fault, Faults, Status};
use serde::Serialize;
use serde_json::Value;
use web::{BaseUrl, MAX_LIST_BYTES, Problem, limit, parameters, wrong_cursor};

use crate::{app::Viewer, response::View};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// A page of exports.
#[derive(Debug, Serialize)]
pub(crate) struct Exports {
    exports: Vec<View>,
    /// What to send as `cursor` for the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /v1/exports`: the workspace's exports, newest first.
pub(crate) async fn exports(
    viewer: Viewer,
    base: BaseUrl,
    RawQuery(query): RawQuery,
) -> Result<Json<Exports>, Problem> {
    let now = viewer.now;
    let Query { status, search, limit, after } =
        Query::parse(query.as_deref().unwrap_or_default()).map_err(Problem::invalid)?;
    let table = &viewer.services.exports.table;
    let wanted = match &search {
        Some(text) => Wanted::Matching(status, text),
        None => Wanted::Shown(status),
    };
    let page = table.list(&viewer.workspace, wanted, after, limit, now).await?;

    let (mut exports, mut bytes, mut next) = (Vec::new(), 0, page.next);
    for (i, export) in page.exports.iter().enumerate() {
        let view = View::of(export, &base, now);
        bytes += serde_json::to_vec(&view).map_err(anyhow::Error::from)?.len();
        if bytes > MAX_LIST_BYTES && i > 0 {
            next = Some(page.exports[i - 1].id);
            break;
        }
        exports.push(view);
    }
    Ok(Json(Exports { exports, next_cursor: next.map(cursor) }))
}

/// What a caller wants to see.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    status: Option<Status>,
    search: Option<String>,
    limit: usize,
    after: Option<ExportId>,
}

impl Query {
    fn parse(query: &str) -> Result<Self, Faults> {
        const KNOWN: [&str; 4] = ["status", "search", "limit", "cursor"];
        let mut parsed = Self { status: None, search: None, limit: DEFAULT_LIMIT, after: None };
        let mut faults = Faults::default();
        for (name, value) in parameters(query, &KNOWN, &mut faults) {
            match name {
                "status" => {
                    let of_name = Status::ALL.iter().find(|(name, _)| *name == value);
                    parsed.status = of_name.map(|(_, status)| *status);
                    if of_name.is_none() {
                        let names = Status::ALL.map(|(name, _)| name);
                        let unknown =
                            Fault::new("unknown_status", "status", "There is no such status.");
                        let unknown = unknown.value(&Value::from(&*value));
                        faults.push(unknown.suggest(&value, names).allowed(&names[..]));
                    }
                }
                "search" => parsed.search = Some(value),
                "limit" => {
                    let read = limit(("limit", &value), MAX_LIMIT, "exports", &mut faults);
                    parsed.limit = read.unwrap_or(parsed.limit);
                }
                _ => match from_cursor(&value) {
                    Some(id) => parsed.after = Some(id),
                    None => faults.push(wrong_cursor(&value)),
                },
            }
        }
        if faults.is_empty() { Ok(parsed) } else { Err(faults) }
    }
}

fn cursor(after: ExportId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(after.to_string())
}

fn from_cursor(cursor: &str) -> Option<ExportId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    str::from_utf8(&bytes).ok()?.parse().ok()
}

/// The tables there are.
#[derive(Debug, Serialize)]
pub(crate) struct Tables {
    tables: Vec<TableView>,
}

#[derive(Debug, Serialize)]
struct TableView {
    name: String,
    description: String,
    columns: Vec<ColumnView>,
}

#[derive(Debug, Serialize)]
struct ColumnView {
    name: String,
    display_name: String,
    r#type: ColumnType,
}

/// `GET /v1/tables`: the tables and columns that requests can name.
pub(crate) async fn tables(viewer: Viewer) -> Result<Json<Tables>, Problem> {
    let catalog = viewer.services.catalog().await;
    let tables = catalog.tables().map(|table| TableView {
        name: table.name.clone(),
        description: table.description.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| ColumnView {
                name: column.name.clone(),
                display_name: column.display.clone(),
                r#type: column.kind,
            })
            .collect(),
    });
    Ok(Json(Tables { tables: tables.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_where_it_was_made() {
        let id = ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        let query =
            Query::parse(&format!("cursor={}&limit=5&status=failed&search=M%C3%A4rz", cursor(id)))
                .unwrap();
        assert_eq!(
            query,
            Query {
                status: Some(Status::Failed),
                search: Some("März".to_owned()),
                limit: 5,
                after: Some(id)
            }
        );
    }

    #[test]
    fn every_fault_of_a_query_is_told() {
        let query = "status=fialed&limit=0&cursor=%00&stauts=1&limit=2";
        let faults = Query::parse(query).unwrap_err();
        let told: Vec<_> =
            faults.listed().iter().map(|f| (f.code, f.suggestion.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("unknown_parameter", Some("status")),
                ("repeated_parameter", None),
                ("unknown_status", Some("failed")),
                ("wrong_limit", None),
                ("wrong_cursor", None),
            ]
        );
    }
}
