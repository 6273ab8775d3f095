//! When the janitor has to look at an export, and for what.

use jiff::Timestamp;

use super::{DueKind, Export, FOLLOW_UP_AFTER, State};

impl Export {
    /// Returns when the janitor has to look at the export. `None` if nothing is left to do.
    pub fn due(&self) -> Option<Timestamp> {
        let follow_up = [self.callback_due_since(), self.next_call_due_since()];
        let follow_up = follow_up.into_iter().flatten().min().map(|since| since + FOLLOW_UP_AFTER);
        // The work that follows the end waits longer each time that it fails.
        let after = [self.removal_due(), follow_up].into_iter().flatten().min();
        let after = after.map(|at| self.backoff.map_or(at, |backoff| at.max(backoff.until)));
        [self.state_due(), self.copy_due(), after].into_iter().flatten().min()
    }

    /// Returns which kind of work is due next.
    pub fn due_kind(&self) -> DueKind {
        let ended = !self.status(self.created_at).is_unfinished();
        let awaited = [self.copy_due(), self.callback_due_since(), self.next_call_due_since()];
        let is_awaited = awaited.iter().any(Option::is_some);
        if ended && !is_awaited { DueKind::Removal } else { DueKind::Unfinished }
    }

    /// Returns since when the next export of its lane could have been started. `None` if it was, or if this
    /// export has not ended.
    pub fn next_call_due_since(&self) -> Option<Timestamp> {
        self.lane.as_ref().filter(|_| !self.next_called)?;
        self.ended_at()
    }

    /// Returns when the state itself needs the janitor.
    fn state_due(&self) -> Option<Timestamp> {
        match &self.state {
            State::Queued { resend_at } => Some(*resend_at.min(&self.deadline)),
            State::Running { lease, .. } => Some(lease.look_at.min(self.deadline)),
            State::Succeeded { archive } => Some(archive.removable_at()),
            State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Deleted { .. } => None,
        }
    }

    /// Returns since when the objects of its archive are to be removed.
    fn removal_due(&self) -> Option<Timestamp> {
        match &self.state {
            State::Expired { archive, removed: false } => Some(archive.removable_at()),
            State::Deleted { deleted_at, removed: false, .. } => Some(*deleted_at),
            State::Queued { .. }
            | State::Running { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { removed: true, .. }
            | State::Deleted { removed: true, .. } => None,
        }
    }
}
