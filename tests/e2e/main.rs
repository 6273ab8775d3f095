//! The service from outside, through its deployed routes, with IAM enforced. One binary, one file a
//! promise.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod access;
mod amplitude;
mod audit;
mod bad_requests;
mod bounds;
mod callbacks;
mod clients;
mod console;
mod copies;
mod coveo;
mod description;
mod documented_errors;
mod documented_limits;
mod downloads;
mod examples;
mod faults;
mod files;
mod filters;
mod idempotency;
mod janitor;
mod lakes;
mod leanplum;
mod lifecycle;
mod liferay;
mod limits;
mod lost;
mod parquet;
mod preview;
mod readers;
mod receipts;
mod settings;
mod shares;
mod sign_in;
mod smoke;
mod stored_bounds;
mod suggested;
mod tenants;
mod tested_limits;

use export::{Window, parse_time};
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    Stack,
    sample::{Sample, SampleObject},
};

/// A small lake: rows in two objects an hour.
const SMALL: Sample = Sample { seed: 7, rows_per_hour: 60, objects_per_hour: 2 };

/// Reads an instant that is known to be one.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The rows of a dataset's objects whose time is in the window, found the slow, obvious way.
fn inside<'a>(
    stack: &Stack,
    dataset: &str,
    objects: &'a [SampleObject],
    (from, to): (&str, &str),
) -> Vec<&'a str> {
    let dataset = stack.catalog.datasets().find(|d| d.name == dataset).unwrap();
    let window = Window::new(at(from), at(to)).unwrap();
    let time = |row: &str| {
        let row: Value = serde_json::from_str(row).unwrap();
        parse_time(
            row[dataset.time.first().unwrap()].to_string().trim_matches('"'),
            dataset.time_format,
        )
        .unwrap()
    };
    let rows = objects.iter().flat_map(|object| object.rows.iter().map(String::as_str));
    rows.filter(|row| window.contains(time(row))).collect()
}

/// A field of each row of JSON Lines.
fn field(rows: &[&str], name: &str) -> Vec<String> {
    let of = |row: &&str| serde_json::from_str::<Value>(row).unwrap()[name].clone();
    rows.iter().map(|row| of(row).as_str().unwrap().to_owned()).collect()
}

/// A column of CSV.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let place = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|record| record.unwrap()[place].to_owned()).collect()
}

/// The body of a request for one table.
fn request(table: &str, from: &str, to: &str, format: &str) -> Value {
    json!({ "tables": [table], "window": { "from": from, "to": to }, "format": format })
}
