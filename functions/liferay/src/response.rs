//! The answers of this dialect.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use export::{Export, FileName, State};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::request::Ask;

const NEW: &str =
    "A new data export file for this date range and type will be created. Please come back later.";
const WAITING: &str = "The data export file for this date range and type is waiting to be created. Please come back later.";
const RUNNING: &str =
    "The data export file for this date range and type is being created. Please come back later.";

/// What a request is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Where the export is.
    Status(StatusBody),
    /// The export is there: a redirect to it, or a link as JSON.
    Redirect(Response),
}

/// Where an export is, in this dialect's words. Flat, strings, blank ones left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusBody {
    from_date: String,
    created_date: String,
    to_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_date: Option<String>,
    message: String,
    r#type: String,
    status: &'static str,
}

impl StatusBody {
    /// Tells of an export that was just made, or would be; `before` is the one it follows.
    pub(crate) fn new(ask: &Ask, created_at: Timestamp, before: Option<&Export>) -> Self {
        let message = match before.map(|export| &export.state) {
            Some(State::Failed { failure, .. }) => format!(
                "The last data export for this date range and type failed: {} {NEW}",
                failure.detail
            ),
            _ => NEW.to_owned(),
        };
        Self::with(ask, created_at, None, message, "PENDING")
    }

    /// Tells of an export that is not finished.
    pub(crate) fn unfinished(ask: &Ask, export: &Export) -> Self {
        match &export.state {
            State::Running { started_at, .. } => {
                Self::with(ask, export.created_at, Some(*started_at), RUNNING.to_owned(), "RUNNING")
            }
            _ => Self::with(ask, export.created_at, None, WAITING.to_owned(), "PENDING"),
        }
    }

    fn with(
        ask: &Ask,
        created: Timestamp,
        started: Option<Timestamp>,
        message: String,
        status: &'static str,
    ) -> Self {
        Self {
            from_date: written(ask.from),
            created_date: written(created),
            to_date: written(ask.to),
            started_date: started.map(written),
            message,
            r#type: ask.kind.to_uppercase(),
            status,
        }
    }
}

/// Writes an instant as `2026-03-01T00:00:00.000Z`.
fn written(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Returns what the file of an export is called, as `page-data-2026-03-01.zip`.
pub(crate) fn file_name(kind: &str, completed: Timestamp, suffix: &str) -> FileName {
    let day = completed.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d");
    FileName::with_suffix(&format!("{kind}-data-{day}"), suffix)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Status(told) => {
                ([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response()
            }
            Self::Redirect(response) => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use export::{Catalog, Limits};

    use super::*;

    #[test]
    fn a_new_export_is_told_as_the_documents_show() {
        let query = "fromDate=2023-01-01T00:00:01.000Z&toDate=2023-12-31T23:59:59.000Z";
        let now = "2024-01-02T03:04:05.678901Z".parse().unwrap();
        let (catalog, limits) = (Catalog::built_in().unwrap(), Limits::default());
        let ask = Ask::read("page", query, &catalog, &limits, now).unwrap();

        let told = serde_json::to_string(&StatusBody::new(&ask, now, None)).unwrap();

        assert_eq!(
            told,
            "{\"fromDate\":\"2023-01-01T00:00:01.000Z\",\"createdDate\":\"2024-01-02T03:04:05.678Z\",\
             \"toDate\":\"2023-12-31T23:59:59.000Z\",\"message\":\"A new data export file for this date range \
             and type will be created. Please come back later.\",\"type\":\"PAGE\",\"status\":\"PENDING\"}"
        );
        assert_eq!(file_name("page", now, "zip").to_string(), "page-data-2024-01-02.zip");
    }
}
