//! The exports of the workspace, newest first.

use axum::{extract::RawQuery, http::StatusCode, response::Response};
use cloud::Wanted;
use console_kit::{Form, Place, Refusal, url};
use export::{Export, ExportId, Status};
use jiff::Timestamp;
use maud::{Markup, html};
use pages::{grouped, instant};
use web::BaseUrl;

use crate::app::Viewer;

/// Exports of a page.
const MOST: usize = 25;

/// `GET /console`: the exports, all or those of a status.
pub(crate) async fn list(
    viewer: Viewer,
    base: BaseUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Form::of_query(query.as_deref());
    let chosen = query.text("status");
    let status = Status::ALL.iter().find(|(name, _)| *name == chosen).map(|(_, status)| *status);
    let after: Option<ExportId> = query.text("after").parse().ok();
    let table = &viewer.services.exports.table;
    let search = query.text("search");
    let wanted =
        if search.is_empty() { Wanted::Shown(status) } else { Wanted::Matching(status, search) };
    let page = table.list(&viewer.workspace, wanted, after, MOST, viewer.now).await?;
    let content = html! {
        p { "Workspace " strong { (viewer.workspace) } }
        form method="get" action=(url(&base, "")) {
            label.inline for="status" { "Status" }
            select #status name="status" {
                option value="" { "all" }
                @for (name, _) in Status::ALL { option value=(name) selected[name == chosen] { (name) } }
            }
            label.inline for="search" { "Name, label or table" }
            input #search type="search" name="search" size="24" maxlength="200" value=(search);
            " " button type="submit" { "Show" }
        }
        @if page.exports.is_empty() {
            p { @if search.is_empty() { "There are no exports here. " } @else { "None of these matches. " } a href=(url(&base, "/new")) { "Make one" } "." }
        } @else {
            (rows(&page.exports, &base, viewer.now))
        }
        @if let Some(next) = page.next {
            p { a href=(older(&base, (chosen, search), next)) { "Older exports" } }
        }
    };
    Ok(console_kit::page(StatusCode::OK, "Exports", (&base, Place::Exports), &content))
}

/// Returns the URL of the page after this export.
fn older(base: &BaseUrl, (status, search): (&str, &str), after: ExportId) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("status", status), ("search", search)])
        .append_pair("after", &after.to_string())
        .finish();
    format!("{}?{query}", url(base, ""))
}

fn rows(exports: &[Export], base: &BaseUrl, now: Timestamp) -> Markup {
    html! {
        div.scroll {
            table {
                caption { "Exports, newest first" }
                thead { tr {
                    @for name in ["Export", "Status", "Rows", "Made", "Until"] { th scope="col" { (name) } }
                } }
                tbody {
                    @for export in exports {
                        tr {
                            th scope="row" dir="auto" {
                                a href=(url(base, &format!("/exports/{}", export.id))) { (title(export)) }
                            }
                            td { (export.status(now).name()) }
                            td { (grouped(export.rows)) }
                            td { (instant(export.created_at)) }
                            td { @if let Some(archive) = export.archive() { (instant(archive.expires_at)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What an export is called: as its user named it, or after its tables.
pub(crate) fn title(export: &Export) -> String {
    let tables: Vec<&str> = export.request.tables.iter().map(|table| &*table.table).collect();
    export.request.name.clone().unwrap_or_else(|| tables.join(", "))
}
