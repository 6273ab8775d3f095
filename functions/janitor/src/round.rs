//! One round over all that is due: several exports at the same time, what is unfinished before what only
//! has to be removed.

use std::time::{Duration, Instant};

use cloud::Error;
use export::{DueKind, ExportId, Workspace};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::error;
use serde::Serialize;
use tokio::time::timeout;

use crate::{app::App, care};

/// How many exports of each shard of the index are read at once.
const PER_SHARD: i32 = 100;
/// How many exports are looked after at the same time.
const AT_ONCE: usize = 16;
/// How much of its time a round leaves unused.
const MARGIN: Duration = Duration::from_secs(10);
/// How long an export is put off whose record this version cannot read.
const UNREADABLE_PUT_OFF: SignedDuration = SignedDuration::from_mins(15);

/// What one round came to. Each field is a metric, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Round {
    /// Exports that were due.
    pub(crate) due: usize,
    /// Exports whose care broke; they are due again later.
    pub(crate) broken: usize,
    /// Exports whose records cannot be read.
    pub(crate) unreadable: usize,
}

/// How the care of an export went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    Well,
    Broke,
    Unreadable,
}

/// Looks after everything that is due at `now`, until shortly before `ends`. One export that fails does not
/// hold up the others.
pub(crate) async fn round(app: &App, now: Timestamp, ends: Instant) -> anyhow::Result<Round> {
    let mut round = Round::default();
    for kind in [DueKind::Unfinished, DueKind::Removal] {
        loop {
            let due = app.exports.due(kind, now, PER_SHARD).await?;
            look_after(app, &due.exports, now, ends, &mut round).await;
            if !due.more || left(ends).is_zero() {
                break;
            }
        }
    }
    Ok(round)
}

async fn look_after(
    app: &App,
    due: &[(Workspace, ExportId)],
    now: Timestamp,
    ends: Instant,
    round: &mut Round,
) {
    let mut looked_after = stream::iter(due)
        .map(async |(workspace, id)| {
            // What is not come to stays due.
            let time = left(ends);
            if time.is_zero() { None } else { Some(within(app, workspace, *id, now, time).await) }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(went) = looked_after.next().await {
        round.due += usize::from(went.is_some());
        round.broken += usize::from(went == Some(Went::Broke));
        round.unreadable += usize::from(went == Some(Went::Unreadable));
    }
}

/// Looks after one export for no longer than `time`.
async fn within(
    app: &App,
    workspace: &Workspace,
    id: ExportId,
    now: Timestamp,
    time: Duration,
) -> Went {
    let cared = timeout(time, care::one(app, workspace, id, now)).await;
    let error = match cared.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(()) => return Went::Well,
        Err(error) => error,
    };
    error!(export.id = %id, "failed to look after export {id}: {error:#}");
    if !matches!(error.downcast_ref(), Some(Error::Unreadable(_))) {
        return Went::Broke;
    }
    if let Err(e) = app.exports.put_off_unreadable(workspace, id, now + UNREADABLE_PUT_OFF).await {
        error!(export.id = %id, "failed to {:#}", anyhow::Error::new(e));
    }
    Went::Unreadable
}

fn left(ends: Instant) -> Duration {
    ends.saturating_duration_since(Instant::now()).saturating_sub(MARGIN)
}

#[cfg(test)]
mod tests;
