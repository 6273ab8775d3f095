//! Spans of time.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A half-open span of time `[from, to)` in UTC, to the microsecond, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

/// The reason why two instants are not a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Both ends are the same microsecond.
    #[error("the window is empty: it ends where it begins")]
    Empty,
    /// The end lies before the beginning.
    #[error("the window is reversed: it ends before it begins")]
    Reversed,
}

#[derive(Serialize, Deserialize)]
struct Ends {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// Returns the window from `from` up to but not including `to`, both cut to the microsecond.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, WindowError> {
        let (from, to) = (to_microsecond(from), to_microsecond(to));
        match from.cmp(&to) {
            std::cmp::Ordering::Less => Ok(Self { from, to }),
            std::cmp::Ordering::Equal => Err(WindowError::Empty),
            std::cmp::Ordering::Greater => Err(WindowError::Reversed),
        }
    }

    /// Returns the window from `from` up to and including the whole unit of time that begins at `last`:
    /// an end that was written to the minute means that minute, one in milliseconds that millisecond.
    pub fn inclusive(
        from: Timestamp,
        last: Timestamp,
        unit: SignedDuration,
    ) -> Result<Self, WindowError> {
        let unit = unit.max(SignedDuration::from_micros(1));
        Self::new(from, last.saturating_add(unit).unwrap_or(last))
    }

    /// Returns the part before `end`, which is at least its first microsecond.
    pub fn ending_by(self, end: Timestamp) -> Self {
        let first = self.from.saturating_add(SignedDuration::from_micros(1)).unwrap_or(self.to);
        Self { from: self.from, to: self.to.min(to_microsecond(end).max(first)) }
    }

    /// Returns the first instant inside.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Returns the first instant after it.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// Whether `instant` lies inside.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.from <= instant && instant < self.to
    }

    /// Returns its length.
    pub fn length(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

impl TryFrom<Ends> for Window {
    type Error = WindowError;

    fn try_from(ends: Ends) -> Result<Self, Self::Error> {
        Self::new(ends.from, ends.to)
    }
}

impl From<Window> for Ends {
    fn from(window: Window) -> Self {
        Self { from: window.from, to: window.to }
    }
}

fn to_microsecond(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_begins_and_ends_where_it_was_said() {
        let (from, to) = ("2026-03-01T00:00:00Z".parse().unwrap(), Timestamp::MAX);
        let window = Window::new(from, to).unwrap();
        assert_eq!((window.from(), window.to()), (from, to));
    }

    proptest! {
        /// Spans whose last instants are written to any unit of time, each beginning with the unit after the
        /// last of the one before.
        #[test]
        fn inclusive_spans_in_a_row_hold_every_instant_once(
            begin in -1_000_000_000_000_i64..1_000_000_000_000,
            spans in prop::collection::vec((0..=8_u32, 1..5_000_i64), 1..6),
            anywhere in prop::collection::vec(-1_000_000_i64..40_000_000_000, 1..50),
        ) {
            let at = |micros: i64| Timestamp::from_microsecond(micros).unwrap();
            let (mut windows, mut edges, mut from) = (Vec::new(), vec![begin - 1, begin], begin);
            for (digits, length) in spans {
                // From microseconds to some minutes.
                let unit = 10_i64.pow(digits);
                let last = (from.div_euclid(unit) + length) * unit;
                let inside = SignedDuration::from_micros(unit);
                windows.push(Window::inclusive(at(from), at(last), inside).unwrap());
                from = last + unit;
                edges.extend([last, from - 1, from]);
            }
            let anywhere = anywhere.into_iter().map(|micros| begin + micros);
            for micros in anywhere.chain(edges) {
                let holding = windows.iter().filter(|window| window.contains(at(micros))).count();
                let inside = (begin..from).contains(&micros);
                prop_assert_eq!(holding, usize::from(inside), "{}", micros);
            }
        }
    }

    #[test]
    fn the_end_is_outside_and_the_beginning_inside() {
        let at = |us| Timestamp::from_microsecond(us).unwrap();
        let window = Window::new(at(10), at(20)).unwrap();

        assert!(window.contains(at(10)) && window.contains(at(19)));
        assert!(!window.contains(at(9)) && !window.contains(at(20)));
        assert_eq!(
            Window::inclusive(at(5), at(5), SignedDuration::ZERO),
            Window::new(at(5), at(6))
        );
        assert_eq!(
            Window::inclusive(at(5), at(7), SignedDuration::from_micros(3)),
            Window::new(at(5), at(10))
        );
        assert_eq!(Window::new(at(5), at(5)), Err(WindowError::Empty));
        assert_eq!(Window::new(at(6), at(5)), Err(WindowError::Reversed));
        for (end, to) in [(30, 20), (20, 20), (15, 15), (11, 11), (10, 11), (-5, 11)] {
            assert_eq!(window.ending_by(at(end)), Window::new(at(10), at(to)).unwrap());
        }
    }
}
