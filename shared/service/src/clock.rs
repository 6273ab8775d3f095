//! The clock, as a value.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time. Clones tell the same.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    System,
    /// It was so late at that instant of tokio's clock, which tests can stop and move.
    Runtime(Timestamp, Instant),
}

impl Clock {
    /// Returns the clock of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Returns a clock that says `start` now and goes on as tokio's clock does. For tests, which stop that one:
    /// then a pause takes no time, and `tokio::time::advance` moves both.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(Source::Runtime(start, Instant::now()))
    }

    /// Returns the time.
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked")]
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => Timestamp::now(),
            Source::Runtime(start, since) => {
                start + SignedDuration::try_from(since.elapsed()).unwrap_or_default()
            }
        }
    }
}
