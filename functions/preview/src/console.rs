//! What the console shows beside the form of a new export: what would be read, and the first rows.

use std::time::Duration;

use axum::{
    http::{HeaderMap, StatusCode, request::Parts},
    response::{Html, IntoResponse as _, Response},
};
use cloud::{Lake, LoadedCatalog};
use console_kit::{Form, Place, Refusal, body_of, chosen, page};
use export::{Dataset, ExportRequest, Window, Workspace};
use jiff::Timestamp;
use maud::{Markup, html};
use pages::{bytes, grouped};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use web::{Api, AuthError, Authorized, BaseUrl, Credential, Services, View};

use crate::{
    app::App,
    preview::{DEFAULT_ROWS, Preview, Stopped, TablePreview, order, preview_of},
    read::MAX_READING,
};

/// The most objects of a table that are counted.
const MAX_OBJECTS: usize = 50_000;
/// How long objects are counted, for all tables together.
const MAX_COUNTING: Duration = Duration::from_secs(5);
/// The longest text of a cell that is shown, in characters.
const MAX_CELL_CHARS: usize = 200;

/// The same, for people who have signed in to the console.
#[derive(Debug)]
pub(crate) struct Console(pub(crate) App);

impl Api for Console {
    const NAME: &'static str = "console";

    type Error = Refusal;

    fn services(&self) -> &Services {
        &self.0.services
    }

    fn credential(request: &Parts) -> Result<Credential, AuthError> {
        console_kit::credential(&request.headers)
    }
}

/// What would be read of a table.
struct Plan {
    table: String,
    /// How many objects, and their bytes; `None` if they are too many to be counted in time.
    amount: Option<(usize, u64)>,
}

/// `POST /console/new/preview`: a part of the page of the form, or a page of its own where there are no scripts.
pub(crate) async fn show(
    viewer: Authorized<Console, View>,
    base: BaseUrl,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let content = match content(&viewer, &form).await? {
        Ok(content) => content,
        Err(faults) => html! {
            div.fault role="alert" {
                p { "There is nothing to show yet:" }
                ul { @for fault in faults { li { (fault) } } }
            }
        },
    };
    if headers.contains_key("hx-request") {
        return Ok(Html(content.into_string()).into_response());
    }
    let content = html! {
        p { "Go back to change or make the export." }
        (content)
    };
    Ok(page(StatusCode::OK, "What the export would have", (&base, Place::New), &content))
}

/// Returns what is shown, or what is wrong with the form.
async fn content(
    viewer: &Authorized<Console, View>,
    form: &Form,
) -> Result<Result<Markup, Vec<String>>, Refusal> {
    let ends = Instant::now() + MAX_READING;
    let (app, workspace, now) = (&viewer.0, &viewer.workspace, viewer.now);
    let loaded = app.services.catalog().await;
    let tables = chosen(&loaded, form);
    if tables.is_empty() {
        return Ok(Err(vec!["Choose a table first.".to_owned()]));
    }
    let body = match body_of(form, &tables, now) {
        Ok(body) => body,
        Err(faults) => return Ok(Err(faults)),
    };
    let request = match order(app, workspace, &body, now).await? {
        Ok(request) => request,
        Err(faults) => {
            return Ok(Err(faults.listed().iter().map(|fault| fault.detail.clone()).collect()));
        }
    };
    let preview =
        preview_of(app, workspace, &viewer.actor, &request, (DEFAULT_ROWS, ends, now)).await?;
    let plans = plans(app, &loaded, workspace, &request, now).await?;
    Ok(Ok(markup(&plans, &preview)))
}

/// Counts what would be read of each table.
async fn plans(
    app: &App,
    loaded: &LoadedCatalog,
    workspace: &Workspace,
    request: &ExportRequest,
    now: Timestamp,
) -> Result<Vec<Plan>, Refusal> {
    let ends = Instant::now() + MAX_COUNTING;
    let mut plans = Vec::with_capacity(request.tables.len());
    for selection in &request.tables {
        let Some(table) = loaded.table(&selection.table) else { continue };
        let dataset = loaded.dataset_of(table);
        app.services.exports.spend_lists(workspace, [dataset], request.window, now).await?;
        let amount = count(&loaded.lake, dataset, workspace, request.window, ends).await?;
        plans.push(Plan { table: table.name.clone(), amount });
    }
    Ok(plans)
}

/// Returns how many objects may hold rows of a window, and their bytes; `None` if they are more than `MAX_OBJECTS`, or
/// are not listed by `ends`.
async fn count(
    lake: &Lake,
    dataset: &Dataset,
    workspace: &Workspace,
    window: Window,
    ends: Instant,
) -> Result<Option<(usize, u64)>, cloud::Error> {
    match timeout_at(ends, lake.filed(dataset, workspace, window, MAX_OBJECTS)).await {
        Ok(Ok(filed)) => {
            let objects = filed.iter().flat_map(|(_, objects)| objects);
            Ok(Some(objects.fold((0, 0), |(n, size), one| (n + 1, size + one.size_bytes))))
        }
        Err(_) | Ok(Err(cloud::Error::TooManyObjects)) => Ok(None),
        Ok(Err(other)) => Err(other),
    }
}

fn markup(plans: &[Plan], preview: &Preview) -> Markup {
    html! {
        h2 { "What would be read" }
        ul {
            @for plan in plans {
                li {
                    strong { (plan.table) } ": "
                    @match plan.amount {
                        Some((0, _)) => { "no file of the lake. The export would have no rows of it." }
                        Some((objects, size)) => {
                            (grouped(objects as u64)) " files of the lake, " (bytes(size))
                        }
                        None => { "more files of the lake than can be counted here" }
                    }
                }
            }
        }
        @for table in &preview.tables { (rows(table)) }
    }
}

fn rows(table: &TablePreview) -> Markup {
    let parsed: Vec<Map<String, Value>> =
        table.rows.iter().filter_map(|row| serde_json::from_str(row.get()).ok()).collect();
    let names = table.columns.as_ref().map_or_else(
        || fields(&parsed),
        |columns| columns.iter().map(|column| column.name.clone()).collect(),
    );
    html! {
        h2 { "First rows of " (table.table) }
        @if parsed.is_empty() {
            p { (why_none(table.stopped)) }
        } @else {
            div.scroll.rows tabindex="0" role="region" aria-label=(format!("First rows of {}", table.table)) {
                table {
                    thead { tr { @for name in &names { th scope="col" { (name) } } } }
                    tbody {
                        @for row in &parsed {
                            tr { @for name in &names { td { (cell(row.get(name))) } } }
                        }
                    }
                }
            }
            p.hint { (why_no_more(table.stopped)) }
        }
        @if let Some(fault) = &table.fault {
            p.fault role="alert" { "The export would fail: " (fault) "." }
        }
    }
}

/// Returns the names of the fields of records, in the order in which they are first met.
fn fields(rows: &[Map<String, Value>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in rows.iter().flat_map(Map::keys) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Returns the text of a cell, cut where it is long.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match text.char_indices().nth(MAX_CELL_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn why_none(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::End => "No row of the lake is in this window and passes the filter.",
        Stopped::Folders => "Nothing was found so far, and the window goes on.",
        Stopped::Time => "Nothing was found in the time there is to look.",
        Stopped::Bytes => "The first row is too long to be shown.",
        Stopped::Rows | Stopped::Fault => "None can be shown.",
    }
}

fn why_no_more(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::End => "These are all rows of the export.",
        Stopped::Rows => "The export has more rows.",
        Stopped::Bytes => "The next row is too long to be shown.",
        Stopped::Folders | Stopped::Time => "There may be more rows, later in the window.",
        Stopped::Fault => "Reading ended at a file that cannot be read.",
    }
}

#[cfg(test)]
mod tests {
    use export::Catalog;
    use serde_json::json;

    use super::*;
    use crate::fake_lake;

    /// Counts an hour of a lake in which each of its three prefixes holds `objects` objects of 9 bytes.
    async fn counted(objects: usize, time: Duration) -> Option<(usize, u64)> {
        let (_aws, lake) = fake_lake::start(objects).await;
        let catalog = Catalog::built_in().unwrap();
        let dataset = catalog.dataset_of(catalog.table("liferay_page").unwrap());
        let window = Window::new(
            "2026-03-01T00:00:00Z".parse().unwrap(),
            "2026-03-01T01:00:00Z".parse().unwrap(),
        );
        let acme = "acme".parse().unwrap();
        count(&lake, dataset, &acme, window.unwrap(), Instant::now() + time).await.unwrap()
    }

    #[tokio::test]
    async fn fifty_thousand_objects_of_a_table_are_counted_and_no_more() {
        let minute = Duration::from_mins(1);
        assert_eq!(counted(16_666, minute).await, Some((49_998, 449_982)));
        assert_eq!(counted(16_667, minute).await, None);
    }

    #[tokio::test]
    async fn what_is_not_listed_in_time_is_not_counted() {
        assert_eq!(counted(1, Duration::ZERO).await, None);
    }

    #[test]
    fn a_cell_shows_its_value_and_of_a_long_one_the_beginning() {
        assert_eq!(cell(None), "");
        assert_eq!(cell(Some(&Value::Null)), "");
        assert_eq!(cell(Some(&json!("<b>"))), "<b>");
        assert_eq!(cell(Some(&json!({ "a": [1, null] }))), r#"{"a":[1,null]}"#);
        let long = "ü".repeat(MAX_CELL_CHARS + 1);
        assert_eq!(cell(Some(&json!(long))), format!("{}…", "ü".repeat(MAX_CELL_CHARS)));
        let fits = "ü".repeat(MAX_CELL_CHARS);
        assert_eq!(cell(Some(&json!(fits))), fits);
    }

    #[test]
    fn columns_of_whole_records_are_all_that_any_of_them_has() {
        let rows = [json!({ "a": 1, "c": 2 }), json!({ "b": 3, "a": 4 })];
        let rows = rows.map(|row| row.as_object().unwrap().clone());
        assert_eq!(fields(&rows), ["a", "c", "b"]);
    }
}
