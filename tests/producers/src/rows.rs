//! Rows as writers write them.

use jiff::tz::TimeZone;
use serde_json::json;

use crate::Row;

fn iso(row: &Row) -> String {
    row.at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A time as SQL has it, in UTC.
fn sql(row: &Row, format: &str) -> String {
    row.at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

pub(crate) fn click(row: &Row) -> String {
    json!({ "user": row.id, "at": iso(row), "page": "/a}{\"b\"" }).to_string()
}

pub(crate) fn of_tenant(row: &Row) -> String {
    json!({ "user": row.id, "at": iso(row), "tenant": { "id": row.tenant } }).to_string()
}

pub(crate) fn pageview(row: &Row) -> String {
    json!({ "user": row.id, "ts": row.at.as_millisecond() }).to_string()
}

pub(crate) fn wrapped(row: &Row) -> String {
    json!(pageview(row)).to_string()
}

pub(crate) fn segment(row: &Row) -> String {
    json!({
        "type": "track", "event": "Signup", "messageId": row.id, "receivedAt": iso(row),
        "originalTimestamp": "2025-11-02T10:00:00.000Z", "properties": { "plan": "gold", "seats": 3 },
    })
    .to_string()
}

pub(crate) fn rudder(row: &Row) -> String {
    json!({
        "type": "track", "messageId": row.id, "originalTimestamp": iso(row),
        "context": { "library": { "name": "js" } }, "userId": "u1",
    })
    .to_string()
}

pub(crate) fn snowplow(row: &Row) -> String {
    let mut fields = vec![String::new(); 131];
    let at = sql(row, "%Y-%m-%d %H:%M:%S.%3f");
    for (place, text) in [
        (0, "shop"),
        (1, "web"),
        (2, &at[..]),
        (3, &at[..]),
        (5, "page_view"),
        (6, &row.id[..]),
        (12, "u1"),
        (29, "https://example.com/\"a\""),
        (127, "page_view"),
    ] {
        text.clone_into(&mut fields[place]);
    }
    fields[52] =
        json!({ "schema": "iglu:com.acme/contexts/jsonschema/1-0-0", "data": [] }).to_string();
    fields.join("\t")
}

pub(crate) fn self_describing(row: &Row) -> String {
    json!({
        "schema": "iglu:com.acme/bad/jsonschema/1-0-0",
        "data": { "failure": { "timestamp": iso(row) }, "payload": row.id },
    })
    .to_string()
}

pub(crate) fn vector(row: &Row) -> String {
    json!({ "timestamp": iso(row), "message": row.id, "host": "web-1", "status": 200 }).to_string()
}

pub(crate) fn fluent_bit(row: &Row) -> String {
    json!({ "date": iso(row), "log": row.id, "stream": "stdout" }).to_string()
}

pub(crate) fn fluentd(row: &Row) -> String {
    let at = sql(row, "%Y-%m-%dT%H:%M:%SZ");
    format!("{at}\tapp.web\t{}", json!({ "k": row.id, "n": 1 }))
}

pub(crate) fn amplitude(row: &Row) -> String {
    json!({
        "event_type": "Signup", "user_id": "u1", "$insert_id": row.id, "amplitude_id": 187_520_001_i64,
        "server_upload_time": sql(row, "%Y-%m-%d %H:%M:%S.%6f"),
        "event_time": "2024-02-28 09:58:12.000000", "event_properties": {},
    })
    .to_string()
}

pub(crate) fn appsflyer(row: &Row) -> String {
    format!("click,{},{},\"search, paid\",1.5", sql(row, "%Y-%m-%d %H:%M:%S"), row.id)
}

pub(crate) fn log_record(row: &Row) -> String {
    json!({
        "timeUnixNano": row.at.as_nanosecond().to_string(), "severityText": "INFO",
        "body": { "stringValue": row.id }, "attributes": [],
    })
    .to_string()
}

pub(crate) fn http(row: &Row) -> String {
    let nanoseconds = i64::try_from(row.at.as_nanosecond()).unwrap_or_default();
    json!({ "ClientRequestURI": "/", "RayID": row.id, "EdgeStartTimestamp": nanoseconds })
        .to_string()
}

pub(crate) fn posthog(row: &Row) -> String {
    json!({ "uuid": row.id, "event": "Signup", "timestamp": iso(row), "properties": "{\"k\":1}" })
        .to_string()
}

pub(crate) fn airbyte(row: &Row) -> String {
    json!({ "_airbyte_data": { "id": row.id }, "_airbyte_extracted_at": row.at.as_millisecond() })
        .to_string()
}

pub(crate) fn cloudtrail(row: &Row) -> String {
    json!({
        "eventName": "GetObject", "eventID": row.id, "eventTime": sql(row, "%Y-%m-%dT%H:%M:%SZ"),
        "userIdentity": { "type": "Root" },
    })
    .to_string()
}

pub(crate) fn lake_row(row: &Row) -> String {
    json!({ "id": row.id, "received_at": iso(row), "context_ip": "10.0.0.1", "total": 12.5 })
        .to_string()
}
