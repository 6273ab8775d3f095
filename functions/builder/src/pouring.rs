//! Source objects stream in, segments stream out, in bounded memory.

use std::{
    io::{self, Read},
    ops::Range,
};

use anyhow::Context as _;
use archive::Extent;
use bytes::{Buf as _, Bytes};
use cloud::PieceWriter;
use export::SourceObject;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use lake::{Encoding, InputObject, ObjectError, Pipeline, PlannedObject, RunOutput, Selection};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};

use crate::{app::App, report::Content, watch::Watch};

/// Chunks of a source object under way to the decoder. The SDK's chunks have at most some 100 KiB.
const CHUNKS: usize = 16;
/// Stretches under way to the bucket.
const STRETCHES: usize = 2;

/// What is to be poured: see [`Pipeline`].
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) selection: Selection,
    pub(crate) objects: Vec<PlannedObject>,
    pub(crate) runs: Vec<Range<usize>>,
    pub(crate) pack: Encoding,
}

/// A run's rows, and where its compressed bytes are.
pub(crate) type Run = (RunOutput, Vec<Content>);

/// Opens objects, which are then sent by [`feed`].
#[derive(Debug)]
pub(crate) struct ObjectOpener {
    ask: UnboundedSender<(usize, Sender<Chunk>)>,
}

impl ObjectOpener {
    pub(crate) fn open(&self, index: usize) -> io::Result<ObjectReader> {
        let (to, chunks) = mpsc::channel(CHUNKS);
        self.ask.send((index, to)).map_err(io::Error::other)?;
        Ok(ObjectReader { chunks, chunk: Bytes::new(), ended: false })
    }
}

/// Looks at objects in a way that makes nothing: `work` gets them, and what opens them.
pub(crate) async fn look<T: Send + 'static>(
    app: &App,
    planned: &[PlannedObject],
    watch: &mut Watch,
    work: impl FnOnce(&[InputObject], &ObjectOpener) -> Result<T, ObjectError> + Send + 'static,
) -> anyhow::Result<T> {
    let sources: Vec<SourceObject> = planned.iter().map(|one| one.object.clone()).collect();
    let objects: Vec<InputObject> = planned.iter().map(PlannedObject::to_input).collect();
    let (ask, asked) = mpsc::unbounded_channel();
    let looking = tokio::task::spawn_blocking(move || work(&objects, &ObjectOpener { ask }));
    let fed = tokio::select! {
        fed = feed(app, &sources, asked) => fed,
        lost = watch.lost() => Err(lost),
    };
    match (fed, looking.await.context("look at objects")?) {
        (Ok(()), Ok(found)) => Ok(found),
        (Err(error), Ok(_) | Err(ObjectError::Sink(_) | ObjectError::Unreadable { .. })) => {
            Err(error)
        }
        (_, Err(error)) => Err(error.into()),
    }
}

/// Reads, pours and writes at the same time.
pub(crate) async fn pour(
    app: &App,
    task: Task,
    piece: &mut PieceWriter,
    watch: &mut Watch,
) -> anyhow::Result<Vec<Run>> {
    let sources: Vec<SourceObject> =
        task.objects.iter().map(|planned| planned.object.clone()).collect();
    let mut contents = vec![Vec::new(); task.runs.len()];
    let (ask, asked) = mpsc::unbounded_channel();
    let (output, mut outputs) = mpsc::channel::<(usize, Extent<usize>)>(STRETCHES);
    let workers = app.workers;
    let pouring = tokio::task::spawn_blocking(move || {
        let objects: Vec<InputObject> = task.objects.iter().map(PlannedObject::to_input).collect();
        let (selection, objects) = (&task.selection, &objects[..]);
        let pour = Pipeline { selection, objects, runs: task.runs, encoding: task.pack, workers };
        let opener = ObjectOpener { ask };
        pour.run(
            |index| opener.open(index),
            |run, stretch| output.blocking_send((run, stretch)).map_err(io::Error::other),
        )
    });

    let write = async {
        while let Some((run, stretch)) = outputs.recv().await {
            if let Extent::Bytes(bytes) = &stretch {
                piece.push(bytes).await?;
            }
            Content::push(&mut contents[run], &stretch);
        }
        anyhow::Ok(())
    };
    let streamed = tokio::select! {
        streamed = async { tokio::try_join!(feed(app, &sources, asked), write) } => streamed.map(drop),
        lost = watch.lost() => Err(lost),
    };
    // Ends the pouring, which else would wait for somebody to take its output.
    drop(outputs);
    // What the decoder says is the cause; what the channels say then only follows from it.
    match (streamed, pouring.await.context("pour")?) {
        (Ok(()), Ok(poured)) => Ok(poured.into_iter().zip(contents).collect()),
        (Err(error), Ok(_) | Err(ObjectError::Sink(_) | ObjectError::Unreadable { .. })) => {
            Err(error)
        }
        (_, Err(error)) => Err(error.into()),
    }
}

/// A chunk of an object; an empty one at its end.
type Chunk = io::Result<Bytes>;

/// Sends the objects that are asked for, several at a time, until nobody asks any more.
async fn feed(
    app: &App,
    objects: &[SourceObject],
    mut asked: UnboundedReceiver<(usize, Sender<Chunk>)>,
) -> anyhow::Result<()> {
    let mut feeds = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some((index, to)) = asked.recv() => feeds.push(feed_one(app, &objects[index], to)),
            Some(fed) = feeds.next() => fed?,
            else => return Ok(()),
        }
    }
}

/// Sends one object. Stops early, without an error, when nobody listens any more.
async fn feed_one(app: &App, object: &SourceObject, to: Sender<Chunk>) -> anyhow::Result<()> {
    let mut body = app.catalog.lake.open(object).await?;
    while let Some(chunk) = body.chunk().await? {
        if to.send(Ok(chunk)).await.is_err() {
            return Ok(());
        }
    }
    _ = to.send(Ok(Bytes::new())).await;
    Ok(())
}

/// One object, as it arrives.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    chunks: Receiver<Chunk>,
    chunk: Bytes,
    ended: bool,
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && !self.ended {
            let next = self.chunks.blocking_recv();
            self.chunk = next
                .unwrap_or_else(|| Err(io::Error::other("the object was not sent to its end")))?;
            self.ended = self.chunk.is_empty();
        }
        let len = self.chunk.len().min(buf.len());
        self.chunk.copy_to_slice(&mut buf[..len]);
        Ok(len)
    }
}
