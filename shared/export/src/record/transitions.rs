//! Every way an export may change: each method returns the record's next version.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    ARCHIVE_LIFETIME, Archive, BUILD_LEASE, Backoff, ClaimError, Export, FIRST_BACKOFF, Failure,
    Lane, Lease, MAX_BACKOFF, MAX_DEATHS, MAX_FAILURES, MAX_RESEND_PAUSE, Origin, RESEND_AFTER,
    STEP_TIMEOUT, State,
};
use crate::{ExportId, ExportRequest, Workspace};

impl Export {
    /// Returns a new export that waits for a builder, and fails if it has not ended `time_limit` after `now`.
    pub fn queued(
        id: ExportId,
        workspace: Workspace,
        request: ExportRequest,
        now: Timestamp,
        time_limit: SignedDuration,
    ) -> Self {
        Self {
            id,
            workspace,
            request,
            lane: None,
            origin: None,
            next_called: false,
            callback: None,
            copy: None,
            created_at: now,
            deadline: now + time_limit,
            version: 1,
            leases: 0,
            failures: 0,
            deaths: 0,
            steps_total: 0,
            steps_done: BTreeSet::new(),
            rows: 0,
            bytes: 0,
            backoff: None,
            state: State::Queued { resend_at: now + RESEND_AFTER },
        }
    }

    /// Adds the export to a lane, where exports are built one at a time.
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// Adds how the export was requested, for dialects that show that later.
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Hides the export from its dialect. It is also cancelled if it has not ended, or deleted if it has an
    /// archive.
    pub fn discard(&self, now: Timestamp) -> Self {
        let ended = self.cancel(now).or_else(|| self.delete(now));
        Self { origin: None, ..ended.unwrap_or_else(|| self.next_version()) }
    }

    /// Gives the export to a builder for [`BUILD_LEASE`]. Fails while another builder holds it.
    pub fn claim(&self, now: Timestamp) -> Result<Self, ClaimError> {
        let started_at = match &self.state {
            State::Queued { .. } => now,
            State::Running { lease, .. } if now < lease.until => {
                return Err(ClaimError::Held { until: lease.until });
            }
            State::Running { started_at, .. } => *started_at,
            State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Deleted { .. } => return Err(ClaimError::Finished),
        };
        let number = self.leases + 1;
        let until = now + BUILD_LEASE;
        let lease = Lease { number, until, released: false, look_at: until };
        Ok(Self { leases: number, ..self.with_state(State::Running { started_at, lease }) })
    }

    /// Sets how many steps the plan has.
    pub fn planned(&self, steps: u32) -> Self {
        Self { steps_total: steps, ..self.next_version() }
    }

    /// Gives the lease back: the next builder may claim the export from `from` on.
    pub fn release(&self, from: Timestamp) -> Self {
        match &self.state {
            State::Running { started_at, lease } => {
                let lease =
                    Lease { until: from, released: true, look_at: from + RESEND_AFTER, ..*lease };
                self.with_state(State::Running { started_at: *started_at, lease })
            }
            _ => self.next_version(),
        }
    }

    /// Gives the lease back after the steps were sent to other builders, which have [`STEP_TIMEOUT`] to report
    /// the next one.
    pub fn dispatched(&self, now: Timestamp) -> Self {
        let mut next = self.release(now);
        if let State::Running { lease, .. } = &mut next.state {
            lease.look_at = now + STEP_TIMEOUT;
        }
        next
    }

    /// Counts a builder that died. The export can be claimed again at once, or fails if this was death
    /// [`MAX_DEATHS`].
    pub fn after_death(&self, now: Timestamp) -> Self {
        let deaths = self.deaths + 1;
        if deaths < MAX_DEATHS {
            return Self { deaths, ..self.release(now) };
        }
        Self { deaths, ..self.fail(now, Failure::builders_died()) }
    }

    /// Counts an attempt that ended with an error. The export can be claimed again from `from` on, or fails if this was attempt
    /// [`MAX_FAILURES`].
    pub fn retry_or_fail(&self, now: Timestamp, from: Timestamp) -> Self {
        let failures = self.failures + 1;
        if failures < MAX_FAILURES {
            return Self { failures, ..self.release(from) };
        }
        Self { failures, ..self.fail(now, Failure::internal()) }
    }

    /// Schedules the next check after its message was sent again. The pauses grow with the export's age up to
    /// [`MAX_RESEND_PAUSE`], so that a long queue is not filled with repeated messages.
    pub fn with_message_resent(&self, now: Timestamp) -> Self {
        let age = now.duration_since(self.created_at);
        self.with_check_at(now + age.clamp(RESEND_AFTER, MAX_RESEND_PAUSE))
    }

    /// Schedules the next check after its message could not be sent again. `None` if the export has ended.
    pub fn with_message_unsent(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            State::Queued { .. } | State::Running { .. } => {
                Some(self.with_check_at(now + RESEND_AFTER))
            }
            _ => None,
        }
    }

    fn with_check_at(&self, next: Timestamp) -> Self {
        match &self.state {
            State::Queued { .. } => self.with_state(State::Queued { resend_at: next }),
            State::Running { started_at, lease } => {
                let lease = Lease { look_at: next, ..*lease };
                self.with_state(State::Running { started_at: *started_at, lease })
            }
            _ => self.next_version(),
        }
    }

    /// Publishes the archive, for [`ARCHIVE_LIFETIME`] from `now` on.
    pub fn succeed(&self, now: Timestamp, built: &Archive) -> Self {
        let archive =
            Archive { published_at: now, expires_at: now + ARCHIVE_LIFETIME, ..built.clone() };
        self.with_state(State::Succeeded { archive })
    }

    /// Ends the export without an archive.
    pub fn fail(&self, now: Timestamp, failure: Failure) -> Self {
        self.with_state(State::Failed { finished_at: now, failure })
    }

    /// Ends the export at its user's wish. `None` if it has ended already.
    pub fn cancel(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            State::Queued { .. } | State::Running { .. } => {
                Some(self.with_state(State::Cancelled { finished_at: now }))
            }
            _ => None,
        }
    }

    /// Ends the archive. `None` if there is none, or before [`Archive::removable_at`].
    pub fn expire(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Succeeded { archive } if archive.removable_at() <= now => {
                Some(self.with_state(State::Expired { archive: archive.clone(), removed: false }))
            }
            _ => None,
        }
    }

    /// Ends the archive at its user's wish. `None` if there is none.
    pub fn delete(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Succeeded { archive } => Some(self.with_state(State::Deleted {
                archive: archive.clone(),
                deleted_at: now,
                removed: false,
            })),
            _ => None,
        }
    }

    /// Notes that the objects of the archive were removed. `None` if none had to be.
    pub fn removed(&self) -> Option<Self> {
        let state = match self.state.clone() {
            State::Expired { archive, removed: false } => State::Expired { archive, removed: true },
            State::Deleted { archive, deleted_at, removed: false } => {
                State::Deleted { archive, deleted_at, removed: true }
            }
            _ => return None,
        };
        Some(Self { backoff: None, ..self.with_state(state) })
    }

    /// Notes that the next export of its lane was started. `None` if that is not due.
    pub fn with_next_called(&self) -> Option<Self> {
        self.next_call_due_since()?;
        Some(Self { next_called: true, backoff: None, ..self.next_version() })
    }

    /// Postpones the work that follows the export's end, because it has failed.
    pub fn postpone(&self, now: Timestamp) -> Self {
        let failures = self.backoff.map_or(0, |backoff| backoff.failures).saturating_add(1);
        let wait = FIRST_BACKOFF * 2_i32.pow(failures.saturating_sub(1).min(10));
        let backoff = Some(Backoff { failures, until: now + wait.min(MAX_BACKOFF) });
        Self { backoff, ..self.next_version() }
    }

    /// Returns the next version of the record, in which nothing else has changed yet.
    pub(crate) fn next_version(&self) -> Self {
        self.with_state(self.state.clone())
    }

    fn with_state(&self, state: State) -> Self {
        let copy = self.copy.clone().map(|copy| copy.beside(&state));
        // The work that a new state needs has not failed yet.
        let same = std::mem::discriminant(&state) == std::mem::discriminant(&self.state);
        let backoff = self.backoff.filter(|_| same);
        Self { version: self.version + 1, copy, backoff, state, ..self.clone() }
    }
}
