//! The scripts: htmx, which is of its own authors, and a few lines of ours. Pages work without them.

use axum::{http::header, response::IntoResponse};

const HTMX: &str = include_str!("vendored/htmx.min.js");
const OWN: &str = include_str!("console.js");

/// `GET /console/htmx.js`.
pub(crate) async fn htmx() -> impl IntoResponse {
    script(HTMX)
}

/// `GET /console/console.js`.
pub(crate) async fn own() -> impl IntoResponse {
    script(OWN)
}

fn script(text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, text)
}
