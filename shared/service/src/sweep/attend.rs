//! What is done about one export that is due.

use std::cell::Cell;

use anyhow::Context as _;
use export::{Delivery, Export, ExportId, Failure, FailureCode, State, Workspace};
use jiff::Timestamp;
use tracing::{error, info};

use super::Sweeper;

impl Sweeper {
    /// Does what is due about an export, which may have changed since it was found to be due.
    pub(super) async fn attend(
        &self,
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
        let changed = self.exports.change(workspace, id, change).await?;
        let Some(export) = changed.filter(|_| was_due.get()) else { return Ok(()) };
        let Err(e) = self.act_on(&export, now).await else { return Ok(()) };
        // So that what fails again and again does not stand before the rest, and an export whose message could not
        // be sent does not wait as long as if it had been.
        let put_off = |export: &Export| {
            export.due()?;
            export.with_message_unsent(now).or_else(|| Some(export.postpone(now)))
        };
        self.exports.change(workspace, id, put_off).await.context("put off what failed")?;
        Err(e)
    }

    /// Does what an export needs as it is now.
    async fn act_on(&self, export: &Export, now: Timestamp) -> anyhow::Result<()> {
        let id = export.id;
        let removed = match &export.state {
            State::Queued { .. } | State::Running { .. } => {
                if export.due() > Some(now) && wants_builder(export, now) {
                    self.queue.send(export, 0).await?;
                    info!(export.id = %id, "asked again for export {id} to be built");
                }
                return Ok(());
            }
            State::Expired { removed: false, .. } | State::Deleted { removed: false, .. } => {
                self.remove_archive(export).await
            }
            State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Deleted { .. } => Ok(()),
        };
        let followed = self.follow_up.try_run(export).await;
        if followed.is_err() {
            self.give_up_callback(export, now).await?;
        }
        Ok(removed.and(followed)?)
    }

    /// Removes the archive of an export that has expired or was deleted.
    async fn remove_archive(&self, export: &Export) -> cloud::Result<()> {
        self.archives.remove(export).await?;
        self.exports.change(&export.workspace, export.id, Export::removed).await?;
        info!(export.id = %export.id, "removed the archive of export {}", export.id);
        Ok(())
    }

    /// Gives up a callback that could not be handed over for a day, and logs that for its user.
    async fn give_up_callback(&self, export: &Export, now: Timestamp) -> anyhow::Result<()> {
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
        // The log comes first: without it, nobody would learn of it.
        self.deliveries.add(&export.workspace, export.id, &row).await?;
        let given_up = |export: &Export| export.callback_given_up(now);
        self.exports.change(&export.workspace, export.id, given_up).await?;
        error!(export.id = %export.id, "failed to have the callback of export {} posted within a day", export.id);
        Ok(())
    }
}

/// Returns what an export that is due becomes; `None` if it stays as it is.
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

/// Tells whether no builder has the export.
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
        Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            "acme".parse().unwrap(),
            request,
            NOW,
            DAY,
        )
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
