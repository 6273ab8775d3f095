//! Shares of an export: links that need no credential.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use export::{Archive, Export, ExportId, Share, ShareId, ShareRequest, ShareSecret, ShareStatus};
use jiff::Timestamp;
use serde::Serialize;
use web::{BaseUrl, JsonBody, Problem};

use crate::{
    app::{Editor, Viewer},
    find::{self, find, ready},
    path::Path,
};

/// The shares there are.
#[derive(Debug, Serialize)]
pub(crate) struct List {
    shares: Vec<View>,
}

/// A share, without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    id: ShareId,
    status: ShareStatus,
    created_by: String,
    created_at: Timestamp,
    /// Missing while the export is being made, unless an earlier end was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    once: bool,
    uses: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

/// A new share with its link, which is shown once.
#[derive(Debug, Serialize)]
pub(crate) struct NewView {
    url: String,
    #[serde(flatten)]
    share: View,
}

impl View {
    fn of(share: Share, archive: Option<&Archive>, now: Timestamp) -> Self {
        let expires_at = archive.map_or(share.expires_at, |archive| Some(share.ends_at(archive)));
        let status = match share.status(now) {
            ShareStatus::Live if expires_at.is_some_and(|end| end <= now) => ShareStatus::Expired,
            status => status,
        };
        let Share { id, created_by, created_at, note, once, uses, .. } = share;
        let (last_used_at, revoked_at) = (share.last_used_at, share.revoked_at);
        Self {
            id,
            status,
            created_by,
            created_at,
            expires_at,
            note,
            once,
            uses,
            last_used_at,
            revoked_at,
        }
    }
}

impl NewView {
    /// Shows a share that was just made.
    pub(crate) fn of(
        (share, secret): (Share, &ShareSecret),
        export: &Export,
        base: &BaseUrl,
        now: Timestamp,
    ) -> Self {
        let url = base.join(&format!("/s/{}", secret.reveal()));
        Self { url, share: View::of(share, export.archive(), now) }
    }
}

/// `POST /v1/exports/{id}/shares`: shares an export by a link, which is shown now and never again.
pub(crate) async fn create(
    editor: Editor,
    base: BaseUrl,
    Path(id): Path<String>,
    body: Option<JsonBody>,
) -> Result<Response, Problem> {
    let now = editor.now;
    let services = &editor.services;
    let request = match body {
        Some(JsonBody(body)) => ShareRequest::from_json(&body, &services.limits, now),
        None => Ok(ShareRequest::default()),
    };
    let request = request.map_err(Problem::invalid)?;
    let export = find(&editor, &id).await?;
    let export = if export.status(now).is_unfinished() { export } else { ready(export, now)? };
    let most = services.limits.shares;
    let shared = services.exports.share(&export, request, &editor.actor, now, most).await?;
    let (share, secret) = shared.ok_or_else(|| {
        let detail = format!(
            "The export has {most} shares, which are all that it may have. Give one of their links to several \
             people, or create the export again."
        );
        Problem::conflict("too_many_shares", detail)
    })?;
    let view = NewView::of((share, &secret), &export, &base, now);
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// `GET /v1/exports/{id}/shares`: the shares of an export, newest first.
pub(crate) async fn list(viewer: Viewer, Path(id): Path<String>) -> Result<Json<List>, Problem> {
    let export = find(&viewer, &id).await?;
    let services = &viewer.services;
    let most = services.limits.shares;
    let shares = services.exports.shares(&export.workspace, export.id, most).await?;
    let view = |share| View::of(share, export.archive(), viewer.now);
    Ok(Json(List { shares: shares.into_iter().map(view).collect() }))
}

/// `DELETE /v1/exports/{id}/shares/{share}`: revokes a share, at once. Doing it again changes nothing.
pub(crate) async fn revoke(
    editor: Editor,
    Path((id, share)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let unknown = || {
        let detail = "There is no such share. GET the export's shares link for those there are.";
        Problem::not_found("share_not_found", detail)
    };
    let id: ExportId = id.parse().map_err(|_| find::not_found())?;
    let share: ShareId = share.parse().map_err(|_| unknown())?;
    let of = (&editor.workspace, id);
    if editor.services.exports.revoke_share(of, &share, &editor.actor, editor.now).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_an_export_that_has_ended_is_not_shown_as_live() {
        let now: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let archive = Archive {
            published_at: Timestamp::UNIX_EPOCH,
            expires_at: now,
            size_bytes: 22,
            crc32: 0,
            rows: None,
            table_files: None,
            table_rows: None,
            bad_rows: 0,
            receipt: None,
        };
        let acme = "acme".parse().unwrap();
        let of = (&acme, ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]));
        let secret = ShareSecret::from_random([7; 32]);
        let share = Share::new(of, &secret, ShareRequest::default(), "me", Timestamp::UNIX_EPOCH);
        let view = View::of(share.clone(), Some(&archive), now);
        assert_eq!((view.status, view.expires_at), (ShareStatus::Expired, Some(now)));
        assert_eq!(View::of(share, None, now).status, ShareStatus::Live);
    }
}
