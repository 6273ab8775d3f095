//! The caller's workspace: what copies into its buckets need to know, and what its callbacks are signed
//! with.

use axum::{Json, http::StatusCode};
use cloud::{SIGNING_SECRETS, SigningSecret};
use export::{Secret, Workspace, external_id};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;
use web::Problem;

use crate::{
    app::{Editor, Viewer},
    path::Path,
};

/// The workspace.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    workspace: Workspace,
    /// What the trust policy of a role has to ask for.
    external_id: String,
    signing_secrets: Vec<SecretView>,
}

#[derive(Debug, Serialize)]
struct SecretView {
    id: Uuid,
    created_at: Timestamp,
}

/// A signing secret, shown once.
#[derive(Debug, Serialize)]
pub(crate) struct NewSecret {
    id: Uuid,
    created_at: Timestamp,
    #[serde(serialize_with = "Secret::serialize_revealed")]
    secret: Secret,
}

/// `GET /v1/workspace`: what there is to know of it.
pub(crate) async fn read(viewer: Viewer) -> Result<Json<View>, Problem> {
    let workspace = viewer.workspace.clone();
    let secrets = viewer.services.exports.table.signing_secrets(&workspace).await?;
    let view = |secret: SigningSecret| SecretView { id: secret.id, created_at: secret.created_at };
    Ok(Json(View {
        external_id: external_id(&workspace),
        workspace,
        signing_secrets: secrets.into_iter().take(SIGNING_SECRETS).map(view).collect(),
    }))
}

/// `POST /v1/workspace/signing-secrets`: makes another secret, which is shown now and never again. The
/// one before stays in use; those before it do not.
pub(crate) async fn add_secret(editor: Editor) -> Result<(StatusCode, Json<NewSecret>), Problem> {
    let (workspace, now) = (&editor.workspace, editor.now);
    let (exports, actor) = (&editor.services.exports, &editor.actor);
    let made = exports.create_signing_secret(&editor.seal, workspace, actor, now).await?;
    let (stored, secret) = made;
    Ok((StatusCode::CREATED, Json(NewSecret { id: stored.id, created_at: now, secret })))
}

/// `DELETE /v1/workspace/signing-secrets/{id}`: callbacks are not signed with it any more.
pub(crate) async fn remove_secret(
    editor: Editor,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let unknown = || {
        let detail = "There is no such signing secret. GET /v1/workspace lists those there are.";
        Problem::not_found("signing_secret_not_found", detail)
    };
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let (workspace, actor) = (&editor.workspace, &editor.actor);
    if editor.services.exports.remove_signing_secret(workspace, id, actor, editor.now).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}
