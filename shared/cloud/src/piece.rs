//! Objects that grow while they are written.

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::{Bytes, BytesMut};

use crate::{ArchiveBucket, Error, Result, clients::s3_copies};

/// The size of the first parts, in bytes.
const PART_BYTES: usize = 8 << 20;
/// After so many parts, parts are twice as large. So small objects need little memory, and large ones not
/// more parts than S3 allows.
const PARTS_OF_A_SIZE: usize = 2000;
const _: () = assert!(PART_BYTES as u64 >= archive::MIN_PART_BYTES);

/// Writes an object of any size while it grows, holding one part in memory.
#[derive(Debug)]
pub struct PieceWriter {
    bucket: ArchiveBucket,
    key: String,
    content_type: Option<&'static str>,
    upload: Option<Upload>,
    buffer: BytesMut,
    /// The most parts it may have.
    max_parts: usize,
}

#[derive(Debug)]
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

impl PieceWriter {
    /// The largest object that can be written, in bytes.
    pub const MAX_BYTES: u64 = most_bytes();

    pub(crate) fn new(
        bucket: &ArchiveBucket,
        key: String,
        content_type: Option<&'static str>,
    ) -> Self {
        let (bucket, max_parts) = (bucket.clone(), archive::MAX_PARTS);
        Self { bucket, key, content_type, upload: None, buffer: BytesMut::new(), max_parts }
    }

    /// Lets `write` fill it and makes the object visible. If either breaks, nothing stays behind.
    pub async fn filled<T, E: From<Error>>(
        mut self,
        write: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let filled = match write(&mut self).await {
            Ok(filled) => self.finish().await.map(|()| filled).map_err(E::from),
            Err(error) => Err(error),
        };
        if filled.is_err()
            && let Some(upload) = &self.upload
        {
            self.bucket.abort(&self.key, &upload.id).await;
        }
        filled
    }

    /// Appends `bytes`.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        let parts = self.upload.as_ref().map_or(0, |upload| upload.parts.len());
        if self.buffer.len() < part_bytes(parts) {
            return Ok(());
        }
        let part = self.buffer.split().freeze();
        self.send(part).await
    }

    /// Writes what is left and makes the object visible.
    async fn finish(&mut self) -> Result<()> {
        let (client, bucket) = (&self.bucket.client, &self.bucket.name);
        let last = self.buffer.split().freeze();
        if self.upload.is_none() {
            let put = client.put_object().bucket(bucket).key(&self.key).body(last.into());
            let put = put.set_content_type(self.content_type.map(str::to_owned));
            put.send().await.map_err(Error::s3("write piece"))?;
            return Ok(());
        }
        if !last.is_empty() {
            self.send(last).await?;
        }
        let Some(upload) = &self.upload else { return Ok(()) };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone()));
        self.bucket
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket.name)
            .key(&self.key)
            .upload_id(&upload.id)
            .multipart_upload(parts.build())
            .customize()
            .config_override(s3_copies())
            .send()
            .await
            .map_err(Error::s3("complete piece"))?;
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let (client, bucket) = (&self.bucket.client, &self.bucket.name);
        if self.upload.is_none() {
            let begun = client.create_multipart_upload().bucket(bucket).key(&self.key);
            let begun = begun.set_content_type(self.content_type.map(str::to_owned));
            let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;
            let id = begun.map_err(Error::s3("begin piece"))?.upload_id.unwrap_or_default();
            self.upload = Some(Upload { id, parts: Vec::new() });
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        if upload.parts.len() >= self.max_parts {
            return Err(Error::TooLarge(self.key.clone()));
        }
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
            .map_err(Error::s3("write piece"))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build();
        upload.parts.push(part);
        Ok(())
    }
}

/// Returns the size of the part after so many others, in bytes.
const fn part_bytes(parts: usize) -> usize {
    PART_BYTES << (parts / PARTS_OF_A_SIZE)
}

const fn most_bytes() -> u64 {
    let (mut parts, mut bytes) = (0, 0);
    while parts < archive::MAX_PARTS {
        bytes += part_bytes(parts) as u64;
        parts += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, refusal, reply};

    const UPLOAD: &str =
        "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";

    /// Takes parts, and refuses to put them together.
    fn refusing() -> Fake {
        Fake::new(|head| {
            if head.starts_with("POST") && head.contains("uploads") {
                reply("200 OK", &[], UPLOAD.len(), UPLOAD.as_bytes())
            } else if head.starts_with("POST") {
                refusal("400 Bad Request", "InvalidPart", "no")
            } else {
                reply("200 OK", &[("ETag", "\"e\"")], 0, b"")
            }
        })
    }

    fn aborted(fake: &Fake) -> bool {
        let aborts = |head: &String| head.starts_with("DELETE") && head.contains("uploadId=u1");
        fake.requests().iter().any(aborts)
    }

    #[tokio::test]
    async fn an_upload_that_breaks_is_aborted() {
        for whole in [true, false] {
            let fake = refusing();
            let bucket = ArchiveBucket::new(fake.s3().await, "b".to_owned());
            let piece = PieceWriter::new(&bucket, "k".to_owned(), None);

            let filled: Result<()> = piece
                .filled(async |piece| {
                    piece.push(&vec![0; PART_BYTES]).await?;
                    if whole { Ok(()) } else { Err(Error::TooManyObjects) }
                })
                .await;

            assert_eq!(matches!(filled, Err(Error::Aws { .. })), whole, "{filled:?}");
            assert!(filled.is_err() && aborted(&fake), "{:?}", fake.requests());
        }
    }

    /// A piece of that many whole parts, of which it may have two.
    async fn of_parts(parts: usize) -> (Fake, Result<()>) {
        let fake = Fake::new(|head| {
            let begins = head.starts_with("POST") && head.contains("uploads");
            let body = if begins { UPLOAD } else { "<CompleteMultipartUploadResult/>" };
            reply("200 OK", &[("ETag", "\"e\"")], body.len(), body.as_bytes())
        });
        let bucket = ArchiveBucket::new(fake.s3().await, "b".to_owned());
        let piece = PieceWriter { max_parts: 2, ..PieceWriter::new(&bucket, "k".to_owned(), None) };
        let filled = piece.filled(async |piece| {
            for _ in 0..parts {
                piece.push(&vec![0; PART_BYTES]).await?;
            }
            Ok(())
        });
        let filled = filled.await;
        (fake, filled)
    }

    #[tokio::test]
    async fn a_piece_of_more_parts_than_an_upload_has_is_too_large_and_leaves_nothing() {
        let (_, most) = of_parts(2).await;
        most.unwrap();
        let (fake, beyond) = of_parts(3).await;
        assert!(matches!(&beyond, Err(Error::TooLarge(key)) if key == "k"), "{beyond:?}");
        assert!(aborted(&fake), "{:?}", fake.requests());
    }

    #[test]
    fn parts_grow_so_that_a_large_object_fits_an_upload() {
        let (mut parts, mut left) = (0, 400_u64 << 30);
        while left > 0 {
            left = left.saturating_sub(part_bytes(parts) as u64);
            parts += 1;
        }
        assert!(parts < archive::MAX_PARTS, "{parts}");
        assert_eq!((part_bytes(0), part_bytes(archive::MAX_PARTS - 1)), (8 << 20, 128 << 20));
        assert_eq!(PieceWriter::MAX_BYTES, 496_000 << 20);
    }
}
