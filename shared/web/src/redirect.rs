//! Leading to a file.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Returns an answer that leads to `url` and that nobody may keep: the link is made anew at each click.
pub fn redirect_to(url: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store")])
        .into_response()
}
