//! The bounds of requests, and how long links last.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{Window, time::floor};

/// How long the link behind a download works. Each click makes a new one, so it only has to outlast a slow
/// redirect, not the 24 hours of the archive.
pub const LINK_LIFETIME: Duration = Duration::from_mins(5);

/// The largest body of a request, in bytes, in every API.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The deepest nesting of objects and lists in a body, in every API.
pub const MAX_BODY_DEPTH: usize = 8;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The bounds of requests. They are settings of the deployment and shown to its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The longest window, in days of 24 hours.
    pub window_days: u32,
    /// Tables in one export.
    pub tables: usize,
    /// Characters of a name.
    pub name_chars: usize,
    /// Characters of a description.
    pub description_chars: usize,
    /// Characters of the note on a share.
    pub note_chars: usize,
    /// Shares of one export.
    pub shares: usize,
    /// Labels of one export.
    pub labels: usize,
    /// Characters of a label's key or value.
    pub label_chars: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// The deepest nesting of objects and lists in a body.
    pub body_depth: usize,
    /// Bytes of a request as it is stored, with named filters written out.
    pub stored_bytes: usize,
}

/// A window that is longer than a deployment allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window has {days} days, of which {most} are allowed")]
pub struct WindowTooLong {
    /// Its days, rounded up.
    pub days: i64,
    /// The most days.
    pub most: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_days: 366,
            tables: 20,
            name_chars: 100,
            description_chars: 1000,
            note_chars: 500,
            shares: 100,
            labels: 20,
            label_chars: 100,
            body_bytes: MAX_BODY_BYTES,
            body_depth: MAX_BODY_DEPTH,
            // A record of DynamoDB has 400 KB at most, and grows while an export is built.
            stored_bytes: 192 * 1024,
        }
    }
}

impl Limits {
    /// Returns the longest window.
    pub fn longest_window(&self) -> SignedDuration {
        DAY.saturating_mul(i32::try_from(self.window_days).unwrap_or(i32::MAX))
    }

    /// Returns the part of `window` that an export plans, or an error if even that is too long.
    ///
    /// The end of tomorrow (UTC) is as far ahead as an export looks. No rows are filed later, and because
    /// that instant stays the same all day, equal requests of one day stay equal. A window that lies
    /// wholly in the future keeps its first microsecond.
    pub fn planned_window(&self, window: Window, now: Timestamp) -> Result<Window, WindowTooLong> {
        let planned = window.ending_by(end_of_tomorrow(now));
        let longest = self.longest_window();
        // Both ends of some APIs are inside, so that a whole number of days is a microsecond longer.
        let rounded = planned.length().saturating_sub(SignedDuration::from_secs(1));
        if rounded <= longest {
            return Ok(planned);
        }
        let whole = planned.length().as_hours().checked_div(24).unwrap_or_default();
        Err(WindowTooLong { days: whole.saturating_add(1), most: self.window_days })
    }
}

fn end_of_tomorrow(now: Timestamp) -> Timestamp {
    floor(now, DAY).saturating_add(DAY.saturating_mul(2)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn planned(from: &str, to: &str) -> Result<Timestamp, WindowTooLong> {
        let window = Window::new(at(from), at(to)).unwrap();
        let now = at("2026-06-01T12:00:00Z");
        Limits::default().planned_window(window, now).map(|planned| {
            assert_eq!(planned.from(), window.from());
            planned.to()
        })
    }

    #[test]
    fn a_window_without_an_end_ends_with_tomorrow() {
        let end = at("2026-06-03T00:00:00Z");
        assert_eq!(planned("2026-05-01T00:00:00Z", "9999-12-30T22:00:00Z"), Ok(end));
        assert_eq!(planned("2026-05-01T00:00:00Z", "2026-06-03T00:00:00.000001Z"), Ok(end));
        // A day of Los Angeles ends on the next day, UTC.
        let today = "2026-06-02T07:00:00Z";
        assert_eq!(planned("2026-06-01T07:00:00Z", today), Ok(at(today)));
        let first = at("2027-01-01T00:00:00.000001Z");
        assert_eq!(planned("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"), Ok(first));
    }

    #[test]
    fn a_body_has_the_documented_bounds() {
        let limits = Limits::default();
        assert_eq!((limits.body_bytes, limits.body_depth), (262_144, 8));
    }

    #[test]
    fn one_day_more_than_allowed_is_refused() {
        assert!(planned("2025-01-01T00:00:00Z", "2026-01-02T00:00:00.000001Z").is_ok());
        let error = WindowTooLong { days: 367, most: 366 };
        assert_eq!(planned("2025-01-01T00:00:00Z", "2026-01-02T00:00:02Z"), Err(error));
        let ever = planned("0001-01-01T00:00:00Z", "2026-01-01T00:00:00Z").unwrap_err();
        assert!(ever.days > 700_000);
        // What lies in the future does not count.
        assert!(planned("2025-07-01T00:00:00Z", "9999-12-30T22:00:00Z").is_ok());
    }

    #[test]
    fn no_instant_is_too_early_or_too_late() {
        let window = Window::new(Timestamp::MIN, Timestamp::MAX).unwrap();
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            _ = Limits::default().planned_window(window, now);
        }
        let most = Limits { window_days: u32::MAX, ..Limits::default() };
        assert!(most.planned_window(window, Timestamp::MAX).is_ok());
    }
}
