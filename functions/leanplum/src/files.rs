//! The files of a job, for everybody who knows their names.

use axum::{
    extract::{Path, RawQuery, rejection::PathRejection},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use export::{FileKey, FileName, State as ExportState, Status};
use web::{BaseUrl, Public, lead_to, link_method, tell_bad_rows, wants_redirect};

use crate::{app::App, error::ApiError, request::secret_of};

/// `GET /files/{name}`: leads to a file for as long as its export can be downloaded.
pub(crate) async fn file(
    app: Public<App>,
    base: BaseUrl,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    method: Method,
) -> Result<Response, ApiError> {
    let now = app.now;
    let nothing =
        || Ok((StatusCode::NOT_FOUND, "There is no such file, or no more.").into_response());
    let Ok(Path(name)) = name else { return nothing() };
    let Some(secret) = secret_of(&name) else { return nothing() };
    let Some(export) = app.services.exports.table.linked(secret).await? else { return nothing() };
    let ExportState::Succeeded { archive } = &export.state else { return nothing() };
    let names = export.request.part_names(archive.table_files.as_deref().unwrap_or_default());
    if export.status(now) != Status::Succeeded || !names.contains(&name) {
        return nothing();
    }
    let redirect = match wants_redirect(query.as_deref().unwrap_or_default()) {
        Ok(redirect) => redirect,
        Err(detail) => return Ok((StatusCode::BAD_REQUEST, detail).into_response()),
    };
    let key = FileKey::of(&export.workspace, export.id, &name).to_string();
    let name = FileName::plain(&name);
    let (of, file, method) = ((&export, archive), (&*key, &name), link_method(&method));
    let link = app.services.links.give(of, file, method, &app.actor, now).await?;
    Ok(tell_bad_rows(lead_to(link, redirect), export.id, archive, &base))
}
