//! The answers of this dialect: one element in an envelope, whatever the status.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::fmt::rfc2822::DateTimePrinter;
use outbox::leanplum::Envelope;
use web::RequestTime;

const KIND: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");

/// Answers with an envelope.
pub(crate) fn answer(status: StatusCode, envelope: &Envelope) -> Response {
    let headers = [
        (header::CONTENT_TYPE, KIND),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private")),
    ];
    (status, headers, envelope.to_json()).into_response()
}

/// Adds the header `Expires`, which is as late as the request: nobody keeps an answer.
pub(crate) async fn expire_at_once(
    RequestTime(now): RequestTime,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
    if let Ok(now) = HeaderValue::from_str(&now) {
        response.headers_mut().insert(header::EXPIRES, now);
    }
    response
}
