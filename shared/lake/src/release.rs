//! When rows can be exported.

use export::{Dataset, Released};
use jiff::{SignedDuration, Timestamp};

use crate::{
    field_ref::{FieldRef, field_ref},
    filter::number_of,
};

/// Which rows were released in time.
#[derive(Debug)]
pub(crate) struct Release {
    every: SignedDuration,
    after: SignedDuration,
    duration: FieldRef,
    released: Released,
}

impl Release {
    /// Prepares what a request says of releases; none if it or the dataset says nothing.
    pub(crate) fn of(
        dataset: &Dataset,
        released: Option<Released>,
        names: &mut Vec<String>,
    ) -> Option<Self> {
        let (release, released) = (dataset.release.as_ref()?, released?);
        let (every, after) = (release.every, release.after);
        Some(Self { every, after, duration: field_ref(names, &release.duration), released })
    }

    /// Tells whether a record of this time was released in time, which was filed by `arrived`.
    pub(crate) fn has(
        &self,
        time: Timestamp,
        arrived: Option<Timestamp>,
        found: &[Option<&str>],
    ) -> bool {
        let seconds = self.duration.find(found).and_then(number_of).unwrap_or(0.0).clamp(0.0, 1e9);
        let ended = time
            .saturating_add(SignedDuration::from_secs_f64(seconds) + self.after)
            .unwrap_or(Timestamp::MAX);
        let ready = arrived.map_or(ended, |arrived| arrived.max(ended));
        let at = next(ready, self.every);
        self.released.from.is_none_or(|from| from <= at) && at <= self.released.to
    }
}

/// Returns the first multiple of `step` since 1970 that is not before `at`.
fn next(at: Timestamp, step: SignedDuration) -> Timestamp {
    let (step, second) = (step.as_secs(), at.as_second() + i64::from(at.subsec_nanosecond() > 0));
    let multiple = second.div_euclid(step) + i64::from(second.rem_euclid(step) > 0);
    Timestamp::from_second(multiple * step).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_at_even_hours() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let two = SignedDuration::from_hours(2);
        assert_eq!(next(at("2026-03-01T10:00:00Z"), two), at("2026-03-01T10:00:00Z"));
        assert_eq!(next(at("2026-03-01T10:00:00.001Z"), two), at("2026-03-01T12:00:00Z"));
        assert_eq!(next(at("2026-03-01T11:59:59Z"), two), at("2026-03-01T12:00:00Z"));
    }

    #[test]
    fn a_row_is_released_at_the_first_release_once_it_was_filed_and_has_ended_long_enough() {
        let at = |hour: i64, second: i64| Timestamp::from_second(hour * 3600 + second).unwrap();
        let hours = SignedDuration::from_hours;
        let duration = field_ref(&mut Vec::new(), &export::FieldPath::of_name("seconds"));
        let released = Released { from: None, to: Timestamp::MAX };
        let mut release = Release { every: hours(2), after: hours(1), duration, released };
        for (time, arrived, seconds, released_at) in [
            (at(10, 0), None, None, at(12, 0)),
            (at(11, 0), None, None, at(12, 0)),
            (at(11, 1), None, None, at(14, 0)),
            (at(11, 0), None, Some("1"), at(14, 0)),
            (at(11, 0), None, Some("0.5"), at(14, 0)),
            (at(11, 0), None, Some("\"7200\""), at(14, 0)),
            (at(11, 0), None, Some("7201"), at(16, 0)),
            (at(10, 0), Some(at(12, 0)), Some("60"), at(12, 0)),
            (at(10, 0), Some(at(12, 1)), Some("60"), at(14, 0)),
            // What is no number of seconds does not count, nor does what would end before it began.
            (at(11, 0), None, Some("-7200"), at(12, 0)),
            (at(11, 0), None, Some("\"long\""), at(12, 0)),
            (at(11, 0), None, Some("null"), at(12, 0)),
        ] {
            let second = SignedDuration::from_secs(1);
            for (from, to, has) in [
                (None, released_at, true),
                (None, released_at - second, false),
                (Some(released_at), Timestamp::MAX, true),
                (Some(released_at + second), Timestamp::MAX, false),
            ] {
                release.released = Released { from, to };
                let found = release.has(time, arrived, &[seconds]);
                assert_eq!(found, has, "{time} {arrived:?} {seconds:?} {from:?} to {to}");
            }
        }
    }
}
