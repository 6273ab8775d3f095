//! The answers of this dialect. Nothing but a ZIP is ever a success: clients do not look.

use axum::{
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};

/// What a request is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A small ZIP itself: some HTTP libraries follow no redirects.
    Zip(Bytes),
    /// How many bytes a small ZIP has, for those who ask for no more than that.
    Size(u64),
    /// Where the ZIP is: a redirect, or the link as JSON.
    Redirect(Response),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let zip = [
            (header::CONTENT_TYPE, "application/zip"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"export.zip\""),
            (header::CACHE_CONTROL, "no-store"),
        ];
        match self {
            Self::Zip(bytes) => (zip, bytes).into_response(),
            Self::Size(bytes) => {
                (zip, [(header::CONTENT_LENGTH, bytes.to_string())]).into_response()
            }
            Self::Redirect(response) => response,
        }
    }
}
