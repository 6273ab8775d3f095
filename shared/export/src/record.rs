//! The record of one export, and every way it may change.
//!
//! ```text
//! Queued ──claim──▶ Running ──succeed──▶ Succeeded ──▶ Expired | Deleted
//!    │                │ ▲ │
//!    │         release┘ │ ├──fail──────▶ Failed
//!    └────────cancel────┴─┴────────────▶ Cancelled
//! ```
//!
//! A change returns the next version of the record. It is stored only where the stored version is
//! the one before, so of two writers one wins and the other learns that it lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BucketCopy, Callback, ExportId, ExportRequest, Files, Workspace};

/// How long an archive can be downloaded, from the moment it was published.
pub const ARCHIVE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How long the objects of an archive stay after its end: as long as a link is good for, so that what
/// is being downloaded is not taken away.
pub const REMOVAL_DELAY: SignedDuration = SignedDuration::from_mins(5);

/// How long a courier may hold the copy of an export, before another may take over.
///
/// Longer than a function may run and shorter than the queue hides a message. A test holds
/// `template.yaml` to that.
pub const LEASE: SignedDuration = SignedDuration::from_secs(960);

/// How long a builder holds an export, or steps of one, without renewing its lease, before another may take
/// over. So one that dies is noticed soon, however long builders may run.
pub const BUILD_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long an export waits for a builder before its message counts as lost, at least.
pub const RESEND_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How long it may take until the next step of a running export is done, before the janitor asks
/// again for those that are not: longer than a builder may hold steps.
pub const STEP_PATIENCE: SignedDuration = SignedDuration::from_mins(20);

/// How long what follows an export's end is put off when it failed for the first time; each time after
/// that, twice as long.
pub const FIRST_PUT_OFF: SignedDuration = SignedDuration::from_mins(1);

/// How long it is put off at most.
pub const MAX_PUT_OFF: SignedDuration = SignedDuration::from_hours(1);

/// How many attempts may break before the export is given up.
pub const MAX_FAILURES: u32 = 5;

/// One requested export and all that is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Which export this is.
    pub id: ExportId,
    /// Whose it is.
    pub workspace: Workspace,
    /// What was asked for.
    pub request: ExportRequest,
    /// The line it stands in; none is built as soon as there is a builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// How it was asked for, if in a dialect that repeats that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Whether the next of its lane was asked for, once it had ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub next_called: bool,
    /// Who is told that it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// The copy of its files that goes to a bucket of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<BucketCopy>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it is given up if it is not done.
    pub deadline: Timestamp,
    /// Grows with every change.
    pub version: u64,
    /// Leases given so far. The latest is the fencing number.
    pub leases: u64,
    /// Attempts that broke so far.
    pub failures: u32,
    /// Steps of the plan; 0 until there is one.
    pub steps_total: u32,
    /// Steps that are done.
    #[serde(skip)]
    pub steps_done: BTreeSet<u32>,
    /// Rows written so far.
    pub rows: u64,
    /// Bytes of rows written so far, before compression; of copied objects, as stored.
    pub bytes: u64,
    /// How often what follows its end has failed since it was last done, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_off: Option<PutOff>,
    /// Where it is in its life.
    pub state: State,
}

/// Something that failed and is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutOff {
    /// How often it has failed.
    pub times: u32,
    /// When it is tried again.
    pub until: Timestamp,
}

/// What an export is due for. The janitor sees to all of the first kind before any of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// Somebody waits for it: for its archive, for a copy of its files, for word that it has ended.
    Unfinished,
    /// Its archive has to be removed, now or once its time is over.
    Removal,
}

/// A line of exports of a workspace, of which one is built at a time, in the order asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Those asked for in the Liferay dialect.
    Liferay,
}

/// How an export was asked for, in the words of a dialect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which one.
    pub dialect: Dialect,
    /// Who asked: what their token is for.
    pub author: String,
    /// What was asked for, by the dialect's own names.
    pub words: BTreeMap<String, Vec<String>>,
}

/// The dialects that remember how an export was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// That of Amplitude.
    Amplitude,
    /// That of Coveo.
    Coveo,
    /// That of Leanplum.
    Leanplum,
}

/// Where an export is in its life, with what only exists there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Waiting for a builder. If nobody came by `resend_at`, its message is sent again.
    Queued {
        /// When its message counts as lost.
        resend_at: Timestamp,
    },
    /// Being built.
    Running {
        /// When the first builder took it.
        started_at: Timestamp,
        /// Who holds it.
        lease: Lease,
    },
    /// Can be downloaded.
    Succeeded {
        /// What was built.
        archive: Archive,
    },
    /// Will never be ready.
    Failed {
        /// When it was given up.
        finished_at: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// Its user did not want it any more.
    Cancelled {
        /// When.
        finished_at: Timestamp,
    },
    /// Its time is over.
    Expired {
        /// What could be downloaded until then.
        archive: Archive,
        /// Whether the object is gone from the bucket.
        removed: bool,
    },
    /// Its user removed it.
    Deleted {
        /// What could be downloaded until then.
        archive: Archive,
        /// When.
        deleted_at: Timestamp,
        /// Whether the object is gone from the bucket.
        removed: bool,
    },
}

/// A state's name, as users see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// See [`State::Queued`].
    Queued,
    /// See [`State::Running`].
    Running,
    /// See [`State::Succeeded`].
    Succeeded,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Expired`].
    Expired,
    /// See [`State::Deleted`].
    Deleted,
}

/// The right to build an export, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The fencing number: higher than that of any lease before.
    pub number: u64,
    /// When it lapses.
    pub until: Timestamp,
    /// Whether its holder gave it back, after having asked for another builder.
    pub released: bool,
    /// When the janitor looks for a builder that does not come.
    pub look_at: Timestamp,
}

/// A published archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// When it was published.
    pub published_at: Timestamp,
    /// When it stops being served: to the second, whatever S3's lifecycle does.
    pub expires_at: Timestamp,
    /// Size of the object.
    pub size_bytes: u64,
    /// CRC-32 of the object.
    pub crc32: u32,
    /// Rows over all files in it; none where objects were copied without being read.
    pub rows: Option<u64>,
    /// How many plain files each of the request's tables has, if they are no ZIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_files: Option<Vec<u32>>,
    /// Rows of each of the request's tables, likewise.
    #[serde(default)]
    pub table_rows: Option<Vec<u64>>,
    /// Rows of the lake with something that could not be exported.
    pub bad_rows: u64,
}

/// Why an export failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable name.
    pub code: FailureCode,
    /// What happened and what to do, in words its user may see.
    pub detail: String,
}

impl Archive {
    /// Returns when its objects may be removed. Until then they are there, but nobody gets a link.
    pub fn removable_at(&self) -> Timestamp {
        self.expires_at.saturating_add(REMOVAL_DELAY).unwrap_or(self.expires_at)
    }
}

impl Failure {
    /// That of an export that keeps breaking.
    pub fn internal() -> Self {
        let detail = "The export broke several times on our side. Create it again; if it keeps failing, \
                      ask your operator, naming this export's id.";
        Self { code: FailureCode::Internal, detail: detail.to_owned() }
    }
}

/// The reasons for which exports fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// A source object was changed or removed while the export was built.
    SourceChanged,
    /// A source object cannot be decoded.
    SourceCorrupt,
    /// A source object lies in a class of storage from which it has to be restored first.
    SourceArchived,
    /// AWS refuses something, and will until an operator changes that.
    AccessDenied,
    /// A source object is not JSON Lines, but something else.
    SourceUnsupported,
    /// It has more rows than it may.
    TooManyRows,
    /// It would have more files than it may.
    TooManyFiles,
    /// One of its files would be larger than it may.
    FileTooLarge,
    /// It reads more source objects than a builder can hold a plan of.
    TooManyObjects,
    /// It was not done by its deadline.
    DeadlineExceeded,
    /// Ours to fix.
    Internal,
}

/// Why an export cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another builder holds it until then.
    Held {
        /// When its lease lapses.
        until: Timestamp,
    },
    /// There is nothing left to build.
    Finished,
}

impl Export {
    /// A new export, waiting for a builder.
    pub fn queued(
        id: ExportId,
        workspace: Workspace,
        request: ExportRequest,
        now: Timestamp,
        patience: SignedDuration,
    ) -> Self {
        Self {
            id,
            workspace,
            request,
            lane: None,
            asked: None,
            next_called: false,
            callback: None,
            copy: None,
            created_at: now,
            deadline: now + patience,
            version: 1,
            leases: 0,
            failures: 0,
            steps_total: 0,
            steps_done: BTreeSet::new(),
            rows: 0,
            bytes: 0,
            put_off: None,
            state: State::Queued { resend_at: now + RESEND_AFTER },
        }
    }

    /// The same export, in a line.
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// The same export, remembering how it was asked for.
    pub fn asked_by(self, asked: Asked) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// The same export, unknown to its dialect from now on: cancelled if it is not finished, deleted if
    /// it has an archive.
    pub fn withdrawn(&self, now: Timestamp) -> Self {
        let ended = self.cancel(now).or_else(|| self.delete(now));
        Self { asked: None, ..ended.unwrap_or_else(|| self.then(self.state.clone())) }
    }

    /// The same export, held by a builder until its lease lapses.
    pub fn claim(&self, now: Timestamp) -> Result<Self, Refusal> {
        let started_at = match &self.state {
            State::Queued { .. } => now,
            State::Running { lease, .. } if now < lease.until => {
                return Err(Refusal::Held { until: lease.until });
            }
            State::Running { started_at, .. } => *started_at,
            State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Expired { .. }
            | State::Deleted { .. } => return Err(Refusal::Finished),
        };
        let number = self.leases + 1;
        let until = now + BUILD_LEASE;
        let lease = Lease { number, until, released: false, look_at: until };
        Ok(Self { leases: number, ..self.then(State::Running { started_at, lease }) })
    }

    /// Tells whether a builder held it that did not renew its lease.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        matches!(&self.state, State::Running { lease, .. } if !lease.released && lease.until <= now)
    }

    /// The same export with a plan of `steps`.
    pub fn planned(&self, steps: u32) -> Self {
        Self { steps_total: steps, ..self.then(self.state.clone()) }
    }

    /// The same export, free for the next builder at `from`.
    pub fn release(&self, from: Timestamp) -> Self {
        match &self.state {
            State::Running { started_at, lease } => {
                let lease =
                    Lease { until: from, released: true, look_at: from + RESEND_AFTER, ..*lease };
                self.then(State::Running { started_at: *started_at, lease })
            }
            other => self.then(other.clone()),
        }
    }

    /// The same export, its steps in the hands of other builders.
    pub fn dispatched(&self, now: Timestamp) -> Self {
        let mut next = self.release(now);
        if let State::Running { lease, .. } = &mut next.state {
            lease.look_at = now + STEP_PATIENCE;
        }
        next
    }

    /// Whether users see it: what only counts rows stays behind the scenes.
    pub fn is_shown(&self) -> bool {
        !matches!(self.request.files, Files::Counts)
    }

    /// What was built, if it ever was.
    pub fn archive(&self) -> Option<&Archive> {
        match &self.state {
            State::Succeeded { archive }
            | State::Expired { archive, .. }
            | State::Deleted { archive, .. } => Some(archive),
            State::Queued { .. }
            | State::Running { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// Whether there is a plan and all of it is done.
    pub fn is_built(&self) -> bool {
        self.steps_total > 0 && self.steps_done.len() >= self.steps_total as usize
    }

    /// The same export after an attempt that broke: free again at `from`, or given up.
    pub fn broken(&self, now: Timestamp, from: Timestamp) -> Self {
        let failures = self.failures + 1;
        if failures < MAX_FAILURES {
            return Self { failures, ..self.release(from) };
        }
        Self { failures, ..self.fail(now, Failure::internal()) }
    }

    /// The same export, about to be asked for again. The longer it waits, the rarer.
    pub fn resent(&self, now: Timestamp) -> Self {
        let next = now + RESEND_AFTER.max(now.duration_since(self.created_at));
        match &self.state {
            State::Queued { .. } => self.then(State::Queued { resend_at: next }),
            State::Running { started_at, lease } => {
                let lease = Lease { look_at: next, ..*lease };
                self.then(State::Running { started_at: *started_at, lease })
            }
            other => self.then(other.clone()),
        }
    }

    /// The same export with its archive, which lives from now on.
    pub fn succeed(&self, now: Timestamp, built: &Archive) -> Self {
        let archive =
            Archive { published_at: now, expires_at: now + ARCHIVE_LIFETIME, ..built.clone() };
        self.then(State::Succeeded { archive })
    }

    /// The same export, given up.
    pub fn fail(&self, now: Timestamp, failure: Failure) -> Self {
        self.then(State::Failed { finished_at: now, failure })
    }

    /// The same export, unwanted; none once it is finished otherwise.
    pub fn cancel(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            State::Queued { .. } | State::Running { .. } => {
                Some(self.then(State::Cancelled { finished_at: now }))
            }
            _ => None,
        }
    }

    /// The same export, its objects about to be removed; none if its archive has not ended, or only just.
    pub fn expire(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Succeeded { archive } if archive.removable_at() <= now => {
                Some(self.then(State::Expired { archive: archive.clone(), removed: false }))
            }
            _ => None,
        }
    }

    /// The same export, its archive given up by its user; none if there is no archive.
    pub fn delete(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Succeeded { archive } => Some(self.then(State::Deleted {
                archive: archive.clone(),
                deleted_at: now,
                removed: false,
            })),
            _ => None,
        }
    }

    /// The same export, its object gone from the bucket; none if it was not to go.
    pub fn removed(&self) -> Option<Self> {
        let state = match self.state.clone() {
            State::Expired { archive, removed: false } => State::Expired { archive, removed: true },
            State::Deleted { archive, deleted_at, removed: false } => {
                State::Deleted { archive, deleted_at, removed: true }
            }
            _ => return None,
        };
        Some(Self { put_off: None, ..self.then(state) })
    }

    /// When the janitor has to look at it, if ever.
    pub fn due(&self) -> Option<Timestamp> {
        // What follows the end waits longer each time that it fails.
        let after = [self.removal_due(), self.untold_since(), self.uncalled_since()];
        let after = after.into_iter().flatten().min();
        let after = after.map(|at| self.put_off.map_or(at, |put_off| at.max(put_off.until)));
        [self.state_due(), self.copy_due(), after].into_iter().flatten().min()
    }

    /// What it is due for.
    pub fn due_kind(&self) -> DueKind {
        let ended = !self.status(self.created_at).is_unfinished();
        let waited_for = [self.copy_due(), self.untold_since(), self.uncalled_since()];
        let is_waited_for = waited_for.iter().any(Option::is_some);
        if ended && !is_waited_for { DueKind::Removal } else { DueKind::Unfinished }
    }

    /// Since when the next of its lane is to be asked for, and was not yet.
    pub fn uncalled_since(&self) -> Option<Timestamp> {
        self.lane.filter(|_| !self.next_called)?;
        self.ended_at()
    }

    /// The same export, the next of its lane asked for; None if it was, or there is no lane.
    pub fn called_next(&self) -> Option<Self> {
        self.uncalled_since()?;
        Some(Self { next_called: true, put_off: None, ..self.then(self.state.clone()) })
    }

    /// The same export after the janitor's work on what follows its end has failed.
    pub fn put_off(&self, now: Timestamp) -> Self {
        let times = self.put_off.map_or(0, |put_off| put_off.times).saturating_add(1);
        let wait = (FIRST_PUT_OFF * 2_i32.pow(times.saturating_sub(1).min(10))).min(MAX_PUT_OFF);
        let put_off = Some(PutOff { times, until: now + wait });
        Self { put_off, ..self.then(self.state.clone()) }
    }

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

    /// Since when its archive has to be removed, if it has.
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

    /// Its status as it is to be shown at `now`: an archive past its time is expired, whether or
    /// not the janitor has been there.
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.state {
            State::Queued { .. } => Status::Queued,
            State::Running { .. } => Status::Running,
            State::Succeeded { archive } if archive.expires_at < now => Status::Expired,
            State::Succeeded { .. } => Status::Succeeded,
            State::Failed { .. } => Status::Failed,
            State::Cancelled { .. } => Status::Cancelled,
            State::Expired { .. } => Status::Expired,
            State::Deleted { .. } => Status::Deleted,
        }
    }

    /// Tells whether it is still what a URL stands for that makes an export and then leads to it. Else
    /// the URL makes the next.
    pub fn stands(&self, now: Timestamp) -> bool {
        match self.status(now) {
            Status::Queued | Status::Running | Status::Succeeded => true,
            Status::Failed | Status::Cancelled | Status::Expired | Status::Deleted => false,
        }
    }

    pub(crate) fn then(&self, state: State) -> Self {
        let copy = self.copy.clone().map(|copy| copy.beside(&state));
        // Another state has other work, which has not failed yet.
        let same = std::mem::discriminant(&state) == std::mem::discriminant(&self.state);
        let put_off = self.put_off.filter(|_| same);
        Self { version: self.version + 1, copy, put_off, state, ..self.clone() }
    }
}

impl Lane {
    /// Returns its name, as part of a key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Liferay => "liferay",
        }
    }
}

impl Dialect {
    /// Returns its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amplitude => "amplitude",
            Self::Coveo => "coveo",
            Self::Leanplum => "leanplum",
        }
    }
}

impl Status {
    /// Tells whether it is going to change by itself until there is an archive or a reason why not.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Returns its name, as users see it and as it is stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }

    /// Every status, by the name users see.
    pub const ALL: [(&str, Self); 7] = [
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("succeeded", Self::Succeeded),
        ("failed", Self::Failed),
        ("cancelled", Self::Cancelled),
        ("expired", Self::Expired),
        ("deleted", Self::Deleted),
    ];
}

#[cfg(test)]
mod tests {
    mod life;

    use proptest::prelude::*;

    use super::*;
    use crate::{Format, TableSelection, Window};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn queued() -> Export {
        let window = Window::new(NOW, NOW + SignedDuration::from_hours(1)).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
        let acme = "acme".parse().unwrap();
        Export::queued(ExportId::generate(), acme, request, NOW, SignedDuration::from_hours(24))
    }

    fn archive() -> Archive {
        Archive {
            published_at: NOW,
            expires_at: NOW,
            size_bytes: 22,
            crc32: 0,
            rows: None,
            table_files: None,
            table_rows: None,
            bad_rows: 0,
        }
    }

    #[test]
    fn a_held_export_is_not_claimed_until_its_lease_lapses() {
        let held = queued().claim(NOW).unwrap();

        assert_eq!(held.claim(NOW), Err(Refusal::Held { until: NOW + BUILD_LEASE }));
        let next = held.claim(NOW + BUILD_LEASE).unwrap();
        assert_eq!((next.version, next.leases), (3, 2));
    }

    #[test]
    fn an_archive_lives_24_hours_to_the_second() {
        let second = SignedDuration::from_secs(1);
        let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
        let end = NOW + SignedDuration::from_hours(24);

        for living in [end - second, end] {
            assert_eq!(ready.status(living), Status::Succeeded);
        }
        assert_eq!(ready.status(end + second), Status::Expired);
    }

    #[test]
    fn objects_stay_until_the_last_link_to_them_has_ended() {
        let second = SignedDuration::from_secs(1);
        let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
        let removable = NOW + SignedDuration::from_hours(24) + SignedDuration::from_mins(5);

        assert_eq!(ready.due(), Some(removable));
        assert_eq!(ready.expire(removable - second), None);
        let expired = ready.expire(removable).unwrap();
        assert_eq!((expired.status(removable), expired.due()), (Status::Expired, Some(removable)));
    }

    #[test]
    fn a_url_stands_for_its_export_for_24_hours_and_for_the_next_one_after() {
        let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
        for (seconds, stands) in [(86_399, true), (86_400, true), (86_401, false)] {
            assert_eq!(ready.stands(NOW + SignedDuration::from_secs(seconds)), stands, "{seconds}");
        }
        assert!(queued().stands(NOW + ARCHIVE_LIFETIME), "who waits is never lost");
        assert!(!queued().cancel(NOW).unwrap().stands(NOW));
    }

    #[test]
    fn an_export_that_keeps_breaking_is_given_up() {
        let mut export = queued();
        for _ in 1..MAX_FAILURES {
            export = export.claim(NOW).unwrap().broken(NOW, NOW);
            assert_eq!(export.status(NOW), Status::Running);
        }
        let given_up = export.claim(NOW).unwrap().broken(NOW, NOW);
        assert_eq!((given_up.status(NOW), given_up.failures), (Status::Failed, MAX_FAILURES));
    }

    #[test]
    fn an_export_of_a_lane_is_due_until_the_next_was_called() {
        let ended = queued().in_lane(Lane::Liferay).cancel(NOW).unwrap();
        assert_eq!(ended.due(), Some(NOW));
        let called = ended.called_next().unwrap();
        assert_eq!((called.due(), called.called_next()), (None, None));
        assert_eq!(queued().cancel(NOW).unwrap().due(), None, "who stands in no lane calls nobody");
        assert_eq!(queued().in_lane(Lane::Liferay).called_next(), None, "it has not ended");
    }

    #[test]
    fn what_keeps_failing_after_the_end_is_tried_later_and_later_up_to_an_hour() {
        let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
        let over = NOW + ARCHIVE_LIFETIME + REMOVAL_DELAY;
        let mut gone = ready.expire(over).unwrap();
        let mut waits = Vec::new();
        for _ in 0..9 {
            gone = gone.put_off(over);
            waits.push(gone.due().unwrap().duration_since(over).as_secs() / 60);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let done = gone.removed().unwrap();
        assert_eq!((done.put_off, done.due()), (None, None));
    }

    #[test]
    fn a_callback_that_cannot_be_handed_over_does_not_delay_the_end_of_an_archive() {
        let url = "http://example.com".parse().unwrap();
        let ready = queued().with_callback(url, String::new()).claim(NOW).unwrap();
        let ready = ready.succeed(NOW, &archive());
        assert_eq!((ready.due(), ready.due_kind()), (Some(NOW), DueKind::Unfinished));
        let late = NOW + ARCHIVE_LIFETIME - SignedDuration::from_secs(1);
        let put_off = (0..9).fold(ready, |export, _| export.put_off(late));
        assert_eq!(put_off.due(), Some(NOW + ARCHIVE_LIFETIME + REMOVAL_DELAY));
        let told = put_off.told().unwrap();
        assert_eq!((told.put_off, told.due_kind()), (None, DueKind::Removal));
    }

    /// One of the ways an export can change, picked by a number.
    fn change(export: &Export, pick: u8, now: Timestamp) -> Option<Export> {
        let failure = Failure { code: FailureCode::Internal, detail: String::new() };
        let running = matches!(export.state, State::Running { .. });
        let held = export.copy_held_until().is_some();
        match pick % 17 {
            0 => export.claim(now).ok(),
            1 => running.then(|| export.release(now)),
            2 => running.then(|| export.broken(now, now)),
            3 | 4 => running.then(|| export.succeed(now, &archive())),
            5 => running.then(|| export.fail(now, failure)),
            6 => export.cancel(now),
            7 => export.expire(now).or_else(|| export.delete(now)),
            8 => export.untold_since().and_then(|_| export.told()),
            9 => export.copy_claimed(now),
            10 => held.then(|| export.copy_advanced(Some("no"))).flatten(),
            11 => held.then(|| export.copy_ended(now, None)).flatten(),
            12 => export.copy_resent(now),
            13 => export.untold_since().map(|_| export.put_off(now)),
            14 => export.callback_given_up(now),
            15 => export.called_next(),
            _ => export.removed(),
        }
    }

    /// Whether what opens a user's bucket is still kept.
    fn keeps_credential(export: &Export) -> bool {
        serde_json::to_string(&export.copy).unwrap().contains("role/decant-x")
    }

    proptest! {
        #[test]
        fn whatever_happens_a_final_state_stays_and_versions_and_fences_grow(
            picks in prop::collection::vec((any::<u8>(), 0_i64..400), 0..60)
        ) {
            let target = crate::CopyTarget {
                bucket: "bucket".parse().unwrap(),
                prefix: crate::KeyPrefix::default(),
                gzip: false,
                manifest: false,
            };
            let role = crate::Credential::Role { arn: "role/decant-x".into() };
            let export = queued().in_lane(Lane::Liferay).with_copy(target, role);
            let export = export.with_callback("http://example.com".parse().unwrap(), String::new());
            let (mut export, mut now) = (export, NOW);
            for (pick, minutes) in picks {
                now += SignedDuration::from_mins(minutes);
                let Some(next) = change(&export, pick, now) else { continue };
                prop_assert_eq!(next.version, export.version + 1);
                prop_assert!(next.leases >= export.leases);
                let (was, is) = (export.status(NOW), next.status(NOW));
                let allowed = match was {
                    Status::Queued | Status::Running => is != Status::Queued,
                    Status::Succeeded => is != Status::Queued && is != Status::Running,
                    last => is == last,
                };
                prop_assert!(allowed, "{was:?} became {is:?}");
                let over = matches!(next.state, State::Failed { .. } | State::Cancelled { .. }
                    | State::Expired { removed: true, .. } | State::Deleted { removed: true, .. });
                let told = next.callback.as_ref().is_some_and(|callback| !callback.is_open());
                let idle = over && told && next.next_called;
                prop_assert_eq!(next.due().is_none(), idle, "unfinished work is always in the index");
                let open = next.copy.as_ref().is_some_and(|copy| !copy.has_ended());
                prop_assert_eq!(keeps_credential(&next), open, "a credential is kept while it is needed");
                prop_assert!(!over || !open, "without files there is nothing to copy");
                prop_assert!(!open || next.untold_since().is_none(), "who is told of a copy that is not over?");
                export = next;
            }
        }
    }
}
