//! The export bucket: work in progress below `work/`, archives below `exports/`.
//!
//! Everything is written under a name that follows from what it is, so that whoever does a step
//! again writes the same bytes to the same place.

use std::time::{Duration, SystemTime};

use archive::{Extent, MIN_PART_BYTES, Part};
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{
        ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, Delete,
        ObjectIdentifier,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use export::{ArchiveKey, BadRowsKey, Export, FileName, PlainKey, SourceObject, WorkKey};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::{Error, LakeBucket, Result, files::keys_of_files};

/// Parts of an archive that S3 copies at the same time.
const COPIES_AT_ONCE: usize = 32;
/// Parts of an archive written at the same time. Each is in memory as a whole.
const WRITES_AT_ONCE: usize = 4;
/// Stretches of one part read at the same time.
const READS_AT_ONCE: usize = 8;

/// Something stored that archives are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A piece in the export bucket.
    Work(WorkKey),
    /// A source object in the lake, which goes in as it is.
    Source(SourceObject),
}

/// What an object is called, in the bucket and where it is downloaded, and what it is.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    pub(crate) file_name: &'a FileName,
}

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
    fn ends_at(&self) -> Timestamp {
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

    /// Reads an object of the work in progress; none if it is not there.
    pub async fn read_work(&self, key: &WorkKey) -> Result<Option<Bytes>> {
        match self.client.get_object().bucket(&self.name).key(key.to_string()).send().await {
            Ok(output) => {
                let bytes = output.body.collect().await.map_err(Error::aws("read work"))?;
                Ok(Some(bytes.into_bytes()))
            }
            Err(SdkError::ServiceError(e)) if e.err().is_no_such_key() => Ok(None),
            Err(e) => Err(Error::aws("open work")(e)),
        }
    }

    /// Opens an object below `exports/`. Returns its size in bytes and its content.
    pub async fn open(
        &self,
        key: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes>> + Unpin + use<>)> {
        let output = self.client.get_object().bucket(&self.name).key(key).send().await;
        let output = output.map_err(Error::aws("open archive"))?;
        let size = output.content_length.and_then(|size| u64::try_from(size).ok());
        let chunks = stream::try_unfold(output.body, async |mut body| {
            let chunk = body.try_next().await.map_err(Error::aws("read archive"))?;
            Ok(chunk.map(|chunk| (chunk, body)))
        });
        Ok((size.unwrap_or_default(), Box::pin(chunks)))
    }

    /// Writes a small object of the work in progress, unless it is there. Tells whether it was not.
    pub async fn write_new_work(&self, key: &WorkKey, bytes: Vec<u8>) -> Result<bool> {
        let key = key.to_string();
        let put = self.client.put_object().bucket(&self.name).key(&key).if_none_match("*");
        match put.body(bytes.into()).send().await {
            Ok(_) => Ok(true),
            Err(e) => match exists_or("write work", &key, e) {
                Error::Exists(_) => Ok(false),
                other => Err(other),
            },
        }
    }

    /// Writes a small object of the work in progress.
    pub async fn write_work(&self, key: &WorkKey, bytes: Vec<u8>) -> Result<()> {
        let put =
            self.client.put_object().bucket(&self.name).key(key.to_string()).body(bytes.into());
        put.send().await.map_err(Error::aws("write work"))?;
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
            .map_err(Error::aws("write bad rows"))?;
        Ok(())
    }

    /// Writes an archive from its parts. `crc32` is that of the whole, which S3 checks.
    pub async fn assemble(
        &self,
        lake: &LakeBucket,
        key: &ArchiveKey,
        parts: Vec<Part<Stored>>,
        crc32: u32,
        file_name: &FileName,
    ) -> Result<()> {
        let object = Head { key: key.to_string(), kind: ArchiveKey::CONTENT_TYPE, file_name };
        self.assemble_object(lake, object, parts, crc32).await
    }

    pub(crate) async fn assemble_object(
        &self,
        lake: &LakeBucket,
        Head { key, kind, file_name }: Head<'_>,
        parts: Vec<Part<Stored>>,
        crc32: u32,
    ) -> Result<()> {
        let crc32 = base64_crc32(crc32);
        if let [Part::Write(extents)] = &parts[..] {
            let body = self.read_extents(lake, extents).await?;
            let put = self
                .client
                .put_object()
                .bucket(&self.name)
                .key(&key)
                .content_type(kind)
                .content_disposition(file_name.content_disposition())
                .checksum_crc32(&crc32)
                .if_none_match("*")
                .body(body.into());
            return put.send().await.map(drop).map_err(|e| exists_or("write archive", &key, e));
        }
        let upload = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(&key)
            .content_type(kind)
            .content_disposition(file_name.content_disposition())
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .checksum_type(ChecksumType::FullObject)
            .send()
            .await
            .map_err(Error::aws("begin archive"))?
            .upload_id
            .unwrap_or_default();
        let result = self.upload_parts(lake, &key, &upload, parts, &crc32).await;
        if result.is_err() {
            self.abort(&key, &upload).await;
        }
        result
    }

    async fn upload_parts(
        &self,
        lake: &LakeBucket,
        key: &str,
        upload: &str,
        parts: Vec<Part<Stored>>,
        crc32: &str,
    ) -> Result<()> {
        let (copies, writes): (Vec<_>, Vec<_>) =
            (1..).zip(parts).partition(|(_, part)| matches!(part, Part::Copy { .. }));
        let upload_all = |parts: Vec<(i32, Part<Stored>)>, at_once| {
            stream::iter(parts)
                .map(|(number, part)| self.upload_part(lake, key, upload, number, part))
                .buffer_unordered(at_once)
                .try_collect::<Vec<CompletedPart>>()
        };
        let (mut done, written) = tokio::try_join!(
            upload_all(copies, COPIES_AT_ONCE),
            upload_all(writes, WRITES_AT_ONCE)
        )?;
        done.extend(written);
        done.sort_by_key(CompletedPart::part_number);
        self.client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(done)).build())
            .checksum_type(ChecksumType::FullObject)
            .checksum_crc32(crc32)
            .if_none_match("*")
            .send()
            .await
            .map(drop)
            .map_err(|e| exists_or("complete archive", key, e))
    }

    async fn upload_part(
        &self,
        lake: &LakeBucket,
        key: &str,
        upload: &str,
        number: i32,
        part: Part<Stored>,
    ) -> Result<CompletedPart> {
        let done = CompletedPart::builder().part_number(number);
        match part {
            Part::Copy { source, offset, len } => {
                let copy = self.client.upload_part_copy();
                let copy = match &source {
                    Stored::Work(key) => copy.copy_source(format!("{}/{key}", self.name)),
                    Stored::Source(object) => copy
                        .copy_source(lake.copy_source(object))
                        .copy_source_if_match(&object.etag),
                };
                let copied = copy
                    .bucket(&self.name)
                    .key(key)
                    .upload_id(upload)
                    .part_number(number)
                    .copy_source_range(format!("bytes={offset}-{}", offset + len - 1))
                    .send()
                    .await
                    .map_err(Error::aws("copy part"))?;
                let (etag, crc32) = copied
                    .copy_part_result
                    .map(|part| (part.e_tag, part.checksum_crc32))
                    .unwrap_or_default();
                Ok(done.set_e_tag(etag).set_checksum_crc32(crc32).build())
            }
            Part::Write(extents) => {
                let body = self.read_extents(lake, &extents).await?;
                let sent = self
                    .client
                    .upload_part()
                    .bucket(&self.name)
                    .key(key)
                    .upload_id(upload)
                    .part_number(number)
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .body(body.into())
                    .send()
                    .await
                    .map_err(Error::aws("write part"))?;
                Ok(done.set_e_tag(sent.e_tag).set_checksum_crc32(sent.checksum_crc32).build())
            }
        }
    }

    /// Reads stretches of an archive into memory, in order, several at a time.
    async fn read_extents(&self, lake: &LakeBucket, extents: &[Extent<Stored>]) -> Result<Bytes> {
        let len = extents.iter().map(Extent::len).sum::<u64>();
        let mut bytes = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
        let mut reads = stream::iter(extents)
            .map(|extent| self.read_extent(lake, extent))
            .buffered(READS_AT_ONCE);
        while let Some(read) = reads.try_next().await? {
            bytes.extend_from_slice(&read);
        }
        Ok(bytes.freeze())
    }

    async fn read_extent(&self, lake: &LakeBucket, extent: &Extent<Stored>) -> Result<Bytes> {
        if let Extent::Bytes(literal) = extent {
            return Ok(literal.clone().into());
        }
        let body = self.open_extent(lake, extent).await?;
        Ok(body.collect().await.map_err(Error::aws("read piece"))?.into_bytes())
    }

    /// Opens a stretch of an archive.
    pub async fn open_extent(
        &self,
        lake: &LakeBucket,
        extent: &Extent<Stored>,
    ) -> Result<ByteStream> {
        match extent {
            Extent::Bytes(literal) => Ok(literal.clone().into()),
            Extent::Range { len: 0, .. } => Ok(ByteStream::default()),
            Extent::Range { source: Stored::Source(object), offset, len } => {
                lake.read(object, *offset, *len).await
            }
            Extent::Range { source: Stored::Work(key), offset, len } => {
                let range = format!("bytes={offset}-{}", offset + len - 1);
                let get =
                    self.client.get_object().bucket(&self.name).key(key.to_string()).range(range);
                Ok(get.send().await.map_err(Error::aws("open piece"))?.body)
            }
        }
    }

    /// Reads a whole archive that is known to be small.
    pub async fn read_archive(&self, key: &ArchiveKey) -> Result<Bytes> {
        let get = self.client.get_object().bucket(&self.name).key(key.to_string());
        let body = get.send().await.map_err(Error::aws("open archive"))?.body;
        Ok(body.collect().await.map_err(Error::aws("read archive"))?.into_bytes())
    }

    /// Tells whether an object is there and has this size.
    pub async fn has(&self, key: &str, size_bytes: u64) -> Result<bool> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => {
                Ok(head.content_length.and_then(|len| u64::try_from(len).ok()) == Some(size_bytes))
            }
            Err(SdkError::ServiceError(e)) if e.err().is_not_found() => Ok(false),
            Err(e) => Err(Error::aws("find archive")(e)),
        }
    }

    /// Removes all that can be downloaded of an export, where it is.
    pub async fn remove(&self, export: &Export) -> Result<()> {
        let (workspace, id) = (&export.workspace, export.id);
        let keys = [
            ArchiveKey::of(workspace, id).to_string(),
            PlainKey::of(workspace, id).to_string(),
            BadRowsKey::of(workspace, id).to_string(),
        ];
        for key in keys.into_iter().chain(keys_of_files(export)) {
            let delete = self.client.delete_object().bucket(&self.name).key(key);
            delete.send().await.map_err(Error::aws("remove archive"))?;
        }
        Ok(())
    }

    /// Removes what was only needed until an archive was published.
    pub async fn remove_work(&self, keys: &[WorkKey]) -> Result<()> {
        const MOST_AT_ONCE: usize = 1000;
        for keys in keys.chunks(MOST_AT_ONCE) {
            let objects: Result<Vec<ObjectIdentifier>, _> = keys
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key.to_string()).build())
                .collect();
            let objects = objects.map_err(Error::aws("remove work"))?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(Error::aws("remove work"))?;
            let sent = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
            sent.map_err(Error::aws("remove work"))?;
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

    async fn abort(&self, key: &str, upload: &str) {
        // What this leaves behind, the bucket's lifecycle removes.
        let abort =
            self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
        _ = abort.send().await;
    }
}

/// Writes an object of any size while it grows, holding one part in memory.
#[derive(Debug)]
pub struct PieceWriter {
    bucket: ArchiveBucket,
    key: String,
    content_type: Option<&'static str>,
    upload: Option<Upload>,
    buffer: BytesMut,
}

#[derive(Debug)]
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl PieceWriter {
    /// A part's size: 10,000 of them hold more than a step can make.
    const PART_BYTES: usize = 8 << 20;
    const _LARGE_ENOUGH: () = assert!(Self::PART_BYTES as u64 >= MIN_PART_BYTES);

    fn new(bucket: &ArchiveBucket, key: String, content_type: Option<&'static str>) -> Self {
        Self { bucket: bucket.clone(), key, content_type, upload: None, buffer: BytesMut::new() }
    }

    /// Appends `bytes`.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < Self::PART_BYTES {
            return Ok(());
        }
        let part = self.buffer.split().freeze();
        self.send(part).await
    }

    /// Writes what is left and makes the object visible.
    pub async fn finish(mut self) -> Result<()> {
        let (client, bucket) = (&self.bucket.client, &self.bucket.name);
        let Some(_) = self.upload else {
            let put =
                client.put_object().bucket(bucket).key(&self.key).body(self.buffer.freeze().into());
            let put = put.set_content_type(self.content_type.map(str::to_owned));
            put.send().await.map_err(Error::aws("write piece"))?;
            return Ok(());
        };
        let last = self.buffer.split().freeze();
        if !last.is_empty() {
            self.send(last).await?;
        }
        let Some(upload) = self.upload else { return Ok(()) };
        self.bucket
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket.name)
            .key(&self.key)
            .upload_id(upload.id)
            .multipart_upload(
                CompletedMultipartUpload::builder().set_parts(Some(upload.parts)).build(),
            )
            .send()
            .await
            .map_err(Error::aws("complete piece"))?;
        Ok(())
    }

    /// Gives up what was written.
    pub async fn abort(self) {
        if let Some(upload) = self.upload {
            self.bucket.abort(&self.key, &upload.id).await;
        }
    }

    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let (client, bucket) = (&self.bucket.client, &self.bucket.name);
        if self.upload.is_none() {
            let begun = client.create_multipart_upload().bucket(bucket).key(&self.key);
            let begun = begun.set_content_type(self.content_type.map(str::to_owned));
            let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;
            let id = begun.map_err(Error::aws("begin piece"))?.upload_id.unwrap_or_default();
            self.upload = Some(Upload { id, parts: Vec::new() });
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let number = i32::try_from(upload.parts.len() + 1).unwrap_or(i32::MAX);
        let sent = client
            .upload_part()
            .bucket(bucket)
            .key(&self.key)
            .upload_id(&upload.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(Error::aws("write piece"))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build();
        upload.parts.push(part);
        Ok(())
    }
}

fn base64_crc32(crc32: u32) -> String {
    BASE64_STANDARD.encode(crc32.to_be_bytes())
}

fn exists_or<E>(action: &'static str, key: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some("PreconditionFailed" | "ConditionalRequestConflict") => Error::Exists(key.to_owned()),
        _ => Error::aws(action)(error),
    }
}
