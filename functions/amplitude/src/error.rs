//! The errors of this dialect: plain text, with the statuses that its clients know.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tracing::error;
use web::{AuthError, RETRY_AFTER_BUSY, is_busy};

use crate::size::MAX_OBJECTS;

/// Why there is no ZIP.
#[derive(Debug)]
pub(crate) enum ApiError {
    Unauthorized(AuthError),
    /// The query is wrong.
    Query(String),
    /// More bytes than one export may hold; with URLs of ranges that fit.
    TooLarge(Vec<String>),
    /// More source objects than are listed for one export; with URLs of shorter ranges, none for an hour.
    TooManyObjects(Vec<String>),
    /// There are no events.
    NoData,
    /// The work goes on.
    NotYet,
    /// The export failed; why.
    Failed(String),
    Method,
    Nothing,
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    Broken(anyhow::Error),
}

impl From<AuthError> for ApiError {
    fn from(denial: AuthError) -> Self {
        Self::Unauthorized(denial)
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

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let told = |status: StatusCode, text: String| (status, text).into_response();
        match self {
            Self::Unauthorized(AuthError::Missing) => {
                let text =
                    "Send your API key and secret key: curl -u API_KEY:SECRET_KEY ...".to_owned();
                let mut response = told(StatusCode::UNAUTHORIZED, text);
                let challenge = HeaderValue::from_static("Basic realm=\"export\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
            Self::Unauthorized(AuthError::Invalid(..)) => {
                told(StatusCode::FORBIDDEN, "Invalid API Key".to_owned())
            }
            Self::Unauthorized(AuthError::QuotaExceeded(over)) => {
                let mut response = told(StatusCode::TOO_MANY_REQUESTS, over.detail());
                response.headers_mut().insert(header::RETRY_AFTER, over.retry_after.into());
                response
            }
            Self::Unauthorized(AuthError::Unavailable(error)) => {
                Self::Broken(error).into_response()
            }
            Self::Unauthorized(denial) => told(StatusCode::FORBIDDEN, denial.detail()),
            Self::Query(text) => told(StatusCode::BAD_REQUEST, text),
            Self::TooLarge(urls) => {
                told(StatusCode::BAD_REQUEST, too_large("These ranges fit:", &urls))
            }
            Self::TooManyObjects(urls) if urls.is_empty() => {
                let why = format!(
                    "This hour has more than {MAX_OBJECTS} source objects, the most of one export. Ask your \
                     operator to write fewer and larger ones."
                );
                told(StatusCode::BAD_REQUEST, too_large(&why, &[]))
            }
            Self::TooManyObjects(urls) => {
                let why = format!(
                    "These hours have more than {MAX_OBJECTS} source objects, the most of one export. Ask for \
                     each half of them:"
                );
                told(StatusCode::BAD_REQUEST, too_large(&why, &urls))
            }
            // Clients look for this very phrase.
            Self::NoData => {
                told(StatusCode::NOT_FOUND, "Raw data files were not found.".to_owned())
            }
            // Not 504: clients take that for a range that is too large, and give it up.
            Self::NotYet => {
                let text = "The export takes longer than a request may. It goes on: ask for the same URL again.";
                let mut response = told(StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
                response
            }
            Self::Failed(detail) => told(StatusCode::INTERNAL_SERVER_ERROR, detail),
            Self::Method => {
                let mut response = told(StatusCode::METHOD_NOT_ALLOWED, "Use GET.".to_owned());
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Self::Nothing => {
                told(StatusCode::NOT_FOUND, "Exports are at /api/2/export.".to_owned())
            }
            Self::Broken(error) => {
                error!("failed to {error:#}");
                if is_busy(&error) {
                    let text = "There is too much to do at the moment. Ask for the same URL again.";
                    let mut response = told(StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
                    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_BUSY.into());
                    return response;
                }
                let text = "Something went wrong on our side. Try again; if it keeps failing, ask your operator.";
                told(StatusCode::INTERNAL_SERVER_ERROR, text.to_owned())
            }
        }
    }
}

/// Says that a range is too large in the vendor's words, which clients look for, and what to do.
fn too_large(what_to_do: &str, urls: &[String]) -> String {
    let mut text = format!(
        "The file size of the exported data is too large. Shorten the time ranges and try again. The limit \
         size is 4GB. {what_to_do}"
    );
    for url in urls {
        // Writing to a string does not fail.
        _ = write!(text, "\n{url}");
    }
    text
}
