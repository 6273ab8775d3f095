//! Numbers, sizes and instants as people read them.

use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

/// Shows an instant in UTC, to the second.
pub fn instant(time: Timestamp) -> Markup {
    let shown = time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(time) { (shown) } }
}

/// Returns a number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns a size in the largest unit that it has one of, and in bytes.
pub fn bytes(size: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    let exact = format!("{} bytes", grouped(size));
    match UNITS.into_iter().find(|(_, unit)| size >= *unit) {
        Some((name, unit)) => {
            let (whole, tenth) = (size / unit, size % unit * 10 / unit);
            format!("{whole}.{tenth} {name} ({exact})")
        }
        None => exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_numbers_are_easy_to_read() {
        let shown = [0, 999, 1000, 1_999_999, 24_000_000_000].map(bytes);
        assert_eq!(
            shown,
            [
                "0 bytes",
                "999 bytes",
                "1.0 kB (1,000 bytes)",
                "1.9 MB (1,999,999 bytes)",
                "24.0 GB (24,000,000,000 bytes)"
            ]
        );
        assert_eq!(bytes(u64::MAX), "18446744.0 TB (18,446,744,073,709,551,615 bytes)");
    }

    #[test]
    fn an_instant_is_shown_in_utc() {
        let shown = instant("2026-03-01T10:00:00.123+01:00".parse().unwrap()).into_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-03-01T09:00:00.123Z\">2026-03-01 09:00:00 UTC</time>"
        );
    }
}
