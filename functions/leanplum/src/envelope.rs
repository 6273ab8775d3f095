//! What is answered: one element in an envelope, whatever the status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use outbox::leanplum::{Element, Envelope};
use tracing::error;
use web::{AuthError, RETRY_AFTER_BUSY, is_busy};

const KIND: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");

/// Why a call has no other answer.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    message: String,
    /// When to try again, in seconds.
    retry_after: Option<u64>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// A call that may succeed some seconds later.
    pub(crate) fn later(status: StatusCode, message: impl Into<String>, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(status, message) }
    }

    /// What is said of it among others.
    pub(crate) fn element(self) -> Element {
        Element::refused(self.message)
    }

    /// A call that cannot be understood.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// An argument that is not there.
    pub(crate) fn missing(name: &str) -> Self {
        Self::bad(format!("Missing required parameter: {name}"))
    }

    /// An argument whose value is wrong; `form` says how it should be.
    pub(crate) fn wrong(name: &str, form: &str) -> Self {
        Self::bad(format!("Invalid value for parameter: {name}. {form}"))
    }

    /// What clients are told with a status of success, and a success that is false.
    pub(crate) fn told(message: &str) -> Self {
        Self::new(StatusCode::OK, message)
    }
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::WorkspaceForbidden | AuthError::WorkspaceRequired(_) => {
                Self::new(StatusCode::NOT_FOUND, "App not found.")
            }
            AuthError::Missing | AuthError::Invalid(..) | AuthError::PrivilegeMissing(_) => {
                Self::new(StatusCode::FORBIDDEN, "Invalid access key")
            }
            AuthError::QuotaExceeded(over) => {
                Self::later(StatusCode::TOO_MANY_REQUESTS, over.detail(), over.retry_after)
            }
            AuthError::Unavailable(error) => error.into(),
        }
    }
}

impl From<anyhow::Error> for Refused {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: anyhow::Error) -> Self {
        error!("failed to {error:#}");
        if is_busy(&error) {
            let message = "There is too much to do at the moment. Wait some seconds and try again.";
            return Self::later(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER_BUSY);
        }
        let message =
            "Something went wrong on our side. Try again; if it keeps failing, ask your operator.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<cloud::Error> for Refused {
    fn from(error: cloud::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = answer(status, &self.element().alone());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

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
