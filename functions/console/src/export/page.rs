//! The parts of an export's page.

use console_kit::url;
use export::{
    CopyState, Export, Files, Filter, Format, PlainFile, Share, ShareStatus, State, Status,
};
use jiff::Timestamp;
use maud::{Markup, html};
use pages::{bytes, grouped, instant};
use serde_json::{Map, Value, json};
use web::BaseUrl;

use super::ready;

/// How far the export is. While it is not finished, the page looks again by itself: with scripts this part every two
/// seconds, without them the whole page every ten.
pub(super) fn progress(base: &BaseUrl, export: &Export, now: Timestamp) -> Markup {
    let status = export.status(now);
    let (done, total) = (export.steps_done.len(), export.steps_total);
    let looks_again = status.is_unfinished();
    let fragment = url(base, &format!("/exports/{}/progress", export.id));
    html! {
        div #progress role="status" aria-live="polite" hx-get=[looks_again.then_some(fragment)] hx-trigger=[looks_again.then_some("every 2s")] hx-swap="outerHTML" {
            p {
                strong { (status.name()) }
                @match status {
                    Status::Queued => { ": it waits for a builder." }
                    Status::Running if total == 0 => { ": its work is being planned." }
                    Status::Running => { ": " (done) " of " (total) " parts are done, " (grouped(export.rows)) " rows, " (bytes(export.bytes)) "." }
                    Status::Succeeded => { ": it can be downloaded." }
                    Status::Failed => { ": it could not be made." }
                    Status::Cancelled => { ": it was ended before it was done." }
                    Status::Expired => { ": its 24 hours are over." }
                    Status::Deleted => { ": its files were removed." }
                }
            }
            @if status == Status::Running && total > 0 {
                progress max=(total) value=(done) aria-label="Parts that are done" {}
            }
            @if let State::Failed { failure, .. } = &export.state { p.fault { (failure.detail) } }
            @if looks_again {
                noscript { p { a href=(url(base, &format!("/exports/{}", export.id))) { "Look again" } } }
            }
        }
    }
}

/// What can be done with the export now.
pub(super) fn actions(base: &BaseUrl, export: &Export, now: Timestamp) -> Markup {
    let path = |rest: &str| url(base, &format!("/exports/{}{rest}", export.id));
    let archive = ready(export, now);
    html! {
        p {
            @if let Some(archive) = archive.filter(|archive| archive.table_files.is_none()) {
                a.inline href=(path("/download")) { "Download the ZIP" } " " (bytes(archive.size_bytes))
            }
        }
        @if archive.is_some_and(|archive| archive.receipt.is_some()) {
            p { a href=(path("/receipt")) { "Its receipt" } ": which files of the lake were read, and what was taken of each" }
        }
        @if let Some(archive) = archive.filter(|archive| archive.bad_rows > 0) {
            p.note {
                (grouped(archive.bad_rows)) " rows have something that could not be exported: "
                a href=(path("/bad-rows")) { "their list" } "."
            }
        }
        @if export.status(now).is_unfinished() {
            form.inline method="post" action=(path("/cancel")) { button type="submit" { "Cancel" } }
        }
        @if archive.is_some() {
            details {
                summary { "Delete its files" }
                form method="post" action=(path("/delete")) {
                    p { "Nobody can download them any more, by no link. This cannot be undone." }
                    button type="submit" { "Delete now" }
                }
            }
        }
    }
}

/// The files of an export that is no ZIP.
pub(super) fn files(base: &BaseUrl, export: &Export, files: &[PlainFile]) -> Markup {
    html! {
        @if !files.is_empty() {
            div.scroll {
                table {
                    caption { "Files" }
                    thead { tr { @for name in ["Name", "Table", "Rows", "Size"] { th scope="col" { (name) } } } }
                    tbody {
                        @for file in files {
                            tr {
                                td { a href=(url(base, &format!("/exports/{}/files/{}", export.id, file.name))) { (file.name) } }
                                td { (file.table) }
                                td { (grouped(file.rows)) }
                                td { (bytes(file.size_bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What happened to it, in the order of time.
pub(super) fn story(export: &Export, now: Timestamp) -> Markup {
    let started = match &export.state {
        State::Running { started_at, .. } => Some(*started_at),
        _ => None,
    };
    html! {
        h2 { "Story" }
        ol {
            li { "Made " (instant(export.created_at)) }
            @if let Some(started) = started { li { "Taken by a builder " (instant(started)) } }
            @if export.failures > 0 { li { "Tried again after " (export.failures) " failed attempts" } }
            @match &export.state {
                State::Queued { .. } | State::Running { .. } => {}
                State::Failed { finished_at, .. } => li { "Failed " (instant(*finished_at)) }
                State::Cancelled { finished_at } => li { "Cancelled " (instant(*finished_at)) }
                State::Succeeded { archive } | State::Expired { archive, .. } | State::Deleted { archive, .. } => {
                    li {
                        "Published " (instant(archive.published_at))
                        @if let Some(rows) = archive.rows { ", " (grouped(rows)) " rows" }
                        ", " (bytes(archive.size_bytes))
                    }
                }
            }
            @if let State::Deleted { deleted_at, .. } = &export.state { li { "Deleted " (instant(*deleted_at)) } }
            @if let (Some(archive), false) = (export.archive(), matches!(export.state, State::Deleted { .. })) {
                li { @if export.status(now) == Status::Expired { "Ended " } @else { "Ends " } (instant(archive.expires_at)) }
            }
            @if let Some(callback) = &export.callback {
                li { "Callback to " (callback.url) @if callback.sent { ": posted" } @else { ": once it has ended" } }
            }
            @if let Some(copy) = &export.copy {
                li {
                    "Copy to " (copy.target.bucket)
                    @match &copy.state {
                        CopyState::Waiting { .. } => { ": waits" }
                        CopyState::Running { .. } => { ": " (copy.copied()) " files are there" }
                        CopyState::Ended { failure: Some(failure), .. } => { ": failed, " (failure) }
                        CopyState::Ended { failure: None, .. } => { ": " (copy.copied()) " files are there, " (copy.failed.len()) " failed" }
                    }
                }
            }
        }
    }
}

/// What was asked for, and the same as a call of the API.
pub(super) fn request(base: &BaseUrl, export: &Export) -> Markup {
    let request = &export.request;
    let filter = Filter::all(request.filters.iter().map(|filter| filter.filter.clone()));
    html! {
        h2 { "Request" }
        dl {
            dt { "Tables" } dd { @for table in &request.tables { (table.table) " " } }
            dt { "From" } dd { (instant(request.window.from())) }
            dt { "To" } dd { (instant(request.window.to())) }
            dt { "Format" } dd { (request.format) }
            @if let Some(filter) = &filter { dt { "Filter" } dd { code dir="auto" { (filter) } } }
            @if let Some(text) = &request.description { dt { "Description" } dd dir="auto" { (text) } }
            @for (key, value) in &request.labels { dt dir="auto" { (key) } dd dir="auto" { (value) } }
        }
        details {
            summary { "The same by the API" }
            pre { "curl " (base.join("/v1/exports")) " -H \"Authorization: Bearer $TOKEN\" \\\n  -H 'Content-Type: application/json' -d '" (quoted(&body(export, filter.as_ref()))) "'" }
        }
    }
}

/// Escapes what stands between single quotes in a shell.
fn quoted(body: &Value) -> String {
    body.to_string().replace('\'', "'\\''")
}

fn body(export: &Export, filter: Option<&Filter>) -> Value {
    let request = &export.request;
    let tables: Vec<&str> = request.tables.iter().map(|table| &*table.table).collect();
    let columns: Map<String, Value> = request
        .tables
        .iter()
        .filter_map(|table| Some((table.table.clone(), json!(table.columns.as_ref()?))))
        .collect();
    let mut body = json!({
        "tables": tables, "columns": columns, "window": request.window, "format": request.format.to_string(),
    });
    if request.format == Format::Csv {
        body["csv"] = json!({ "style": request.csv, "display_names": request.display_names });
    }
    if let Files::Parts(parts) = &request.files {
        body["layout"] = "files".into();
        body["max_file_bytes"] = parts.max_bytes.into();
        if let Some(rows) = parts.max_rows {
            body["max_file_rows"] = rows.into();
        }
    }
    if let Some(filter) = filter {
        body["filter"] = filter.to_string().into();
    }
    if let Some(name) = &request.name {
        body["name"] = name.as_str().into();
    }
    body
}

/// Its shared links, and the form to make one.
pub(super) fn shares(base: &BaseUrl, export: &Export, shares: &[Share], now: Timestamp) -> Markup {
    let path = |rest: &str| url(base, &format!("/exports/{}/shares{rest}", export.id));
    html! {
        h2 { "Shared links" }
        @if !shares.is_empty() {
            div.scroll {
                table {
                    caption { "Links that need no token" }
                    thead { tr { @for name in ["Note", "Made by", "Used", "Until", ""] { th scope="col" { (name) } } } }
                    tbody {
                        @for share in shares {
                            tr {
                                td dir="auto" { (share.note.as_deref().unwrap_or("–")) }
                                td { (share.created_by) ", " (instant(share.created_at)) }
                                td { (share.uses) @if share.once { " of 1" } @if let Some(last) = share.last_used_at { ", last " (instant(last)) } }
                                td { @if let Some(end) = share.expires_at { (instant(end)) } @else { "the export ends" } }
                                td {
                                    @if share.status(now) == ShareStatus::Live {
                                        form method="post" action=(path(&format!("/{}/revoke", share.id))) {
                                            button type="submit" { "Revoke" span.skip { " the link " (share.note.as_deref().unwrap_or_default()) } }
                                        }
                                    } @else {
                                        (share.status(now).name())
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        form method="post" action=(path("")) {
            fieldset {
                legend { "Share it by a link that needs no token" }
                label { "Note, which only your workspace sees " input name="note" maxlength="500" size="40"; }
                label { "It ends "
                    select name="hours" {
                        option value="" { "with the export" }
                        @for (hours, name) in [("1", "in an hour"), ("4", "in four hours"), ("12", "in twelve hours")] {
                            option value=(hours) { (name) }
                        }
                    }
                }
                label { input type="checkbox" name="once" value="true"; "It can be used once only" }
                button type="submit" { "Make a link" }
            }
        }
    }
}
