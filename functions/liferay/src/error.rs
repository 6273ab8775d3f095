//! The errors of this dialect, in the shapes that its clients know.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;
use web::{AuthError, RETRY_AFTER_BUSY, is_busy};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    Unauthorized(AuthError),
    Wrong(RequestError),
    Method,
    Nothing,
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    Broken(anyhow::Error),
}

/// What is wrong with a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    Request(String),
    Retention(String),
}

impl From<AuthError> for ApiError {
    fn from(denial: AuthError) -> Self {
        Self::Unauthorized(denial)
    }
}

impl From<RequestError> for ApiError {
    fn from(refusal: RequestError) -> Self {
        Self::Wrong(refusal)
    }
}

impl From<service::Error> for ApiError {
    fn from(error: service::Error) -> Self {
        AuthError::from(error).into()
    }
}

impl From<cloud::Error> for ApiError {
    fn from(error: cloud::Error) -> Self {
        Self::Broken(error.into())
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct RetentionBody {
    message: &'static str,
    description: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let told = |status: StatusCode, message: &str| {
            (status, Json(ErrorBody { message, status: "ERROR" })).into_response()
        };
        let later = |status: StatusCode, message: &str, seconds: u64| {
            let mut response = told(status, message);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            response
        };
        match self {
            // Clients know a bad token by an answer that is quite empty.
            Self::Unauthorized(denial) => match (denial.challenge(), &denial) {
                (Some(challenge), _) => {
                    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)])
                        .into_response()
                }
                (None, AuthError::QuotaExceeded(over)) => {
                    later(StatusCode::TOO_MANY_REQUESTS, &over.detail(), over.retry_after)
                }
                (None, _) => match denial {
                    AuthError::Unavailable(error) => Self::Broken(error).into_response(),
                    denial => told(StatusCode::FORBIDDEN, &denial.detail()),
                },
            },
            Self::Wrong(RequestError::Request(message)) => told(StatusCode::BAD_REQUEST, &message),
            Self::Wrong(RequestError::Retention(description)) => {
                let body = RetentionBody { message: "Bad Request", description };
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Method => {
                let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "Use GET.");
                response
                    .headers_mut()
                    .insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
                response
            }
            Self::Nothing => {
                told(StatusCode::NOT_FOUND, "Exports are at /api/reports/export/{type}.")
            }
            Self::Broken(error) => {
                error!("failed to {error:#}");
                if is_busy(&error) {
                    let message = "There is too much to do at the moment. Please come back later.";
                    return later(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER_BUSY);
                }
                told(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong on our side. Try again; if it keeps failing, ask your operator.",
                )
            }
        }
    }
}
