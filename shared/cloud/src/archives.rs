//! The export bucket: work in progress below `work/`, archives below `exports/`.
//!
//! Everything is written under a name that follows from what it is, so that whoever does a step
//! again writes the same bytes to the same place.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::{
    Client,
    error::SdkError,
    presigning::PresigningConfig,
    types::{Delete, ObjectIdentifier},
};
use bytes::Bytes;
use export::{ArchiveKey, BadRowsKey, Export, FileName, PlainKey, ReceiptKey, WorkKey};
use futures_util::Stream;
use jiff::Timestamp;

use crate::{
    Error, ObjectBody, PieceWriter, Result,
    assembly::{CONFLICT_PAUSES, MAX_CONFLICTS, exists_or},
    files::keys_of_files,
};

/// What a link may be used for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkUse {
    /// The only method it is good for: S3 answers 403 to another.
    pub method: LinkMethod,
    /// When it is made.
    pub from: Timestamp,
    /// How long it is good for, if the credentials that sign it live as long.
    pub lifetime: Duration,
}

/// The methods that links are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkMethod {
    /// To download.
    Get,
    /// To see what a download would give.
    Head,
}

/// A link that needs no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl LinkUse {
    /// Returns when the link ends. Links begin with a whole second.
    pub(crate) fn ends_at(&self) -> Timestamp {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let end = self.from.as_second().saturating_add(lifetime);
        Timestamp::from_second(end).unwrap_or(self.from)
    }
}

/// The export bucket.
#[derive(Clone, Debug)]
pub struct ArchiveBucket {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl ArchiveBucket {
    /// Returns the bucket called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Reads an object of the work in progress; None if it is not there.
    pub async fn read_work(&self, key: &WorkKey) -> Result<Option<Bytes>> {
        match self.client.get_object().bucket(&self.name).key(key.to_string()).send().await {
            Ok(output) => {
                let body = ObjectBody::opened(self.location(key.to_string()), output)?;
                Ok(Some(body.collect().await?))
            }
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => Ok(None),
            Err(e) => Err(Error::s3("open work")(e)),
        }
    }

    /// Opens an object below `exports/`. Returns its size in bytes and its content.
    pub async fn open(
        &self,
        key: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes>> + Unpin + use<>)> {
        let body = ObjectBody::whole(self.location(key.to_owned())).await?;
        Ok((body.left(), body.into_stream()))
    }

    /// Writes a small object of the work in progress, unless it is there. Tells whether it was not.
    pub async fn write_new_work(&self, key: &WorkKey, bytes: Vec<u8>) -> Result<bool> {
        let (key, bytes) = (key.to_string(), Bytes::from(bytes));
        let mut tries = 0;
        loop {
            tries += 1;
            let put = self.client.put_object().bucket(&self.name).key(&key).if_none_match("*");
            let put = put.body(bytes.clone().into()).send().await;
            match put.map_err(|e| exists_or("write work", &key, e)) {
                Ok(_) => return Ok(true),
                Err(Error::Exists(_)) => return Ok(false),
                Err(Error::Conflict(_)) if tries < MAX_CONFLICTS => {
                    CONFLICT_PAUSES.after(tries).await;
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Writes a small object of the work in progress.
    pub async fn write_work(&self, key: &WorkKey, bytes: Vec<u8>) -> Result<()> {
        let put =
            self.client.put_object().bucket(&self.name).key(key.to_string()).body(bytes.into());
        put.send().await.map_err(Error::s3("write work"))?;
        Ok(())
    }

    /// Begins an object of the work in progress that may be of any size.
    pub fn write_piece(&self, key: &WorkKey) -> PieceWriter {
        PieceWriter::new(self, key.to_string(), None)
    }

    /// Begins an archive's only file as it is, without a ZIP.
    pub fn write_plain(&self, key: &PlainKey) -> PieceWriter {
        PieceWriter::new(self, key.to_string(), Some(PlainKey::CONTENT_TYPE))
    }

    /// Writes the list of an export's bad rows.
    pub async fn write_bad_rows(
        &self,
        key: &BadRowsKey,
        lines: Vec<u8>,
        file_name: &FileName,
    ) -> Result<()> {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key.to_string())
            .content_type(BadRowsKey::CONTENT_TYPE)
            .content_disposition(file_name.content_disposition())
            .body(lines.into())
            .send()
            .await
            .map_err(Error::s3("write bad rows"))?;
        Ok(())
    }

    /// Begins the receipt of an export, which may be of any size.
    pub fn write_receipt(&self, key: &ReceiptKey) -> PieceWriter {
        PieceWriter::new(self, key.to_string(), Some(ReceiptKey::CONTENT_TYPE))
    }

    /// Reads a whole archive that is known to be small.
    pub async fn read_archive(&self, key: &ArchiveKey) -> Result<Bytes> {
        ObjectBody::whole(self.location(key.to_string())).await?.collect().await
    }

    /// Removes all that can be downloaded of an export, where it is.
    pub async fn remove(&self, export: &Export) -> Result<()> {
        let (workspace, id) = (&export.workspace, export.id);
        let keys = [
            ArchiveKey::of(workspace, id).to_string(),
            PlainKey::of(workspace, id).to_string(),
            BadRowsKey::of(workspace, id).to_string(),
            ReceiptKey::of(workspace, id).to_string(),
        ];
        let keys = keys.into_iter().chain(keys_of_files(export)).collect();
        self.delete("remove archive", keys).await
    }

    /// Removes what was only needed until an archive was published.
    pub async fn remove_work(&self, keys: &[WorkKey]) -> Result<()> {
        self.delete("remove work", keys.iter().map(ToString::to_string).collect()).await
    }

    /// Removes objects, as many with each call as S3 takes.
    async fn delete(&self, action: &'static str, keys: Vec<String>) -> Result<()> {
        const MAX_KEYS: usize = 1000;
        for keys in keys.chunks(MAX_KEYS) {
            let objects: Result<Vec<ObjectIdentifier>, _> =
                keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
            let objects = objects.map_err(Error::aws(action))?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(Error::aws(action))?;
            let sent = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
            let output = sent.map_err(Error::aws(action))?;
            // The call succeeds all the same; quiet, it names only what is still there.
            if let Some(error) = output.errors().first() {
                let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
                let (key, code) = (text(error.key()), text(error.code()));
                return Err(Error::aws(action)(format!("S3 did not delete {key}: {code}")));
            }
        }
        Ok(())
    }

    /// Signs a link to `key`. Without a `name`, what it leads to is saved as it was called when it was
    /// written.
    pub async fn sign(&self, key: &str, use_of: LinkUse, name: Option<&FileName>) -> Result<Link> {
        let LinkUse { method, from, lifetime } = use_of;
        let config = PresigningConfig::builder().start_time(SystemTime::from(from));
        let config = config.expires_in(lifetime).build().map_err(Error::aws("sign link"))?;
        let name = name.map(FileName::content_disposition);
        let url = match method {
            LinkMethod::Get => {
                let get = self.client.get_object().bucket(&self.name).key(key);
                let get = get.set_response_content_disposition(name).presigned(config).await;
                get.map_err(Error::aws("sign link"))?.uri().to_owned()
            }
            LinkMethod::Head => {
                let head = self.client.head_object().bucket(&self.name).key(key);
                let head = head.set_response_content_disposition(name).presigned(config).await;
                head.map_err(Error::aws("sign link"))?.uri().to_owned()
            }
        };
        Ok(Link { url, expires_at: use_of.ends_at() })
    }
}

#[cfg(test)]
mod tests {
    use export::{Archive, ExportRequest, Files, Format, Parts, TableSelection, Window};
    use export::{Export, ExportId};
    use fake_aws::{FakeAws, Reply};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    /// An export of a thousand files.
    fn export() -> Export {
        let now = Timestamp::UNIX_EPOCH;
        let day = SignedDuration::from_hours(24);
        let tables = vec![TableSelection { file: Some("f".into()), ..TableSelection::whole("t") }];
        let window = Window::new(now, now + day).unwrap();
        let request = ExportRequest {
            files: Files::Parts(Parts { max_bytes: 1, max_rows: None, suffix: false }),
            ..ExportRequest::new(tables, window, Format::Jsonl)
        };
        let acme = "acme".parse().unwrap();
        let built = Archive {
            published_at: now,
            expires_at: now,
            size_bytes: 1,
            crc32: 0,
            rows: None,
            table_files: Some(vec![1000]),
            table_rows: None,
            bad_rows: 0,
            receipt: None,
        };
        Export::queued(ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]), acme, request, now, day)
            .succeed(now, &built)
    }

    async fn removed(answer: &'static str) -> (FakeAws, Result<()>) {
        let aws = FakeAws::start(move |_| Some(Reply::ok(answer))).await.unwrap();
        let client = crate::s3_client(&aws.config().await);
        let removed = ArchiveBucket::new(client, "exports".into()).remove(&export()).await;
        (aws, removed)
    }

    #[tokio::test]
    async fn a_thousand_files_are_removed_by_two_calls() {
        let (aws, removed) = removed("<DeleteResult/>").await;
        removed.unwrap();
        let calls = aws.calls();
        assert_eq!(calls.len(), 2, "{:?}", calls.iter().map(|c| &c.operation).collect::<Vec<_>>());
        // The ZIP, the plain file, the bad rows, the receipt, the list of files and the files.
        let keys: usize = calls.iter().map(|call| call.body.matches("<Key>").count()).sum();
        assert_eq!(keys, 1005);
    }

    #[tokio::test]
    async fn an_object_that_s3_does_not_delete_is_not_taken_for_removed() {
        let (_, removed) = removed(
            "<DeleteResult><Error><Key>exports/a</Key><Code>AccessDenied</Code></Error></DeleteResult>",
        )
        .await;
        assert!(format!("{:?}", removed.unwrap_err()).contains("AccessDenied"));
    }
}
