//! The plain files of an export that is no ZIP.

use axum::{Json, response::Response};
use export::{Export, FileKey, FileName, PlainFile, State as ExportState};
use serde::Serialize;
use web::{BaseUrl, Problem};

use crate::{
    app::Viewer,
    download::DownloadRequest,
    find::{find, ready},
    path::Path,
    response,
};

/// The files there are.
#[derive(Debug, Serialize)]
pub(crate) struct List {
    files: Vec<FileView>,
}

#[derive(Debug, Serialize)]
struct FileView {
    #[serde(flatten)]
    file: PlainFile,
    link: String,
}

/// `GET /v1/exports/{id}/files`: the files of an export, each with a link.
pub(crate) async fn list(
    viewer: Viewer,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Json<List>, Problem> {
    let export = with_files(ready(find(&viewer, &id).await?, viewer.now)?)?;
    let files = viewer.services.links.archives.read_files(&export.workspace, export.id).await?;
    let view = |file: PlainFile| {
        let link = base.join(&format!("{}/files/{}", response::path(&export), file.name));
        FileView { file, link }
    };
    Ok(Json(List { files: files.into_iter().map(view).collect() }))
}

/// `GET /v1/exports/{id}/files/{name}`: leads to one of them.
pub(crate) async fn download(
    download: DownloadRequest,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (export, archive) = download.ready(&id).await?;
    let export = with_files(export)?;
    let table_files = archive.table_files.as_deref().unwrap_or_default();
    if !export.request.part_names(table_files).contains(&name) {
        let detail = "The export has no file of this name. GET its files link for those there are.";
        return Err(Problem::not_found("file_not_found", detail));
    }
    let key = FileKey::of(&export.workspace, export.id, &name).to_string();
    download.lead(&export, &archive, (&key, &FileName::plain(&name))).await
}

/// Refuses an export that is a ZIP.
fn with_files(export: Export) -> Result<Export, Problem> {
    match &export.state {
        ExportState::Succeeded { archive } if archive.table_files.is_some() => Ok(export),
        _ => Err(Problem::not_found(
            "no_files",
            "The export is one ZIP: GET its download link. Plain files need \"layout\": \"files\".",
        )),
    }
}
