//! Copying the files of an export into a bucket of its user, one after the other, safe to stop at any point.

mod pieces;

use std::{cell::Cell, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{ArchiveBucket, CustomerBucket, ExportTable, Job, KmsCipher, PutError, Queue, Refused};
use export::{
    COPY_LEASE, CopyState, CopyTarget, Export, MAX_FAILED_FILES, StoredFile, external_id,
};
use futures_util::stream;
use serde::Serialize;
use tokio::time::Instant;
use tracing::{error, info};

use self::pieces::{piece_size, pieces};
use crate::{Clock, FollowUp, Outcome};

/// With less time than this, no further file is begun.
const MIN_TIME_LEFT: Duration = Duration::from_mins(5);
/// How long before the end of its time a courier gives a file up.
const MARGIN: Duration = Duration::from_secs(30);
/// The content type of files that are compressed on the way.
const GZIP: &str = "application/gzip";
const JSON: &str = "application/json";

/// Another courier copies the files now, or nobody does any more.
#[derive(Debug, thiserror::Error)]
#[error("go on with a copy that another courier has")]
struct Lost;

/// What came of copying files.
enum Copied {
    /// All of them were dealt with.
    All,
    /// There is not enough time for the next.
    Some,
    /// Trying the others makes no sense, and why.
    GivenUp(String),
}

/// The last file that is written: the list of the others, and the key of the receipt.
#[derive(Serialize)]
struct Manifest {
    export: String,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// Copies the files of exports.
#[derive(Clone, Debug)]
pub struct Copier {
    /// The records.
    pub exports: ExportTable,
    /// Where archives are.
    pub archives: ArchiveBucket,
    /// The queue of copies.
    pub queue: Queue,
    /// What follows the end of a copy.
    pub follow_up: FollowUp,
    /// The key that opens users' credentials.
    pub seal: KmsCipher,
    /// What clients of users' buckets are made from.
    pub aws: SdkConfig,
    /// The time.
    pub clock: Clock,
}

impl Copier {
    /// Copies what is left of an export's files until `ends`.
    pub async fn copy(&self, job: &Job, ends: Instant) -> anyhow::Result<Outcome> {
        let now = self.clock.now();
        let fence = Cell::new(None);
        let claim = |export: &Export| {
            let claimed = export.copy_claimed(now)?;
            fence.set(claimed.copy_fence());
            Some(claimed)
        };
        let Some(export) = self.exports.change(&job.workspace, job.export, claim).await? else {
            return Ok(Outcome::ComeBack {
                seconds: 5,
                reason: "there is no such export, or not yet",
            });
        };
        // A claim that was stored, but whose answer was lost, is known by its end.
        let ours = (fence.get(), Some(now + COPY_LEASE));
        if fence.get().is_none() || (export.copy_fence(), export.copy_held_until()) != ours {
            // Another courier is at it, or it is over; if it was just given up, a callback may be due.
            self.follow_up.run(&export).await;
            return Ok(Outcome::Done);
        }
        match self.copy_claimed(&export, ends).await {
            Ok(()) => Ok(Outcome::Done),
            Err(error) if error.is::<Lost>() => Ok(Outcome::Done),
            Err(error) => {
                error!(export.id = %export.id, "failed to {error:#}");
                let attempts = export.copy.as_ref().map_or(0, |copy| copy.attempts);
                self.change(&export, |e| e.copy_freed(self.clock.now())).await?;
                let seconds = 5 << attempts.min(8);
                Ok(Outcome::ComeBack { seconds, reason: "the attempt failed and is made again" })
            }
        }
    }

    /// Copies what there is time for. Then others go on, or what follows the copy is done.
    async fn copy_claimed(&self, export: &Export, ends: Instant) -> anyhow::Result<()> {
        let copied = match self.open(export).await? {
            Ok(bucket) => self.copy_files(export, &bucket, ends).await?,
            Err(refused) if refused.of_all => Copied::GivenUp(refused.detail),
            Err(refused) => return Err(refused.into()),
        };
        let failure = match copied {
            Copied::Some => {
                self.change(export, |e| e.copy_freed(self.clock.now())).await?;
                self.queue.send(&Job::of(export), &export.workspace, 0).await?;
                return Ok(());
            }
            Copied::All => None,
            Copied::GivenUp(detail) => Some(detail),
        };
        let end = |e: &Export| e.copy_ended(self.clock.now(), failure.clone());
        let ended = self.change(export, end).await?;
        let files = ended.copy.as_ref().map_or((0, 0), |copy| (copy.copied(), copy.failed.len()));
        info!(
            export.id = %export.id, failed = failure.is_some() || files.1 > 0, copied = files.0,
            failed_files = files.1, "ended the copy of export {}", export.id
        );
        self.follow_up.run(&ended).await;
        Ok(())
    }

    /// Opens the user's bucket.
    async fn open(&self, export: &Export) -> anyhow::Result<Result<CustomerBucket, Refused>> {
        let copy = export.copy.as_ref().ok_or(Lost)?;
        let CopyState::Running { credential, .. } = &copy.state else { return Err(Lost.into()) };
        let opener = self.seal.opener(export, credential).await?;
        let (bucket, id) = (copy.target.bucket.clone(), external_id(&export.workspace));
        Ok(CustomerBucket::open(&self.aws, bucket, opener, &id).await)
    }

    /// Copies files until the last, or until time is up.
    async fn copy_files(
        &self,
        export: &Export,
        bucket: &CustomerBucket,
        ends: Instant,
    ) -> anyhow::Result<Copied> {
        let copy = export.copy.as_ref().ok_or(Lost)?;
        let (target, files) = (&copy.target, export.files_to_copy());
        let mut failed = copy.failed.len();
        for file in files.iter().skip(copy.done as usize) {
            let left = ends.saturating_duration_since(Instant::now());
            if left < MIN_TIME_LEFT {
                return Ok(Copied::Some);
            }
            let written = self.copy_file(bucket, target, file, left.saturating_sub(MARGIN));
            let failure = match written.await {
                Ok(()) => None,
                Err(PutError::Source(e)) => return Err(e.into()),
                Err(PutError::Refused(refused)) if refused.of_all || failed >= MAX_FAILED_FILES => {
                    return Ok(Copied::GivenUp(refused.detail));
                }
                Err(PutError::Refused(refused)) => Some(refused.detail),
                Err(PutError::TooSlow) => {
                    let detail = format!(
                        "{} takes longer to copy than there is time. Export it as files, with the layout \
                         \"files\", of which each takes less.",
                        file.name
                    );
                    return Ok(Copied::GivenUp(detail));
                }
            };
            failed += usize::from(failure.is_some());
            self.change(export, |e| e.copy_advanced(failure.as_deref())).await?;
        }
        if !target.manifest || failed > 0 {
            return Ok(Copied::All);
        }
        let manifest = manifest(export, target, &files).context("write the manifest")?;
        let left = ends.saturating_duration_since(Instant::now());
        match self.write_last(export, bucket, target, manifest, left).await {
            Ok(()) => Ok(Copied::All),
            Err(PutError::Refused(refused)) => Ok(Copied::GivenUp(refused.detail)),
            Err(e @ PutError::TooSlow) => Err(e.into()),
            Err(PutError::Source(e)) => Err(e.into()),
        }
    }

    /// Copies the receipt, and writes the manifest, which says that all is there.
    async fn write_last(
        &self,
        export: &Export,
        bucket: &CustomerBucket,
        target: &CopyTarget,
        manifest: Vec<u8>,
        left: Duration,
    ) -> Result<(), PutError> {
        if let Some(receipt) = export.receipt_to_copy() {
            self.copy_file(bucket, target, &receipt, left.saturating_sub(MARGIN)).await?;
        }
        let key = format!("{}{}.manifest.json", target.prefix, export.id);
        bucket.put(&key, JSON, stream::iter([Ok(manifest.into())]), MARGIN).await
    }

    async fn copy_file(
        &self,
        bucket: &CustomerBucket,
        target: &CopyTarget,
        file: &StoredFile,
        within: Duration,
    ) -> Result<(), PutError> {
        let (size, body) = self.archives.open(&file.key).await?;
        let kind = if target.gzip { GZIP } else { file.kind };
        let pieces = pieces(body, piece_size(size), target.gzip);
        bucket.put(&target.key(&file.name), kind, pieces, within).await
    }

    /// Changes the export while this courier has its copy, by the number it was claimed with.
    async fn change(
        &self,
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
        let after = self.exports.change(&claimed.workspace, claimed.id, held).await?;
        after.filter(|_| changed.get()).ok_or_else(|| Lost.into())
    }
}

/// Returns the list of the files that were copied.
fn manifest(
    export: &Export,
    target: &CopyTarget,
    files: &[StoredFile],
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Manifest {
        export: export.id.to_string(),
        files: files.iter().map(|file| target.key(&file.name)).collect(),
        receipt: export.receipt_to_copy().map(|receipt| target.key(&receipt.name)),
    })
}

#[cfg(test)]
mod tests;
