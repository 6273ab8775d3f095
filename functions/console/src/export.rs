//! One export: where it is, its story, its files, and what can be done with it.

mod page;

use axum::{
    extract::Path,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use console_kit::{Place, Refusal, url};
use export::{
    Archive, ArchiveKey, BadRowsKey, Export, ExportId, FileKey, FileName, PlainFile, ReceiptKey,
    Status,
};
use maud::html;
use web::{Authorized, BaseUrl, Problem, lead_to, link_method};

use crate::{
    app::{App, Editor, Viewer},
    exports::title,
};

/// `GET /console/exports/{id}`: the page of an export.
pub(crate) async fn show(
    viewer: Viewer,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    let services = &viewer.services;
    let (workspace, now) = (&viewer.workspace, viewer.now);
    let shares = services.exports.shares(workspace, export.id, services.limits.shares).await?;
    let files: Vec<PlainFile> = match ready(&export, viewer.now) {
        Some(archive) if archive.table_files.is_some() => {
            services.links.archives.read_files(workspace, export.id).await?
        }
        Some(_) | None => Vec::new(),
    };
    let content = html! {
        (page::progress(&base, &export, now))
        (page::actions(&base, &export, now))
        (page::files(&base, &export, &files))
        (page::story(&export, now))
        (page::request(&base, &export))
        @if export.status(now).is_unfinished() || ready(&export, now).is_some() {
            (page::shares(&base, &export, &shares, now))
        }
    };
    Ok(console_kit::page(StatusCode::OK, &title(&export), (&base, Place::Elsewhere), &content))
}

/// `GET /console/exports/{id}/progress`: how far it is, for a page that is open. Once it has ended, the whole page is to be
/// loaded again.
pub(crate) async fn progress(
    viewer: Viewer,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    let fragment = page::progress(&base, &export, viewer.now).into_string();
    let mut response = axum::response::Html(fragment).into_response();
    if !export.status(viewer.now).is_unfinished() {
        response.headers_mut().insert("hx-refresh", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `POST /console/exports/{id}/cancel`.
pub(crate) async fn cancel(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = read_id(&id)?;
    let (exports, follow_up) = (&editor.services.exports, &editor.follow_up);
    let done = exports.cancel(follow_up, &editor.workspace, id, &editor.actor, editor.now).await?;
    done.ok_or_else(unknown)?;
    Ok(back(&base, id))
}

/// `POST /console/exports/{id}/delete`.
pub(crate) async fn delete(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = read_id(&id)?;
    let exports = &editor.services.exports;
    let done = exports.delete(&editor.workspace, id, &editor.actor, editor.now).await?;
    done.ok_or_else(unknown)?;
    Ok(back(&base, id))
}

/// `GET /console/exports/{id}/download`: leads to the ZIP.
pub(crate) async fn download(
    viewer: Viewer,
    Path(id): Path<String>,
    method: Method,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    let key = ArchiveKey::of(&export.workspace, export.id).to_string();
    let name = export.zip_name();
    lead(&viewer, &export, (&key, &name), &method).await
}

/// `GET /console/exports/{id}/bad-rows`: leads to the list of bad rows.
pub(crate) async fn bad_rows(
    viewer: Viewer,
    Path(id): Path<String>,
    method: Method,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    if export.archive().is_none_or(|archive| archive.bad_rows == 0) {
        let detail = "Every row could be exported: there is no such list.";
        return Err(Problem::not_found("no_bad_rows", detail).into());
    }
    let key = BadRowsKey::of(&export.workspace, export.id).to_string();
    lead(&viewer, &export, (&key, &export.bad_rows_name()), &method).await
}

/// `GET /console/exports/{id}/receipt`: leads to the receipt.
pub(crate) async fn receipt(
    viewer: Viewer,
    Path(id): Path<String>,
    method: Method,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    if export.archive().is_none_or(|archive| archive.receipt.is_none()) {
        let detail = "The export has no receipt: a version that wrote none made it.";
        return Err(Problem::not_found("no_receipt", detail).into());
    }
    let key = ReceiptKey::of(&export.workspace, export.id).to_string();
    lead(&viewer, &export, (&key, &export.receipt_name()), &method).await
}

/// `GET /console/exports/{id}/files/{name}`: leads to one of several files.
pub(crate) async fn file(
    viewer: Viewer,
    Path((id, name)): Path<(String, String)>,
    method: Method,
) -> Result<Response, Refusal> {
    let export = find(&viewer, &id).await?;
    let counts = export.archive().and_then(|archive| archive.table_files.as_deref());
    if !export.request.part_names(counts.unwrap_or_default()).contains(&name) {
        let detail = "The export has no file of this name. Its page lists those there are.";
        return Err(Problem::not_found("file_not_found", detail).into());
    }
    let key = FileKey::of(&export.workspace, export.id, &name).to_string();
    lead(&viewer, &export, (&key, &FileName::plain(&name)), &method).await
}

async fn lead(
    viewer: &Viewer,
    export: &Export,
    (key, name): (&str, &FileName),
    method: &Method,
) -> Result<Response, Refusal> {
    let Some(archive) = ready(export, viewer.now) else {
        let detail = "There is nothing to download: see the page of the export.";
        return Err(Problem::new(StatusCode::GONE, "export_expired", detail).into());
    };
    let (services, method, now) = (&viewer.services, link_method(method), viewer.now);
    let (of, file) = ((export, archive), (key, name));
    Ok(lead_to(services.links.give(of, file, method, &viewer.actor, now).await?, true))
}

/// Finds an export of the workspace.
pub(crate) async fn find<P>(caller: &Authorized<App, P>, id: &str) -> Result<Export, Refusal> {
    let id = read_id(id)?;
    let found = caller.services.exports.table.get(&caller.workspace, id).await?;
    Ok(found.filter(Export::is_shown).ok_or_else(unknown)?)
}

fn read_id(id: &str) -> Result<ExportId, Problem> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("export_not_found", "There is no such export in your workspace.")
}

/// The archive, while it can be downloaded.
pub(crate) fn ready(export: &Export, now: jiff::Timestamp) -> Option<&Archive> {
    export.archive().filter(|_| export.status(now) == Status::Succeeded)
}

/// Leads back to the page of an export.
pub(crate) fn back(base: &BaseUrl, id: ExportId) -> Response {
    let page = url(base, &format!("/exports/{id}"));
    ([(header::CACHE_CONTROL, "no-store")], Redirect::to(&page)).into_response()
}
