//! Reads the partition of an object from its key.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
};

use super::{
    Calendar, Grain,
    template::{Padding, Part, Precision, Unit},
};

/// Returns the beginning of the partition of an object, given what the lake calls its tenant.
pub(super) fn find(
    parts: &[Part],
    calendar: &Calendar,
    tenant: &str,
    key: &str,
) -> Option<Timestamp> {
    let reader = Reader { calendar, tenant, key };
    reader.read(parts, 0, Values::default())
}

/// The numbers that were read.
#[derive(Clone, Copy, Default)]
struct Values {
    /// Year, month, day, hour, minute and second.
    numbers: [Option<i16>; 6],
    /// When the day begins.
    day: Option<Timestamp>,
}

struct Reader<'a> {
    calendar: &'a Calendar,
    tenant: &'a str,
    key: &'a str,
}

impl Reader<'_> {
    /// Reads what these parts stand for, from byte `at` of the key on.
    fn read(&self, parts: &[Part], at: usize, values: Values) -> Option<Timestamp> {
        let rest = self.key.get(at..)?;
        let Some((part, others)) = parts.split_first() else { return self.begin(at, values) };
        let is_last = others.is_empty();
        match part {
            Part::Text(text) => {
                rest.starts_with(text.as_str()).then_some(())?;
                self.read(others, at + text.len(), values)
            }
            Part::Workspace => {
                rest.starts_with(self.tenant).then_some(())?;
                self.read(others, at + self.tenant.len(), values)
            }
            Part::Number(unit, padding) => {
                let len = match (padding, unit) {
                    (Padding::Zeros, Unit::Year) => 4,
                    (Padding::Zeros, _) => 2,
                    (Padding::None, _) => digits(rest),
                };
                let number = number(rest, len, *padding, is_last)?;
                let known = &mut { values };
                let value = &mut known.numbers[*unit as usize];
                if value.is_some_and(|value| value != number) {
                    return None;
                }
                *value = Some(number);
                self.read(others, at + len, *known)
            }
            Part::Epoch(precision) => {
                let len = digits(rest);
                let number: i64 = rest.get(..len)?.parse().ok()?;
                let day = match precision {
                    Precision::Seconds => Timestamp::from_second(number).ok()?,
                    Precision::Milliseconds => Timestamp::from_millisecond(number).ok()?,
                };
                if values.day.is_some_and(|known| known != day) {
                    return None;
                }
                self.read(others, at + len, Values { day: Some(day), ..values })
            }
            Part::Wildcard => {
                let begins_name = at == 0 || self.key.as_bytes()[at - 1] == b'/';
                if begins_name && rest.starts_with(['_', '.']) {
                    return None;
                }
                let name = rest.find('/').unwrap_or(rest.len());
                let ends = (0..=name).filter(|end| rest.is_char_boundary(*end));
                ends.into_iter().find_map(|end| self.read(others, at + end, values))
            }
        }
    }

    /// Returns the beginning of the partition, if all that was read fits together and the object is not hidden.
    fn begin(&self, end: usize, values: Values) -> Option<Timestamp> {
        if is_hidden(self.key, end) {
            return None;
        }
        let [year, month, day, hour, minute, second] = values.numbers;
        if minute.is_some_and(|minute| minute > 59) || second.is_some_and(|second| second > 59) {
            return None;
        }
        let date = match values.day {
            Some(at) if self.calendar.day_of(at) == at => self.calendar.civil(at).date(),
            Some(_) => return None,
            None => {
                let day = if self.calendar.grain() == Grain::Month { day.or(Some(1)) } else { day };
                Date::new(year?, i8::try_from(month?).ok()?, i8::try_from(day?).ok()?).ok()?
            }
        };
        // An epoch and a date have to say the same.
        for (number, of_date) in
            [(year, date.year()), (month, date.month().into()), (day, date.day().into())]
        {
            if number.is_some_and(|number| number != of_date) {
                return None;
            }
        }
        let hour = i8::try_from(hour.unwrap_or(0)).ok().filter(|hour| *hour < 24)?;
        Some(self.calendar.instant(DateTime::from_parts(date, jiff::civil::time(hour, 0, 0, 0))))
    }
}

/// Reads a number of `len` digits, as it is written: without zeros in front if it is not padded. At the end of a
/// template, no further digit may follow.
fn number(text: &str, len: usize, padding: Padding, is_last: bool) -> Option<i16> {
    let written = text.get(..len)?;
    let is_whole = !is_last || digits(text) == len;
    let is_padded_right = padding == Padding::Zeros || written == "0" || !written.starts_with('0');
    let is_number = len > 0 && written.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && is_whole && is_padded_right).then_some(())?;
    written.parse().ok()
}

/// Counts the digits that a text begins with.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Whether a name in `key` that begins at or behind byte `at` is hidden.
fn is_hidden(key: &str, at: usize) -> bool {
    let begins_name = at == 0 || key.as_bytes()[at - 1] == b'/';
    let mut names = key[at..].split('/').skip(usize::from(!begins_name));
    names.any(|name| name.starts_with(['_', '.']))
}
