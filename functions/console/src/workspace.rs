//! The workspace: what copies need to know, and the secrets that callbacks are signed with.

mod policies;

use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use console_kit::{Place, Refusal, page, url};
use export::external_id;
use maud::html;
use pages::instant;
use uuid::Uuid;
use web::{BaseUrl, Problem};

use crate::app::{Editor, Viewer};

/// `GET /console/workspace`.
pub(crate) async fn show(viewer: Viewer, base: BaseUrl) -> Result<Response, Refusal> {
    let (exports, workspace) = (&viewer.services.exports, &viewer.workspace);
    let secrets = exports.table.signing_secrets(workspace).await?;
    let quota = exports.quota.with(exports.table.own_quota(workspace).await?);
    let content = html! {
        dl {
            dt { "Workspace" } dd { (workspace) }
            dt { "You are" } dd { (viewer.name) }
            dt { "External id" } dd { code { (external_id(workspace)) } }
            dt { "Exports at once" } dd { (quota.exports_at_once) }
            dt { "Exports a day" } dd { (quota.exports_a_day) }
        }
        (policies::section(&viewer.courier_role, workspace))
        h2 { "Signing secrets of callbacks" }
        @if secrets.is_empty() { p { "There are none. Exports with a callback need one." } }
        ul {
            @for secret in &secrets {
                li {
                    code { (secret.id) } ", made " (instant(secret.created_at)) " "
                    form.inline method="post" action=(url(&base, &format!("/workspace/secrets/{}/remove", secret.id))) {
                        button type="submit" { "Remove" span.skip { " the secret " (secret.id) } }
                    }
                }
            }
        }
        form method="post" action=(url(&base, "/workspace/secrets")) {
            p { "The newest two are in use, so that a receiver can change from one to the next." }
            button type="submit" { "Make another secret" }
        }
    };
    Ok(page(StatusCode::OK, "Workspace", (&base, Place::Workspace), &content))
}

/// `POST /console/workspace/secrets`: makes a signing secret, which is shown now and never again.
pub(crate) async fn add_secret(editor: Editor, base: BaseUrl) -> Result<Response, Refusal> {
    let exports = &editor.services.exports;
    let (workspace, actor, now) = (&editor.workspace, &editor.actor, editor.now);
    let (_, secret) = exports.create_signing_secret(&editor.seal, workspace, actor, now).await?;
    let content = html! {
        p.note { "Copy the secret now: it is shown once." }
        label for="secret" { "Secret" }
        input #secret readonly size="60" value=(secret.reveal());
        p { a href=(url(&base, "/workspace")) { "Back to the workspace" } }
    };
    Ok(page(StatusCode::OK, "A new signing secret", (&base, Place::Elsewhere), &content))
}

/// `POST /console/workspace/secrets/{id}/remove`: callbacks are not signed with it any more.
pub(crate) async fn remove_secret(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let unknown =
        || Problem::not_found("signing_secret_not_found", "There is no such signing secret.");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let (workspace, actor) = (&editor.workspace, &editor.actor);
    let exports = &editor.services.exports;
    if !exports.remove_signing_secret(workspace, id, actor, editor.now).await? {
        return Err(unknown().into());
    }
    Ok(Redirect::to(&url(&base, "/workspace")).into_response())
}
