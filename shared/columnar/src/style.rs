//! How the values of a column are written as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp, civil::Date};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    data_type::Int96,
    schema::types::ColumnDescriptor,
};
use serde_json::value::RawValue;

use crate::{ParquetFault, leaf::Values, rows::MAX_ROW_BYTES};

/// The most digits behind the point of a decimal number.
const MAX_SCALE: usize = 1000;
/// The most bytes of a decimal number.
const MAX_DECIMAL_BYTES: usize = 256;
/// The day of 1970-01-01 in the count of days that INT96 has.
const JULIAN_EPOCH: i64 = 2_440_588;

/// How the values of a column are written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As numbers or truth values.
    Plain,
    /// As numbers that have no sign.
    Unsigned,
    /// As texts.
    Text,
    /// As JSON, or as texts where they are none.
    Json,
    /// As texts if they are UTF-8, or else in base64.
    Binary,
    /// As numbers with so many digits behind the point.
    Decimal(usize),
    Date,
    /// As times of a day, of so many nanoseconds each.
    TimeOfDay(i64),
    /// As instants in UTC, likewise.
    Instant(i64),
    Uuid,
    /// As numbers of two bytes.
    Half,
}

impl Style {
    pub(crate) fn of(column: &ColumnDescriptor) -> Result<Self, ParquetFault> {
        let kind = column.physical_type();
        let is_bytes = matches!(kind, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        if kind == Type::FIXED_LEN_BYTE_ARRAY && column.type_length() < 1 {
            return Err(ParquetFault::damaged("a column has values of no length"));
        }
        let unit = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1000,
            TimeUnit::NANOS => 1,
        };
        let style = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Decimal(_)), _) | (_, ConvertedType::DECIMAL) => {
                let scale = usize::try_from(column.type_scale()).ok();
                let scale = scale.filter(|scale| *scale <= MAX_SCALE);
                let why = || format!("a decimal column has no scale from 0 to {MAX_SCALE}");
                Self::Decimal(scale.ok_or_else(|| ParquetFault::unsupported(why()))?)
            }
            (Some(LogicalType::String | LogicalType::Enum), _)
            | (_, ConvertedType::UTF8 | ConvertedType::ENUM) => Self::Text,
            (Some(LogicalType::Json), _) | (_, ConvertedType::JSON) => Self::Json,
            (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Self::Date,
            (Some(LogicalType::Time(time)), _) => Self::TimeOfDay(unit(&time.unit)),
            (Some(LogicalType::Timestamp(time)), _) => Self::Instant(unit(&time.unit)),
            (_, ConvertedType::TIME_MILLIS) => Self::TimeOfDay(1_000_000),
            (_, ConvertedType::TIME_MICROS) => Self::TimeOfDay(1000),
            (_, ConvertedType::TIMESTAMP_MILLIS) => Self::Instant(1_000_000),
            (_, ConvertedType::TIMESTAMP_MICROS) => Self::Instant(1000),
            (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Self::Unsigned,
            (
                _,
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64,
            ) => Self::Unsigned,
            (Some(LogicalType::Uuid), _) if column.type_length() == 16 => Self::Uuid,
            (Some(LogicalType::Float16), _) if column.type_length() == 2 => Self::Half,
            _ if is_bytes => Self::Binary,
            _ => Self::Plain,
        };
        Ok(style)
    }

    /// Appends a value.
    pub(crate) fn push(self, values: &Values, index: usize, out: &mut Vec<u8>) -> Option<()> {
        match values {
            Values::Bool(values) => {
                out.extend(if *values.get(index)? { &b"true"[..] } else { b"false" });
            }
            Values::Int32(values) => self.push_integer(i64::from(*values.get(index)?), true, out),
            Values::Int64(values) => self.push_integer(*values.get(index)?, false, out),
            Values::Int96(values) => push_instant(nanoseconds(values.get(index)?), out),
            Values::Float(values) => {
                let value = *values.get(index)?;
                push_float(f64::from(value), serde_json::to_vec(&value), out);
            }
            Values::Double(values) => {
                let value = *values.get(index)?;
                push_float(value, serde_json::to_vec(&value), out);
            }
            Values::Bytes(values) => self.push_bytes(values.get(index)?.data(), out),
            Values::Fixed(values) => self.push_bytes(values.get(index)?.data(), out),
        }
        Some(())
    }

    fn push_integer(self, value: i64, is_short: bool, out: &mut Vec<u8>) {
        match self {
            Self::Unsigned if is_short => {
                // What is stored in 32 bits has the upper ones from its sign.
                push_text(out, (value.cast_unsigned() & u64::from(u32::MAX)).to_string());
            }
            Self::Unsigned => push_text(out, value.cast_unsigned().to_string()),
            Self::Decimal(scale) => {
                push_decimal(value < 0, &value.unsigned_abs().to_string(), scale, out);
            }
            Self::Date => match date(value) {
                Some(date) => push_text(out, format!("\"{date}\"")),
                None => push_text(out, value.to_string()),
            },
            Self::TimeOfDay(unit) => {
                let time = i128::from(value) * i128::from(unit);
                push_time_of_day(time, out);
            }
            Self::Instant(unit) => push_instant(i128::from(value) * i128::from(unit), out),
            _ => push_text(out, value.to_string()),
        }
    }

    fn push_bytes(self, bytes: &[u8], out: &mut Vec<u8>) {
        // A row of more is bad as a whole.
        let bytes = &bytes[..bytes.len().min(MAX_ROW_BYTES)];
        match self {
            Self::Text => push_string(bytes, out),
            Self::Json => match serde_json::from_slice::<&RawValue>(bytes) {
                // Line ends can only stand between its tokens.
                Ok(json) => out.extend(json.get().bytes().map(|byte| match byte {
                    b'\n' | b'\r' => b' ',
                    other => other,
                })),
                Err(_) => push_string(bytes, out),
            },
            Self::Decimal(scale) if bytes.len() <= MAX_DECIMAL_BYTES => {
                let (is_negative, digits) = digits(bytes);
                push_decimal(is_negative, &digits, scale, out);
            }
            Self::Uuid => {
                for (index, byte) in bytes.iter().enumerate() {
                    let dash = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
                    let quote = if index == 0 { "\"" } else { "" };
                    push_text(out, format!("{quote}{dash}{byte:02x}"));
                }
                out.push(b'"');
            }
            Self::Half => {
                let half = bytes.first_chunk().map_or(0, |two| u16::from_le_bytes(*two));
                let value = half_value(half);
                push_float(f64::from(value), serde_json::to_vec(&value), out);
            }
            _ if std::str::from_utf8(bytes).is_ok() => push_string(bytes, out),
            _ => push_text(out, format!("\"{}\"", STANDARD.encode(bytes))),
        }
    }
}

fn push_text(out: &mut Vec<u8>, text: impl AsRef<str>) {
    out.extend(text.as_ref().as_bytes());
}

/// Appends a text. Bytes that are no UTF-8 stay what they are: the row is bad then.
pub(crate) fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut begin = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && !b"\"\\".contains(byte) {
            continue;
        }
        out.extend(&text[begin..at]);
        begin = at + 1;
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            other => push_text(out, format!("\\u{other:04x}")),
        }
    }
    out.extend(&text[begin..]);
    out.push(b'"');
}

/// Appends a number. JSON has none for what is no number or endless, so these are texts.
fn push_float(value: f64, written: serde_json::Result<Vec<u8>>, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend(if value > 0.0 { &b"\"Infinity\""[..] } else { b"\"-Infinity\"" });
    } else if let Ok(written) = written {
        out.extend(written);
    }
}

/// Returns the value of a number of two bytes (IEEE 754, binary16).
fn half_value(half: u16) -> f32 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (fraction + 1024.0) * 2_f32.powi(exponent - 25),
    }
}

fn date(days: i64) -> Option<Date> {
    let epoch = Date::new(1970, 1, 1).ok()?;
    epoch.checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()
}

fn nanoseconds(value: &Int96) -> i128 {
    let [low, high, day] = value.data() else { return 0 };
    let of_day = u64::from(*high) << 32 | u64::from(*low);
    i128::from(i64::from(*day) - JULIAN_EPOCH) * 86_400_000_000_000
        + i128::from(of_day.cast_signed())
}

/// Appends an instant; as a number, if no calendar has it.
fn push_instant(nanoseconds: i128, out: &mut Vec<u8>) {
    match Timestamp::from_nanosecond(nanoseconds) {
        Ok(instant) => push_text(out, format!("\"{instant}\"")),
        Err(_) => push_text(out, nanoseconds.to_string()),
    }
}

fn push_time_of_day(nanoseconds: i128, out: &mut Vec<u8>) {
    let day = Timestamp::from_nanosecond(nanoseconds).ok();
    let day = day.filter(|day| (0..86_400).contains(&day.as_second()) && day.as_nanosecond() >= 0);
    match day.map(|day| day.to_string()) {
        Some(text) => push_text(out, format!("\"{}\"", text[11..].trim_end_matches('Z'))),
        None => push_text(out, nanoseconds.to_string()),
    }
}

/// Appends digits with a point before the last `scale` of them.
fn push_decimal(is_negative: bool, digits: &str, scale: usize, out: &mut Vec<u8>) {
    if is_negative {
        out.push(b'-');
    }
    let digits = format!("{digits:0>least$}", least = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    push_text(out, whole);
    if !fraction.is_empty() {
        out.push(b'.');
        push_text(out, fraction);
    }
}

/// Returns whether an integer of any length (two's complement, the highest byte first) is below zero, and its digits.
fn digits(bytes: &[u8]) -> (bool, String) {
    let is_negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let mut number = bytes.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in number.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    // Nine digits at a time, from the last.
    let mut parts: Vec<u32> = Vec::new();
    while number.iter().any(|byte| *byte > 0) {
        let mut rest = 0_u64;
        for byte in &mut number {
            let value = rest << 8 | u64::from(*byte);
            *byte = u8::try_from(value / 1_000_000_000).unwrap_or_default();
            rest = value % 1_000_000_000;
        }
        parts.push(u32::try_from(rest).unwrap_or_default());
    }
    let first = parts.pop().unwrap_or_default().to_string();
    let rest: String = parts.iter().rev().map(|part| format!("{part:09}")).collect();
    (is_negative, first + &rest)
}
