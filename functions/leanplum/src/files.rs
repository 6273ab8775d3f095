//! The files of a job, for everybody who knows their names.

use axum::{
    extract::{Path, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use export::{FileKey, LINK_LIFETIME, State as ExportState, Status};
use jiff::Timestamp;
use web::redirect_to;

use crate::{app::App, ask::secret_of, envelope::Refused};

/// `GET /files/{name}`: leads to a file for as long as its export can be downloaded.
pub(crate) async fn file(
    State(app): State<App>,
    Path(name): Path<String>,
    method: Method,
) -> Result<Response, Refused> {
    let now = Timestamp::now();
    let nothing =
        || Ok((StatusCode::NOT_FOUND, "There is no such file, or no more.").into_response());
    let Some(secret) = secret_of(&name) else { return nothing() };
    let Some(export) = app.services.exports.linked(secret).await? else { return nothing() };
    let ExportState::Succeeded { archive } = &export.state else { return nothing() };
    let names = export.request.part_names(archive.table_files.as_deref().unwrap_or_default());
    if export.status(now) != Status::Succeeded || !names.contains(&name) {
        return nothing();
    }
    let key = FileKey::of(&export.workspace, export.id, &name).to_string();
    let archives = &app.services.archives;
    // A link is signed for its method.
    let url = if method == Method::HEAD {
        archives.sign_head(&key, LINK_LIFETIME).await?
    } else {
        archives.sign_download(&key, LINK_LIFETIME, None).await?
    };
    Ok(redirect_to(&url))
}
