//! Source objects stream in, segments stream out, in bounded memory.

use std::{io, ops::Range};

use anyhow::Context as _;
use archive::Extent;
use cloud::PieceWriter;
use export::SourceObject;
use lake::{
    Encoding, InputObject, Needs, ObjectError, Pipeline, PlannedObject, RunOutput, Selection,
};
use tokio::sync::mpsc;

use crate::{
    app::App,
    report::Content,
    sources::{ObjectOpener, feed},
    watch::Watch,
};

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

/// Looks at objects in a way that makes nothing: `work` gets them, and what opens them.
pub(crate) async fn look<T: Send + 'static>(
    app: &App,
    planned: &[PlannedObject],
    needs: Needs,
    watch: &mut Watch,
    work: impl FnOnce(&[InputObject], &ObjectOpener) -> Result<T, ObjectError> + Send + 'static,
) -> anyhow::Result<T> {
    let sources: Vec<SourceObject> = planned.iter().map(|one| one.object.clone()).collect();
    let objects: Vec<InputObject> = planned.iter().map(PlannedObject::to_input).collect();
    let (opener, asked) = ObjectOpener::new(needs, planned.to_vec());
    let looking = tokio::task::spawn_blocking(move || work(&objects, &opener));
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
    let (opener, asked) = ObjectOpener::new(task.selection.needs(), task.objects.clone());
    let (output, mut outputs) = mpsc::channel::<(usize, Extent<usize>)>(STRETCHES);
    let workers = app.workers;
    let pouring = tokio::task::spawn_blocking(move || {
        let objects: Vec<InputObject> = task.objects.iter().map(PlannedObject::to_input).collect();
        let (selection, objects) = (&task.selection, &objects[..]);
        let pour = Pipeline { selection, objects, runs: task.runs, encoding: task.pack, workers };
        // Dropped with the work: nobody asks any more then.
        let opener = opener;
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
