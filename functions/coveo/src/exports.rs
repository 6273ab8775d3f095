//! The calls about exports.

use std::ops::ControlFlow;

use axum::{
    Json,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use cloud::{Link, Wanted};
use export::{ArchiveKey, Export, ExportId, Origin, State};
use serde::Serialize;
use service::Created;
use web::{Authorized, BaseUrl, JsonBody, MAX_LIST_BYTES, link_method, tell_bad_rows};

use crate::{
    app::{App, Editor, Viewer},
    count,
    error::ApiError,
    extract::{Id, Query},
    params::Params,
    request::{Ask, BODY_FIELDS},
    response::{self, View},
};

/// The most exports of a list.
const MAX_LISTED: usize = 1000;
/// What an answer has that leaves out older exports. The documents know no pages.
const INCOMPLETE: (&str, &str) = ("decant-list-incomplete", "true");

/// `GET /exports`: the newest exports, newest first.
pub(crate) async fn list(viewer: Viewer, base: BaseUrl) -> Result<Response, ApiError> {
    let now = viewer.now;
    let mut listed = Listed::new();
    let take = |export: &Export| {
        View::of(export, &base, now).map_or(ControlFlow::Continue(()), |view| listed.push(view))
    };
    let (exports, wanted) = (&viewer.services.exports.table, Wanted::Of(response::DIALECT));
    let all = exports.each(&viewer.workspace, wanted, now, take).await?;
    let answer = Json(listed.views);
    Ok(if all { answer.into_response() } else { ([INCOMPLETE], answer).into_response() })
}

/// The exports of an answer, as far as there is room for them.
#[derive(Debug)]
struct Listed<V> {
    views: Vec<V>,
    /// How long they are as JSON, together.
    bytes: usize,
}

impl<V: Serialize> Listed<V> {
    fn new() -> Self {
        Self { views: Vec::new(), bytes: 0 }
    }

    /// Adds an export, or breaks off if there is no room for it.
    fn push(&mut self, view: V) -> ControlFlow<()> {
        self.bytes += serde_json::to_vec(&view).map_or(0, |json| json.len());
        if self.views.len() == MAX_LISTED || self.bytes > MAX_LIST_BYTES {
            return ControlFlow::Break(());
        }
        self.views.push(view);
        ControlFlow::Continue(())
    }
}

/// `POST /exports`: makes an export of what the query says. The body is ignored.
pub(crate) async fn create(
    editor: Editor,
    base: BaseUrl,
    Query(params): Query,
) -> Result<Response, ApiError> {
    create_of(&editor, &base, &params).await
}

/// `POST /exports/create`: makes an export of what the body says.
pub(crate) async fn create_from_body(
    editor: Editor,
    base: BaseUrl,
    // A parameter that is there twice is refused here, too.
    _: Query,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    create_of(&editor, &base, &Params::of_body(&body, &BODY_FIELDS)?).await
}

async fn create_of(editor: &Editor, base: &BaseUrl, params: &Params) -> Result<Response, ApiError> {
    let (services, workspace, now) = (&editor.services, &editor.workspace, editor.now);
    let Ask { mut request, words } = ask(editor, params).await?;
    count::check_limit(editor, workspace, &request, now).await?;
    request.max_rows = Some(editor.row_limit);
    let (dialect, requested_by) = (response::DIALECT.to_owned(), editor.name.clone());
    let origin = Origin { dialect, requested_by, params: words };
    let export = services.exports.draft(workspace, request, now)?.with_origin(origin);
    let created = services.exports.create(&export, None, &editor.actor).await?;
    if !matches!(created, Created::New) {
        return Err(anyhow::anyhow!("create export {}: it is there already", export.id).into());
    }
    let view = View::of(&export, base, now);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn ask<P>(caller: &Authorized<App, P>, params: &Params) -> Result<Ask, ApiError> {
    let services = &caller.services;
    let named = services.named_filters(&caller.workspace, Ask::filters(params)).await?;
    let catalog = services.catalog().await;
    Ask::read(params, &catalog, &named, &services.limits, caller.now)
}

/// `GET /exports/{id}`: where an export is, or with `redirect=true` its ZIP.
pub(crate) async fn read(
    viewer: Viewer,
    base: BaseUrl,
    Id(id): Id,
    Query(params): Query,
    method: Method,
) -> Result<Response, ApiError> {
    let redirect = params.flag("redirect", false)?;
    let export = find(&viewer, &id).await?;
    let response = if redirect {
        let Link { url, .. } = link(&viewer, &export, &method).await?;
        (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response()
    } else {
        Json(View::of(&export, &base, viewer.now)).into_response()
    };
    Ok(with_bad_rows(&export, &base, response))
}

/// Adds the headers about bad rows.
fn with_bad_rows(export: &Export, base: &BaseUrl, response: Response) -> Response {
    match export.archive() {
        Some(archive) => tell_bad_rows(response, export.id, archive, base),
        None => response,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedLink {
    id: String,
    #[serde(rename = "downloadLink", skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// When the link ends. The documents do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<i64>,
}

/// `GET /exports/{id}/downloadlink`: a link to the ZIP that needs no token and is good for minutes.
pub(crate) async fn download_link(
    viewer: Viewer,
    base: BaseUrl,
    Id(id): Id,
    _: Query,
    method: Method,
) -> Result<Response, ApiError> {
    let export = find(&viewer, &id).await?;
    let waits = export.status(viewer.now).is_unfinished();
    let link = if waits { None } else { Some(link(&viewer, &export, &method).await?) };
    let view = SignedLink {
        id: export.id.to_string(),
        expiration_date: link.as_ref().map(|link| link.expires_at.as_millisecond()),
        url: link.map(|link| link.url),
    };
    Ok(with_bad_rows(&export, &base, Json(view).into_response()))
}

/// Signs a link to the ZIP of an export.
async fn link(viewer: &Viewer, export: &Export, method: &Method) -> Result<Link, ApiError> {
    match (response::status(export, viewer.now), &export.state) {
        (Some("AVAILABLE"), State::Succeeded { archive }) => {
            let key = ArchiveKey::of(&export.workspace, export.id).to_string();
            let name = response::file_name(export);
            let (services, method, now) = (&viewer.services, link_method(method), viewer.now);
            let (of, file) = ((export, archive), (&*key, &name));
            Ok(services.links.give(of, file, method, &viewer.actor, now).await?)
        }
        (_, State::Failed { failure, .. }) => Err(ApiError::not_available(&failure.detail)),
        (Some("EXPIRED"), _) => {
            let message =
                "The export could be downloaded for 24 hours, which are over. Create it again.";
            Err(ApiError::not_available(message))
        }
        _ => Err(ApiError::not_ready()),
    }
}

/// `DELETE /exports/{id}`: ends an export, removes its ZIP, and forgets it.
pub(crate) async fn delete(editor: Editor, Id(id): Id, _: Query) -> Result<Response, ApiError> {
    let found = find(&editor, &id).await?;
    let (exports, follow_up) = (&editor.services.exports, &editor.follow_up);
    exports.discard(follow_up, &editor.workspace, found.id, &editor.actor, editor.now).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn find<P>(caller: &Authorized<App, P>, id: &str) -> Result<Export, ApiError> {
    let unknown = || ApiError::not_found("There is no export with this id in the organization.");
    let id: ExportId = id.parse().map_err(|_| unknown())?;
    let export = caller.services.exports.table.get(&caller.workspace, id).await?;
    let shown = |export: &Export| {
        response::origin(export).is_some() && response::status(export, caller.now).is_some()
    };
    export.filter(shown).ok_or_else(unknown)
}

#[derive(Serialize)]
struct Estimate {
    estimates: std::collections::BTreeMap<String, u64>,
}

/// `GET /exports/estimate`: how many rows an export would have.
pub(crate) async fn estimate(viewer: Viewer, Query(params): Query) -> Result<Response, ApiError> {
    let ask = ask(&viewer, &params).await?;
    let counted = count::rows(&viewer, &viewer.workspace, &ask.request, viewer.now).await?;
    let names = ask.request.tables.iter().filter_map(|selection| selection.file.clone());
    let estimates = names.zip(counted).collect();
    Ok(Json(Estimate { estimates }).into_response())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowLimit {
    export_row_count_limit: u64,
}

/// `GET /exports/rowLimit`: the most rows of an export.
pub(crate) async fn row_limit(viewer: Viewer, _: Query) -> Result<Response, ApiError> {
    Ok(Json(RowLimit { export_row_count_limit: viewer.row_limit }).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes texts as long as there is room, and returns how many there was room for.
    fn listed(texts: impl IntoIterator<Item = String>) -> usize {
        let mut listed = Listed::new();
        let mut texts = texts.into_iter();
        while let Some(text) = texts.next()
            && listed.push(text).is_continue()
        {}
        listed.views.len()
    }

    #[test]
    fn a_list_has_a_thousand_exports_or_4_mib_and_no_more() {
        for (count, want) in [(999, 999), (1000, 1000), (1001, 1000)] {
            assert_eq!(listed(vec![String::new(); count]), want);
        }
        // With its quotes, each has a mebibyte.
        let long = |len: usize| "x".repeat(len - 2);
        assert_eq!(listed(vec![long(1 << 20); 5]), 4);
        assert_eq!(listed([long(3 << 20), long((1 << 20) + 1)]), 1);
    }
}
