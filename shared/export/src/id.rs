//! The identifier of an export.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// Identifies one export. Sorts by creation time (UUID version 7, RFC 9562).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExportId(Uuid);

impl ExportId {
    /// Returns the identifier of an export that is made at `now`. No other has it, as `random` differs.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Returns when it was generated, to the millisecond.
    pub fn created_at(&self) -> Timestamp {
        let parts = self.0.get_timestamp().map(|timestamp| timestamp.to_unix());
        let at = parts.and_then(|(seconds, nanoseconds)| {
            Timestamp::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?).ok()
        });
        at.unwrap_or(Timestamp::UNIX_EPOCH)
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

    /// Accepts 36 characters with hyphens, in any case (RFC 9562, section 4).
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let hyphenated = s.len() == 36;
        Uuid::try_parse(if hyphenated { s } else { "" }).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_any_case_and_written_in_one() {
        let id = ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        let text = id.to_string();
        assert_eq!((text.parse(), text.to_uppercase().parse()), (Ok(id), Ok(id)));
        assert_eq!(text.to_uppercase().parse::<ExportId>().unwrap().to_string(), text);
        let bare = text.replace('-', "");
        for wrong in ["", &bare, &format!("{{{text}}}"), &format!("urn:uuid:{text}"), &text[1..]] {
            assert!(wrong.parse::<ExportId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_id_knows_when_its_export_was_made_and_sorts_by_that() {
        let made: Timestamp = "2026-03-01T10:03:11.123Z".parse().unwrap();
        let id = ExportId::new(made, [0xff; 10]);
        assert_eq!(id.created_at(), made);
        assert!(id < ExportId::new(made + jiff::SignedDuration::from_millis(1), [0; 10]));
    }

    #[test]
    fn exports_are_spread_over_all_shards() {
        let shards = (0..=255_u8).map(|last| {
            let mut bytes = *ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]).0.as_bytes();
            bytes[15] = last;
            ExportId(Uuid::from_bytes(bytes)).shard(8)
        });
        let mut counts = [0; 8];
        shards.for_each(|shard| counts[usize::from(shard)] += 1);
        assert_eq!(counts, [32; 8]);
    }
}
