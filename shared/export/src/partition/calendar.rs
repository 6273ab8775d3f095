//! Hours, days and months of a time zone.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};

use crate::time::floor;

/// How long a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// An hour of the clock. In the night in which a clock is set back, one of them is two hours long.
    Hour,
    /// A day of the calendar, of 23 to 25 hours where clocks are set.
    Day,
    /// A month of the calendar.
    Month,
}

impl Grain {
    /// Returns about how many seconds it has; hardly ever more than it has.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Month => 28 * 86_400,
        }
    }
}

/// The partitions of all times: how long they are, and in which time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    grain: Grain,
    zone: TimeZone,
}

impl Calendar {
    /// Returns the calendar of a time zone.
    pub fn new(grain: Grain, zone: TimeZone) -> Self {
        Self { grain, zone }
    }

    /// Returns how long a partition is.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// Returns the time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the beginning of the partition that has the time `at`.
    pub fn begin_of(&self, at: Timestamp) -> Timestamp {
        match self.grain {
            Grain::Hour | Grain::Day if self.zone == TimeZone::UTC => {
                floor(at, SignedDuration::from_secs(self.grain.seconds()))
            }
            Grain::Hour | Grain::Day | Grain::Month => self.instant(self.floor(self.civil(at))),
        }
    }

    /// Returns the end of the partition that begins at `begin`.
    pub fn end_of(&self, begin: Timestamp) -> Timestamp {
        let mut civil = self.floor(self.civil(begin));
        let step = match self.grain {
            Grain::Hour => Span::new().hours(1),
            Grain::Day => Span::new().days(1),
            Grain::Month => Span::new().months(1),
        };
        // Where a clock is set forward, an hour is not there, and begins with the next one.
        while let Ok(next) = civil.checked_add(step) {
            let end = self.instant(next);
            if end > begin {
                return end;
            }
            civil = next;
        }
        Timestamp::MAX
    }

    /// Returns what a clock shows at `at`.
    pub(super) fn civil(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }

    /// Returns when a clock shows `civil`: the first time, where it does so twice; the end of the gap, where it never
    /// does.
    pub(super) fn instant(&self, civil: DateTime) -> Timestamp {
        let at = self.zone.to_ambiguous_timestamp(civil).compatible();
        at.unwrap_or(if civil.year() < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// Returns the beginning of the day that has the time `at`.
    pub(super) fn day_of(&self, at: Timestamp) -> Timestamp {
        self.instant(self.civil(at).date().to_datetime(Time::midnight()))
    }

    fn floor(&self, civil: DateTime) -> DateTime {
        match self.grain {
            Grain::Hour => civil.date().at(civil.hour(), 0, 0, 0),
            Grain::Day => civil.date().to_datetime(Time::midnight()),
            Grain::Month => civil.date().first_of_month().to_datetime(Time::midnight()),
        }
    }
}
