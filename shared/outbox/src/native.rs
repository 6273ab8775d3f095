//! What the native API posts: little, after Standard Webhooks (standardwebhooks.com). Whoever is told
//! reads the rest from the export.

use export::{Export, State};
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: String,
    status: &'static str,
    url: &'a str,
}

/// Returns the body that tells of an export that is found at `url`; none if it has not ended.
pub(crate) fn body(export: &Export, url: &str) -> Option<String> {
    let (kind, status, timestamp) = match &export.state {
        State::Failed { finished_at, .. } => ("export.failed", "failed", *finished_at),
        State::Cancelled { finished_at } => ("export.cancelled", "cancelled", *finished_at),
        State::Succeeded { archive } => ("export.succeeded", "succeeded", archive.published_at),
        State::Expired { archive, .. } => ("export.succeeded", "expired", archive.published_at),
        State::Deleted { archive, .. } => ("export.succeeded", "deleted", archive.published_at),
        State::Queued { .. } | State::Running { .. } => return None,
    };
    let payload =
        Payload { kind, timestamp, data: Data { id: export.id.to_string(), status, url } };
    serde_json::to_string(&payload).ok()
}
