//! Answers that are not the one hoped for (RFC 9457).

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use export::{Fault, Faults};
use serde::Serialize;
use tracing::error;

/// An answer that says what is wrong. What the log keeps of it is another thing.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    faults: Faults,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    /// Returns a problem with a stable code and a sentence that says what to do.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), faults: Faults::default(), headers: Vec::new() }
    }

    /// Returns the problem of a request with these faults.
    pub fn invalid(faults: impl Into<Faults>) -> Self {
        let faults = faults.into();
        let detail = faults.summary();
        Self { faults, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail) }
    }

    /// Returns the problem of a thing that is not there, or is somebody else's.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Returns the problem of a state that does not allow what was asked for.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: E) -> Self {
        error!("failed to {:#}", error.into());
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. Try again; if it keeps failing, ask your operator, \
             giving the X-Request-Id of this answer.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("urn:decant:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: self.faults.told(),
        };
        let mut response = (self.status, Json(&body)).into_response();
        response.headers_mut().extend(self.headers);
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
