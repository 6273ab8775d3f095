//! Looks at a bucket, and suggests a catalog for what is in it.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    sync::Arc,
};

use ::suggest::{Options, Sample, Suggestion, Survey};
use anyhow::{Context as _, bail};
use bytes::Bytes;
use cloud::Lake;
use columnar::{Ranges, Rows, Wanted, is_named_parquet, is_parquet};
use export::{BucketName, SourceObject, Workspace};
use futures_util::{StreamExt as _, stream};
use tokio::runtime::Handle;

use crate::app::App;

/// How much is read of an object, as stored, and of the rows of Parquet, in bytes.
const MAX_SAMPLE_BYTES: u64 = 1 << 20;
/// Objects that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Place {
    /// One of the buckets of the catalog; none for that of the lake.
    pub(crate) bucket: Option<BucketName>,
    /// What the keys begin with.
    pub(crate) prefix: String,
    /// Whose rows they are where nothing else says it.
    pub(crate) workspace: Option<Workspace>,
}

/// Suggests a catalog for what is at a place.
pub(crate) async fn suggest(app: &App, place: Place) -> anyhow::Result<Suggestion> {
    let Place { bucket, prefix, workspace } = place;
    // Without another bucket, the catalog does not matter: it may be wrong, or not be there yet.
    let (lake, described) = match &bucket {
        None => (app.open_lake()?, None),
        Some(name) => {
            let catalog = app.open_catalog().await?;
            let Some(found) = catalog.buckets().find(|known| known.name == *name).cloned() else {
                bail!(
                    "look at bucket {name}: the catalog has no [[bucket]] of that name. Add it, with its role if it has one"
                );
            };
            (catalog.lake.clone(), Some(found))
        }
    };
    let surveyed = lake.survey(bucket.as_ref(), &prefix).await?;
    let survey = Survey::of(surveyed.objects);
    let wanted: Vec<SourceObject> = survey.wanted().into_iter().cloned().collect();
    let samples: BTreeMap<String, Sample> = stream::iter(wanted)
        .map(async |object| {
            let sample = sample(&lake, &object).await;
            (object.key, sample)
        })
        .buffer_unordered(MAX_CONCURRENT_READS)
        .collect()
        .await;
    let options = Options { workspace, bucket: described, is_part: !surveyed.is_whole };
    Ok(survey.suggest(&samples, &options))
}

/// Reads what an object begins with.
async fn sample(lake: &Lake, object: &SourceObject) -> Sample {
    let read = read(lake, object).await;
    read.unwrap_or_else(|error| Sample::Unreadable(format!("{error:#}")))
}

async fn read(lake: &Lake, object: &SourceObject) -> anyhow::Result<Sample> {
    let head = lake.read(object, 0, object.size_bytes.min(MAX_SAMPLE_BYTES)).await?;
    let head = head.collect().await?;
    if !is_named_parquet(&object.key) && !is_parquet(&head) {
        return Ok(Sample::Stored(head.into()));
    }
    let file = RemoteFile { lake: lake.clone(), object: object.clone(), handle: Handle::current() };
    let rows = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        let rows = Rows::open(Arc::new(file), Wanted::default())?;
        rows.take(MAX_SAMPLE_BYTES).read_to_end(&mut lines)?;
        Ok::<_, io::Error>(lines)
    });
    Ok(Sample::Parquet(rows.await.context("read Parquet")??))
}

/// An object of which ranges are read, on a thread that may wait.
struct RemoteFile {
    lake: Lake,
    object: SourceObject,
    handle: Handle,
}

impl Ranges for RemoteFile {
    fn size(&self) -> u64 {
        self.object.size_bytes
    }

    fn read(&self, offset: u64, len: u64) -> io::Result<Bytes> {
        let read = async { self.lake.read(&self.object, offset, len).await?.collect().await };
        self.handle.block_on(read).map_err(io::Error::other)
    }
}
