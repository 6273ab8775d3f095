//! Making, cancelling and deleting exports.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use export::{Export, ExportId, Order, State, Status, Workspace};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use service::{Created, IdempotencyKey};
use web::{BaseUrl, JsonBody, Problem};

use crate::{
    app::{App, Editor},
    find::{self, RETRY_AFTER},
    idempotency,
    path::Path,
    prefer,
    response::{self, View},
    shares,
};

/// A new export, and the link to it if one was asked for. A replayed answer has no link, which is shown once.
#[derive(Serialize)]
struct NewExport {
    #[serde(flatten)]
    view: View,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<shares::NewView>,
}

/// `POST /v1/exports`: makes an export.
pub(crate) async fn create(
    editor: Editor,
    base: BaseUrl,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let (app, workspace, now) = (&*editor, &editor.workspace, editor.now);
    let key = idempotency::key(&headers)?.map(|key| idempotency::key_hash(&key));
    let body_hash = idempotency::body_hash(&body);
    let wait = prefer::wait(&headers);
    // What was sent before is answered as before, even if it could not be asked for any more.
    if let Some(key) = &key {
        let sent = (key.as_str(), body_hash.as_str());
        if let Some(export) = app.services.exports.replayed(workspace, sent, now).await? {
            return replayed(app, export, &base, wait).await;
        }
    }
    let order = order(app, workspace, &body, now).await?;
    let request_hash = idempotency::order_hash(&order)?;
    let key = key.map(|key| IdempotencyKey { key, body: body_hash, request: request_hash });

    let exports = &app.services.exports;
    let mut export = exports.draft(workspace, order.request, now)?;
    if let Some(url) = order.callback {
        if exports.table.signing_secrets(&export.workspace).await?.is_empty() {
            let detail = "A callback is signed, and this workspace has no signing secret yet. POST to \
                          /v1/workspace/signing-secrets first, and keep what it answers.";
            return Err(Problem::conflict("signing_secret_missing", detail));
        }
        let about = base.join(&response::path(&export));
        export = export.with_callback(url, about);
    }
    if let Some((target, opener)) = order.copy {
        let credential = app.seal.credential(&export, opener).await?;
        export = export.with_copy(target, credential);
    }
    // Before the export, so that an export that was to be shared never is without its link.
    let share = match order.share {
        Some(request) => Some(exports.share_draft(&export, request, &editor.actor, now).await?),
        None => None,
    };
    match exports.create(&export, key.as_ref(), &editor.actor).await? {
        Created::New => {
            let export = waited_for(app, export, wait).await?;
            let (view, now) = (View::of(&export, &base, exports.clock.now()), exports.clock.now());
            let share = share
                .map(|(share, secret)| shares::NewView::of((share, &secret), &export, &base, now));
            Ok(accepted(&export, &base, wait, &NewExport { view, share }))
        }
        Created::Before(export) => replayed(app, *export, &base, wait).await,
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
    let (catalog, limits) = (app.services.catalog().await, &app.services.limits);
    let order = Order::from_json(body, &catalog, &named, limits, now).map_err(Problem::invalid)?;
    let faults = app.forbidden.faults(&order);
    if faults.is_empty() { Ok(order) } else { Err(Problem::invalid(faults)) }
}

/// Returns the export as it is once it has ended or the client waits no more.
async fn waited_for(
    app: &App,
    export: Export,
    wait: Option<Duration>,
) -> Result<Export, service::Error> {
    match wait {
        Some(wait) => app.services.exports.wait_for(export, wait).await,
        None => Ok(export),
    }
}

async fn replayed(
    app: &App,
    export: Export,
    base: &BaseUrl,
    wait: Option<Duration>,
) -> Result<Response, Problem> {
    let export = waited_for(app, export, wait).await?;
    let view = View::of(&export, base, app.services.exports.clock.now());
    Ok(([("idempotent-replayed", "true")], accepted(&export, base, wait, &view)).into_response())
}

/// Answers where the export is: if the client waited until it ended, by a redirect to what came of it.
fn accepted(
    export: &Export,
    base: &BaseUrl,
    wait: Option<Duration>,
    body: &impl Serialize,
) -> Response {
    let own = base.join(&response::path(export));
    let applied = prefer::applied(wait).into_iter().collect::<HeaderMap>();
    let result = match &export.state {
        State::Queued { .. } | State::Running { .. } => None,
        _ if wait.is_none() => None,
        State::Succeeded { archive } if archive.table_files.is_some() => Some("/files"),
        State::Succeeded { .. } => Some("/download"),
        State::Failed { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Deleted { .. } => Some(""),
    };
    if let Some(rest) = result {
        let location = [(header::LOCATION, format!("{own}{rest}"))];
        return (StatusCode::SEE_OTHER, location, applied, Json(body)).into_response();
    }
    let location = [(header::LOCATION, own)];
    (StatusCode::ACCEPTED, location, [RETRY_AFTER], applied, Json(body)).into_response()
}

/// `POST /v1/exports/{id}/cancel`: ends an export that is not finished.
pub(crate) async fn cancel(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let now = editor.now;
    let id: ExportId = id.parse().map_err(|_| find::not_found())?;
    let exports = &editor.services.exports;
    let cancelled =
        exports.cancel(&editor.follow_up, &editor.workspace, id, &editor.actor, now).await?;
    let export = cancelled.ok_or_else(find::not_found)?;
    match export.status(now) {
        Status::Cancelled => Ok(Json(View::of(&export, &base, now)).into_response()),
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
pub(crate) async fn delete(editor: Editor, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let now = editor.now;
    let id: ExportId = id.parse().map_err(|_| find::not_found())?;
    let deleted = editor.services.exports.delete(&editor.workspace, id, &editor.actor, now).await?;
    let export = deleted.ok_or_else(find::not_found)?;
    match export.status(now) {
        Status::Queued | Status::Running => Err(Problem::conflict(
            "export_unfinished",
            "The export is still being made. Cancel it first: POST to its cancel link.",
        )),
        Status::Failed | Status::Cancelled => Err(Problem::conflict(
            "no_archive",
            "The export ended without an archive; there is nothing to delete.",
        )),
        Status::Succeeded | Status::Expired | Status::Deleted => Ok(StatusCode::NO_CONTENT),
    }
}
