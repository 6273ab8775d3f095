//! Objects of S3 as they arrive. A body that breaks is asked for again from the byte that was reached.

use std::time::Duration;

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream};
use bytes::{Bytes, BytesMut};
use export::SourceObject;
use futures_util::{Stream, stream};

use crate::{Error, Result, error::of_source, pause::Pauses};

/// How often in a row a body may break before a byte of it arrives.
const MAX_BREAKS_IN_A_ROW: u32 = 5;
/// How often one body may break.
const MAX_BREAKS: u32 = 50;
/// How long the tries are apart.
const PAUSES: Pauses = Pauses { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Where an object is.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) client: Client,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// What it has to be still; None as long as nothing of it was read.
    pub(crate) etag: Option<String>,
    /// Whether it is a source object, which others may change.
    pub(crate) is_source: bool,
}

/// An object, or a range of one, as it arrives.
///
/// It may stand still while nobody asks for more: should S3 end it meanwhile, it goes on where it was.
#[derive(Debug)]
pub struct ObjectBody {
    /// None for bytes that need not be asked for.
    location: Option<Location>,
    body: ByteStream,
    /// The byte of the object that comes next.
    at: u64,
    /// The byte after the last.
    end: u64,
    breaks: u32,
    breaks_in_a_row: u32,
}

/// Why a body is asked for again.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("its body ended {0} bytes early")]
    Short(u64),
    #[error("S3 sent the range {found:?}, and not {wanted}")]
    OtherRange { wanted: String, found: Option<String> },
    #[error("S3 did not say how long it is")]
    NoLength,
    #[error("its body is longer than its range")]
    Long,
}

impl ObjectBody {
    /// Opens all of an object.
    pub(crate) async fn whole(mut location: Location) -> Result<Self> {
        let output = location.get(None).await?;
        Self::opened(location, output)
    }

    /// Goes on with all of an object that was opened.
    pub(crate) fn opened(mut location: Location, output: GetObjectOutput) -> Result<Self> {
        if location.etag.is_none() {
            location.etag.clone_from(&output.e_tag);
        }
        let len = output.content_length.and_then(|len| u64::try_from(len).ok());
        let end = len.ok_or_else(|| Error::aws(location.action())(Broken::NoLength))?;
        Ok(Self::of(location, output, 0, end))
    }

    /// Opens `len` bytes of an object from `offset`.
    pub(crate) async fn range(mut location: Location, offset: u64, len: u64) -> Result<Self> {
        if len == 0 {
            return Ok(Self::bytes(Bytes::new()));
        }
        let output = location.get(Some((offset, offset + len))).await?;
        Ok(Self::of(location, output, offset, offset + len))
    }

    /// Bytes that are here already.
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        let (end, body) = (bytes.len() as u64, ByteStream::from(bytes));
        Self { location: None, body, at: 0, end, breaks: 0, breaks_in_a_row: 0 }
    }

    fn of(location: Location, output: GetObjectOutput, at: u64, end: u64) -> Self {
        let location = Some(location);
        Self { location, body: output.body, at, end, breaks: 0, breaks_in_a_row: 0 }
    }

    /// Returns how many bytes are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Returns what comes next; None at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let broken: Box<dyn std::error::Error + Send + Sync> = match self.body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => continue,
                Some(Ok(bytes)) if bytes.len() as u64 > self.left() => {
                    return Err(self.failed(Broken::Long));
                }
                Some(Ok(bytes)) => {
                    self.at += bytes.len() as u64;
                    self.breaks_in_a_row = 0;
                    return Ok(Some(bytes));
                }
                None if self.left() == 0 => return Ok(None),
                // All of it came, and its checksum says that it is not what S3 has.
                Some(Err(e)) if self.left() == 0 => return Err(self.failed(e)),
                Some(Err(e)) => e.into(),
                None => Broken::Short(self.left()).into(),
            };
            self.go_on(broken).await?;
        }
    }

    /// Reads all of it.
    pub async fn collect(mut self) -> Result<Bytes> {
        let mut all = BytesMut::with_capacity(usize::try_from(self.left()).unwrap_or_default());
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Hands it on as a stream.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Unpin + use<> {
        Box::pin(stream::try_unfold(self, async |mut body| {
            Ok(body.chunk().await?.map(|chunk| (chunk, body)))
        }))
    }

    /// Asks for what is missing, unless it broke too often.
    async fn go_on(&mut self, mut why: Box<dyn std::error::Error + Send + Sync>) -> Result<()> {
        loop {
            self.breaks += 1;
            self.breaks_in_a_row += 1;
            if self.breaks > MAX_BREAKS || self.breaks_in_a_row > MAX_BREAKS_IN_A_ROW {
                return Err(self.failed(why));
            }
            let range = Some((self.at, self.end));
            let Some(location) = &mut self.location else { return Err(self.failed(why)) };
            PAUSES.after(self.breaks_in_a_row).await;
            match location.get(range).await {
                Ok(output) => {
                    self.body = output.body;
                    return Ok(());
                }
                Err(Error::Aws { source, .. }) => why = source,
                Err(e) => return Err(e),
            }
        }
    }

    fn failed(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::aws(self.location.as_ref().map_or("read bytes", Location::action))(why)
    }
}

impl Location {
    fn action(&self) -> &'static str {
        if self.is_source { "read source object" } else { "read piece" }
    }

    /// Asks for the object, or for the bytes from the first to the one before the last of a range.
    async fn get(&mut self, range: Option<(u64, u64)>) -> Result<GetObjectOutput> {
        let wanted = range.map(|(at, end)| format!("bytes {at}-{}", end - 1));
        let get = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let get = get.set_if_match(self.etag.clone());
        let get = get.set_range(wanted.as_ref().map(|range| range.replacen(' ', "=", 1)));
        let output = match get.send().await {
            Ok(output) => output,
            Err(e) if self.is_source => return Err(of_source(self.action(), &self.key, e)),
            Err(e) => return Err(Error::s3(self.action())(e)),
        };
        if let Some(wanted) = wanted {
            let found = output.content_range.clone();
            if found.as_ref().is_none_or(|range| range.split('/').next() != Some(&wanted)) {
                return Err(Error::aws(self.action())(Broken::OtherRange { wanted, found }));
            }
        }
        if self.etag.is_none() {
            self.etag.clone_from(&output.e_tag);
        }
        Ok(output)
    }
}

/// Returns where a source object is.
pub(crate) fn source(client: &Client, bucket: &str, object: &SourceObject) -> Location {
    Location {
        client: client.clone(),
        bucket: bucket.to_owned(),
        key: object.key.clone(),
        etag: Some(object.etag.clone()),
        is_source: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Lake,
        fake::{Fake, refusal, reply},
    };

    const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

    fn object() -> SourceObject {
        let (key, size_bytes) = ("a/b.json".to_owned(), CONTENT.len() as u64);
        SourceObject { bucket: None, key, etag: "\"e1\"".to_owned(), size_bytes }
    }

    /// The first byte of the range that a request asks for.
    fn asked_from(head: &str) -> usize {
        let head = head.to_lowercase();
        let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
        range.map_or(0, |range| range.split('-').next().unwrap().parse().unwrap())
    }

    /// Answers with all that is asked for, and sends `most` bytes of it.
    fn cut_after(head: &str, most: usize) -> Vec<u8> {
        let at = asked_from(head);
        let rest = &CONTENT[at..];
        let range = format!("bytes {at}-{}/{}", CONTENT.len() - 1, CONTENT.len());
        let headers = [("ETag", "\"e1\""), ("Content-Range", &range)];
        let status = if at == 0 { "200 OK" } else { "206 Partial Content" };
        let headers = if at == 0 { &headers[..1] } else { &headers[..] };
        reply(status, headers, rest.len(), &rest[..most.min(rest.len())])
    }

    async fn read(fake: &Fake) -> Result<Bytes> {
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        lake.open(&object()).await?.collect().await
    }

    #[tokio::test]
    async fn a_body_that_breaks_goes_on_where_it_was() {
        let fake = Fake::new(|head| cut_after(head, 10));

        assert_eq!(read(&fake).await.unwrap(), CONTENT);

        let requests = fake.requests();
        assert_eq!(
            requests.iter().map(|head| asked_from(head)).collect::<Vec<_>>(),
            [0, 10, 20, 30]
        );
        assert!(requests.iter().all(|head| head.to_lowercase().contains("if-match: \"e1\"")));
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_given_up() {
        let fake = Fake::new(|head| cut_after(head, 0));

        let found = read(&fake).await;

        assert!(matches!(found, Err(Error::Aws { .. })), "{found:?}");
        assert_eq!(fake.requests().len(), 1 + MAX_BREAKS_IN_A_ROW as usize);
    }

    #[tokio::test]
    async fn what_follows_of_another_range_is_not_taken() {
        let fake = Fake::new(|head| {
            let answer = cut_after(head, 10);
            let shifted = String::from_utf8(answer).unwrap().replace("bytes 10-", "bytes 11-");
            shifted.into_bytes()
        });

        let found = read(&fake).await;

        let told = format!("{:#}", anyhow::Error::from(found.unwrap_err()));
        assert!(told.contains("bytes 11-35/36") && told.contains("bytes 10-35"), "{told}");
    }

    #[tokio::test]
    async fn an_object_that_changes_while_it_is_read_is_named() {
        let fake = Fake::new(|head| {
            if asked_from(head) == 0 {
                return cut_after(head, 10);
            }
            refusal("412 Precondition Failed", "PreconditionFailed", "At least one of them")
        });

        let found = read(&fake).await;

        assert!(matches!(&found, Err(Error::SourceChanged(key)) if key == "a/b.json"), "{found:?}");
    }
}
