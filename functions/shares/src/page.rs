//! The pages behind a link. They need no script, and load nothing.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use export::{Archive, Export, ExportRequest};
use maud::{Markup, html};
use pages::{Frame, Policy, bytes, grouped, instant, page};
use web::Problem;

use crate::{
    list::FileView,
    open::{LOOK_AGAIN_SECONDS, Ready},
};

/// The page of an export that can be downloaded. `link` is the URL of the page itself, `target` the one that its
/// form leads to in the end.
pub(crate) fn ready(ready: &Ready, files: &[FileView], link: &str, target: &str) -> Response {
    let Ready { share, export, archive } = ready;
    let body = html! {
        (facts(export, archive))
        @if !files.is_empty() {
            (table(files))
        } @else {
            form method="post" action=(link) {
                button type="submit" {
                    @if archive.table_files.is_some() { "Show the files" } @else { "Download" }
                }
            }
        }
        @if share.once {
            p { "This link works once: the button uses it up." }
        }
        p { "It can be downloaded until " (instant(archive.expires_at)) "." }
    };
    let policy = Policy { forms_lead_to: vec![target.to_owned()], ..Policy::default() };
    page(StatusCode::OK, &Frame { title: title(export), policy, ..Frame::default() }, &body)
}

/// The page after a link for one use was used: links to the files, which end in minutes.
pub(crate) fn taken(ready: &Ready, files: &[FileView]) -> Response {
    let body = html! {
        (facts(&ready.export, &ready.archive))
        (table(files))
        @if let Some(end) = files.iter().filter_map(|file| file.link_expires_at).min() {
            p { strong { "Download them now: " } "these links end at " (instant(end)) ", and this page cannot be opened again." }
        }
    };
    page(StatusCode::OK, &framed(title(&ready.export)), &body)
}

/// The page of an export that is still being made. It looks again by itself.
pub(crate) fn unfinished(export: &Export) -> Response {
    let (done, total) = (export.steps_done.len(), export.steps_total);
    let body = html! {
        p role="status" {
            "This export is still being made"
            @if total > 0 { ": " (done) " of " (total) " parts are done" }
            ". This page looks again every " (LOOK_AGAIN_SECONDS) " seconds."
        }
        @if total > 0 {
            progress max=(total) value=(done) aria-label="Parts that are done" {}
        }
        (request(&export.request))
    };
    let mut response = page(StatusCode::OK, &framed(title(export)), &body);
    response.headers_mut().insert(header::REFRESH, HeaderValue::from(LOOK_AGAIN_SECONDS));
    response
}

/// The page of a problem: what is wrong and what to do.
pub(crate) fn problem(problem: Problem) -> Response {
    let (status, detail, headers) = problem.into_parts();
    let title = match status {
        StatusCode::NOT_FOUND => "This link leads nowhere",
        StatusCode::GONE => "This link has ended",
        StatusCode::CONFLICT => "Not yet",
        status if status.is_client_error() => "This cannot be done",
        _ => "Something went wrong",
    };
    let mut response = page(status, &framed(title), &html! { p { (detail) } });
    response.headers_mut().extend(headers.into_iter().collect::<HeaderMap>());
    response
}

fn framed(title: impl Into<String>) -> Frame {
    Frame { title: title.into(), ..Frame::default() }
}

fn title(export: &Export) -> String {
    let tables: Vec<&str> = export.request.tables.iter().map(|table| &*table.table).collect();
    export.request.name.clone().unwrap_or_else(|| format!("Export of {}", tables.join(", ")))
}

/// What an archive is.
fn facts(export: &Export, archive: &Archive) -> Markup {
    html! {
        (request(&export.request))
        dl {
            dt { "Size" } dd { (bytes(archive.size_bytes)) }
            @if let Some(rows) = archive.rows { dt { "Rows" } dd { (grouped(rows)) } }
        }
        @if archive.bad_rows > 0 {
            p {
                strong { (grouped(archive.bad_rows)) " rows" }
                " have something that could not be exported. Ask whoever shared this for their list."
            }
        }
    }
}

/// What was asked for.
fn request(request: &ExportRequest) -> Markup {
    html! {
        dl {
            dt { "Tables" }
            dd { @for table in &request.tables { span dir="auto" { (table.table) } " " } }
            dt { "From" } dd { (instant(request.window.from())) }
            dt { "To" } dd { (instant(request.window.to())) }
            dt { "Format" } dd { (request.format) }
        }
    }
}

fn table(files: &[FileView]) -> Markup {
    html! {
        table {
            caption { "Files" }
            thead { tr { th scope="col" { "Name" } th scope="col" { "Rows" } th scope="col" { "Size" } } }
            tbody {
                @for view in files {
                    tr {
                        td { a href=(view.link) { (view.file.name) } }
                        td { (grouped(view.file.rows)) }
                        td { (bytes(view.file.size_bytes)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
