//! The files of a shared export that is no ZIP, each with a link.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use cloud::Link;
use export::PlainFile;
use jiff::Timestamp;
use serde::Serialize;
use web::{BaseUrl, Problem};

use crate::open::{OpenRequest, Ready};

/// A file with a link.
#[derive(Debug, Serialize)]
pub(crate) struct FileView {
    #[serde(flatten)]
    pub(crate) file: PlainFile,
    pub(crate) link: String,
    /// When the link ends, if that is before the share does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link_expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct List<'a> {
    files: &'a [FileView],
}

impl OpenRequest {
    /// Lists the files with links below this one.
    pub(crate) async fn files(
        &self,
        ready: &Ready,
        base: &BaseUrl,
    ) -> Result<Vec<FileView>, Problem> {
        let view = |file: PlainFile| {
            let link = base.join(&self.path(Some(&file.name)));
            FileView { file, link, link_expires_at: None }
        };
        Ok(self.stored_files(ready).await?.into_iter().map(view).collect())
    }

    /// Lists the files with links to S3, which end in minutes.
    pub(crate) async fn signed_files(&self, ready: &Ready) -> Result<Vec<FileView>, Problem> {
        let mut files = Vec::new();
        for file in self.stored_files(ready).await? {
            let Link { url, expires_at } = self.file_link(ready, &file.name).await?;
            files.push(FileView { file, link: url, link_expires_at: Some(expires_at) });
        }
        Ok(files)
    }

    async fn stored_files(&self, ready: &Ready) -> Result<Vec<PlainFile>, Problem> {
        let archives = &self.app.shares.links.archives;
        Ok(archives.read_files(&ready.export.workspace, ready.export.id).await?)
    }
}

/// Shows the files to a program.
pub(crate) fn json(files: &[FileView]) -> Response {
    Json(List { files }).into_response()
}
