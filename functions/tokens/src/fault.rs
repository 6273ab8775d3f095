//! Why there is no token: as OAuth says it (RFC 6749, section 5.2), and as the other problems of this API.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;
use web::{RETRY_AFTER_BUSY, is_busy};

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    status: StatusCode,
    error: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
}

impl Fault {
    fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Self {
        Self { status, error, detail: detail.into() }
    }

    /// A request that is not as RFC 8693 has it.
    pub(crate) fn request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// A grant type that is not offered.
    pub(crate) fn grant_type() -> Self {
        let detail = "Send grant_type=urn:ietf:params:oauth:grant-type:token-exchange.";
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", detail)
    }

    /// A token that is not exchanged.
    pub(crate) fn grant(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", detail)
    }

    /// A scope that is none, or that is not granted.
    pub(crate) fn scope(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", detail)
    }

    /// A workspace that is not granted.
    pub(crate) fn target(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", detail)
    }

    /// A provider that does not answer.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", detail)
    }

    /// A path that is not served, or not by this method or here.
    pub(crate) fn absent(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self::new(status, code, detail)
    }

    #[cfg(test)]
    pub(crate) fn told(&self) -> (&'static str, &str) {
        (self.error, &self.detail)
    }
}

impl From<service::Error> for Fault {
    fn from(error: service::Error) -> Self {
        match error {
            service::Error::QuotaExceeded(over) => Self::unavailable(over.detail()),
            service::Error::Failed(error) => error.into(),
        }
    }
}

impl From<anyhow::Error> for Fault {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: anyhow::Error) -> Self {
        error!("failed to {error:#}");
        if is_busy(&error) {
            let detail = "There is too much to do at the moment. Wait some seconds and try again.";
            return Self::unavailable(detail);
        }
        let detail = "Something went wrong on our side. Try again; if it keeps failing, ask your operator, giving the \
                      X-Request-Id of this answer.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", detail)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = Body {
            error: self.error,
            error_description: &self.detail,
            r#type: format!("urn:decant:problem:{}", self.error),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            code: self.error,
            detail: &self.detail,
        };
        let mut response = (self.status, Json(&body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_BUSY.into());
        }
        response
    }
}
