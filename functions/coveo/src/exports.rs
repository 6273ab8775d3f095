//! The calls about exports.

use std::ops::ControlFlow;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use cloud::{Created, Link, Wanted};
use export::{ArchiveKey, Export, ExportId, Origin, Privilege, State, Workspace};
use serde::Serialize;
use web::{Caller, MAX_LIST_BYTES, tell_bad_rows};

use crate::{
    app::Request,
    ask::{Ask, BODY_FIELDS},
    count,
    params::{Params, json},
    refused::Refused,
    view::{self, View},
};

/// The most exports of a list.
const MAX_LISTED: usize = 1000;
/// What an answer has that leaves out older exports. The documents know no pages.
const INCOMPLETE: (&str, &str) = ("decant-list-incomplete", "true");

/// `GET /exports`: the newest exports, newest first.
pub(crate) async fn list(request: &Request) -> Result<Response, Refused> {
    let Caller { workspace, .. } = request.caller(Privilege::View).await?;
    let (mut views, mut bytes) = (Vec::new(), 0);
    let take = |export: &Export| {
        let Some(view) = View::of(export, &request.base, request.now) else {
            return ControlFlow::Continue(());
        };
        bytes += serde_json::to_vec(&view).map_or(0, |json| json.len());
        if views.len() == MAX_LISTED || bytes > MAX_LIST_BYTES {
            return ControlFlow::Break(());
        }
        views.push(view);
        ControlFlow::Continue(())
    };
    let (exports, wanted) = (&request.app.services.exports, Wanted::Of(view::DIALECT));
    let all = exports.each(&workspace, wanted, request.now, take).await?;
    let answer = Json(views);
    Ok(if all { answer.into_response() } else { ([INCOMPLETE], answer).into_response() })
}

/// `POST /exports`: makes an export of what the query says. The body is ignored.
pub(crate) async fn create(request: &Request) -> Result<Response, Refused> {
    let caller = request.caller(Privilege::Edit).await?;
    create_of(request, caller, &request.query).await
}

/// `POST /exports/create`: makes an export of what the body says.
pub(crate) async fn create_from_body(request: &Request) -> Result<Response, Refused> {
    let caller = request.caller(Privilege::Edit).await?;
    let body = json(&request.headers, &request.body)?;
    create_of(request, caller, &Params::of_body(&body, &BODY_FIELDS)?).await
}

async fn create_of(
    request: &Request,
    caller: Caller,
    params: &Params,
) -> Result<Response, Refused> {
    let app = &request.app;
    let Ask { request: mut asked_for, words } = ask(request, &caller.workspace, params).await?;
    count::check_limit(app, &caller.workspace, &asked_for, request.now).await?;
    asked_for.max_rows = Some(app.row_limit);
    let time_limit = app.services.time_limit;
    let dialect = view::DIALECT.to_owned();
    let origin = Origin { dialect, requested_by: caller.name, params: words };
    let id = ExportId::generate();
    let export = Export::queued(id, caller.workspace, asked_for, request.now, time_limit)
        .with_origin(origin);
    match app.services.create(&export, None).await? {
        Created::New => app.services.submit(&export).await,
        Created::Before(_) | Created::OtherRequest => {
            return Err(anyhow::anyhow!("create export {id}: it is there already").into());
        }
    }
    let view = View::of(&export, &request.base, request.now);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn ask(request: &Request, workspace: &Workspace, params: &Params) -> Result<Ask, Refused> {
    let app = &request.app;
    let named = app.services.named_filters(workspace, Ask::filters(params)).await?;
    Ask::read(params, &app.services.catalog, &named, &app.services.limits, request.now)
}

/// `GET /exports/{id}`: where an export is, or with `redirect=true` its ZIP.
pub(crate) async fn read(request: &Request, id: &str) -> Result<Response, Refused> {
    let Caller { workspace, .. } = request.caller(Privilege::View).await?;
    let redirect = request.query.flag("redirect", false)?;
    let export = find(request, &workspace, id).await?;
    let response = if redirect {
        let Link { url, .. } = link(request, &export).await?;
        (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response()
    } else {
        Json(View::of(&export, &request.base, request.now)).into_response()
    };
    Ok(told(request, &export, response))
}

/// Adds what there is to say of bad rows.
fn told(request: &Request, export: &Export, response: Response) -> Response {
    match export.archive() {
        Some(archive) => tell_bad_rows(response, export.id, archive, &request.base),
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
pub(crate) async fn download_link(request: &Request, id: &str) -> Result<Response, Refused> {
    let Caller { workspace, .. } = request.caller(Privilege::View).await?;
    let export = find(request, &workspace, id).await?;
    let waits = export.status(request.now).is_unfinished();
    let link = if waits { None } else { Some(link(request, &export).await?) };
    let view = SignedLink {
        id: export.id.to_string(),
        expiration_date: link.as_ref().map(|link| link.expires_at.as_millisecond()),
        url: link.map(|link| link.url),
    };
    Ok(told(request, &export, Json(view).into_response()))
}

/// Signs a link to the ZIP of an export.
async fn link(request: &Request, export: &Export) -> Result<Link, Refused> {
    match (view::status(export, request.now), &export.state) {
        (Some("AVAILABLE"), State::Succeeded { archive }) => {
            let key = ArchiveKey::of(&export.workspace, export.id).to_string();
            let name = view::file_name(export);
            let (services, method) = (&request.app.services, &request.method);
            Ok(services.link(archive, &key, Some(&name), method, request.now).await?)
        }
        (_, State::Failed { failure, .. }) => Err(Refused::not_available(&failure.detail)),
        (Some("EXPIRED"), _) => {
            let message =
                "The export could be downloaded for 24 hours, which are over. Create it again.";
            Err(Refused::not_available(message))
        }
        _ => Err(Refused::not_ready()),
    }
}

/// `DELETE /exports/{id}`: ends an export, removes its ZIP, and forgets it.
pub(crate) async fn delete(request: &Request, id: &str) -> Result<Response, Refused> {
    let Caller { workspace, .. } = request.caller(Privilege::Edit).await?;
    let found = find(request, &workspace, id).await?;
    let exports = &request.app.services.exports;
    let withdraw = |e: &Export| view::origin(e).map(|_| e.discard(request.now));
    // The janitor removes the ZIP, as the record says.
    exports.change(&workspace, found.id, withdraw).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn find(request: &Request, workspace: &Workspace, id: &str) -> Result<Export, Refused> {
    let unknown = || Refused::not_found("There is no export with this id in the organization.");
    let id: ExportId = id.parse().map_err(|_| unknown())?;
    let export = request.app.services.exports.get(workspace, id).await?;
    let shown = |export: &Export| {
        view::origin(export).is_some() && view::status(export, request.now).is_some()
    };
    export.filter(shown).ok_or_else(unknown)
}

#[derive(Serialize)]
struct Estimate {
    estimates: std::collections::BTreeMap<String, u64>,
}

/// `GET /exports/estimate`: how many rows an export would have.
pub(crate) async fn estimate(request: &Request) -> Result<Response, Refused> {
    let Caller { workspace, .. } = request.caller(Privilege::View).await?;
    let ask = ask(request, &workspace, &request.query).await?;
    let counted = count::rows(&request.app, &workspace, &ask.request, request.now).await?;
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
pub(crate) async fn row_limit(request: &Request) -> Result<Response, Refused> {
    request.caller(Privilege::View).await?;
    Ok(Json(RowLimit { export_row_count_limit: request.app.row_limit }).into_response())
}
