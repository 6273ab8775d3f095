//! Making, cancelling and deleting exports.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use cloud::{Created, IdempotencyKey};
use export::{Export, ExportId, Fault, Limits, Order, Privilege, Status, Workspace};
use jiff::Timestamp;
use serde_json::Value;
use web::{BaseUrl, Caller, Problem, is_json, nesting, parse_json};

use crate::{
    app::App,
    idempotency,
    path::Path,
    read::{self, RETRY_AFTER},
    view::{self, View},
};

/// `POST /v1/exports`: makes an export.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(base): Extension<BaseUrl>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let Caller { workspace, .. } =
        app.services.authenticator.bearer(&headers, Privilege::Edit, now).await?;
    let key = idempotency::key(&headers)?.map(|key| idempotency::key_hash(&key));
    let body = json(&headers, &body, &app.services.limits)?;
    let body_hash = idempotency::body_hash(&body);
    // What was sent before is answered as before, even if it could not be asked for any more.
    if let Some(key) = &key {
        let sent = (key.as_str(), body_hash.as_str());
        if let Some(export) = app.services.exports.replayed(&workspace, sent, now).await? {
            return Ok(replayed(&export, &base, now));
        }
    }
    let order = order(&app, &workspace, &body, now).await?;
    let request_hash = idempotency::order_hash(&order)?;
    let key = key.map(|key| IdempotencyKey { key, body: body_hash, request: request_hash });

    let (id, time_limit) = (ExportId::generate(), app.services.time_limit);
    let mut export = Export::queued(id, workspace, order.request, now, time_limit);
    if let Some(url) = order.callback {
        if app.services.exports.signing_secrets(&export.workspace).await?.is_empty() {
            let detail = "A callback is signed, and this workspace has no signing secret yet. POST to \
                          /v1/workspace/signing-secrets first, and keep what it answers.";
            return Err(Problem::conflict("signing_secret_missing", detail));
        }
        let about = base.join(&view::path(&export));
        export = export.with_callback(url, about);
    }
    if let Some((target, opener)) = order.copy {
        let credential = app.seal.credential(&export, opener).await?;
        export = export.with_copy(target, credential);
    }
    match app.services.create(&export, key.as_ref()).await? {
        Created::New => {
            app.services.submit(&export).await;
            Ok(accepted(&export, &base, now))
        }
        Created::Before(export) => Ok(replayed(&export, &base, now)),
        Created::OtherRequest => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request within 24 hours. Use a new key, or send \
             the same body.",
        )),
    }
}

/// Reads what is asked for in a body.
pub(crate) async fn order(
    app: &App,
    workspace: &Workspace,
    body: &Value,
    now: Timestamp,
) -> Result<Order, Problem> {
    let filter = body.get("filter").and_then(Value::as_str);
    let named = app.services.named_filters(workspace, filter).await?;
    let (catalog, limits) = (&app.services.catalog, &app.services.limits);
    let order = Order::from_json(body, catalog, &named, limits, now).map_err(Problem::invalid)?;
    let faults = app.forbidden.faults(&order);
    if faults.is_empty() { Ok(order) } else { Err(Problem::invalid(faults)) }
}

fn replayed(export: &Export, base: &BaseUrl, now: Timestamp) -> Response {
    ([("idempotent-replayed", "true")], accepted(export, base, now)).into_response()
}

fn accepted(export: &Export, base: &BaseUrl, now: Timestamp) -> Response {
    let location = [(header::LOCATION, base.join(&view::path(export)))];
    (StatusCode::ACCEPTED, location, [RETRY_AFTER], Json(View::of(export, base, now)))
        .into_response()
}

/// `POST /v1/exports/{id}/cancel`: ends an export that is not finished.
pub(crate) async fn cancel(
    State(app): State<App>,
    Extension(base): Extension<BaseUrl>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = Timestamp::now();
    let Caller { workspace, .. } =
        app.services.authenticator.bearer(&headers, Privilege::Edit, now).await?;
    let id: ExportId = id.parse().map_err(|_| read::not_found())?;
    let export = app
        .services
        .exports
        .change(&workspace, id, |e| e.cancel(now))
        .await?
        .ok_or_else(read::not_found)?;
    match export.status(now) {
        Status::Cancelled => {
            app.outbox.follow_up(&export).await;
            Ok(Json(View::of(&export, &base, now)).into_response())
        }
        Status::Succeeded => Err(Problem::conflict(
            "export_finished",
            "The export has already succeeded. DELETE it to remove its archive.",
        )),
        Status::Queued | Status::Running | Status::Failed | Status::Expired | Status::Deleted => {
            Err(Problem::conflict(
                "export_finished",
                "The export has already ended; nothing is left to cancel.",
            ))
        }
    }
}

/// `DELETE /v1/exports/{id}`: removes the archive. Doing it again changes nothing.
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let now = Timestamp::now();
    let Caller { workspace, .. } =
        app.services.authenticator.bearer(&headers, Privilege::Edit, now).await?;
    let id: ExportId = id.parse().map_err(|_| read::not_found())?;
    let export = app
        .services
        .exports
        .change(&workspace, id, |e| e.delete(now))
        .await?
        .ok_or_else(read::not_found)?;
    match export.status(now) {
        Status::Queued | Status::Running => Err(Problem::conflict(
            "export_unfinished",
            "The export is still being made. Cancel it first: POST to its cancel link.",
        )),
        Status::Failed | Status::Cancelled => Err(Problem::conflict(
            "no_archive",
            "The export ended without an archive; there is nothing to delete.",
        )),
        Status::Succeeded | Status::Expired | Status::Deleted => {
            // The record says what has to go, and the janitor removes it: there may be many files.
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// Reads a body, limits first.
pub(crate) fn json(headers: &HeaderMap, body: &[u8], limits: &Limits) -> Result<Value, Problem> {
    if !is_json(headers) {
        let detail = "Send the request as JSON: Content-Type: application/json.";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type_unsupported",
            detail,
        ));
    }
    if body.len() > limits.body_bytes {
        let detail =
            format!("The body has {} bytes; {} are allowed.", body.len(), limits.body_bytes);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let depth = nesting(body);
    if depth > limits.body_depth {
        let detail =
            format!("The body nests {depth} levels deep; {} are allowed.", limits.body_depth);
        return Err(Problem::invalid(Fault::new("body_too_deep", "", detail)));
    }
    parse_json(body).map_err(|e| {
        Problem::invalid(Fault::new(
            "not_json",
            "",
            format!("The body cannot be read as JSON: {e}."),
        ))
    })
}
