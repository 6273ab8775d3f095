//! The route that we answer.

use axum::{Router, http::StatusCode, routing::post};
use web::Kit;

use crate::{app::App, exchange, fault::Fault};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/v1/tokens", post(exchange::exchange))
        .fallback(async || {
            let detail = "There is nothing at this path. GET /v1/openapi.json lists what there is.";
            Fault::absent(StatusCode::NOT_FOUND, "route_not_found", detail)
        })
        .method_not_allowed_fallback(async || {
            let detail = "This path does not take this method; see the Allow header.";
            Fault::absent(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
}
