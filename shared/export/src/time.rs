//! The instants in source rows.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;

/// How a dataset writes its time field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// ISO 8601 with `T` or a blank between date and time; UTC where no offset is given.
    #[default]
    Text,
    /// Seconds since 1970, with or without a fraction, as a number or as digits in a string.
    Seconds,
    /// Milliseconds since 1970, likewise.
    Milliseconds,
}

/// Reads an instant from the text of a row's time field, quotes removed.
pub fn parse_time(text: &str, format: TimeFormat) -> Option<Timestamp> {
    match format {
        TimeFormat::Text => text.parse().ok().or_else(|| {
            let civil: DateTime = text.parse().ok()?;
            civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        }),
        TimeFormat::Seconds => decimal(text, 6),
        TimeFormat::Milliseconds => decimal(text, 3),
    }
}

/// Returns the beginning of the hour that holds `at`, in UTC.
pub fn hour_of(at: Timestamp) -> Timestamp {
    floor(at, SignedDuration::from_hours(1))
}

/// Returns the beginning of the span of `step`, whole seconds, that holds `at`; spans are counted from 1970.
pub(crate) fn floor(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs();
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

/// Reads a date and time in UTC that has exactly one of `formats`, as `%Y-%m-%dT%H:%M:%S.%3f`.
pub fn civil_utc(text: &str, formats: &[&str]) -> Option<Timestamp> {
    formats.iter().find_map(|format| {
        let civil = DateTime::strptime(format, text).ok()?;
        // Written out again it is the same, or blanks and missing zeros were overlooked.
        (civil.strftime(format).to_string() == text).then_some(())?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Reads a decimal number as microseconds, `digits` of its fraction counting. Exact where the
/// number is written plainly; scientific notation goes through a float.
fn decimal(text: &str, digits: usize) -> Option<Timestamp> {
    if text.contains(['e', 'E']) {
        let scale = if digits == 6 { 1e6 } else { 1e3 };
        let micros = text.parse::<f64>().ok()? * scale;
        #[expect(clippy::cast_possible_truncation, reason = "out of range is refused below")]
        return Timestamp::from_microsecond(micros.round() as i64).ok();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10_i64.pow(u32::try_from(digits).ok()?);
    let fraction: i64 = format!("{fraction:0<digits$.digits$}").parse().ok()?;
    let micros = whole.parse::<i64>().ok()?.checked_mul(scale)?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    Timestamp::from_microsecond(micros.checked_add(sign * fraction)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_instant_is_that_instant() {
        let want: Timestamp = "2026-03-01T10:20:30.5Z".parse().unwrap();
        for (text, format) in [
            ("2026-03-01T10:20:30.500Z", TimeFormat::Text),
            ("2026-03-01T11:20:30.5+01:00", TimeFormat::Text),
            ("2026-03-01 10:20:30.500000", TimeFormat::Text),
            ("1772360430.5", TimeFormat::Seconds),
            ("1772360430500", TimeFormat::Milliseconds),
            ("1.7723604305E9", TimeFormat::Seconds),
        ] {
            assert_eq!(parse_time(text, format), Some(want), "{text}");
        }
    }

    #[test]
    fn an_hour_begins_before_what_is_in_it() {
        for (at, hour) in [
            ("2026-03-01T05:59:59.999999Z", "2026-03-01T05:00:00Z"),
            ("2026-03-01T05:00:00Z", "2026-03-01T05:00:00Z"),
            ("1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(hour_of(at.parse().unwrap()), hour.parse().unwrap());
        }
    }

    #[test]
    fn a_form_is_kept_to_the_letter() {
        let read = |text| civil_utc(text, &["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S.%3f"]);
        assert_eq!(read("2026-02-28T23:59"), "2026-02-28T23:59:00Z".parse().ok());
        assert_eq!(read("2026-02-28T23:59:01.250"), "2026-02-28T23:59:01.25Z".parse().ok());
        for text in [
            "2026-02-29T00:00",
            "2026-2-28T00:00",
            "2026-02-28 00:00",
            "2026-02-28T23:59:01.25",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2026-02-30T00:00:00Z", "1.2.3", "99999999999999999999"] {
            assert_eq!(parse_time(text, TimeFormat::Text), None, "{text}");
            assert_eq!(parse_time(text, TimeFormat::Seconds), None, "{text}");
        }
    }
}
