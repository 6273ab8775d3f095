//! Copies of an export's files to a bucket of its user.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ArchiveKey, COPY_LEASE, Export, FileKey, MAX_FAILURES, RESEND_AFTER, ReceiptKey, Secret,
    Workspace,
    checked::checked_text,
    record::{Failure, State},
};

/// Files of one copy that may fail before the whole copy fails.
pub const MAX_FAILED_FILES: usize = 100;
/// The longest error text of AWS that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 300;
/// The longest prefix, in bytes: a key of S3 has 1024 at most.
const MAX_PREFIX_BYTES: usize = 800;

/// The destination of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTarget {
    /// The bucket.
    pub bucket: BucketName,
    /// The text before the name of each file.
    pub prefix: KeyPrefix,
    /// Whether files are compressed with gzip on the way.
    pub gzip: bool,
    /// Whether a list of the files is written last, as a sign that all of them are there.
    pub manifest: bool,
}

/// The credentials for a user's bucket, as the user sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketCredentials {
    /// An access key.
    Key {
        /// Its id.
        id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A role that this deployment may assume.
    Role {
        /// Its ARN.
        arn: String,
    },
}

impl BucketCredentials {
    /// Returns the account of a role. `None` for an access key.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Key { .. } => None,
            Self::Role { arn } => arn.split(':').nth(4),
        }
    }
}

/// The credentials for a user's bucket, as they are stored until the copy has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredCredentials {
    /// An access key.
    Key {
        /// Its id.
        id: String,
        /// Its secret, encrypted for this export.
        sealed: String,
    },
    /// A role that this deployment may assume.
    Role {
        /// Its ARN.
        arn: String,
    },
}

/// A copy of an export's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketCopy {
    /// The destination.
    pub target: CopyTarget,
    /// Files that were copied or have failed. They are handled in their order.
    pub done: u32,
    /// Files that could not be copied.
    pub failed: Vec<FailedFile>,
    /// Attempts since the last file that was handled.
    pub attempts: u32,
    /// How many times a courier has claimed the copy. The latest number is the fence: a courier with an older
    /// one has lost the copy.
    #[serde(default)]
    pub leases: u64,
    /// The state of its life.
    pub state: CopyState,
}

/// A file that could not be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedFile {
    /// Its index among the export's files, from 0.
    pub file: u32,
    /// The error, as AWS describes it.
    pub detail: String,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its key in the export bucket.
    pub key: String,
    /// Its media type.
    pub kind: &'static str,
}

/// The states of a copy's life, each with the data that exists only in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CopyState {
    /// Waits for the end of the export, or for a courier.
    Waiting {
        /// The credentials.
        credential: StoredCredentials,
        /// When its message counts as lost and is sent again.
        resend_at: Timestamp,
    },
    /// A courier works on it.
    Running {
        /// The credentials.
        credential: StoredCredentials,
        /// When another courier may take over.
        until: Timestamp,
    },
    /// Has ended.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// Why the whole copy failed. `None` if it did not.
        failure: Option<String>,
    },
}

/// The name of a bucket of S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketName(String);

/// The beginning of a key of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(String);

/// A text that S3 would not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is not the name of a bucket.
    #[error(
        "a bucket's name is 3 to 63 of a-z, 0-9, '.' and '-', the first and last a letter or a digit"
    )]
    Bucket,
    /// It is not the prefix of a key.
    #[error(
        "a prefix is a text of {MAX_PREFIX_BYTES} bytes at most, without control characters, and does not begin with '/'"
    )]
    Prefix,
}

impl FromStr for BucketName {
    type Err = TargetError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ends = |b: Option<u8>| b.is_some_and(plain);
        let bytes = s.as_bytes();
        let fits = (3..=63).contains(&bytes.len())
            && ends(bytes.first().copied())
            && ends(bytes.last().copied())
            && bytes.iter().all(|&b| plain(b) || b == b'-' || b == b'.')
            && !s.contains("..");
        if fits { Ok(Self(s.to_owned())) } else { Err(TargetError::Bucket) }
    }
}

impl FromStr for KeyPrefix {
    type Err = TargetError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let fits =
            s.len() <= MAX_PREFIX_BYTES && !s.starts_with('/') && !s.contains(char::is_control);
        if fits { Ok(Self(s.to_owned())) } else { Err(TargetError::Prefix) }
    }
}

checked_text!(BucketName, TargetError);
checked_text!(KeyPrefix, TargetError);

impl CopyTarget {
    /// Returns the key in the user's bucket for a file of this name.
    pub fn key(&self, file: &str) -> String {
        format!("{}{file}{}", self.prefix, if self.gzip { ".gz" } else { "" })
    }
}

impl BucketCopy {
    /// Whether the copy has ended, successfully or not.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, CopyState::Ended { .. })
    }

    /// Returns how many files were copied.
    pub fn copied(&self) -> u32 {
        self.done.saturating_sub(u32::try_from(self.failed.len()).unwrap_or(u32::MAX))
    }

    /// Returns why the whole copy failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        match &self.state {
            CopyState::Ended { failure, .. } => failure.as_deref(),
            CopyState::Waiting { .. } | CopyState::Running { .. } => None,
        }
    }

    /// Ends the copy, and drops its credentials, when the export reaches a state without files. In other
    /// states nothing changes.
    pub(crate) fn beside(mut self, state: &State) -> Self {
        if let (State::Succeeded { archive }, CopyState::Waiting { resend_at, .. }) =
            (state, &mut self.state)
        {
            *resend_at = (*resend_at).max(archive.published_at + RESEND_AFTER);
        }
        let over = match state {
            State::Queued { .. } | State::Running { .. } | State::Succeeded { .. } => None,
            State::Failed { finished_at, .. } => Some((*finished_at, "The export failed.")),
            State::Cancelled { finished_at } => Some((*finished_at, "The export was cancelled.")),
            State::Expired { archive, .. } => Some((
                archive.expires_at,
                "The export's 24 hours ended before its files were copied.",
            )),
            State::Deleted { deleted_at, .. } => {
                Some((*deleted_at, "The export was deleted before its files were copied."))
            }
        };
        match over {
            Some((at, why)) if !self.has_ended() => self.ended(at, Some(why.to_owned())),
            _ => self,
        }
    }

    fn ended(self, at: Timestamp, failure: Option<String>) -> Self {
        let failure = failure.map(|text| shortened(&text));
        Self { state: CopyState::Ended { at, failure }, ..self }
    }

    fn credential(&self) -> Option<&StoredCredentials> {
        match &self.state {
            CopyState::Waiting { credential, .. } | CopyState::Running { credential, .. } => {
                Some(credential)
            }
            CopyState::Ended { .. } => None,
        }
    }
}

impl Export {
    /// Adds a copy of the files.
    pub fn with_copy(self, target: CopyTarget, credential: StoredCredentials) -> Self {
        let state = CopyState::Waiting { credential, resend_at: self.created_at };
        let copy =
            BucketCopy { target, done: 0, failed: Vec::new(), attempts: 0, leases: 0, state };
        Self { copy: Some(copy), ..self }
    }

    /// Returns the files to copy, in their order.
    pub fn files_to_copy(&self) -> Vec<StoredFile> {
        let Some(archive) = self.archive() else { return Vec::new() };
        let (workspace, id) = (&self.workspace, self.id);
        let Some(table_files) = &archive.table_files else {
            let key = ArchiveKey::of(workspace, id).to_string();
            let kind = ArchiveKey::CONTENT_TYPE;
            return vec![StoredFile { name: format!("{id}.zip"), key, kind }];
        };
        let names = self.request.part_names(table_files).into_iter();
        let file = |name: String| StoredFile {
            key: FileKey::of(workspace, id, &name).to_string(),
            name,
            kind: FileKey::CONTENT_TYPE,
        };
        names.map(file).collect()
    }

    /// Returns the receipt, which is copied beside the files. Many exports may be copied to one place.
    pub fn receipt_to_copy(&self) -> Option<StoredFile> {
        self.archive()?.receipt.as_ref()?;
        let key = ReceiptKey::of(&self.workspace, self.id).to_string();
        let name = format!("{}.receipt.json", self.id);
        Some(StoredFile { name, key, kind: ReceiptKey::CONTENT_TYPE })
    }

    /// Returns when the janitor has to look at the copy. `None` if nothing is left to do.
    pub(crate) fn copy_due(&self) -> Option<Timestamp> {
        let State::Succeeded { .. } = &self.state else { return None };
        match &self.copy.as_ref()?.state {
            CopyState::Waiting { resend_at, .. } => Some(*resend_at),
            CopyState::Running { until, .. } => Some(*until),
            CopyState::Ended { .. } => None,
        }
    }

    /// Schedules the next check after the copy's message was sent again. `None` if that is not due.
    pub fn copy_resent(&self, now: Timestamp) -> Option<Self> {
        self.copy_due().filter(|due| *due <= now)?;
        self.copy_freed(now)
    }

    /// Gives the copy back: another courier may claim it.
    pub fn copy_freed(&self, now: Timestamp) -> Option<Self> {
        let credential = self.copy.as_ref()?.credential()?.clone();
        self.with_copy_state(CopyState::Waiting { credential, resend_at: now + RESEND_AFTER })
    }

    /// Gives the copy to a courier for [`COPY_LEASE`], or fails it after too many attempts. `None` if there is
    /// nothing to copy, or if another courier holds it.
    pub fn copy_claimed(&self, now: Timestamp) -> Option<Self> {
        let copy = self.copy.as_ref()?;
        let credential = match &copy.state {
            _ if !matches!(self.state, State::Succeeded { .. }) => return None,
            CopyState::Ended { .. } => return None,
            CopyState::Running { until, .. } if now < *until => return None,
            CopyState::Running { credential, .. } | CopyState::Waiting { credential, .. } => {
                credential.clone()
            }
        };
        if copy.attempts >= MAX_FAILURES {
            return self.copy_ended(now, Some(Failure::internal().detail));
        }
        let next =
            self.with_copy_state(CopyState::Running { credential, until: now + COPY_LEASE })?;
        let copy = next.copy.map(|copy| BucketCopy {
            attempts: copy.attempts + 1,
            leases: copy.leases + 1,
            ..copy
        });
        Some(Self { copy, ..next })
    }

    /// Counts one more file, with its error if it failed. `None` if there is no copy.
    pub fn copy_advanced(&self, failure: Option<&str>) -> Option<Self> {
        let copy = self.copy.clone()?;
        let file = copy.done;
        let mut failed = copy.failed;
        failed.extend(failure.map(|text| FailedFile { file, detail: shortened(text) }));
        let copy = BucketCopy { done: file + 1, failed, attempts: 0, ..copy };
        Some(Self { copy: Some(copy), ..self.next_version() })
    }

    /// Ends the copy. `None` if it has ended already.
    pub fn copy_ended(&self, now: Timestamp, failure: Option<String>) -> Option<Self> {
        let copy = self.copy.clone().filter(|copy| !copy.has_ended())?.ended(now, failure);
        Some(Self { copy: Some(copy), ..self.next_version() })
    }

    /// Returns when the lease of its courier lapses. `None` if no courier holds it.
    pub fn copy_held_until(&self) -> Option<Timestamp> {
        match self.copy.as_ref()?.state {
            CopyState::Running { until, .. } => Some(until),
            CopyState::Waiting { .. } | CopyState::Ended { .. } => None,
        }
    }

    /// Returns the fence number of its courier. `None` if no courier holds it.
    pub fn copy_fence(&self) -> Option<u64> {
        self.copy_held_until()?;
        Some(self.copy.as_ref()?.leases)
    }

    fn with_copy_state(&self, state: CopyState) -> Option<Self> {
        let copy = BucketCopy { state, ..self.copy.clone()? };
        Some(Self { copy: Some(copy), ..self.next_version() })
    }
}

/// Returns the external id that a user's role has to expect. It differs by workspace, so that no workspace
/// can make this deployment assume the role of another.
pub fn external_id(workspace: &Workspace) -> String {
    format!("decant-{workspace}")
}

/// Whether a text may be the id of an access key. A signature puts it between slashes.
pub fn is_key_id(text: &str) -> bool {
    is_graphic(text) && !text.contains(['/', ','])
}

/// Whether a text may be the secret of an access key.
pub fn is_secret(text: &str) -> bool {
    is_graphic(text)
}

fn is_graphic(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_DETAIL_CHARS).collect()
}

#[cfg(test)]
mod tests;
