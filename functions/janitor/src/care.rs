//! What an export needs that is due.

use export::{Export, ExportId, Failure, FailureCode, State, Workspace};
use jiff::Timestamp;
use lambda_runtime::tracing::{error, info};
use serde::Serialize;

use crate::app::App;

/// How many exports of each shard of the index one round looks at.
const PER_SHARD: i32 = 100;

/// What one round came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Round {
    /// Exports that were due.
    due: usize,
    /// Exports whose care broke; they stay due.
    broken: usize,
}

/// Looks after everything that is due at `now`. One export that fails does not hold up the others.
pub(crate) async fn round(app: &App, now: Timestamp) -> anyhow::Result<Round> {
    let due = app.exports.due(now, PER_SHARD).await?;
    let mut round = Round { due: due.len(), broken: 0 };
    for (workspace, id) in due {
        if let Err(e) = one(app, &workspace, id, now).await {
            error!(export.id = %id, "failed to {:#}", e.context(format!("look after export {id}")));
            round.broken += 1;
        }
    }
    Ok(round)
}

async fn one(app: &App, workspace: &Workspace, id: ExportId, now: Timestamp) -> anyhow::Result<()> {
    // The index may lag behind the record: what counts is the record.
    let due = |export: &Export| export.due().is_some_and(|due| due <= now);
    let change = |export: &Export| due(export).then(|| next(export, now)).flatten();
    let Some(export) = app.exports.change(workspace, id, change).await? else { return Ok(()) };

    match &export.state {
        State::Queued { .. } | State::Running { .. }
            if export.due() > Some(now) && wants_builder(&export, now) =>
        {
            app.queue.send(&export, 0).await?;
            info!(export.id = %id, "asked again for export {id} to be built");
        }
        State::Expired { removed: false, .. } | State::Deleted { removed: false, .. } => {
            app.archives.remove(&export).await?;
            app.exports.change(workspace, id, Export::removed).await?;
            info!(export.id = %id, "removed the archive of export {id}");
        }
        _ => {}
    }
    if !export.status(now).is_unfinished() {
        app.outbox.follow_up(&export).await;
    }
    Ok(())
}

/// What becomes of an export that is due; none if it stays as it is.
fn next(export: &Export, now: Timestamp) -> Option<Export> {
    match &export.state {
        State::Queued { .. } | State::Running { .. } if export.deadline <= now => {
            Some(export.fail(now, too_late(export)))
        }
        State::Running { lease, .. } if !lease.released => Some(export.broken(now, now)),
        State::Queued { .. } | State::Running { .. } => Some(export.resent(now)),
        State::Succeeded { .. } => export.expire(now).or_else(|| export.copy_resent(now)),
        State::Failed { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Deleted { .. } => None,
    }
}

/// Tells whether nobody holds the export.
fn wants_builder(export: &Export, now: Timestamp) -> bool {
    match &export.state {
        State::Queued { .. } => true,
        State::Running { lease, .. } => lease.released && lease.until <= now,
        _ => false,
    }
}

fn too_late(export: &Export) -> Failure {
    let detail = format!(
        "The export was not done by its deadline, {}. Create it again, with a shorter window or \
         fewer tables; if it keeps failing, ask your operator, naming this export's id.",
        export.deadline
    );
    Failure { code: FailureCode::DeadlineExceeded, detail }
}

#[cfg(test)]
mod tests {
    use export::{ExportRequest, Format, LEASE, RESEND_AFTER, Status, TableSelection, Window};
    use jiff::SignedDuration;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn queued() -> Export {
        let (tables, window) = (vec![TableSelection::whole("t")], Window::new(NOW, NOW + DAY));
        let request = ExportRequest::new(tables, window.unwrap(), Format::Jsonl);
        Export::queued(ExportId::generate(), "acme".parse().unwrap(), request, NOW, DAY)
    }

    #[test]
    fn a_lost_message_is_sent_again_and_the_wait_is_no_failure() {
        let later = NOW + RESEND_AFTER;
        let again = next(&queued(), later).unwrap();

        assert!(wants_builder(&again, later) && again.due() > Some(later));
        assert_eq!(again.failures, 0);
    }

    #[test]
    fn a_builder_that_died_is_replaced_and_counted() {
        let lapsed = NOW + LEASE;
        let again = next(&queued().claim(NOW).unwrap(), lapsed).unwrap();

        assert!(wants_builder(&again, lapsed) && again.due() > Some(lapsed));
        assert_eq!(again.failures, 1);
        assert!(again.claim(lapsed).is_ok());
        let waited = again.due().unwrap();
        assert_eq!(
            next(&again, waited).unwrap().failures,
            1,
            "waiting in the queue is nobody's failure"
        );
    }

    #[test]
    fn an_export_past_its_deadline_fails_with_a_reason() {
        for export in [queued(), queued().claim(NOW).unwrap()] {
            let ended = next(&export, NOW + DAY).unwrap();
            assert_eq!(ended.status(NOW), Status::Failed);
            assert!(
                matches!(ended.state, State::Failed { failure, .. } if failure.code == FailureCode::DeadlineExceeded)
            );
        }
    }
}
