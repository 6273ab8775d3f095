//! Opens objects of the lake for the engine, which runs on threads of its own: as streams, or as ranges where they are
//! Parquet.
//!
//! The engine asks through an [`ObjectOpener`], and blocks. [`feed`] answers it, and does not.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::{Buf as _, Bytes, BytesMut};
use cloud::Lake;
use columnar::{Ranges, Rows, Wanted, WantedTimes, is_named_parquet, is_parquet};
use export::{SourceObject, TimeFormat};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use lake::{Needs, ParquetUse, PlannedObject};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};

/// Chunks of a source object under way to the decoder. The SDK's chunks have at most some 100 KiB.
const CHUNKS: usize = 16;

/// A chunk of an object; an empty one at its end.
type Chunk = io::Result<Bytes>;

/// What is asked for: an object, or a range of it by its offset and length.
#[derive(Debug)]
pub struct Ask {
    index: usize,
    range: Option<(u64, u64)>,
    to: Sender<Chunk>,
}

/// Opens objects, which are then sent by [`feed`].
#[derive(Debug)]
pub struct ObjectOpener {
    ask: UnboundedSender<Ask>,
    needs: Needs,
    objects: Vec<PlannedObject>,
}

impl ObjectOpener {
    /// Returns what opens these objects, and what it asks for.
    pub fn new(needs: Needs, objects: Vec<PlannedObject>) -> (Self, UnboundedReceiver<Ask>) {
        let (ask, asked) = mpsc::unbounded_channel();
        (Self { ask, needs, objects }, asked)
    }

    /// Opens an object: its stored bytes, or lines of JSON where it is Parquet.
    pub fn open(&self, index: usize) -> io::Result<ObjectReader> {
        let planned = self.objects.get(index).ok_or_else(|| io::Error::other("no such object"))?;
        let is_said = match self.needs.parquet {
            ParquetUse::Always => true,
            ParquetUse::IfMarked => is_named_parquet(&planned.object.key),
            ParquetUse::Never => false,
        };
        if is_said {
            return self.rows(index, planned);
        }
        let mut stream = stream(&self.ask, index, None)?;
        if self.needs.parquet == ParquetUse::IfMarked && is_parquet(stream.head()?) {
            return self.rows(index, planned);
        }
        Ok(ObjectReader::Stream(stream))
    }

    fn rows(&self, index: usize, planned: &PlannedObject) -> io::Result<ObjectReader> {
        let size = planned.object.size_bytes;
        let file = Arc::new(RemoteFile { ask: self.ask.clone(), index, size });
        let rows = Rows::open(file, wanted(&self.needs, planned.partition))?;
        Ok(ObjectReader::Rows(Box::new(rows)))
    }
}

/// Says what is read of a file of the partition that begins at `partition`.
fn wanted(needs: &Needs, partition: Option<Timestamp>) -> Wanted {
    let unit = match needs.time_format {
        TimeFormat::Text => None,
        TimeFormat::Seconds => Some(1_000_000_000),
        TimeFormat::Milliseconds => Some(1_000_000),
        TimeFormat::Microseconds => Some(1000),
        TimeFormat::Nanoseconds => Some(1),
    };
    let times = needs.time.clone().zip(partition).map(|(path, partition)| {
        let expected = needs.expected(partition);
        let (wanted, expected) = (
            needs.window.from()..needs.window.to(),
            expected.start.as_nanosecond()..expected.end.as_nanosecond(),
        );
        let wanted = wanted.start.as_nanosecond()..wanted.end.as_nanosecond();
        WantedTimes { path, unit, wanted, expected }
    });
    Wanted { fields: needs.fields.clone().map(|fields| fields.into_iter().collect()), times }
}

fn stream(
    ask: &UnboundedSender<Ask>,
    index: usize,
    range: Option<(u64, u64)>,
) -> io::Result<ObjectStream> {
    let (to, chunks) = mpsc::channel(CHUNKS);
    ask.send(Ask { index, range, to }).map_err(io::Error::other)?;
    Ok(ObjectStream { chunks, chunk: Bytes::new(), ended: false })
}

/// An object of which ranges are asked for.
struct RemoteFile {
    ask: UnboundedSender<Ask>,
    index: usize,
    size: u64,
}

impl Ranges for RemoteFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, len: u64) -> io::Result<Bytes> {
        let mut stream = stream(&self.ask, self.index, Some((offset, len)))?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
        while let Some(chunk) = stream.next()? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

/// Sends what is asked for of these objects, several at a time, until nobody asks any more.
pub async fn feed(
    lake: &Lake,
    objects: &[SourceObject],
    mut asked: UnboundedReceiver<Ask>,
) -> cloud::Result<()> {
    let mut feeds = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(ask) = asked.recv() => feeds.push(feed_one(lake, &objects[ask.index], ask)),
            Some(fed) = feeds.next() => fed?,
            else => return Ok(()),
        }
    }
}

/// Sends one object, or a range of it. Stops early, without an error, when nobody listens any more.
async fn feed_one(lake: &Lake, object: &SourceObject, ask: Ask) -> cloud::Result<()> {
    let mut body = match ask.range {
        None => lake.open(object).await?,
        Some((offset, len)) => lake.read(object, offset, len).await?,
    };
    while let Some(chunk) = body.chunk().await? {
        if ask.to.send(Ok(chunk)).await.is_err() {
            return Ok(());
        }
    }
    _ = ask.to.send(Ok(Bytes::new())).await;
    Ok(())
}

/// One object, as it arrives.
#[derive(Debug)]
pub enum ObjectReader {
    /// Its stored bytes.
    Stream(ObjectStream),
    /// Its rows.
    Rows(Box<Rows>),
}

/// The bytes of an object or a range, as they arrive.
#[derive(Debug)]
pub struct ObjectStream {
    chunks: Receiver<Chunk>,
    chunk: Bytes,
    ended: bool,
}

impl ObjectStream {
    /// Returns the chunk that comes next; none at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.fill()?;
        Ok((!self.ended).then(|| std::mem::take(&mut self.chunk)))
    }

    /// Waits for a chunk if none is at hand.
    fn fill(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() && !self.ended {
            let next = self.chunks.blocking_recv();
            self.chunk = next
                .unwrap_or_else(|| Err(io::Error::other("the object was not sent to its end")))?;
            self.ended = self.chunk.is_empty();
        }
        Ok(())
    }

    /// Waits for the first bytes.
    fn head(&mut self) -> io::Result<&[u8]> {
        self.fill()?;
        // A chunk is hardly ever so short.
        while self.chunk.len() < 4 && !self.ended {
            let first = std::mem::take(&mut self.chunk);
            self.fill()?;
            let is_end = self.ended;
            self.chunk = [first, std::mem::take(&mut self.chunk)].concat().into();
            if is_end {
                break;
            }
        }
        Ok(&self.chunk)
    }
}

impl Read for ObjectStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let len = self.chunk.len().min(buf.len());
        self.chunk.copy_to_slice(&mut buf[..len]);
        Ok(len)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.read(buf),
            Self::Rows(rows) => rows.read(buf),
        }
    }
}
