//! The record of one export, and the states of its life.
//!
//! ```text
//! Queued ──claim──▶ Running ──succeed──▶ Succeeded ──▶ Expired | Deleted
//!    │                │ ▲ │
//!    │         release┘ │ ├──fail──────▶ Failed
//!    └────────cancel────┴─┴────────────▶ Cancelled
//! ```
//!
//! A change returns the next version of the record. It is stored only if the stored version is the one
//! before, so one of two writers wins, and the other learns that it lost.

mod due;
mod transitions;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BucketCopy, Callback, ExportId, ExportRequest, Files, Workspace};

/// How long an archive can be downloaded, from the moment it was published.
pub const ARCHIVE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How long the objects of an archive stay after its end. It is as long as the lifetime of a link, so that
/// a running download can finish.
pub const REMOVAL_DELAY: SignedDuration = SignedDuration::from_mins(5);

/// How long a courier may work on the copy of an export before another may take over.
///
/// It is longer than a function may run and shorter than the queue hides a message; a test compares it
/// with `template.yaml`.
pub const COPY_LEASE: SignedDuration = SignedDuration::from_secs(960);

/// How long a builder holds an export, or some of its steps, without renewing its lease. After that another
/// builder may take over, so the death of a builder is noticed soon.
pub const BUILD_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// How long an export waits for a builder, at least, before its message counts as lost.
pub const RESEND_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// The longest time between two messages for an export that nobody builds, however long it has waited: so long is
/// a message missed that was lost together with the answer that it was sent.
pub const MAX_RESEND_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// How long a running export may go without finishing a step before the janitor sends the unfinished ones
/// again. It is longer than a builder may hold steps.
pub const STEP_TIMEOUT: SignedDuration = SignedDuration::from_mins(20);

/// How long whoever ends an export has to send what follows: the callback, and the message that starts the
/// next export of its lane. After that, the janitor sends what was not sent.
///
/// Without this time, the janitor's round could fall between the end and the sending, and both would be sent
/// twice.
pub const FOLLOW_UP_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// How long the work that follows an export's end waits after its first failure. Each further failure
/// doubles the wait, up to [`MAX_BACKOFF`].
pub const FIRST_BACKOFF: SignedDuration = SignedDuration::from_mins(1);

/// The longest wait between two attempts at the work that follows an export's end.
pub const MAX_BACKOFF: SignedDuration = SignedDuration::from_hours(1);

/// Attempts that end with an error, at an export or at the same steps of it, after which the export fails.
pub const MAX_FAILURES: u32 = 5;

/// Builders that die at an export, or at the same steps of it, after which the export fails.
///
/// A builder that dies says nothing: it ran out of memory or time, or was stopped with its machine. The last is
/// no fault of the export, so more deaths than errors are allowed. An export at which every builder dies keeps
/// each of them for up to a quarter of an hour, so there are not many more.
pub const MAX_DEATHS: u32 = 10;

/// One export and everything that is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Identifies the export.
    pub id: ExportId,
    /// The workspace that owns it.
    pub workspace: Workspace,
    /// The tables, rows and files that its user wants.
    pub request: ExportRequest,
    /// The lane it waits in. Without one it is built as soon as a builder is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// How it was requested, for dialects that show that later.
    #[serde(default, rename = "asked", skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether the next export of its lane was started after this one ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub next_called: bool,
    /// The URL that is called when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// The copy of its files to a bucket of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<BucketCopy>,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it fails if it has not ended.
    pub deadline: Timestamp,
    /// Grows with every change.
    pub version: u64,
    /// Leases given so far. The count is the fencing number of the latest one.
    pub leases: u64,
    /// Attempts that ended with an error so far.
    pub failures: u32,
    /// Builders that died so far while they held the export. Those that held some of its steps only are counted
    /// with the steps.
    #[serde(default)]
    pub deaths: u32,
    /// Steps of the plan, or 0 before there is one.
    pub steps_total: u32,
    /// Steps that are done.
    #[serde(skip)]
    pub steps_done: BTreeSet<u32>,
    /// Rows written so far.
    pub rows: u64,
    /// Bytes of the rows written so far: uncompressed, but of copied objects as they are stored.
    pub bytes: u64,
    /// The pause of the work that follows its end, if that has failed.
    #[serde(default, rename = "put_off", skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// The state of its life.
    pub state: State,
}

/// A pause after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Failures since the last success.
    #[serde(rename = "times")]
    pub failures: u32,
    /// When the next attempt is made.
    pub until: Timestamp,
}

/// The kinds of work that the janitor does. It finishes the first kind before it begins the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// A user waits for it: for the archive, a copy of its files, or a callback.
    Unfinished,
    /// Its archive has to be removed, now or when its lifetime ends.
    Removal,
}

/// The name of a queue of exports in a workspace. One of them is built at a time, in the order of their
/// creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(String);

/// How an export was requested, in the terms of a dialect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name of the dialect.
    pub dialect: String,
    /// The name of the token that was used.
    #[serde(rename = "author")]
    pub requested_by: String,
    /// The request's parameters that the dialect shows again, by its own names.
    #[serde(rename = "words")]
    pub params: BTreeMap<String, Vec<String>>,
}

/// The states of an export's life, each with the data that exists only in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Waits for a builder.
    Queued {
        /// When its message counts as lost and is sent again.
        resend_at: Timestamp,
    },
    /// Is being built.
    Running {
        /// When the first builder claimed it.
        started_at: Timestamp,
        /// The lease of the builder that claimed it last.
        lease: Lease,
    },
    /// Can be downloaded.
    Succeeded {
        /// The archive.
        archive: Archive,
    },
    /// Ended without an archive.
    Failed {
        /// When it failed.
        finished_at: Timestamp,
        /// The reason, for its user.
        failure: Failure,
    },
    /// Was cancelled by its user before it had ended.
    Cancelled {
        /// When it was cancelled.
        finished_at: Timestamp,
    },
    /// Its archive has lived for its [`ARCHIVE_LIFETIME`].
    Expired {
        /// The archive that it had.
        archive: Archive,
        /// Whether its objects were removed from the bucket.
        removed: bool,
    },
    /// Its archive was deleted by its user.
    Deleted {
        /// The archive that it had.
        archive: Archive,
        /// When it was deleted.
        deleted_at: Timestamp,
        /// Whether its objects were removed from the bucket.
        removed: bool,
    },
}

/// The name of a state, as users see it.
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
    /// The fencing number, higher than that of every earlier lease.
    pub number: u64,
    /// When it lapses unless it is renewed.
    pub until: Timestamp,
    /// Whether its holder gave it back and sent a message for another builder.
    pub released: bool,
    /// When the janitor checks whether a builder works on the export.
    pub look_at: Timestamp,
}

/// A published archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// When it was published.
    pub published_at: Timestamp,
    /// When downloads end, to the second. Its objects are removed later.
    pub expires_at: Timestamp,
    /// Size of the object.
    pub size_bytes: u64,
    /// CRC-32 of the object.
    pub crc32: u32,
    /// Rows of all files in it. `None` if objects were copied without being read.
    pub rows: Option<u64>,
    /// Plain files of each of the request's tables. `None` if the archive is one ZIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_files: Option<Vec<u32>>,
    /// Rows of each of the request's tables. `None` as for `rows`.
    #[serde(default)]
    pub table_rows: Option<Vec<u64>>,
    /// Rows of the lake that could not be exported, or not in whole.
    pub bad_rows: u64,
    /// Its receipt. `None` if an earlier version made it, or if there is only a count of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What identifies a receipt: the document itself is stored beside the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The JWS by which it is signed, with its content detached (RFC 7515, appendix F; RFC 7797). `None` if receipts
    /// are not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Why an export failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The reason, for programs.
    pub code: FailureCode,
    /// What happened and what to do, for the user.
    pub detail: String,
}

impl Archive {
    /// Returns when its objects may be removed. From its end until then, no new link is given out.
    pub fn removable_at(&self) -> Timestamp {
        self.expires_at.saturating_add(REMOVAL_DELAY).unwrap_or(self.expires_at)
    }
}

impl Failure {
    /// Returns the failure of an export whose attempts all failed for reasons of ours.
    pub fn internal() -> Self {
        let detail = "The export broke several times on our side. Create it again; if it keeps failing, \
                      ask your operator, naming this export's id.";
        Self { code: FailureCode::Internal, detail: detail.to_owned() }
    }

    /// Returns the failure of an export at which every builder died.
    pub fn builders_died() -> Self {
        let detail = format!(
            "{MAX_DEATHS} builders stopped without a word while they worked on the export, as they do when they \
             run out of memory or time. Create it again with a shorter window or fewer tables; if it keeps \
             failing, ask your operator, naming this export's id."
        );
        Self { code: FailureCode::Internal, detail }
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
    /// A source object is not JSON Lines, but something else, or hardly any of its rows can be read.
    SourceUnsupported,
    /// It has more rows than its request allows.
    TooManyRows,
    /// It would have more files than one export may have.
    TooManyFiles,
    /// One of its files would be larger than S3 or its format allows.
    FileTooLarge,
    /// One of its tables was removed from the catalog before it was planned.
    TableRemoved,
    /// It reads more source objects than a builder can hold a plan of.
    TooManyObjects,
    /// It had not ended by its deadline.
    DeadlineExceeded,
    /// A fault of ours.
    Internal,
}

/// Why a builder cannot claim an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Another builder holds it.
    Held {
        /// When its lease lapses.
        until: Timestamp,
    },
    /// The export has ended.
    Finished,
}

impl Export {
    /// Returns the status at `now`. An archive past its end is expired, even if the janitor has not seen it
    /// yet.
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

    /// Whether a repeated request for the same data should return this export. If not, it creates a new one.
    pub fn is_current(&self, now: Timestamp) -> bool {
        match self.status(now) {
            Status::Queued | Status::Running | Status::Succeeded => true,
            Status::Failed | Status::Cancelled | Status::Expired | Status::Deleted => false,
        }
    }

    /// Returns the archive, also when it has ended. `None` if there never was one.
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

    /// Whether users see the export. Those that only count rows are internal.
    pub fn is_shown(&self) -> bool {
        !matches!(self.request.files, Files::Counts)
    }

    /// Whether every step of its plan is done.
    pub fn is_built(&self) -> bool {
        self.steps_total > 0 && self.steps_done.len() >= self.steps_total as usize
    }

    /// Whether its builder has let its lease lapse, as a killed one does.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        matches!(&self.state, State::Running { lease, .. } if !lease.released && lease.until <= now)
    }
}

impl Lane {
    /// Returns the lane of this name, which is part of keys in the table: letters and digits only.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Status {
    /// Whether the export has not ended yet.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// Returns its name, which users see and which is stored.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }

    /// Every status with its name.
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
mod tests;
