//! The one route, and all that it does.

use axum::{
    Router,
    extract::{Path, RawQuery, rejection::PathRejection},
    http::{HeaderMap, Method},
    routing::get,
};
use export::{Archive, ArchiveKey, Export, FileName, Lane, PlainKey, State as ExportState};
use service::Joined;
use web::{BaseUrl, Kit, lead_to, link_method, tell_bad_rows, wants_redirect};

use crate::{
    accept::wants_lines,
    app::{App, Editor},
    error::{ApiError, RequestError},
    request::Ask,
    response::{Answer, StatusBody, file_name},
};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/api/reports/export/{type}", get(export))
        .method_not_allowed_fallback(async || ApiError::Method)
        .fallback(async || ApiError::Nothing)
}

/// `GET /api/reports/export/{type}?fromDate=...&toDate=...`: makes the export behind the URL, tells
/// where it is, or leads to its file. `HEAD` answers alike and makes none.
async fn export(
    editor: Editor,
    base: BaseUrl,
    kind: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Answer, ApiError> {
    let (services, workspace, now) = (&editor.services, &editor.workspace, editor.now);
    // What is no text is no type.
    let kind = kind.map(|Path(kind)| kind).unwrap_or_default();
    let query = query.as_deref().unwrap_or_default();
    let catalog = services.catalog().await;
    let ask = Ask::read(&kind, query, &catalog, &services.limits, now)?;
    let redirect = wants_redirect(query).map_err(RequestError::Request)?;

    let (exports, key) = (&services.exports, ask.key());
    if let Some(refusal) = ask.beyond_retention(&catalog, now)
        && !exports
            .table
            .newest(workspace, &key)
            .await?
            .is_some_and(|newest| newest.is_current(now))
    {
        return Err(refusal.into());
    }
    let joined = if method == Method::HEAD {
        match exports.table.newest(workspace, &key).await? {
            Some(newest) if newest.is_current(now) => Joined::Kept(Box::new(newest)),
            before => Joined::New { before: before.map(Box::new) },
        }
    } else {
        let new = exports.draft(workspace, ask.request(), now)?.in_lane(Lane::new("liferay"));
        exports.join(&new, &key, |newest| newest.is_current(now), Some(&editor.actor)).await?
    };
    let export = match joined {
        Joined::New { before } => {
            return Ok(Answer::Status(StatusBody::new(&ask, now, before.as_deref())));
        }
        Joined::Kept(export) => export,
    };
    let ExportState::Succeeded { archive } = &export.state else {
        return Ok(Answer::Status(StatusBody::unfinished(&ask, &export)));
    };
    let (key, name) = file(&export, archive, ask.kind, wants_lines(&headers));
    let (of, file, method) = ((&*export, archive), (&*key, &name), link_method(&method));
    let link = services.links.give(of, file, method, &editor.actor, now).await?;
    Ok(Answer::Redirect(tell_bad_rows(lead_to(link, redirect), export.id, archive, &base)))
}

/// Returns the key of the ZIP or of its lines as they are, and what that is called.
fn file(export: &Export, archive: &Archive, kind: &str, lines: bool) -> (String, FileName) {
    let (workspace, id, completed) = (&export.workspace, export.id, archive.published_at);
    if lines {
        let key = PlainKey::of(workspace, id).to_string();
        return (key, file_name(kind, completed, "json"));
    }
    (ArchiveKey::of(workspace, id).to_string(), file_name(kind, completed, "zip"))
}
