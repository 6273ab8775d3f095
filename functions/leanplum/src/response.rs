//! The answers of this dialect: one element in an envelope, whatever the status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use outbox::leanplum::Envelope;

const KIND: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");

/// Answers with an envelope.
pub(crate) fn answer(status: StatusCode, envelope: &Envelope) -> Response {
    let headers = [
        (header::CONTENT_TYPE, KIND),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private")),
    ];
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
    (status, headers, [(header::EXPIRES, now.unwrap_or_default())], envelope.to_json())
        .into_response()
}
