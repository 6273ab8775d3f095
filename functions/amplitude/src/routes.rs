//! The one route, and all that it does.

use axum::{
    Router,
    extract::RawQuery,
    http::{HeaderMap, Method},
    response::{IntoResponse as _, Response},
    routing::get,
};
use export::{Action, Archive, ArchiveKey, Export, State as ExportState, Subject, Window};
use service::Joined;
use tokio::time::Instant;
use web::{BaseUrl, Kit, Services, lead_to, link_method, tell_bad_rows, wants_redirect};

use crate::{
    app::{App, Editor},
    client::takes_bytes,
    error::ApiError,
    lake::{Lake, Looked, is_awaited, is_current, is_unfinished},
    request::{self, Ask},
    response::Answer,
    size::halves,
};

/// The largest ZIP that a function answers itself, in bytes.
const MAX_DIRECT_BYTES: u64 = 4 << 20;
/// A ZIP without files.
const EMPTY_BYTES: u64 = 22;

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/api/2/export", get(export))
        .method_not_allowed_fallback(async || ApiError::Method)
        .fallback(async || ApiError::Nothing)
}

/// `GET /api/2/export?start=...&end=...`: makes the export of these hours or joins it, waits for it as
/// long as a request may, and answers the ZIP or leads to it. `HEAD` does the same without the ZIP.
async fn export(
    editor: Editor,
    base: BaseUrl,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let (services, now) = (&editor.services, editor.now);
    let query = query.as_deref().unwrap_or_default();
    let ask = Ask::read(query, &services.limits).map_err(ApiError::Query)?;
    let redirect = wants_redirect(query).map_err(ApiError::Query)?;
    let window = ask.loaded(now).ok_or(ApiError::NoData)?;

    let export = found_or_made(&editor, (ask, window), &base).await?;
    let export =
        services.exports.wait_for(export, editor.wait.saturating_sub(begun.elapsed())).await?;
    let archive = match export.state {
        ExportState::Succeeded { ref archive } => archive,
        ExportState::Failed { failure, .. } => return Err(ApiError::Failed(failure.detail)),
        // Cancelled or deleted through the native API: the next request makes a new one.
        ExportState::Queued { .. }
        | ExportState::Running { .. }
        | ExportState::Cancelled { .. }
        | ExportState::Expired { .. }
        | ExportState::Deleted { .. } => return Err(ApiError::NotYet),
    };
    let key = ArchiveKey::of(&export.workspace, export.id);
    let how = How { method, redirect, takes_bytes: takes_bytes(&headers), query: ask.query() };
    if archive.size_bytes > EMPTY_BYTES {
        let what = (Action::LinkGiven, Subject::export(export.id));
        services.exports.audit.record(&editor.workspace, &editor.actor, what, editor.now).await?;
    }
    // Where all rows are bad there are no files, and that answer has to tell of them most of all.
    let answer = how.answer(services, archive, &key).await.into_response();
    Ok(tell_bad_rows(answer, export.id, archive, &base))
}

/// Returns the export that the hours stand for: the one that is under way or has only just ended, the one
/// that was made of the lake as it is now, or a new one.
async fn found_or_made(
    editor: &Editor,
    (ask, window): (Ask, Window),
    base: &BaseUrl,
) -> Result<Export, ApiError> {
    let (services, workspace, now) = (&editor.services, &editor.workspace, editor.now);
    let key = ask.key();
    let newest = services.exports.table.newest(workspace, &key).await?;
    let is_due = |export: &Export| is_unfinished(export) || is_awaited(export, editor.wait, now);
    if let Some(newest) = newest.as_ref().filter(|newest| is_due(newest)) {
        return Ok(newest.clone());
    }
    let catalog = services.catalog().await;
    let request = request::request(window, workspace, &catalog).ok_or(ApiError::NoData)?;
    let lake = match Lake::look(services, workspace, window, now).await? {
        Looked::Filed(lake) => lake,
        Looked::TooManyObjects => {
            let halves = halves(window).into_iter().flatten();
            return Err(ApiError::TooManyObjects(halves.map(|half| url(base, half)).collect()));
        }
    };
    let keep = |newest: &Export| is_due(newest) || is_current(newest, lake.print(), now);
    if !newest.is_some_and(|newest| keep(&newest)) {
        check_size(&lake, window, base)?;
    }
    let origin = request::origin(editor.name.clone(), lake.print());
    let new = services.exports.draft(workspace, request, now)?.with_origin(origin);
    match services.exports.join(&new, &key, keep, Some(&editor.actor)).await? {
        Joined::Kept(export) => Ok(*export),
        Joined::New { .. } => Ok(new),
    }
}

/// Refuses a range without data, and one with more than an export may hold.
fn check_size(lake: &Lake, window: Window, base: &BaseUrl) -> Result<(), ApiError> {
    let parts = lake.parts(window).ok_or(ApiError::NoData)?;
    if parts.len() > 1 {
        return Err(ApiError::TooLarge(parts.into_iter().map(|part| url(base, part)).collect()));
    }
    Ok(())
}

/// Returns the URL of a range of hours.
fn url(base: &BaseUrl, window: Window) -> String {
    base.join(&format!("/api/2/export?{}", request::query(window.from(), window.to())))
}

/// How a client wants to be answered.
struct How {
    method: Method,
    /// Whether it is led to what it is not answered itself, or shown the link.
    redirect: bool,
    takes_bytes: bool,
    /// What it asked for.
    query: String,
}

impl How {
    /// Tells whether the client is answered a ZIP of so many bytes itself.
    fn is_direct(&self, size_bytes: u64) -> bool {
        self.redirect && self.takes_bytes && size_bytes <= MAX_DIRECT_BYTES
    }

    /// Returns the ZIP itself if it is small and the client can be given bytes, else what leads to it.
    async fn answer(
        &self,
        services: &Services,
        archive: &Archive,
        key: &ArchiveKey,
    ) -> Result<Answer, ApiError> {
        if archive.size_bytes <= EMPTY_BYTES {
            return Err(ApiError::NoData);
        }
        if self.is_direct(archive.size_bytes) {
            return Ok(if self.method == Method::HEAD {
                Answer::Size(archive.size_bytes)
            } else {
                Answer::Zip(services.links.archives.read_archive(key).await?)
            });
        }
        let (key, method) = (key.to_string(), link_method(&self.method));
        // The archive may have been waited for.
        let now = services.exports.clock.now();
        let link = services.links.sign_with_query(archive, &key, &self.query, method, now).await?;
        Ok(Answer::Redirect(lead_to(link, self.redirect)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_of_4_mib_is_answered_itself_and_a_larger_one_led_to() {
        let how = |redirect, takes_bytes| How {
            method: Method::GET,
            redirect,
            takes_bytes,
            query: String::new(),
        };
        for (size_bytes, is_direct) in [(4 << 20, true), ((4 << 20) + 1, false)] {
            assert_eq!(how(true, true).is_direct(size_bytes), is_direct, "{size_bytes}");
        }
        assert!(!how(false, true).is_direct(100), "who wants to see the link sees it");
        assert!(!how(true, false).is_direct(100), "who cannot be given bytes is led to them");
    }
}
