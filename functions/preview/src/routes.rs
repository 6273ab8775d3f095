//! The route that we answer.

use axum::{Router, http::StatusCode, routing::post};
use web::{Kit, Problem};

use axum::middleware::from_fn;
use console_kit::guard;
use pages::keep_private;

use crate::{
    app::App,
    console::{self, Console},
    preview,
};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/v1/preview", post(preview::preview))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
}

/// The part of the console's page of a new export that shows rows.
pub(crate) fn of_console() -> Router<Kit<Console>> {
    Router::new()
        .route("/console/new/preview", post(console::show))
        .layer(from_fn(guard))
        .layer(from_fn(keep_private))
}

async fn no_route() -> Problem {
    Problem::not_found(
        "route_not_found",
        "There is nothing at this path. GET /v1/openapi.json lists what there is.",
    )
}

async fn no_method() -> Problem {
    let detail = "This path does not take this method; see the Allow header.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
