//! Tokens: their format, and their stored form.
//!
//! `dct_` id `_` secret checksum, where the id is 16, the secret 64 and the checksum 8 hexadecimal
//! digits. The checksum (CRC-32 of everything before it) tells a typing error from a forged token without a
//! look-up, and lets secret scanners recognise a token with certainty.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::{Workspace, digest::hex, sha256_hex};

const PREFIX: &str = "dct_";

/// A token with its secret, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: String,
    secret: String,
}

/// The reason why a text is not a token. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have the form of a token.
    #[error("the token does not have the form of one")]
    Malformed,
    /// It has the form of a token that was cut or mistyped.
    #[error("the token was cut or mistyped: its checksum does not match")]
    Checksum,
}

/// The privileges of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Read and download exports.
    View,
    /// Create, cancel and delete exports, and everything that `View` allows.
    Edit,
}

/// The stored form of a token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The public part.
    pub id: String,
    /// The SHA-256 of the secret part, in hexadecimal.
    pub secret_sha256: String,
    /// The workspaces that it gives access to; at least one.
    pub workspaces: Vec<Workspace>,
    /// Its privileges in each of them.
    pub privileges: Vec<Privilege>,
    /// A name for people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Returns the token for 40 random bytes.
    pub fn from_random(random: [u8; 40]) -> Self {
        Self { id: hex(&random[..8]), secret: hex(&random[8..]) }
    }

    /// Returns the public part.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the SHA-256 of the secret part, in hexadecimal.
    pub fn secret_sha256(&self) -> String {
        sha256_hex(self.secret.as_bytes())
    }

    /// Returns the whole token, which is shown to its holder once.
    pub fn reveal(&self) -> String {
        let body = format!("{PREFIX}{}_{}", self.id, self.secret);
        format!("{body}{:08x}", crc32fast::hash(body.as_bytes()))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let rest = s.strip_prefix(PREFIX).ok_or(TokenError::Malformed)?;
        let (id, tail) = rest.split_once('_').ok_or(TokenError::Malformed)?;
        if id.len() != 16 || tail.len() != 72 || !is_hex(id) || !is_hex(tail) {
            return Err(TokenError::Malformed);
        }
        let (secret, _) = tail.split_at(64);
        let token = Self { id: id.to_owned(), secret: secret.to_owned() };
        if token.reveal() == s { Ok(token) } else { Err(TokenError::Checksum) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TokenRecord {
    /// Whether `token` is this one. The time this takes does not depend on where they differ.
    pub fn matches(&self, token: &Token) -> bool {
        self.secret_sha256.as_bytes().ct_eq(token.secret_sha256().as_bytes()).into()
    }

    /// Whether it has `privilege`.
    pub fn allows(&self, privilege: Privilege) -> bool {
        match privilege {
            Privilege::View => !self.privileges.is_empty(),
            Privilege::Edit => self.privileges.contains(&Privilege::Edit),
        }
    }

    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_a_changed_one_does_not() {
        let token = Token::from_random(std::array::from_fn(|i| u8::try_from(i * 6).unwrap()));
        let shown = token.reveal();

        assert_eq!(shown.parse(), Ok(token));
        assert_eq!(shown.replacen('a', "b", 1).parse::<Token>(), Err(TokenError::Checksum));
        assert_eq!(shown[..90].parse::<Token>(), Err(TokenError::Malformed));
        assert_eq!("letmein".parse::<Token>(), Err(TokenError::Malformed));
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let token = Token::from_random([7; 40]);
        let shown = format!("{token:?}");
        assert!(!shown.contains("07070707070707070707"));
        assert!(shown.contains(token.id()), "{shown}");
    }

    #[test]
    fn what_is_no_hexadecimal_is_no_token() {
        for (part, len) in [("g", 16), ("A", 16), ("é", 8)] {
            let id = format!("dct_{}_{}", part.repeat(len), "0".repeat(72));
            assert_eq!(id.parse::<Token>(), Err(TokenError::Malformed), "{id}");
        }
        for secret in ["g".repeat(72), "A".repeat(72), format!("0{}0", "é".repeat(35))] {
            let token = format!("dct_{}_{secret}", "0".repeat(16));
            assert_eq!(token.parse::<Token>(), Err(TokenError::Malformed), "{token}");
        }
    }

    fn record(token: &Token, privileges: &[Privilege]) -> TokenRecord {
        TokenRecord {
            id: token.id().to_owned(),
            secret_sha256: token.secret_sha256(),
            workspaces: vec!["acme".parse().unwrap()],
            privileges: privileges.to_vec(),
            description: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_record_keeps_a_hash_and_knows_its_own_token_by_it() {
        let token = Token::from_random([7; 40]);
        let record = record(&token, &[Privilege::View]);
        assert_eq!(record.id, "0707070707070707");
        assert_eq!(record.secret_sha256, sha256_hex("07".repeat(32).as_bytes()));
        assert!(record.matches(&token));
        let mut random = [7; 40];
        random[39] = 8;
        let forged = Token::from_random(random);
        assert_eq!(forged.id(), record.id);
        assert!(!record.matches(&forged), "the same id with another secret");
    }

    #[test]
    fn who_may_edit_may_view_and_who_may_nothing_may_neither() {
        let token = Token::from_random([7; 40]);
        for (privileges, view, edit) in [
            (&[][..], false, false),
            (&[Privilege::View], true, false),
            (&[Privilege::Edit], true, true),
            (&[Privilege::View, Privilege::Edit], true, true),
        ] {
            let record = record(&token, privileges);
            let allows = (record.allows(Privilege::View), record.allows(Privilege::Edit));
            assert_eq!(allows, (view, edit), "{privileges:?}");
        }
    }

    #[test]
    fn a_token_lives_until_it_expires_or_is_revoked() {
        let end = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1);
        let before = end - jiff::SignedDuration::from_nanos(1);
        let endless = record(&Token::from_random([7; 40]), &[Privilege::View]);
        let ending = TokenRecord { expires_at: Some(end), ..endless.clone() };
        let revoked =
            |record: &TokenRecord| TokenRecord { revoked_at: Some(end), ..record.clone() };
        assert!(endless.is_live(end) && !revoked(&endless).is_live(before));
        assert!(
            ending.is_live(before) && !ending.is_live(end) && !revoked(&ending).is_live(before)
        );
    }
}
