//! Shares: links to an export that need no credential.
//!
//! A link ends in a secret of 43 characters. Only the SHA-256 of the secret is stored, which is the id of the
//! share, so whoever reads the store cannot use the link, and looking a secret up compares nothing with it.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Archive, ExportId, Workspace, checked::checked_text, sha256_hex};

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Characters of a secret: its bytes in base64 without padding.
const SECRET_CHARS: usize = 43;
/// Characters of an id: a SHA-256 in hexadecimal.
const ID_CHARS: usize = 64;

/// What a user wants of a share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareRequest {
    /// When the link ends, at the latest. `None` means with the export.
    pub expires_at: Option<Timestamp>,
    /// A note for whoever looks through the shares.
    pub note: Option<String>,
    /// Whether the link can be used once only.
    pub once: bool,
}

/// A share, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The SHA-256 of its secret.
    pub id: ShareId,
    /// The workspace of its export.
    pub workspace: Workspace,
    /// Its export.
    pub export: ExportId,
    /// The name of the token that made it, or the token's id.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if that is before its export ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The user's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it can be used once only.
    pub once: bool,
    /// How often it was used: links to files that were given out for it.
    pub uses: u64,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Whether a share can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareStatus {
    /// It can be used for as long as its export can be downloaded.
    Live,
    /// It was for one use, which is over.
    Used,
    /// It has ended.
    Expired,
    /// It was revoked.
    Revoked,
}

/// The id of a share: 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShareId(String);

/// The text cannot be the id of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a share is {ID_CHARS} lower-case hexadecimal digits")]
pub struct ShareError;

/// The secret at the end of a link, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareSecret(String);

impl Share {
    /// Returns a share of an export that is made at `now` by the holder of the token `created_by`.
    pub fn new(
        (workspace, export): (&Workspace, ExportId),
        secret: &ShareSecret,
        request: ShareRequest,
        created_by: &str,
        now: Timestamp,
    ) -> Self {
        let ShareRequest { expires_at, note, once } = request;
        Self {
            id: secret.id(),
            workspace: workspace.clone(),
            export,
            created_by: created_by.to_owned(),
            created_at: now,
            expires_at,
            note,
            once,
            uses: 0,
            last_used_at: None,
            revoked_at: None,
        }
    }

    /// Returns whether it can be used at `now`.
    pub fn status(&self, now: Timestamp) -> ShareStatus {
        if self.revoked_at.is_some() {
            ShareStatus::Revoked
        } else if self.once && self.uses > 0 {
            ShareStatus::Used
        } else if self.expires_at.is_some_and(|end| end <= now) {
            ShareStatus::Expired
        } else {
            ShareStatus::Live
        }
    }

    /// Returns when it ends if the export's archive is this: never later than the archive.
    pub fn ends_at(&self, archive: &Archive) -> Timestamp {
        self.expires_at.map_or(archive.expires_at, |end| end.min(archive.expires_at))
    }
}

impl ShareStatus {
    /// Returns its name, which users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl ShareSecret {
    /// Returns the secret for random bytes.
    pub fn from_random(random: [u8; SECRET_BYTES]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(random))
    }

    /// Returns the id of its share.
    pub fn id(&self) -> ShareId {
        ShareId(sha256_hex(self.0.as_bytes()))
    }

    /// Returns the text, which is shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShareSecret {
    type Err = ShareError;

    fn from_str(s: &str) -> Result<Self, ShareError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = s.len() == SECRET_CHARS && s.bytes().all(plain);
        fits.then(|| Self(s.to_owned())).ok_or(ShareError)
    }
}

impl fmt::Debug for ShareSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareSecret(..)")
    }
}

impl FromStr for ShareId {
    type Err = ShareError;

    fn from_str(s: &str) -> Result<Self, ShareError> {
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let fits = s.len() == ID_CHARS && s.bytes().all(is_hex);
        fits.then(|| Self(s.to_owned())).ok_or(ShareError)
    }
}

checked_text!(ShareId, ShareError);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn share(request: ShareRequest) -> Share {
        let acme = "acme".parse().unwrap();
        let id = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
        let secret = ShareSecret::from_random([7; 32]);
        Share::new((&acme, id), &secret, request, "me", at("2026-03-01T00:00:00Z"))
    }

    #[test]
    fn a_secret_reads_back_and_its_hash_is_the_id() {
        let secret = ShareSecret::from_random([0xfb; 32]);
        assert_eq!(secret.reveal().len(), SECRET_CHARS);
        assert_eq!(secret.reveal().parse(), Ok(secret.clone()));
        let id = secret.id().to_string();
        assert_eq!(id, sha256_hex(secret.reveal().as_bytes()));
        assert_eq!(id.parse(), Ok(secret.id()));
        assert_eq!(format!("{secret:?}"), "ShareSecret(..)");
        let stored = serde_json::to_string(&share(ShareRequest::default())).unwrap();
        assert!(!stored.contains(ShareSecret::from_random([7; 32]).reveal()), "{stored}");
    }

    #[test]
    fn what_cannot_be_a_secret_or_an_id_is_neither() {
        for bad in
            ["", &"a".repeat(42), &"a".repeat(44), &format!("{}=", "a".repeat(42)), &"ä".repeat(43)]
        {
            assert_eq!(bad.parse::<ShareSecret>(), Err(ShareError), "{bad}");
        }
        for bad in ["", &"a".repeat(63), &"a".repeat(65), &"A".repeat(64), &"g".repeat(64)] {
            assert_eq!(bad.parse::<ShareId>(), Err(ShareError), "{bad}");
        }
    }

    #[test]
    fn a_share_ends_to_the_second_that_was_asked_and_with_its_archive_at_the_latest() {
        let end = at("2026-03-01T12:00:00Z");
        let share = share(ShareRequest { expires_at: Some(end), ..ShareRequest::default() });
        assert_eq!(share.status(at("2026-03-01T11:59:59.999999Z")), ShareStatus::Live);
        assert_eq!(share.status(end), ShareStatus::Expired);
        let archive = |expires_at| Archive {
            published_at: Timestamp::UNIX_EPOCH,
            expires_at,
            size_bytes: 22,
            crc32: 0,
            rows: None,
            table_files: None,
            table_rows: None,
            bad_rows: 0,
            receipt: None,
        };
        let (before, after) = (at("2026-03-01T11:00:00Z"), at("2026-03-02T00:00:00Z"));
        assert_eq!(share.ends_at(&archive(after)), end);
        assert_eq!(share.ends_at(&archive(before)), before);
        assert_eq!(Share { expires_at: None, ..share }.ends_at(&archive(after)), after);
    }

    #[test]
    fn a_share_for_one_use_is_used_up_by_it_and_a_revoked_one_stays_revoked() {
        let now = at("2026-03-01T00:00:00Z");
        let once = share(ShareRequest { once: true, ..ShareRequest::default() });
        assert_eq!(once.status(now), ShareStatus::Live);
        let used = Share { uses: 1, ..once.clone() };
        assert_eq!(used.status(now), ShareStatus::Used);
        assert_eq!(Share { once: false, ..used.clone() }.status(now), ShareStatus::Live);
        assert_eq!(Share { revoked_at: Some(now), ..used }.status(now), ShareStatus::Revoked);
    }
}
