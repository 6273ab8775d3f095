//! Answers that are not the one hoped for (RFC 9457).

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use export::{Fault, Faults};
use serde::Serialize;
use tracing::error;

/// When to try again where there is too much to do, in seconds.
pub const RETRY_AFTER_BUSY: u64 = 5;

/// Whether what went wrong would probably go well some seconds later.
pub fn is_busy(error: &anyhow::Error) -> bool {
    let busy = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<cloud::Error>().is_some_and(cloud::Error::is_busy)
    };
    error.chain().any(busy)
}

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

    /// Returns what a page for people shows of it: the status, the sentence that says what to do, and the headers.
    pub fn into_parts(self) -> (StatusCode, String, Vec<(HeaderName, HeaderValue)>) {
        (self.status, self.detail, self.headers)
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<cloud::Error> for Problem {
    fn from(error: cloud::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

impl From<anyhow::Error> for Problem {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: anyhow::Error) -> Self {
        error!("failed to {error:#}");
        if is_busy(&error) {
            let detail = "There is too much to do at the moment. Wait some seconds and try again.";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
                .header(header::RETRY_AFTER, RETRY_AFTER_BUSY.into());
        }
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
            errors: self.faults.listed(),
        };
        let mut response = (self.status, Json(&body)).into_response();
        response.headers_mut().extend(self.headers);
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

#[cfg(test)]
mod tests {
    use export::ExportId;

    use super::*;

    #[test]
    fn what_will_go_well_in_a_moment_is_not_an_internal_error() {
        let stale = cloud::Error::Stale(ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]));
        let response = Problem::from(anyhow::Error::new(stale).context("create")).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        let other = Problem::from(anyhow::anyhow!("think")).into_response();
        assert_eq!(other.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
