//! Every route we answer, on one page.

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{delete, get, post},
};
use web::{BaseUrl, Problem, with_context};

use crate::{app::App, deliveries, explain, files, list, read, workspace, write};

/// The API's own description.
const OPENAPI: &str = include_str!("../openapi.json");

pub(crate) fn all(app: App) -> Router {
    let context = from_fn_with_state(app.services.public_base_url.clone(), with_context);
    Router::new()
        .route("/v1/exports", get(list::exports).post(write::create))
        .route("/v1/exports/{id}", get(read::export).delete(write::delete))
        .route("/v1/exports/{id}/cancel", post(write::cancel))
        .route("/v1/exports/{id}/download", get(read::download))
        .route("/v1/exports/{id}/bad-rows", get(read::bad_rows))
        .route("/v1/exports/{id}/files", get(files::list))
        .route("/v1/exports/{id}/files/{name}", get(files::download))
        .route("/v1/exports/{id}/deliveries", get(deliveries::list).post(deliveries::again))
        .route("/v1/workspace", get(workspace::read))
        .route("/v1/workspace/signing-secrets", post(workspace::add_secret))
        .route("/v1/workspace/signing-secrets/{id}", delete(workspace::remove_secret))
        .route("/v1/explain", post(explain::explain))
        .route("/v1/limits", get(read::limits))
        .route("/v1/tables", get(list::tables))
        .route("/v1/openapi.json", get(openapi))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // Our own limit is smaller and answered in our own words.
        .layer(DefaultBodyLimit::disable())
        .layer(context)
        .with_state(app)
}

/// `GET /v1/openapi.json`: the description, with the URL under which it was found.
async fn openapi(Extension(base): Extension<BaseUrl>) -> impl IntoResponse {
    let text = OPENAPI.replacen("\"url\": \"..\"", &format!("\"url\": \"{}\"", base.join("")), 1);
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=300"),
        ],
        text,
    )
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
