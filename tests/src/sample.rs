//! A lake of realistic, seeded events for every dataset of a catalog.
//!
//! The same seed gives the same bytes. Rows have nulls, text in several scripts, nested objects; one
//! in a few hundred is tiny, one in a few thousand huge; some are filed an hour after their time.
//! Datasets differ in how they are compressed: gzip, gzip of several members, Zstandard, plain.

use std::io::Write as _;

use export::{Catalog, ColumnType, Dataset, Table, TimeFormat, Workspace};
use fastrand::Rng;
use flate2::{Compression, write::GzEncoder};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

/// What the lake is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Chooses everything that chance decides.
    pub seed: u64,
    /// Rows of each dataset in an hour.
    pub rows_per_hour: usize,
    /// Objects that the rows of an hour are spread over.
    pub objects_per_hour: usize,
}

/// One source object.
#[derive(Clone, Debug)]
pub struct SampleObject {
    /// Its key in the lake's bucket.
    pub key: String,
    /// Its bytes as stored.
    pub bytes: Vec<u8>,
    /// Its rows as they were before compression.
    pub rows: Vec<String>,
}

impl Sample {
    /// Returns the objects of a dataset that are filed in the hour that begins at `hour`.
    pub fn hour(
        &self,
        catalog: &Catalog,
        dataset: &Dataset,
        workspace: &Workspace,
        hour: Timestamp,
    ) -> Vec<SampleObject> {
        let name = format!("{}/{}/{}/{hour}", self.seed, workspace, dataset.name);
        let mut rng = Rng::with_seed(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }));
        let tables: Vec<&Table> = catalog.tables().filter(|t| t.dataset == dataset.name).collect();
        let prefix = dataset.path.prefix(workspace.as_ref(), hour);
        (0..self.objects_per_hour)
            .map(|part| {
                let share = self.rows_per_hour / self.objects_per_hour
                    + usize::from(part < self.rows_per_hour % self.objects_per_hour);
                let mut times: Vec<Timestamp> =
                    (0..share).map(|_| time_in(hour, dataset, &mut rng)).collect();
                times.sort();
                let rows: Vec<String> =
                    times.into_iter().map(|time| row(&tables, dataset, time, &mut rng)).collect();
                let (suffix, bytes) = stored(&dataset.name, &rows);
                SampleObject { key: format!("{prefix}part-{part:04}.json{suffix}"), bytes, rows }
            })
            .collect()
    }
}

/// A time in the hour; now and then one of the hour before, if the dataset admits that.
fn time_in(hour: Timestamp, dataset: &Dataset, rng: &mut Rng) -> Timestamp {
    let micros = SignedDuration::from_micros(rng.i64(0..3_600_000_000));
    let late = !dataset.late.is_zero() && rng.u8(..) < 8;
    let begin = if late { hour - SignedDuration::from_hours(1) } else { hour };
    begin + micros
}

fn row(tables: &[&Table], dataset: &Dataset, time: Timestamp, rng: &mut Rng) -> String {
    let mut row = Map::new();
    for column in
        tables.iter().flat_map(|table| &table.columns).filter(|column| column.level.is_none())
    {
        let Some(field) = column.path.first() else { continue };
        if !row.contains_key(field) {
            row.insert(field.to_owned(), value(field, column.kind, time, dataset.time_format, rng));
        }
    }
    for level in tables.iter().filter_map(|table| table.explode.first()) {
        let Some(field) = level.path.first() else { continue };
        let listed = if level.entries { attributes(rng) } else { list(field, time, rng) };
        row.insert(field.to_owned(), listed);
    }
    if rng.u16(..) < 200 && !dataset.name.starts_with("amplitude") {
        // A tiny row has its time and nothing else; Amplitude's have every field, always.
        row.retain(|field, _| Some(field.as_str()) == dataset.time.first());
    } else if rng.u16(..) < 20 {
        row.insert("payload".to_owned(), text(20_000, rng).into());
    }
    if let Some(field) = dataset.time.first() {
        row.insert(field.to_owned(), written(time, field, dataset.time_format));
    }
    Value::Object(row).to_string()
}

fn value(
    name: &str,
    kind: ColumnType,
    time: Timestamp,
    format: TimeFormat,
    rng: &mut Rng,
) -> Value {
    if rng.u8(..) < 25 {
        return Value::Null;
    }
    match kind {
        ColumnType::Integer if name.contains("id") => Value::from(rng.i64(1_000_000_000..i64::MAX)),
        ColumnType::Integer => Value::from(rng.i64(0..1000)),
        ColumnType::Number => Value::from(f64::from(rng.i32(-180_000..180_000)) / 1000.0),
        ColumnType::Boolean => Value::from(rng.bool()),
        ColumnType::Time => {
            written(time - SignedDuration::from_millis(rng.i64(0..90_000)), name, format)
        }
        ColumnType::Json => json!({
            "path": "/docs/\"quoted\"", "count": rng.u32(0..50), "tags": [word(rng), word(rng)],
            "nested": { "deep": { "flag": rng.bool(), "none": null } },
        }),
        ColumnType::String => text_for(name, rng).into(),
    }
}

fn text_for(name: &str, rng: &mut Rng) -> String {
    let lower = name.to_ascii_lowercase();
    if lower.contains("country") {
        pick(&["Germany", "United States", "日本", "Brasil", "Côte d'Ivoire"], rng)
    } else if lower.contains("city") {
        pick(&["München", "New York", "東京", "São Paulo", "Zürich"], rng)
    } else if lower.contains("browser") {
        pick(&["Chrome", "Firefox", "Safari"], rng)
    } else if lower.contains("url") {
        format!("https://example.com/{}/{}?q={}", word(rng), rng.u16(..), word(rng))
    } else if lower.contains("mail") {
        format!("{}.{}@example.com", word(rng), rng.u16(..))
    } else if lower.ends_with("id") || lower == "$insert_key" {
        format!("{:016x}", rng.u64(..))
    } else if lower.contains("title") || lower.contains("query") || lower.contains("description") {
        text(6, rng)
    } else {
        word(rng)
    }
}

fn list(field: &str, time: Timestamp, rng: &mut Rng) -> Value {
    let count = rng.usize(0..4);
    let element = |rng: &mut Rng| match field {
        "keywords" | "groups" => Value::from(word(rng)),
        "experiments" => json!({ "id": rng.u32(..), "variantId": rng.u32(..) }),
        _ => json!({
            "stateId": rng.i64(..), "name": word(rng), "time": time.as_second(), "duration": 1.5,
            "events": [{
                "eventId": rng.i64(..), "name": word(rng), "time": time.as_second(), "value": 0.0,
                "parameters": attributes(rng),
            }],
        }),
    };
    (0..count).map(|_| element(rng)).collect()
}

fn attributes(rng: &mut Rng) -> Value {
    (0..rng.usize(0..3)).map(|_| (word(rng), Value::from(word(rng)))).collect::<Map<_, _>>().into()
}

fn written(time: Timestamp, name: &str, format: TimeFormat) -> Value {
    let civil = time.to_zoned(TimeZone::UTC).datetime();
    match format {
        TimeFormat::Seconds => {
            serde_json::from_str(&format!("{}.{:03}", time.as_second(), time.subsec_millisecond()))
                .unwrap_or(Value::Null)
        }
        TimeFormat::Milliseconds => Value::from(time.as_millisecond()),
        TimeFormat::Microseconds => Value::from(time.as_microsecond()),
        TimeFormat::Nanoseconds => Value::from(time.as_microsecond() * 1000),
        // Amplitude's times have a blank, six digits and no zone.
        TimeFormat::Text if name.contains('_') => {
            civil.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string().into()
        }
        TimeFormat::Text => civil.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().into(),
    }
}

fn text(words: usize, rng: &mut Rng) -> String {
    (0..words).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

fn word(rng: &mut Rng) -> String {
    const WORDS: [&str; 16] = [
        "checkout",
        "search",
        "größe",
        "pricing",
        "日本語",
        "signup",
        "a,b",
        "line\nbreak",
        "emoji 🙂",
        "profile",
        "\"quoted\"",
        "tab\tstop",
        "back\\slash",
        "dashboard",
        "café",
        "settings",
    ];
    pick(&WORDS, rng)
}

fn pick(words: &[&str], rng: &mut Rng) -> String {
    words[rng.usize(..words.len())].to_owned()
}

/// Compresses rows in the way of their dataset; returns the suffix of the key, too.
fn stored(dataset: &str, rows: &[String]) -> (&'static str, Vec<u8>) {
    let lines =
        |rows: &[String]| rows.iter().flat_map(|row| [row.as_str(), "\n"]).collect::<String>();
    match dataset.split('_').next() {
        Some("amplitude") => (".gz", gzip(&lines(rows))),
        Some("liferay") => {
            let (first, second) = rows.split_at(rows.len() / 2);
            (".gz", [gzip(&lines(first)), gzip(&lines(second))].concat())
        }
        Some("coveo") => (".zst", zstd::encode_all(lines(rows).as_bytes(), 3).unwrap_or_default()),
        _ => ("", lines(rows).into_bytes()),
    }
}

/// Returns `text` as one gzip member.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    // Writing to memory does not fail.
    _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_lake_and_every_row_its_time() {
        let catalog = Catalog::built_in().unwrap();
        let (acme, hour) = ("acme".parse().unwrap(), "2026-03-01T05:00:00Z".parse().unwrap());
        let sample = Sample { seed: 1, rows_per_hour: 50, objects_per_hour: 2 };
        for dataset in catalog.datasets() {
            let objects = sample.hour(&catalog, dataset, &acme, hour);
            assert_eq!(objects.iter().map(|o| o.rows.len()).sum::<usize>(), 50);
            let again = sample.hour(&catalog, dataset, &acme, hour);
            assert_eq!(again.len(), objects.len());
            for (object, again) in objects.iter().zip(again) {
                assert_eq!((&object.key, &object.bytes), (&again.key, &again.bytes));
                for row in &object.rows {
                    let row: Map<String, Value> = serde_json::from_str(row).unwrap();
                    let time = row[dataset.time.first().unwrap()].to_string();
                    let time = export::parse_time(time.trim_matches('"'), dataset.time_format);
                    assert!(time.is_some(), "{}: {row:?}", dataset.name);
                }
            }
        }
    }
}
