//! What an export needs that is due.

use std::cell::Cell;

use anyhow::Context as _;
use export::{Delivery, Export, ExportId, Failure, FailureCode, State, Workspace};
use jiff::Timestamp;
use lambda_runtime::tracing::{error, info};

use crate::app::App;

/// Looks after an export, which may have changed since it was found to be due.
pub(crate) async fn one(
    app: &App,
    workspace: &Workspace,
    id: ExportId,
    now: Timestamp,
) -> anyhow::Result<()> {
    // The index may lag behind the record: what counts is the record.
    let was_due = Cell::new(false);
    let change = |export: &Export| {
        was_due.set(export.due().is_some_and(|due| due <= now));
        was_due.get().then(|| next(export, now)).flatten()
    };
    let Some(export) = app.exports.change(workspace, id, change).await? else { return Ok(()) };
    if !was_due.get() {
        return Ok(());
    }
    let Err(e) = see_to(app, &export, now).await else { return Ok(()) };
    if export.status(now).is_unfinished() {
        return Err(e);
    }
    // So that what fails again and again does not stand before the rest.
    let put_off = |export: &Export| export.due().map(|_| export.postpone(now));
    app.exports.change(workspace, id, put_off).await.context("put off what failed")?;
    Err(e)
}

/// Does what is to be done about an export as it is now.
async fn see_to(app: &App, export: &Export, now: Timestamp) -> anyhow::Result<()> {
    let id = export.id;
    let removed = match &export.state {
        State::Queued { .. } | State::Running { .. } => {
            if export.due() > Some(now) && wants_builder(export, now) {
                app.queue.send(export, 0).await?;
                info!(export.id = %id, "asked again for export {id} to be built");
            }
            return Ok(());
        }
        State::Expired { removed: false, .. } | State::Deleted { removed: false, .. } => {
            remove(app, export).await
        }
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Deleted { .. } => Ok(()),
    };
    let followed = app.outbox.try_follow_up(export).await;
    if followed.is_err() {
        give_up_callback(app, export, now).await?;
    }
    Ok(removed.and(followed)?)
}

/// Removes the archive of an export whose time is over.
async fn remove(app: &App, export: &Export) -> cloud::Result<()> {
    app.archives.remove(export).await?;
    app.exports.change(&export.workspace, export.id, Export::removed).await?;
    info!(export.id = %export.id, "removed the archive of export {}", export.id);
    Ok(())
}

/// Gives up a callback that could not be handed over for too long, and writes that down for its user.
async fn give_up_callback(app: &App, export: &Export, now: Timestamp) -> anyhow::Result<()> {
    if export.callback_given_up(now).is_none() {
        return Ok(());
    }
    let error = "It was given up: for 24 hours it could not be handed to what posts it, for a fault on our \
                 side. POST to the deliveries of this export to have it posted.";
    let row = Delivery {
        at: now,
        attempt: 1,
        duration_ms: 0,
        status: None,
        answer: None,
        error: Some(error.to_owned()),
        next_at: None,
    };
    // First the row: without it, nobody would be told.
    app.deliveries.add(&export.workspace, export.id, &row).await?;
    let given_up = |export: &Export| export.callback_given_up(now);
    app.exports.change(&export.workspace, export.id, given_up).await?;
    error!(export.id = %export.id, "failed to have the callback of export {} posted within a day", export.id);
    Ok(())
}

/// What becomes of an export that is due; none if it stays as it is.
fn next(export: &Export, now: Timestamp) -> Option<Export> {
    match &export.state {
        State::Queued { .. } | State::Running { .. } if export.deadline <= now => {
            Some(export.fail(now, too_late(export)))
        }
        State::Running { lease, .. } if !lease.released => Some(export.after_death(now)),
        State::Queued { .. } | State::Running { .. } => Some(export.with_message_resent(now)),
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
    use export::{COPY_LEASE, ExportRequest, Format, RESEND_AFTER, Status, TableSelection, Window};
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
        let lapsed = NOW + COPY_LEASE;
        let again = next(&queued().claim(NOW).unwrap(), lapsed).unwrap();

        assert!(wants_builder(&again, lapsed) && again.due() > Some(lapsed));
        assert_eq!((again.deaths, again.failures), (1, 0));
        assert!(again.claim(lapsed).is_ok());
        let waited = again.due().unwrap();
        assert_eq!(
            next(&again, waited).unwrap().deaths,
            1,
            "waiting in the queue is nobody's death"
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
