//! Every route, and the headers of every answer.

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::get,
};
use web::{Kit, Problem};

use crate::{app::App, download, page};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/s/{secret}", get(download::look).post(download::take))
        .route("/s/{secret}/files/{name}", get(download::file))
        .fallback(download::elsewhere)
        .method_not_allowed_fallback(async || {
            let detail = "Use GET, HEAD or POST on a link, and GET or HEAD on a file below it.";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
                .into_response()
        })
        .layer(from_fn(keep_secret))
}

/// Adds what keeps a link a secret: nobody may store an answer, index it, frame it, or learn from where one came.
async fn keep_secret(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(page::CONTENT_SECURITY_POLICY));
    response
}
