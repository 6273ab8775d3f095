//! Callbacks: what came of posting them, and posting them again.

use axum::{Json, http::StatusCode};
use export::{Action, Delivery, Subject};
use serde::Serialize;
use web::Problem;

use crate::{
    app::{Editor, Viewer},
    find::find,
    path::Path,
};

/// The attempts there were.
#[derive(Debug, Serialize)]
pub(crate) struct List {
    deliveries: Vec<View>,
}

/// An attempt, and whether it counts.
#[derive(Debug, Serialize)]
struct View {
    delivered: bool,
    #[serde(flatten)]
    delivery: Delivery,
}

/// `GET /v1/exports/{id}/deliveries`: the attempts to post the callback of an export, newest first.
pub(crate) async fn list(viewer: Viewer, Path(id): Path<String>) -> Result<Json<List>, Problem> {
    let export = find(&viewer, &id).await?;
    let deliveries = viewer.deliveries.of(&export.workspace, export.id).await?;
    let view = |delivery: Delivery| View { delivered: delivery.error.is_none(), delivery };
    Ok(Json(List { deliveries: deliveries.into_iter().map(view).collect() }))
}

/// `POST /v1/exports/{id}/deliveries`: posts the callback of an export again, as the export is now.
pub(crate) async fn again(editor: Editor, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let export = find(&editor, &id).await?;
    let Some(callback) = &export.callback else {
        let detail = "The export was made without a callback: nobody is to be told of it.";
        return Err(Problem::conflict("no_callback", detail));
    };
    if callback.is_open() {
        let detail =
            "The callback of this export was not posted yet; it will be once the export has ended.";
        return Err(Problem::conflict("callback_pending", detail));
    }
    let what = (Action::CallbackRepeated, Subject::export(export.id));
    let audit = &editor.services.exports.audit;
    audit.record(&editor.workspace, &editor.actor, what, editor.now).await?;
    editor.follow_up.post_callback(&export).await?;
    Ok(StatusCode::ACCEPTED)
}
