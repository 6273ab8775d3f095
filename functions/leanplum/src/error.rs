//! The errors of this dialect: an element with a message, in the envelope of every answer.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use outbox::leanplum::Element;
use tracing::error;
use web::{AuthError, RETRY_AFTER_BUSY, is_busy};

use crate::response::answer;

/// Why a call has no other answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    /// When to try again, in seconds.
    retry_after: Option<u64>,
}

impl ApiError {
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

impl From<AuthError> for ApiError {
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

impl From<anyhow::Error> for ApiError {
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

impl From<service::Error> for ApiError {
    fn from(error: service::Error) -> Self {
        AuthError::from(error).into()
    }
}

impl From<cloud::Error> for ApiError {
    fn from(error: cloud::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = answer(status, &self.element().alone());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
