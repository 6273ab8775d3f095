//! What is answered where something is wrong: `{"message", "type"}`, never with a status in it.
//!
//! The service's documents show this shape for the write API of the same family.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use export::Privilege;
use serde::Serialize;
use tracing::error;
use web::{AuthError, BodyError, RETRY_AFTER_BUSY, is_busy};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    r#type: &'static str,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), header: None }
    }

    /// A request that cannot be understood; `kind` says what of it.
    pub(crate) fn bad(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    /// A parameter whose value is wrong.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameter", message)
    }

    /// A parameter that is not there.
    pub(crate) fn missing(name: &str, form: &str) -> Self {
        Self::bad("MissingParameter", format!("The parameter {name} is missing. Give {form}."))
    }

    /// A filter that cannot be used.
    pub(crate) fn filter(message: impl Into<String>) -> Self {
        Self::bad("InvalidFilter", message)
    }

    /// What is not there, or is somebody else's.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// An export that cannot be downloaded yet.
    pub(crate) fn not_ready() -> Self {
        let message = "The export is still being made. Ask for its status until it is AVAILABLE.";
        Self::new(StatusCode::CONFLICT, "ExportNotReady", message)
    }

    /// An export that cannot be downloaded any more, or never could.
    pub(crate) fn not_available(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "ExportNotAvailable", message)
    }

    /// A method that a path does not take.
    pub(crate) fn method() -> Self {
        let message = "This path does not take this method; see the Allow header.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// What cannot be done, for a reason that whoever keeps the lake can mend.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// What would probably go well some seconds later.
    fn busy() -> Self {
        let message = "There is too much to do at the moment. Wait some seconds and try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            .with(header::RETRY_AFTER, &RETRY_AFTER_BUSY.to_string())
    }

    /// An answer that is being worked on.
    pub(crate) fn later(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
            .with(header::RETRY_AFTER, "5")
    }

    /// Its status, the kind and the message that it is told by.
    #[cfg(test)]
    pub(crate) fn told(&self) -> (u16, &'static str, &str) {
        (self.status.as_u16(), self.kind, &self.message)
    }

    fn with(self, name: HeaderName, value: &str) -> Self {
        Self { header: HeaderValue::from_str(value).ok().map(|value| (name, value)), ..self }
    }
}

impl From<AuthError> for ApiError {
    fn from(denial: AuthError) -> Self {
        let denied = |message: String| Self::new(StatusCode::FORBIDDEN, "AccessDenied", message);
        if let AuthError::Unavailable(error) = denial {
            return error.into();
        }
        match &denial {
            AuthError::Missing | AuthError::Invalid(..) => {
                let unauthorized =
                    Self::new(StatusCode::UNAUTHORIZED, "InvalidToken", denial.detail());
                let challenge = denial.challenge().map(|value| (header::WWW_AUTHENTICATE, value));
                Self { header: challenge, ..unauthorized }
            }
            AuthError::WorkspaceRequired(names) => Self::bad(
                "MissingParameter",
                format!("The token opens several organizations. Choose one by org: {names}."),
            ),
            AuthError::WorkspaceForbidden => {
                denied("The token does not open the organization that org names.".to_owned())
            }
            AuthError::PrivilegeMissing(privilege) => {
                let name = match privilege {
                    Privilege::View => "View",
                    Privilege::Edit => "Edit",
                };
                denied(format!(
                    "This needs the privilege Analytics - Data exports - {name}, which the token lacks."
                ))
            }
            AuthError::QuotaExceeded(over) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", over.detail())
                    .with(header::RETRY_AFTER, &over.retry_after.to_string())
            }
            AuthError::Unavailable(_) => Self::busy(),
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::MediaType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "Send the body as JSON: Content-Type: application/json.",
            ),
            BodyError::TooLarge { bytes, most } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "InvalidObject",
                format!("The body has {bytes} bytes; {most} are allowed."),
            ),
            BodyError::TooDeep { most, .. } => {
                Self::bad("InvalidObject", format!("The body nests deeper than {most} levels."))
            }
            BodyError::NotJson(error) => {
                Self::bad("InvalidJson", format!("The body cannot be read as JSON: {error}."))
            }
            BodyError::Unavailable(error) => error.context("read the body").into(),
        }
    }
}

impl From<anyhow::Error> for ApiError {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: anyhow::Error) -> Self {
        error!("failed to {error:#}");
        if is_busy(&error) {
            return Self::busy();
        }
        let message = "Something went wrong on our side. Try again; if it keeps failing, ask your operator, \
                       giving the X-Request-Id of this answer.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
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

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Body { message: &self.message, r#type: self.kind };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().extend(self.header);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use export::{Limits, MAX_BODY_BYTES, MAX_BODY_DEPTH};
    use web::JsonBody;

    use super::*;

    fn refused(kind: &'static str, body: &str) -> Option<(u16, &'static str, String)> {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let limits = Limits::default();
        let parsed = JsonBody::parse(&HeaderMap::from_iter([kind]), body.as_bytes(), &limits);
        parsed.err().map(|error| {
            let error = ApiError::from(error);
            let (status, kind, message) = error.told();
            (status, kind, message.to_owned())
        })
    }

    #[test]
    fn a_body_is_refused_for_its_media_type_then_its_size_then_its_depth_before_it_is_parsed() {
        const JSON: &str = "application/json";
        let (large, deep) = ("[".repeat(MAX_BODY_BYTES + 1), "[".repeat(MAX_BODY_DEPTH + 1));
        let said = |kind, body| refused(kind, body).map(|(status, kind, _)| (status, kind));
        assert_eq!(said("text/plain", &large), Some((415, "UnsupportedMediaType")));
        assert_eq!(said(JSON, &large), Some((413, "InvalidObject")));
        assert_eq!(said(JSON, &deep), Some((400, "InvalidObject")));
        assert_eq!(said(JSON, &deep[1..]), Some((400, "InvalidJson")));
        assert_eq!(said(JSON, r#"{"from":"a","from":"b"}"#), Some((400, "InvalidJson")));
        assert_eq!(said(JSON, r#"{"from":"a"}"#), None);

        let (_, _, message) = refused(JSON, &deep).unwrap();
        assert_eq!(message, "The body nests deeper than 8 levels.");
        let (_, _, message) = refused(JSON, &large).unwrap();
        assert_eq!(message, "The body has 262145 bytes; 262144 are allowed.");
    }
}
