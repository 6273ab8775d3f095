//! Sharing an export by a link, and revoking one.

use axum::{extract::Path, http::StatusCode, response::Response};
use console_kit::{Form, Place, Refusal, page, url};
use export::{ShareId, ShareRequest};
use jiff::SignedDuration;
use maud::html;
use serde_json::json;
use web::{BaseUrl, Problem};

use crate::{
    app::Editor,
    export::{back, find},
};

/// `POST /console/exports/{id}/shares`: makes a link, which is shown now and never again.
pub(crate) async fn create(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Refusal> {
    let (services, now) = (&editor.services, editor.now);
    let export = find(&editor, &id).await?;
    if !export.status(now).is_unfinished() && crate::export::ready(&export, now).is_none() {
        let detail = "The export cannot be downloaded any more, so it cannot be shared.";
        return Err(Problem::conflict("export_expired", detail).into());
    }
    let hours: Option<i64> = form.text("hours").parse().ok();
    let end = hours.and_then(|hours| now.checked_add(SignedDuration::from_hours(hours)).ok());
    let note = Some(form.text("note")).filter(|note| !note.is_empty());
    let once = form.has("once", "true");
    let wish = json!({ "note": note, "once": once, "expires_at": end.map(|end| end.to_string()) });
    let request =
        ShareRequest::from_json(&wish, &services.limits, now).map_err(Problem::invalid)?;
    let most = services.limits.shares;
    let shared = services.exports.share(&export, request, &editor.actor, now, most).await?;
    let Some((_, secret)) = shared else {
        let detail = format!("The export has {most} shares, which are all that it may have.");
        return Err(Problem::conflict("too_many_shares", detail).into());
    };
    let link = base.join(&format!("/s/{}", secret.reveal()));
    let content = html! {
        p.note { "Copy the link now: it is shown once." }
        label for="link" { "Link" }
        input #link readonly size="60" value=(link);
        p { a href=(link) { "Open it" } }
        p { a href=(url(&base, &format!("/exports/{}", export.id))) { "Back to the export" } }
    };
    Ok(page(StatusCode::OK, "The export is shared", (&base, Place::Elsewhere), &content))
}

/// `POST /console/exports/{id}/shares/{share}/revoke`: revokes a link, at once.
pub(crate) async fn revoke(
    editor: Editor,
    base: BaseUrl,
    Path((id, share)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let export = find(&editor, &id).await?;
    let unknown = || Problem::not_found("share_not_found", "There is no such share.");
    let share: ShareId = share.parse().map_err(|_| unknown())?;
    let of = (&editor.workspace, export.id);
    let exports = &editor.services.exports;
    if !exports.revoke_share(of, &share, &editor.actor, editor.now).await? {
        return Err(unknown().into());
    }
    Ok(back(&base, export.id))
}
