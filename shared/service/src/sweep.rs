//! Sweeping: what the janitor does about every export that is due, several at the same time, those that are
//! unfinished before those whose archives only have to be removed.

mod attend;

use std::time::Duration;

use cloud::{ArchiveBucket, DeliveryTable, Error, ExportQueue, ExportTable};
use export::{DueKind, ExportId, Workspace};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tracing::error;

use crate::FollowUp;

/// How many exports of each shard of the index are read at once.
const PER_SHARD: i32 = 100;
/// How many exports are attended to at the same time.
const AT_ONCE: usize = 16;
/// How much of its time a sweep leaves unused.
const MARGIN: Duration = Duration::from_secs(10);
/// How long an export is put off whose record this version cannot read.
const UNREADABLE_PUT_OFF: SignedDuration = SignedDuration::from_mins(15);

/// Sweeps.
#[derive(Clone, Debug)]
pub struct Sweeper {
    /// The records.
    pub exports: ExportTable,
    /// The queue of exports to build.
    pub queue: ExportQueue,
    /// Where archives are.
    pub archives: ArchiveBucket,
    /// What follows the end of an export.
    pub follow_up: FollowUp,
    /// The log of callbacks.
    pub deliveries: DeliveryTable,
}

/// What one sweep came to. Each field is a metric, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Exports that were due.
    pub due: usize,
    /// Exports of which something failed; they are due again later.
    pub broken: usize,
    /// Exports whose records cannot be read.
    pub unreadable: usize,
}

/// What came of attending to an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attended {
    Well,
    Broken,
    Unreadable,
}

impl Sweeper {
    /// Attends to everything that is due at `now`, until shortly before `ends`. One export that fails does not
    /// hold up the others.
    pub async fn sweep(&self, now: Timestamp, ends: Instant) -> anyhow::Result<Swept> {
        let mut swept = Swept::default();
        for kind in [DueKind::Unfinished, DueKind::Removal] {
            loop {
                let due = self.exports.due(kind, now, PER_SHARD).await?;
                self.attend_to_all(&due.exports, now, ends, &mut swept).await;
                if !due.more || left(ends).is_zero() {
                    break;
                }
            }
        }
        Ok(swept)
    }

    async fn attend_to_all(
        &self,
        due: &[(Workspace, ExportId)],
        now: Timestamp,
        ends: Instant,
        swept: &mut Swept,
    ) {
        let mut attended = stream::iter(due)
            .map(async |(workspace, id)| {
                // What there is no time for stays due.
                let time = left(ends);
                if time.is_zero() {
                    None
                } else {
                    Some(self.attend_within(workspace, *id, now, time).await)
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some(outcome) = attended.next().await {
            swept.due += usize::from(outcome.is_some());
            swept.broken += usize::from(outcome == Some(Attended::Broken));
            swept.unreadable += usize::from(outcome == Some(Attended::Unreadable));
        }
    }

    /// Attends to one export for no longer than `time`.
    async fn attend_within(
        &self,
        workspace: &Workspace,
        id: ExportId,
        now: Timestamp,
        time: Duration,
    ) -> Attended {
        let attended = timeout(time, self.attend(workspace, id, now)).await;
        let error = match attended.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(()) => return Attended::Well,
            Err(error) => error,
        };
        error!(export.id = %id, "failed to attend to export {id}: {error:#}");
        if !matches!(error.downcast_ref(), Some(Error::Unreadable(_))) {
            return Attended::Broken;
        }
        let later = now + UNREADABLE_PUT_OFF;
        if let Err(e) = self.exports.put_off_unreadable(workspace, id, later).await {
            error!(export.id = %id, "failed to {:#}", anyhow::Error::new(e));
        }
        Attended::Unreadable
    }
}

fn left(ends: Instant) -> Duration {
    ends.saturating_duration_since(Instant::now()).saturating_sub(MARGIN)
}

#[cfg(test)]
mod tests;
