//! From parts to an object of the export bucket, put together by S3 as far as it can.

use std::time::Duration;

use archive::{Extent, Part};
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    types::{
        ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use export::{ArchiveKey, FileName, SourceObject, WorkKey};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    ArchiveBucket, Error, Lake, ObjectBody, Result,
    body::Location,
    clients::s3_copies,
    error::of_source,
    pause::Pauses,
    reads::{Read, ReadSource, plan_reads},
};

/// Parts of an archive that S3 copies at the same time.
const MAX_CONCURRENT_COPIES: usize = 32;
/// Parts of an archive written at the same time. Each is in memory as a whole.
const MAX_CONCURRENT_WRITES: usize = 4;
/// Stretches of one part read at the same time.
const MAX_CONCURRENT_READS: usize = 8;
/// How often an object is written while others write it, too.
pub(crate) const MAX_CONFLICTS: u32 = 5;
/// How long these tries are apart.
pub(crate) const CONFLICT_PAUSES: Pauses =
    Pauses { first: Duration::from_millis(200), max: Duration::from_secs(3) };

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

impl ArchiveBucket {
    /// Writes an archive from its parts. `crc32` is that of the whole, which S3 checks.
    pub async fn assemble(
        &self,
        lake: &Lake,
        key: &ArchiveKey,
        parts: Vec<Part<Stored>>,
        crc32: u32,
        file_name: &FileName,
    ) -> Result<()> {
        let object = Head { key: key.to_string(), kind: ArchiveKey::CONTENT_TYPE, file_name };
        self.assemble_object(lake, object, parts, crc32).await
    }

    /// Writes an object from its parts, again where another write of it is under way.
    pub(crate) async fn assemble_object(
        &self,
        lake: &Lake,
        head: Head<'_>,
        parts: Vec<Part<Stored>>,
        crc32: u32,
    ) -> Result<()> {
        let crc32 = base64_crc32(crc32);
        for tries in 1.. {
            let written = match &parts[..] {
                [Part::Write(extents)] => self.put_object(lake, &head, extents, &crc32).await,
                parts => self.upload_object(lake, &head, parts, &crc32).await,
            };
            match written {
                Err(Error::Conflict(_)) if tries < MAX_CONFLICTS => {
                    CONFLICT_PAUSES.after(tries).await;
                }
                written => return written,
            }
        }
        Ok(())
    }

    async fn put_object(
        &self,
        lake: &Lake,
        head: &Head<'_>,
        extents: &[Extent<Stored>],
        crc32: &str,
    ) -> Result<()> {
        let body = self.read_extents(lake, extents).await?;
        let put = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(&head.key)
            .content_type(head.kind)
            .content_disposition(head.file_name.content_disposition())
            .checksum_crc32(crc32)
            .if_none_match("*")
            .body(body.into());
        put.send().await.map(drop).map_err(|e| exists_or("write archive", &head.key, e))
    }

    async fn upload_object(
        &self,
        lake: &Lake,
        head: &Head<'_>,
        parts: &[Part<Stored>],
        crc32: &str,
    ) -> Result<()> {
        let upload = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(&head.key)
            .content_type(head.kind)
            .content_disposition(head.file_name.content_disposition())
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .checksum_type(ChecksumType::FullObject)
            .send()
            .await
            .map_err(Error::s3("begin archive"))?
            .upload_id
            .unwrap_or_default();
        let result = self.upload_parts(lake, &head.key, &upload, parts, crc32).await;
        if result.is_err() {
            self.abort(&head.key, &upload).await;
        }
        result
    }

    async fn upload_parts(
        &self,
        lake: &Lake,
        key: &str,
        upload: &str,
        parts: &[Part<Stored>],
        crc32: &str,
    ) -> Result<()> {
        let (copies, writes): (Vec<_>, Vec<_>) =
            (1..).zip(parts).partition(|(_, part)| matches!(part, Part::Copy { .. }));
        let upload_all = |parts: Vec<(i32, &Part<Stored>)>, at_once| {
            let parts: Vec<(i32, Part<Stored>)> =
                parts.into_iter().map(|(number, part)| (number, part.clone())).collect();
            stream::iter(parts)
                .map(|(number, part)| self.upload_part(lake, key, upload, number, part))
                .buffer_unordered(at_once)
                .try_collect::<Vec<CompletedPart>>()
        };
        let (mut done, written) = tokio::try_join!(
            upload_all(copies, MAX_CONCURRENT_COPIES),
            upload_all(writes, MAX_CONCURRENT_WRITES)
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
            .customize()
            .config_override(s3_copies())
            .send()
            .await
            .map(drop)
            .map_err(|e| exists_or("complete archive", key, e))
    }

    async fn upload_part(
        &self,
        lake: &Lake,
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
                    .customize()
                    .config_override(s3_copies())
                    .send()
                    .await
                    .map_err(|e| match &source {
                        Stored::Work(_) => Error::s3("copy part")(e),
                        Stored::Source(object) => of_source("copy source object", &object.key, e),
                    })?;
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
                    .map_err(Error::s3("write part"))?;
                Ok(done.set_e_tag(sent.e_tag).set_checksum_crc32(sent.checksum_crc32).build())
            }
        }
    }

    /// Reads stretches of an archive into memory, in order, several at a time.
    async fn read_extents(&self, lake: &Lake, extents: &[Extent<Stored>]) -> Result<Bytes> {
        let len = extents.iter().map(Extent::len).sum::<u64>();
        let mut bytes = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
        let (reads, origins) = plan_reads(extents);
        let mut reads = stream::iter(reads)
            .map(|read| self.read_range(lake, read))
            .buffered(MAX_CONCURRENT_READS);
        let mut range = Bytes::new();
        for origin in origins {
            match origin {
                ReadSource::Literal(literal) => bytes.extend_from_slice(literal),
                ReadSource::Next(part) => {
                    range = reads.try_next().await?.unwrap_or_default();
                    bytes.extend_from_slice(&range[part]);
                }
                ReadSource::Same(part) => bytes.extend_from_slice(&range[part]),
            }
        }
        Ok(bytes.freeze())
    }

    async fn read_range(&self, lake: &Lake, read: Read<'_, Stored>) -> Result<Bytes> {
        let Read { source, offset, len } = read;
        self.open_range(lake, source, offset, len).await?.collect().await
    }

    /// Opens a stretch of an archive.
    pub async fn open_extent(&self, lake: &Lake, extent: &Extent<Stored>) -> Result<ObjectBody> {
        match extent {
            Extent::Bytes(literal) => Ok(ObjectBody::bytes(literal.clone().into())),
            Extent::Range { source, offset, len } => {
                self.open_range(lake, source, *offset, *len).await
            }
        }
    }

    async fn open_range(
        &self,
        lake: &Lake,
        source: &Stored,
        offset: u64,
        len: u64,
    ) -> Result<ObjectBody> {
        match source {
            Stored::Source(object) => lake.read(object, offset, len).await,
            Stored::Work(key) => {
                ObjectBody::range(self.location(key.to_string()), offset, len).await
            }
        }
    }

    /// Returns where an object of this bucket is.
    pub(crate) fn location(&self, key: String) -> Location {
        let (client, bucket) = (self.client.clone(), self.name.clone());
        Location { client, bucket, key, etag: None, is_source: false }
    }

    /// Tells whether an object is there and has this size and this CRC-32.
    pub async fn has(&self, key: &str, size_bytes: u64, crc32: u32) -> Result<bool> {
        let head = self.client.head_object().bucket(&self.name).key(key);
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(head.content_length.and_then(|len| u64::try_from(len).ok())
                == Some(size_bytes)
                && head.checksum_type.is_none_or(|kind| kind == ChecksumType::FullObject)
                && head.checksum_crc32 == Some(base64_crc32(crc32))),
            Err(SdkError::ServiceError(e)) if e.err().is_not_found() => Ok(false),
            Err(e) => Err(Error::s3("find archive")(e)),
        }
    }

    pub(crate) async fn abort(&self, key: &str, upload: &str) {
        // What this leaves behind, the bucket's lifecycle removes.
        let abort =
            self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
        _ = abort.send().await;
    }
}

fn base64_crc32(crc32: u32) -> String {
    BASE64_STANDARD.encode(crc32.to_be_bytes())
}

/// Tells an object that is there from one that is just being written, and from one that S3 does not take.
pub(crate) fn exists_or<E>(action: &'static str, key: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.code() {
        Some("PreconditionFailed") => Error::Exists(key.to_owned()),
        Some("ConditionalRequestConflict") => Error::Conflict(key.to_owned()),
        Some("EntityTooLarge") => Error::TooLarge(key.to_owned()),
        _ => Error::s3(action)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, refusal, reply};

    fn key() -> ArchiveKey {
        ArchiveKey::of(
            &"acme".parse().unwrap(),
            export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
        )
    }

    async fn buckets(fake: &Fake) -> (ArchiveBucket, Lake) {
        let client = fake.s3().await;
        (
            ArchiveBucket::new(client.clone(), "exports".to_owned()),
            Lake::new(client, "lake".to_owned()),
        )
    }

    /// Two copies of a source object, as parts.
    fn copies() -> Vec<Part<Stored>> {
        let (key, etag) = ("a/b.json.gz".to_owned(), "\"e1\"".to_owned());
        let source = Stored::Source(SourceObject { bucket: None, key, etag, size_bytes: 12 << 20 });
        let part = |offset| Part::Copy { source: source.clone(), offset, len: 6 << 20 };
        vec![part(0), part(6 << 20)]
    }

    const UPLOAD: &str =
        "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

    /// Begins uploads, answers copies like this, and takes all else.
    fn copying(answer: Vec<u8>) -> Fake {
        Fake::new(move |head| {
            if head.starts_with("POST") && head.contains("uploads") {
                reply("200 OK", &[], UPLOAD.len(), UPLOAD.as_bytes())
            } else if head.starts_with("PUT") {
                answer.clone()
            } else {
                reply("204 No Content", &[], 0, b"")
            }
        })
    }

    #[tokio::test]
    async fn a_source_object_that_changed_before_it_was_copied_is_named() {
        for (status, code) in
            [("412 Precondition Failed", "PreconditionFailed"), ("404 Not Found", "NoSuchKey")]
        {
            let fake = copying(refusal(status, code, "no"));
            let (archives, lake) = buckets(&fake).await;

            let told =
                archives.assemble(&lake, &key(), copies(), 0, &FileName::plain("a.zip")).await;

            assert!(
                matches!(&told, Err(Error::SourceChanged(key)) if key == "a/b.json.gz"),
                "{told:?}"
            );
            assert!(fake.requests().iter().any(|head| head.starts_with("DELETE")), "it is aborted");
        }
    }

    #[tokio::test]
    async fn what_no_retry_mends_is_told_at_once_in_s3s_words() {
        let cold = refusal("403 Forbidden", "InvalidObjectState", "Restore it first");
        let denied = refusal("403 Forbidden", "AccessDenied", "no kms:Decrypt");
        for (answer, want) in [(cold, "InvalidObjectState: Restore"), (denied, "no kms:Decrypt")] {
            let fake = copying(answer);
            let (archives, lake) = buckets(&fake).await;

            let told = archives
                .assemble(&lake, &key(), copies(), 0, &FileName::plain("a.zip"))
                .await
                .unwrap_err();

            let (Error::Archived { reason, .. } | Error::Denied { reason, .. }) = &told else {
                panic!("{told:?}")
            };
            assert!(reason.contains(want) && told.to_string().contains("source object"), "{told}");
        }
    }

    #[tokio::test]
    async fn an_archive_that_is_being_written_by_another_is_written_again() {
        let fake = Fake::new({
            let tries = std::sync::atomic::AtomicUsize::new(0);
            move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 | 1 => refusal("409 Conflict", "ConditionalRequestConflict", "wait"),
                _ => reply("200 OK", &[("ETag", "\"e\"")], 0, b""),
            }
        });
        let (archives, lake) = buckets(&fake).await;
        let parts = vec![Part::Write(vec![Extent::Bytes(b"zip".to_vec())])];

        archives
            .assemble(&lake, &key(), parts, crc32fast::hash(b"zip"), &FileName::plain("a.zip"))
            .await
            .unwrap();

        assert_eq!(fake.requests().len(), 3);
    }

    #[tokio::test]
    async fn an_archive_that_s3_does_not_take_for_its_size_is_told_to_be_too_large() {
        let fake = Fake::new(|_| refusal("400 Bad Request", "EntityTooLarge", "too large"));
        let (archives, lake) = buckets(&fake).await;
        let (key, name) = (key(), FileName::plain("a.zip"));
        let parts = vec![Part::Write(vec![Extent::Bytes(b"zip".to_vec())])];

        let told = archives.assemble(&lake, &key, parts, crc32fast::hash(b"zip"), &name).await;

        let is_named = |named: &str| named == key.to_string();
        assert!(matches!(&told, Err(Error::TooLarge(named)) if is_named(named)), "{told:?}");
    }

    #[tokio::test]
    async fn an_object_of_the_same_size_and_other_bytes_is_not_ours() {
        let fake = Fake::new(|_| {
            let crc32 = base64_crc32(7);
            reply("200 OK", &[("x-amz-checksum-crc32", &crc32)], 22, b"")
        });
        let (archives, _) = buckets(&fake).await;

        assert!(archives.has("k", 22, 7).await.unwrap());
        assert!(!archives.has("k", 22, 8).await.unwrap());
        assert!(!archives.has("k", 23, 7).await.unwrap());
    }
}
