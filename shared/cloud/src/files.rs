//! Plain files of exports, below `exports/` in the export bucket, and the list of them.

use archive::Part;
use export::{Export, ExportId, FileKey, FileName, PlainFile, Workspace};

use crate::{ArchiveBucket, Error, Lake, Result, Stored, assembly::Head};

impl ArchiveBucket {
    /// Writes a plain file from its parts. `crc32` is that of the whole, which S3 checks.
    pub async fn assemble_file(
        &self,
        lake: &Lake,
        key: &FileKey,
        parts: Vec<Part<Stored>>,
        crc32: u32,
        file_name: &FileName,
    ) -> Result<()> {
        let object = Head { key: key.to_string(), kind: FileKey::CONTENT_TYPE, file_name };
        self.assemble_object(lake, object, parts, crc32).await
    }

    /// Writes the list of the plain files of an export.
    pub async fn write_files(
        &self,
        workspace: &Workspace,
        export: ExportId,
        files: &[PlainFile],
    ) -> Result<()> {
        let body = serde_json::to_vec(files).map_err(Error::aws("encode list of files"))?;
        let key = FileKey::list(workspace, export).to_string();
        let put = self.client.put_object().bucket(&self.name).key(key).body(body.into());
        put.send().await.map_err(Error::s3("write list of files"))?;
        Ok(())
    }

    /// Reads the list of the plain files of an export.
    pub async fn read_files(
        &self,
        workspace: &Workspace,
        export: ExportId,
    ) -> Result<Vec<PlainFile>> {
        let key = FileKey::list(workspace, export).to_string();
        let output = self.client.get_object().bucket(&self.name).key(key).send().await;
        let body = output.map_err(Error::aws("open list of files"))?.body;
        let bytes = body.collect().await.map_err(Error::aws("read list of files"))?;
        serde_json::from_slice(&bytes.into_bytes()).map_err(Error::aws("decode list of files"))
    }
}

/// Returns the keys of the plain files of an export that has any, and of the list of them.
pub(crate) fn keys_of_files(export: &Export) -> Vec<String> {
    let (workspace, id) = (&export.workspace, export.id);
    let Some(table_files) = export.archive().and_then(|archive| archive.table_files.as_ref())
    else {
        return Vec::new();
    };
    let names = export.request.part_names(table_files).into_iter();
    let keys = names.map(|name| FileKey::of(workspace, id, &name));
    keys.chain([FileKey::list(workspace, id)]).map(|key| key.to_string()).collect()
}
