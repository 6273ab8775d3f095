//! Fields of records that have times, and which of them is when a row was filed.

use std::collections::BTreeMap;

use export::{TimeFormat, parse_time};
use jiff::Timestamp;
use serde_json::Value;

use crate::content::Record;

/// How deep fields are looked for.
const MAX_DEPTH: usize = 4;
/// The longest name of a field that is written, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 200;
/// Times from 2000 to 2100, in seconds since 1970.
const PLAUSIBLE: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// Names of fields that a server sets when it takes a record. Rows are filed by these, more or less.
const OF_SERVERS: [&str; 14] = [
    "receivedat",
    "serverreceivedtime",
    "serveruploadtime",
    "collectortstamp",
    "airbyteextractedat",
    "ingesttime",
    "ingestedat",
    "ingestiontime",
    "arrivaltimestamp",
    "loggedat",
    "servertime",
    "receivedtime",
    "observedtimeunixnano",
    "approximatearrivaltimestamp",
];
/// Names that times of records commonly have.
const COMMON: [&str; 14] = [
    "timestamp",
    "time",
    "ts",
    "at",
    "date",
    "eventtime",
    "eventtimestamp",
    "datetime",
    "eventdate",
    "timeunixnano",
    "edgestarttimestamp",
    "occurredat",
    "createdat",
    "@timestamp",
];

/// A field that has a time in nearly every record.
#[derive(Clone, Debug)]
pub(crate) struct TimeField {
    /// Its path, as a catalog has it.
    pub(crate) path: String,
    /// The names that lead there.
    pub(crate) names: Vec<String>,
    pub(crate) format: TimeFormat,
    /// How likely its name says that it is the time, 0 the likeliest.
    pub(crate) rank: u8,
    /// The times, with the number of the sample that has them.
    pub(crate) times: Vec<(usize, Timestamp)>,
}

/// Returns how a value says a time, if it does.
pub(crate) fn format_of(value: &Value) -> Option<TimeFormat> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut formats = vec![
        TimeFormat::Seconds,
        TimeFormat::Milliseconds,
        TimeFormat::Microseconds,
        TimeFormat::Nanoseconds,
    ];
    if value.is_string() {
        formats.insert(0, TimeFormat::Text);
    }
    formats.into_iter().find(|format| {
        parse_time(&text, *format).is_some_and(|time| PLAUSIBLE.contains(&time.as_second()))
    })
}

/// Whether a field could be the time of its record, by its name and its value.
pub(crate) fn is_time_like(name: &str, value: &Value) -> bool {
    match (value, format_of(value)) {
        (Value::Object(fields), _) => {
            fields.iter().any(|(name, value)| !value.is_object() && is_time_like(name, value))
        }
        (_, None) => false,
        (_, Some(TimeFormat::Text)) => true,
        (_, Some(_)) => rank(name) < 3,
    }
}

/// Values of a field, with the numbers of the samples that have them.
type Values = Vec<(usize, Value)>;

fn rank(name: &str) -> u8 {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect::<String>().to_lowercase();
    if OF_SERVERS.contains(&&plain[..]) {
        return 0;
    }
    if COMMON.contains(&&plain[..]) {
        return 1;
    }
    let has = ["time", "date", "stamp", "epoch", "nanos", "millis"]
        .iter()
        .any(|part| plain.contains(part));
    let is_at =
        name.ends_with("_at") || name.ends_with("At") || plain == "t" || name.ends_with("_ts");
    if has || is_at { 2 } else { 3 }
}

/// Returns the fields that have a time in nine of ten records, each with its times.
pub(crate) fn time_fields(samples: &[&[Record]]) -> Vec<TimeField> {
    let mut found: BTreeMap<Vec<String>, (usize, Values)> = BTreeMap::new();
    let records: usize = samples.iter().map(|records| records.len()).sum();
    for (sample, records) in samples.iter().enumerate() {
        for record in *records {
            for (name, value) in &record.0 {
                scalars(vec![name.clone()], value, &mut |path, value| {
                    let order = found.len();
                    let entry = found.entry(path).or_insert((order, Vec::new()));
                    entry.1.push((sample, value.clone()));
                });
            }
        }
    }
    let mut fields: Vec<(usize, TimeField)> = Vec::new();
    for (names, (order, values)) in found {
        let Some(path) = written(&names) else { continue };
        let Some(format) = most_common(&values) else { continue };
        let times: Vec<(usize, Timestamp)> = values
            .iter()
            .filter_map(|(sample, value)| Some((*sample, time(value, format)?)))
            .collect();
        if times.len() * 10 < records * 9 {
            continue;
        }
        let rank = names.last().map_or(3, |name| rank(name));
        fields.push((order, TimeField { path, names, format, rank, times }));
    }
    fields.sort_by_key(|(order, field)| (field.names.len(), *order));
    fields.into_iter().map(|(_, field)| field).collect()
}

fn scalars(path: Vec<String>, value: &Value, each: &mut impl FnMut(Vec<String>, &Value)) {
    match value {
        Value::Object(fields) if path.len() < MAX_DEPTH => {
            for (name, value) in fields {
                scalars([&path[..], std::slice::from_ref(name)].concat(), value, each);
            }
        }
        Value::String(_) | Value::Number(_) => each(path, value),
        _ => {}
    }
}

fn most_common(values: &[(usize, Value)]) -> Option<TimeFormat> {
    let mut counts: Vec<(TimeFormat, usize)> = Vec::new();
    for format in values.iter().filter_map(|(_, value)| format_of(value)) {
        match counts.iter_mut().find(|(known, _)| *known == format) {
            Some((_, count)) => *count += 1,
            None => counts.push((format, 1)),
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(format, _)| format)
}

fn time(value: &Value, format: TimeFormat) -> Option<Timestamp> {
    let read = match value {
        Value::String(text) => parse_time(text, format),
        Value::Number(number) if format != TimeFormat::Text => {
            parse_time(&number.to_string(), format)
        }
        _ => None,
    };
    read.filter(|time| PLAUSIBLE.contains(&time.as_second()))
}

/// Writes a path of names as a catalog has it; none if that cannot be said.
pub(crate) fn written(names: &[String]) -> Option<String> {
    let mut path = Vec::new();
    for name in names {
        let needs_quotes = name.contains(['.', '[']) || name.starts_with('"');
        if name.is_empty()
            || name.chars().any(char::is_control)
            || needs_quotes && name.contains('"')
        {
            return None;
        }
        path.push(if needs_quotes { format!("\"{name}\"") } else { name.clone() });
    }
    Some(path.join("."))
}
