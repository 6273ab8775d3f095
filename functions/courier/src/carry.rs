//! Copying the files of one export, one after the other, safe to stop at any point.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use cloud::{CustomerBucket, Job, PutError, Refused};
use export::{
    COPY_LEASE, CopyState, CopyTarget, Export, MAX_FAILED_FILES, StoredFile, external_id,
};
use futures_util::stream;
use inbox::Outcome;
use lambda_runtime::tracing::{error, info};
use serde::Serialize;

use crate::{
    app::App,
    pieces::{piece_size, pieces},
};

/// With less time than this, no further file is begun.
const MIN_TIME_LEFT: Duration = Duration::from_mins(5);
/// How long before the end of its time a courier puts a file down.
const MARGIN: Duration = Duration::from_secs(30);
/// What files are stored as that are not as they were.
const GZIP: &str = "application/gzip";
const JSON: &str = "application/json";

/// The export's copy is no longer ours to carry.
#[derive(Debug, thiserror::Error)]
#[error("go on with a copy that is no longer ours")]
struct Lost;

/// What came of carrying files.
enum Carried {
    /// All of them were dealt with.
    All,
    /// There is not enough time for the next.
    Some,
    /// It makes no sense to go on, and why.
    GivenUp(String),
}

/// What is written last: the files that are there.
#[derive(Serialize)]
struct Manifest<'a> {
    export: String,
    files: Vec<&'a str>,
}

/// Copies what is left of an export's files until `ends`.
pub(crate) async fn run(app: &App, job: &Job, ends: Instant) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let fence = Cell::new(None);
    let claim = |export: &Export| {
        let claimed = export.copy_claimed(now)?;
        fence.set(claimed.copy_fence());
        Some(claimed)
    };
    let Some(export) = app.exports.change(&job.workspace, job.export, claim).await? else {
        return Ok(Outcome::ComeBack { seconds: 5, reason: "there is no such export, or not yet" });
    };
    // A claim that was stored, but whose answer was lost, is known by its end.
    let ours = (fence.get(), Some(now + COPY_LEASE));
    if fence.get().is_none() || (export.copy_fence(), export.copy_held_until()) != ours {
        // Another courier is at it, or it is over; if it was just given up, somebody may be told.
        app.follow_up.run(&export).await;
        return Ok(Outcome::Done);
    }
    match carry(app, &export, ends).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) if error.is::<Lost>() => Ok(Outcome::Done),
        Err(error) => {
            error!(export.id = %export.id, "failed to {error:#}");
            let attempts = export.copy.as_ref().map_or(0, |copy| copy.attempts);
            change(app, &export, |e| e.copy_freed(app.clock.now())).await?;
            let seconds = 5 << attempts.min(8);
            Ok(Outcome::ComeBack { seconds, reason: "the attempt broke and is made again" })
        }
    }
}

/// Copies what there is time for, and sees to what is next.
async fn carry(app: &App, export: &Export, ends: Instant) -> anyhow::Result<()> {
    let carried = match open(app, export).await? {
        Ok(bucket) => all_files(app, export, &bucket, ends).await?,
        Err(refused) if refused.of_all => Carried::GivenUp(refused.detail),
        Err(refused) => return Err(refused.into()),
    };
    let failure = match carried {
        Carried::Some => {
            change(app, export, |e| e.copy_freed(app.clock.now())).await?;
            app.queue.send(&Job::of(export), &export.workspace, 0).await?;
            return Ok(());
        }
        Carried::All => None,
        Carried::GivenUp(detail) => Some(detail),
    };
    let end = |e: &Export| e.copy_ended(app.clock.now(), failure.clone());
    let ended = change(app, export, end).await?;
    let files = ended.copy.as_ref().map_or((0, 0), |copy| (copy.copied(), copy.failed.len()));
    info!(
        export.id = %export.id, failed = failure.is_some() || files.1 > 0, copied = files.0,
        failed_files = files.1, "ended the copy of export {}", export.id
    );
    app.follow_up.run(&ended).await;
    Ok(())
}

/// Opens the user's bucket.
async fn open(app: &App, export: &Export) -> anyhow::Result<Result<CustomerBucket, Refused>> {
    let copy = export.copy.as_ref().ok_or(Lost)?;
    let CopyState::Running { credential, .. } = &copy.state else { return Err(Lost.into()) };
    let opener = app.seal.opener(export, credential).await?;
    let (bucket, id) = (copy.target.bucket.clone(), external_id(&export.workspace));
    Ok(CustomerBucket::open(&app.aws, bucket, opener, &id).await)
}

/// Copies files until the last, or until time is up.
async fn all_files(
    app: &App,
    export: &Export,
    bucket: &CustomerBucket,
    ends: Instant,
) -> anyhow::Result<Carried> {
    let copy = export.copy.as_ref().ok_or(Lost)?;
    let (target, files) = (&copy.target, export.files_to_copy());
    let mut failed = copy.failed.len();
    for file in files.iter().skip(copy.done as usize) {
        let left = ends.saturating_duration_since(Instant::now());
        if left < MIN_TIME_LEFT {
            return Ok(Carried::Some);
        }
        let written = one_file(app, bucket, target, file, left.saturating_sub(MARGIN));
        let failure = match written.await {
            Ok(()) => None,
            Err(PutError::Source(e)) => return Err(e.into()),
            Err(PutError::Refused(refused)) if refused.of_all || failed >= MAX_FAILED_FILES => {
                return Ok(Carried::GivenUp(refused.detail));
            }
            Err(PutError::Refused(refused)) => Some(refused.detail),
            Err(PutError::TooSlow) => {
                let detail = format!(
                    "{} takes longer to copy than there is time. Export it as files, with the layout \
                     \"files\", of which each takes less.",
                    file.name
                );
                return Ok(Carried::GivenUp(detail));
            }
        };
        failed += usize::from(failure.is_some());
        change(app, export, |e| e.copy_advanced(failure.as_deref())).await?;
    }
    if target.manifest && failed == 0 {
        return manifest(export, bucket, target, &files).await;
    }
    Ok(Carried::All)
}

async fn one_file(
    app: &App,
    bucket: &CustomerBucket,
    target: &CopyTarget,
    file: &StoredFile,
    within: Duration,
) -> Result<(), PutError> {
    let (size, body) = app.archives.open(&file.key).await?;
    let kind = if target.gzip { GZIP } else { file.kind };
    let pieces = pieces(body, piece_size(size), target.gzip);
    bucket.put(&target.key(&file.name), kind, pieces, within).await
}

/// Writes the list of what is there.
async fn manifest(
    export: &Export,
    bucket: &CustomerBucket,
    target: &CopyTarget,
    files: &[StoredFile],
) -> anyhow::Result<Carried> {
    let keys: Vec<String> = files.iter().map(|file| target.key(&file.name)).collect();
    let files = keys.iter().map(String::as_str).collect();
    let list = Manifest { export: export.id.to_string(), files };
    let list = serde_json::to_vec(&list).context("write the manifest")?;
    let key = format!("{}{}.manifest.json", target.prefix, export.id);
    match bucket.put(&key, JSON, stream::iter([Ok(list.into())]), MARGIN).await {
        Ok(()) => Ok(Carried::All),
        Err(PutError::Refused(refused)) => Ok(Carried::GivenUp(refused.detail)),
        Err(e @ PutError::TooSlow) => Err(e.into()),
        Err(PutError::Source(e)) => Err(e.into()),
    }
}

/// Changes the export while its copy is ours, by the number it was claimed with.
async fn change(
    app: &App,
    claimed: &Export,
    next: impl Fn(&Export) -> Option<Export>,
) -> anyhow::Result<Export> {
    let ours = claimed.copy_fence();
    let changed = Cell::new(false);
    let held = |e: &Export| {
        let next = (ours.is_some() && e.copy_fence() == ours).then(|| next(e)).flatten();
        changed.set(next.is_some());
        next
    };
    let after = app.exports.change(&claimed.workspace, claimed.id, held).await?;
    after.filter(|_| changed.get()).ok_or_else(|| Lost.into())
}
