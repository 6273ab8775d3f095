//! Reading exports and what there is to know before making one.

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use export::{
    ARCHIVE_LIFETIME, ArchiveKey, BadRowsKey, Format, LINK_LIFETIME, Limits, Quota, ReceiptKey,
};
use serde::Serialize;
use web::{BaseUrl, Problem};

use crate::{
    app::Viewer,
    download::DownloadRequest,
    find::{RETRY_AFTER, find},
    path::Path,
    response::{self, View},
};

/// `GET /v1/exports/{id}`: where an export is.
pub(crate) async fn export(
    viewer: Viewer,
    base: BaseUrl,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = viewer.now;
    let export = find(&viewer, &id).await?;
    let etag = response::etag(&export, now);
    let common =
        [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    let mut response = if matches(&headers, &etag) {
        (StatusCode::NOT_MODIFIED, common).into_response()
    } else {
        (common, Json(View::of(&export, &base, now))).into_response()
    };
    if export.status(now).is_unfinished() {
        response
            .headers_mut()
            .insert(RETRY_AFTER.0, header::HeaderValue::from_static(RETRY_AFTER.1));
    }
    Ok(response)
}

/// `GET /v1/exports/{id}/download`: leads to the archive.
pub(crate) async fn download(
    download: DownloadRequest,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (export, archive) = download.ready(&id).await?;
    if archive.table_files.is_some() {
        let detail = "The export is plain files, not a ZIP: GET its files link.";
        return Err(Problem::not_found("no_zip", detail));
    }
    let key = ArchiveKey::of(&export.workspace, export.id).to_string();
    download.lead(&export, &archive, (&key, &export.zip_name())).await
}

/// `GET /v1/exports/{id}/bad-rows`: leads to the list of rows that are not in the archive.
pub(crate) async fn bad_rows(
    download: DownloadRequest,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (export, archive) = download.ready(&id).await?;
    if archive.bad_rows == 0 {
        return Err(Problem::not_found(
            "no_bad_rows",
            "Every row could be exported: there is no such list.",
        ));
    }
    let key = BadRowsKey::of(&export.workspace, export.id).to_string();
    download.lead(&export, &archive, (&key, &export.bad_rows_name())).await
}

/// `GET /v1/exports/{id}/receipt`: leads to the receipt, which says what was taken of which source objects.
pub(crate) async fn receipt(
    download: DownloadRequest,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (export, archive) = download.ready(&id).await?;
    if archive.receipt.is_none() {
        let detail =
            "The export was made by a version that wrote no receipts. Create it again to have one.";
        return Err(Problem::not_found("no_receipt", detail));
    }
    let key = ReceiptKey::of(&export.workspace, export.id).to_string();
    download.lead(&export, &archive, (&key, &export.receipt_name())).await
}

/// What a deployment allows, in one answer.
#[derive(Serialize)]
struct LimitsView {
    #[serde(flatten)]
    limits: Limits,
    /// What the caller's workspace may use.
    workspace: Quota,
    formats: [&'static str; 3],
    archive_hours: i64,
    download_link_seconds: u64,
}

/// `GET /v1/limits`: what requests may ask for at most.
pub(crate) async fn limits(viewer: Viewer) -> Result<Response, Problem> {
    let services = &viewer.services;
    let own = services.exports.table.own_quota(&viewer.workspace).await?;
    let view = LimitsView {
        limits: services.limits,
        workspace: services.exports.quota.with(own),
        formats: Format::ALL.map(|(name, _)| name),
        archive_hours: ARCHIVE_LIFETIME.as_hours(),
        download_link_seconds: LINK_LIFETIME.as_secs(),
    };
    Ok(Json(view).into_response())
}

/// Tells whether the caller has seen what `etag` stands for (RFC 9110, section 13.1.2).
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let values =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
