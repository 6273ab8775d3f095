//! The identifier of an export.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies one export. Sorts by creation time (UUID version 7, RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportId(Uuid);

impl ExportId {
    /// Returns an identifier no other export has.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Returns one of `shards` numbers, spread evenly over exports.
    pub fn shard(&self, shards: u8) -> u8 {
        self.0.as_bytes()[15] % shards
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExportId {
    type Err = uuid::Error;

    /// Accepts the canonical form only, so that an export has one URL.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(s)?;
        if id.to_string() == s { Ok(Self(id)) } else { Uuid::try_parse("").map(Self) }
    }
}
