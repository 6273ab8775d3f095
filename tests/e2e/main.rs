//! The service from outside, through its deployed routes, with IAM enforced. One binary, one file a
//! promise.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod access;
mod amplitude;
mod bad_requests;
mod callbacks;
mod clients;
mod copies;
mod coveo;
mod description;
mod downloads;
mod faults;
mod files;
mod filters;
mod idempotency;
mod janitor;
mod leanplum;
mod lifecycle;
mod liferay;
mod limits;
mod readers;
mod settings;

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::sample::Sample;

/// A small lake: rows in two objects an hour.
const SMALL: Sample = Sample { seed: 7, rows_per_hour: 60, objects_per_hour: 2 };

/// Reads an instant that is known to be one.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The body of a request for one table.
fn request(table: &str, from: &str, to: &str, format: &str) -> Value {
    json!({ "tables": [table], "window": { "from": from, "to": to }, "format": format })
}
