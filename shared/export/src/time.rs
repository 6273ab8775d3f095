//! Instants in the rows of a lake, and the formats that lakes write them in.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, date},
    tz::TimeZone,
};
use serde::Deserialize;

const UNIX_EPOCH: Date = date(1970, 1, 1);

/// The format of a dataset's time field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// ISO 8601 with `T` or a blank between date and time; UTC where no offset is given, or ` UTC` is.
    #[default]
    Text,
    /// Seconds since 1970, with or without a fraction, as a number or as digits in a string.
    Seconds,
    /// Milliseconds since 1970, as a number or as digits in a string.
    Milliseconds,
    /// Microseconds since 1970, likewise.
    Microseconds,
    /// Nanoseconds since 1970, likewise.
    Nanoseconds,
}

/// Reads an instant from the text of a row's time field, quotes removed.
pub fn parse_time(text: &str, format: TimeFormat) -> Option<Timestamp> {
    match format {
        TimeFormat::Text => plain_utc(text).or_else(|| text.parse().ok()).or_else(|| utc(text)),
        TimeFormat::Seconds => decimal(text, 6),
        TimeFormat::Milliseconds => decimal(text, 3),
        TimeFormat::Microseconds => whole(text, 1000),
        TimeFormat::Nanoseconds => whole(text, 1),
    }
}

/// Reads a date and time without an offset, which are in UTC, also where the text ends in ` UTC`. A bare
/// number is no date, and a zone without an offset is not looked up.
fn utc(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // The parser of civil times reads over an offset and drops it.
    let has_offset = text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    if has_offset || text.contains('[') || !text.contains(['-', ':', 'T', 't']) {
        return None;
    }
    let civil: DateTime = text.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Reads `2026-03-01T10:20:30.5Z`, with a `T` or a blank, with or without fraction and `Z`. Nearly every row
/// has this form, and this is several times faster than a general parser. Returns `None` for other forms.
fn plain_utc(text: &str) -> Option<Timestamp> {
    let bytes = text.strip_suffix('Z').unwrap_or(text).as_bytes();
    let (fields, fraction) = bytes.split_at_checked(19)?;
    for (at, separators) in [(4, b"--"), (7, b"--"), (10, b"T "), (13, b"::"), (16, b"::")] {
        if !separators.contains(&fields[at]) {
            return None;
        }
    }
    let [century, year, month, day, hour, minute, second] =
        [0, 2, 5, 8, 11, 14, 17].map(|at| number(&fields[at..at + 2]));
    let date = Date::new(
        i16::try_from(century? * 100 + year?).ok()?,
        i8::try_from(month?).ok()?,
        i8::try_from(day?).ok()?,
    );
    let days = date.ok()?.duration_since(UNIX_EPOCH).as_secs() / 86_400;
    let (hour, minute, second) = (hour?, minute?, second?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanoseconds = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            number(digits)? * 10_i32.pow(9 - u32::try_from(digits.len()).ok()?)
        }
        _ => return None,
    };
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Timestamp::new(seconds, nanoseconds).ok()
}

/// Reads digits, nine at most.
fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i32::from(digit - b'0'))
    })
}

/// Returns the beginning of the hour of `at`, in UTC.
pub fn hour_of(at: Timestamp) -> Timestamp {
    floor(at, SignedDuration::from_hours(1))
}

/// Returns the beginning of the span of `step` (whole seconds) that holds `at`. Spans are counted from 1970.
pub(crate) fn floor(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs();
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

/// Reads a date and time in UTC that has the form of one of `formats`, as `%Y-%m-%dT%H:%M:%S.%3f`.
pub fn civil_utc(text: &str, formats: &[&str]) -> Option<Timestamp> {
    formats.iter().find_map(|format| {
        let civil = DateTime::strptime(format, text).ok()?;
        // Written out again it is the same, or blanks and missing zeros were overlooked.
        (civil.strftime(format).to_string() == text).then_some(())?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Reads a number of spans of so many nanoseconds each. A fraction of one, which nobody writes, does not count.
fn whole(text: &str, nanoseconds: i128) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    Timestamp::from_nanosecond(number.checked_mul(nanoseconds)?).ok()
}

/// Reads a decimal number as microseconds. `digits` of its fraction count. The result is exact for plain
/// decimals; scientific notation goes through a float.
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_second_of_a_day_is_read_the_fast_way_and_none_behind_it() {
        assert!(plain_utc("2026-03-01T23:59:59Z").is_some());
        for wrong in ["2026-03-01T24:00:00Z", "2026-03-01T23:60:00Z", "2026-03-01T23:59:60Z"] {
            assert_eq!(plain_utc(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_reads_what_the_slow_one_reads(
            at in any::<i64>().prop_map(|n| n % 253_402_300_799), nanoseconds in 0..1_000_000_000_i32,
            digits in 0..=9_usize, letter in prop_oneof![Just('T'), Just(' ')], zone in prop_oneof![Just("Z"), Just("")],
            change in prop::option::of((0..20_usize, "[0-9T:. -]"))
        ) {
            let at = Timestamp::new(at, if at < 0 { 0 } else { nanoseconds }).unwrap();
            let mut text = at.strftime(&format!("%Y-%m-%d{letter}%H:%M:%S")).to_string();
            if digits > 0 {
                text += &format!(".{nanoseconds:09}")[..=digits];
            }
            text += zone;
            let is_changed = change.is_some();
            if let Some((place, other)) = change
                && place < text.len()
            {
                text.replace_range(place..=place, &other);
            }
            let slow = || -> Option<Timestamp> {
                text.parse().ok().or_else(|| {
                    let civil: DateTime = text.parse().ok()?;
                    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
                })
            };
            match plain_utc(&text) {
                Some(fast) => prop_assert_eq!(Some(fast), slow(), "{}", text),
                None => prop_assert!(is_changed || at.as_second() < 0, "{} is left to the slow way", text),
            }
        }
    }

    #[test]
    fn every_form_of_one_instant_is_that_instant() {
        let want: Timestamp = "2026-03-01T10:20:30.5Z".parse().unwrap();
        for (text, format) in [
            ("2026-03-01T10:20:30.500Z", TimeFormat::Text),
            ("2026-03-01T11:20:30.5+01:00", TimeFormat::Text),
            ("2026-03-01 10:20:30.500000", TimeFormat::Text),
            ("2026-03-01 10:20:30.5 UTC", TimeFormat::Text),
            ("2026-03-01T11:20:30.5+01:00[Europe/Berlin]", TimeFormat::Text),
            ("1772360430.5", TimeFormat::Seconds),
            ("1772360430500", TimeFormat::Milliseconds),
            ("1.7723604305E9", TimeFormat::Seconds),
            ("1772360430500000", TimeFormat::Microseconds),
            ("1772360430500000.5", TimeFormat::Microseconds),
            ("1772360430500000000", TimeFormat::Nanoseconds),
        ] {
            assert_eq!(parse_time(text, format), Some(want), "{text}");
        }
    }

    #[test]
    fn an_instant_before_1970_keeps_its_fraction() {
        let want: Timestamp = "1969-12-31T23:59:58.5Z".parse().unwrap();
        for (text, format) in [
            ("1969-12-31T23:59:58.5Z", TimeFormat::Text),
            ("-1.5", TimeFormat::Seconds),
            ("-1500", TimeFormat::Milliseconds),
            ("-1500000", TimeFormat::Microseconds),
            ("-1500000000", TimeFormat::Nanoseconds),
            ("-15e-1", TimeFormat::Seconds),
            ("-1.5e3", TimeFormat::Milliseconds),
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
    fn a_zone_or_a_number_is_not_taken_for_utc() {
        for text in
            ["2026-03-01T00:30:00[Europe/Berlin]", "20260301", "20260301 UTC", "2026-03-01[UTC]"]
        {
            assert_eq!(parse_time(text, TimeFormat::Text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_is_never_dropped() {
        for text in [
            "2026-03-01T00:30:00+01:00 UTC",
            "2026-03-01T00:30:00-0800 UTC",
            "20260301T003000+01 UTC",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(parse_time(text, TimeFormat::Text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2026-02-30T00:00:00Z", "1.2.3", "99999999999999999999"] {
            assert_eq!(parse_time(text, TimeFormat::Text), None, "{text}");
            for format in [TimeFormat::Seconds, TimeFormat::Microseconds] {
                assert_eq!(parse_time(text, format), None, "{text}");
            }
        }
        for text in ["", "x", "1.x", "-", "9999999999999999999999"] {
            assert_eq!(parse_time(text, TimeFormat::Nanoseconds), None, "{text}");
        }
        for time in ["24:00:00", "99:00:00", "10:60:00", "10:99:00", "10:00:61", "10:00:99"] {
            let text = format!("2026-03-01T{time}Z");
            assert_eq!(parse_time(&text, TimeFormat::Text), None, "{text}");
        }
        for fraction in [".", ".1234567890", ".99999999999999999999"] {
            let text = format!("2026-03-01T10:20:30{fraction}Z");
            assert_eq!(parse_time(&text, TimeFormat::Text), None, "{text}");
        }
    }
}
