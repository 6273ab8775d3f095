//! What is answered: one element in an envelope, whatever the status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

const KIND: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");

#[derive(Serialize)]
struct Envelope<'a> {
    response: [&'a Element; 1],
}

/// What is said of one call. What does not apply is left out.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Element {
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) num_sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) num_bytes: Option<u64>,
}

/// A text for people, which some programs look for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) message: String,
}

/// Why a call has no other answer.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
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

impl From<anyhow::Error> for Refused {
    /// Ours to solve: the chain of causes goes to the log and nowhere else.
    fn from(error: anyhow::Error) -> Self {
        error!("failed to {error:#}");
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

impl IntoResponse for Element {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, &self)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = Some(Message { message: self.message });
        answer(self.status, &Element { error, ..Element::default() })
    }
}

fn answer(status: StatusCode, element: &Element) -> Response {
    let body = serde_json::to_string(&Envelope { response: [element] }).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, KIND),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_written_as_clients_know_it() {
        let element = Element {
            success: true,
            job_id: Some("export_1_2".into()),
            state: Some("FINISHED"),
            files: Some(vec!["https://a/b".into()]),
            num_sessions: Some(1),
            num_bytes: Some(2),
            ..Element::default()
        };
        assert_eq!(
            serde_json::to_string(&Envelope { response: [&element] }).unwrap(),
            r#"{"response":[{"success":true,"jobId":"export_1_2","state":"FINISHED","files":["https://a/b"],"numSessions":1,"numBytes":2}]}"#
        );
    }
}
