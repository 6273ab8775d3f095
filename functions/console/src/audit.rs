//! The audit trail of the workspace, newest first.

use axum::{extract::RawQuery, http::StatusCode, response::Response};
use console_kit::{Form, Place, Refusal, page, url};
use export::{AuditEntry, ExportId};
use maud::{Markup, html};
use pages::instant;
use serde_json::Value;
use uuid::Uuid;
use web::BaseUrl;

use crate::app::Editor;

/// Entries that a page looks through.
const MOST: usize = 200;

/// `GET /console/audit`: who did what, all or with one export.
pub(crate) async fn list(
    editor: Editor,
    base: BaseUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Form::of_query(query.as_deref());
    let export: Option<ExportId> = query.text("export").parse().ok();
    let before: Option<Uuid> = query.text("before").parse().ok();
    let table = &editor.services.exports.audit.table;
    let all = (Uuid::nil(), Uuid::max());
    let (read, next) = table.list(&editor.workspace, all, before, MOST).await?;
    let wanted = |entry: &&AuditEntry| export.is_none_or(|export| entry.export == Some(export));
    let entries: Vec<&AuditEntry> = read.iter().filter(wanted).collect();
    let content = html! {
        form method="get" action=(url(&base, "/audit")) {
            label.inline for="export" { "Only of the export" }
            input #export name="export" size="38" value=(query.text("export"));
            " " button type="submit" { "Show" }
        }
        @if entries.is_empty() { p { "There is nothing here." } } @else { (rows(&base, &entries)) }
        @if let Some(next) = next {
            p { a href={ (url(&base, "/audit")) "?before=" (next) "&export=" (query.text("export")) } { "Older entries" } }
        }
    };
    Ok(page(StatusCode::OK, "Audit trail", (&base, Place::Audit), &content))
}

fn rows(base: &BaseUrl, entries: &[&AuditEntry]) -> Markup {
    html! {
        div.scroll {
            table {
                caption { "Who did what, newest first" }
                thead { tr { @for name in ["When", "What", "Who", "From where", "Export"] { th scope="col" { (name) } } } }
                tbody {
                    @for entry in entries {
                        tr {
                            td { (instant(entry.at)) }
                            td { (action(entry)) @if let Some(subject) = &entry.subject { " " span.hint dir="auto" { (subject) } } }
                            td dir="auto" { (who(entry)) }
                            td dir="auto" { (entry.actor.address.as_deref().unwrap_or_default()) " " span.hint { (entry.actor.agent.as_deref().unwrap_or_default()) } }
                            td { @if let Some(export) = entry.export { a href=(url(base, &format!("/exports/{export}"))) { (export) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What was done, in words, as `export created`.
fn action(entry: &AuditEntry) -> String {
    match serde_json::to_value(entry.action) {
        Ok(Value::String(name)) => name.replace('_', " "),
        _ => String::new(),
    }
}

fn who(entry: &AuditEntry) -> String {
    let actor = &entry.actor;
    match (&actor.name, &actor.token, &actor.share) {
        (Some(name), _, _) => name.clone(),
        (None, Some(token), _) => token.clone(),
        (None, None, Some(_)) => "whoever has a shared link".to_owned(),
        (None, None, None) => actor.api.clone(),
    }
}
