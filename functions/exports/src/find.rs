//! Finding an export of the caller's workspace, and what there is of it.

use axum::http::{HeaderName, StatusCode, header};
use export::{Export, ExportId, Status};
use jiff::Timestamp;
use web::{Authorized, Problem};

use crate::app::App;

/// How soon to look again at an export that is not finished, in seconds.
pub(crate) const RETRY_AFTER: (HeaderName, &str) = (header::RETRY_AFTER, "2");

/// Finds an export of the caller's workspace.
pub(crate) async fn find<P>(caller: &Authorized<App, P>, id: &str) -> Result<Export, Problem> {
    let id: ExportId = id.parse().map_err(|_| not_found())?;
    let found = caller.services.exports.table.get(&caller.workspace, id).await?;
    found.filter(Export::is_shown).ok_or_else(not_found)
}

/// Returns the export if its archive can be downloaded, or says why not and what to do.
pub(crate) fn ready(export: Export, now: Timestamp) -> Result<Export, Problem> {
    let gone = |code, detail| Problem::new(StatusCode::GONE, code, detail);
    Err(match export.status(now) {
        Status::Succeeded => return Ok(export),
        Status::Queued | Status::Running => Problem::conflict(
            "export_unfinished",
            "The export is still being made. Ask again soon.",
        )
        .header(RETRY_AFTER.0, header::HeaderValue::from_static(RETRY_AFTER.1)),
        Status::Failed => Problem::conflict(
            "export_failed",
            "The export failed; its failure says why. Create it again.",
        ),
        Status::Cancelled => Problem::conflict(
            "export_cancelled",
            "The export was cancelled. Create it again if it is wanted.",
        ),
        Status::Expired => gone(
            "export_expired",
            "The archive was there for 24 hours, which are over. Create the export again.",
        ),
        Status::Deleted => {
            gone("export_deleted", "The archive was deleted. Create the export again.")
        }
    })
}

/// Returns what an id is answered with that is unknown, or another workspace's.
pub(crate) fn not_found() -> Problem {
    Problem::not_found(
        "export_not_found",
        "There is no such export. GET /v1/exports lists those there are.",
    )
}
