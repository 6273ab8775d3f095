//! Source objects stream in, segments stream out, in bounded memory.

use std::io::{self, Read};

use anyhow::Context as _;
use bytes::{Buf as _, Bytes};
use cloud::{PieceWriter, SourceObject};
use lake::{ObjectError, Pour, Poured};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::{app::App, watch::Watch};

/// Chunks of a source object under way to the decoder. The SDK's chunks have at most some 100 KiB.
const CHUNKS: usize = 16;
/// Segments under way to the bucket. A segment is made from about 1 MiB.
const SEGMENTS: usize = 2;

/// Reads, pours and writes at the same time.
pub(crate) async fn pour(
    app: &App,
    objects: &[SourceObject],
    pour: Pour,
    piece: &mut PieceWriter,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Poured> {
    let (input, inputs) = mpsc::channel(CHUNKS);
    let (output, mut outputs) = mpsc::channel::<Vec<u8>>(SEGMENTS);
    let pouring = tokio::task::spawn_blocking(move || pour_all(pour, inputs, &output));

    let write = async {
        while let Some(bytes) = outputs.recv().await {
            piece.push(&bytes).await?;
        }
        Ok::<_, cloud::Error>(())
    };
    let feed = feed(app, objects, input, watch);
    let streamed = tokio::try_join!(feed, async { write.await.map_err(anyhow::Error::from) });
    if streamed.is_err() {
        // Ends the pouring, which else would wait for somebody to take its output.
        outputs.close();
        while outputs.recv().await.is_some() {}
    }
    // What the decoder says is the cause; what the channels say then only follows from it.
    match (streamed, pouring.await.context("pour")?) {
        (Ok(_), Ok(poured)) => Ok(poured),
        (Err(error), Ok(_) | Err(ObjectError::Sink { .. } | ObjectError::Unreadable { .. })) => {
            Err(error)
        }
        (_, Err(error)) => Err(error.into()),
    }
}

/// What the decoder is given.
#[derive(Debug)]
enum Input {
    Begin(String, u64),
    Chunk(Bytes),
    Broken(io::Error),
    End,
}

/// Sends the objects to the decoder. Stops early, without an error, when it has stopped listening.
async fn feed(
    app: &App,
    objects: &[SourceObject],
    input: Sender<Input>,
    watch: &mut Watch<'_>,
) -> anyhow::Result<()> {
    for object in objects {
        watch.check().await?;
        let mut body = app.lake.open(object).await?;
        if input.send(Input::Begin(object.key.clone(), object.size_bytes)).await.is_err() {
            return Ok(());
        }
        while let Some(chunk) = body.next().await {
            watch.check().await?;
            let message = match chunk {
                Ok(chunk) => Input::Chunk(chunk),
                Err(e) => Input::Broken(io::Error::other(e)),
            };
            if input.send(message).await.is_err() {
                return Ok(());
            }
        }
        if input.send(Input::End).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn pour_all(
    mut pour: Pour,
    mut inputs: Receiver<Input>,
    output: &Sender<Vec<u8>>,
) -> Result<Poured, ObjectError> {
    let sink = |bytes| output.blocking_send(bytes).map_err(io::Error::other);
    while let Some(message) = inputs.blocking_recv() {
        let Input::Begin(key, size_bytes) = message else { continue };
        let mut object = ObjectReader { inputs: &mut inputs, chunk: Bytes::new(), ended: false };
        if pour.wants_whole(&key, size_bytes) {
            let mut data = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or_default());
            if let Err(source) = object.read_to_end(&mut data) {
                return Err(ObjectError::Unreadable { key, source });
            }
            pour.whole_object(&key, &data, sink)?;
        } else {
            pour.object(&key, &mut object, sink)?;
        }
        object.skip_rest();
    }
    pour.finish(sink).map_err(|source| ObjectError::Sink { key: "the last".to_owned(), source })
}

/// One object, as it arrives.
struct ObjectReader<'a> {
    inputs: &'a mut Receiver<Input>,
    chunk: Bytes,
    ended: bool,
}

impl ObjectReader<'_> {
    fn skip_rest(&mut self) {
        while !self.ended {
            self.ended =
                !matches!(self.inputs.blocking_recv(), Some(Input::Chunk(_) | Input::Broken(_)));
        }
    }
}

impl Read for ObjectReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.inputs.blocking_recv() {
                Some(Input::Chunk(chunk)) => self.chunk = chunk,
                Some(Input::End) => self.ended = true,
                Some(Input::Broken(e)) => return Err(e),
                Some(Input::Begin(..)) | None => {
                    return Err(io::Error::other("the object was not sent to its end"));
                }
            }
        }
        let len = self.chunk.len().min(buf.len());
        self.chunk.copy_to_slice(&mut buf[..len]);
        Ok(len)
    }
}
