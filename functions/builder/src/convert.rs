//! Source objects stream into the engine, and segments out of it, in bounded memory.

use std::{io, ops::Range};

use anyhow::Context as _;
use archive::Extent;
use cloud::PieceWriter;
use export::SourceObject;
use lake::{
    Encoding, InputObject, Needs, ObjectError, Pipeline, PlannedObject, RunOutput, Selection,
};
use service::LeaseWatch;
use sources::{ObjectOpener, feed};
use tokio::sync::mpsc;

use crate::{app::App, report::Content};

/// How many extents wait to be written, at most.
const MAX_WAITING_EXTENTS: usize = 2;

/// What is to be converted: see [`Pipeline`].
#[derive(Debug)]
pub(crate) struct Conversion {
    pub(crate) selection: Selection,
    pub(crate) objects: Vec<PlannedObject>,
    pub(crate) runs: Vec<Range<usize>>,
    pub(crate) encoding: Encoding,
}

/// The rows of a run, and where their bytes are.
pub(crate) type Run = (RunOutput, Vec<Content>);

/// Reads objects without writing anything: `work` gets them, and what opens them.
pub(crate) async fn scan<T: Send + 'static>(
    app: &App,
    planned: &[PlannedObject],
    needs: Needs,
    watch: &mut LeaseWatch,
    work: impl FnOnce(&[InputObject], &ObjectOpener) -> Result<T, ObjectError> + Send + 'static,
) -> anyhow::Result<T> {
    let sources: Vec<SourceObject> = planned.iter().map(|one| one.object.clone()).collect();
    let objects: Vec<InputObject> = planned.iter().map(PlannedObject::to_input).collect();
    let (opener, asked) = ObjectOpener::new(needs, planned.to_vec());
    let scanning = tokio::task::spawn_blocking(move || work(&objects, &opener));
    let fed = tokio::select! {
        fed = feed(&app.catalog.lake, &sources, asked) => fed.map_err(anyhow::Error::from),
        lost = watch.lost() => Err(lost),
    };
    match (fed, scanning.await.context("read source objects")?) {
        (Ok(()), Ok(found)) => Ok(found),
        (Err(error), Ok(_) | Err(ObjectError::Sink(_) | ObjectError::Unreadable { .. })) => {
            Err(error)
        }
        (_, Err(error)) => Err(error.into()),
    }
}

/// Reads, converts and writes at the same time.
pub(crate) async fn convert(
    app: &App,
    conversion: Conversion,
    piece: &mut PieceWriter,
    watch: &mut LeaseWatch,
) -> anyhow::Result<Vec<Run>> {
    let sources: Vec<SourceObject> =
        conversion.objects.iter().map(|planned| planned.object.clone()).collect();
    let mut contents = vec![Vec::new(); conversion.runs.len()];
    let (opener, asked) =
        ObjectOpener::new(conversion.selection.needs(), conversion.objects.clone());
    let (output, mut outputs) = mpsc::channel::<(usize, Extent<usize>)>(MAX_WAITING_EXTENTS);
    let workers = app.workers;
    let converting = tokio::task::spawn_blocking(move || {
        let objects: Vec<InputObject> =
            conversion.objects.iter().map(PlannedObject::to_input).collect();
        let (selection, objects) = (&conversion.selection, &objects[..]);
        let Conversion { runs, encoding, .. } = conversion;
        let pipeline = Pipeline { selection, objects, runs, encoding, workers };
        // Dropped with the work: nobody asks any more then.
        let opener = opener;
        pipeline.run(
            |index| opener.open(index),
            |run, extent| output.blocking_send((run, extent)).map_err(io::Error::other),
        )
    });

    let write = async {
        while let Some((run, extent)) = outputs.recv().await {
            if let Extent::Bytes(bytes) = &extent {
                piece.push(bytes).await?;
            }
            Content::push(&mut contents[run], &extent);
        }
        anyhow::Ok(())
    };
    let feed = async { anyhow::Ok(feed(&app.catalog.lake, &sources, asked).await?) };
    let streamed = tokio::select! {
        streamed = async { tokio::try_join!(feed, write) } => streamed.map(drop),
        lost = watch.lost() => Err(lost),
    };
    // Ends the conversion, which else would wait for somebody to take its output.
    drop(outputs);
    // What the decoder says is the cause; what the channels say then only follows from it.
    match (streamed, converting.await.context("convert")?) {
        (Ok(()), Ok(runs)) => Ok(runs.into_iter().zip(contents).collect()),
        (Err(error), Ok(_) | Err(ObjectError::Sink(_) | ObjectError::Unreadable { .. })) => {
            Err(error)
        }
        (_, Err(error)) => Err(error.into()),
    }
}
