//! Every route, on one page.

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodRouter, any, get, post},
};
use web::Kit;

use crate::{
    app::{App, Viewer},
    dimensions,
    error::ApiError,
    exports, filters, health,
};

/// The paths below which this dialect is. The second stands in the links of old documents.
const BASES: [&str; 2] = ["/rest/ua/v15", "/rest/v15"];

/// Returns the routes. Each path may end in a slash.
pub(crate) fn all() -> Router<Kit<App>> {
    let mut routes = Router::new();
    for base in BASES {
        for (path, calls) in calls() {
            routes = routes
                .route(&format!("{base}{path}"), calls.clone())
                .route(&format!("{base}{path}/"), calls);
        }
        for path in ["/exports/visits/{*rest}", "/exports/schedules/{*rest}"] {
            routes = routes.route(&format!("{base}{path}"), any(no_route));
        }
    }
    routes.fallback(no_route).method_not_allowed_fallback(no_method).layer(from_fn(no_store))
}

fn calls() -> Vec<(&'static str, MethodRouter<Kit<App>>)> {
    vec![
        ("/exports", get(exports::list).post(exports::create)),
        ("/exports/create", post(exports::create_from_body)),
        ("/exports/estimate", get(exports::estimate)),
        ("/exports/rowLimit", get(exports::row_limit)),
        ("/exports/status", get(health::status)),
        ("/exports/monitoring/health", get(health::health)),
        // Exports of visits and schedules are not offered: these are no ids.
        ("/exports/visits", any(no_route)),
        ("/exports/schedules", any(no_route)),
        ("/exports/monitoring", any(no_route)),
        ("/exports/{id}", get(exports::read).delete(exports::delete)),
        ("/exports/{id}/downloadlink", get(exports::download_link)),
        ("/filters/status", get(health::status)),
        ("/filters/monitoring/health", get(health::health)),
        ("/filters/reporting", get(filters::list).post(filters::create)),
        (
            "/filters/reporting/{id}",
            get(filters::read).put(filters::replace).delete(filters::delete),
        ),
        ("/dimensions", get(dimensions::list)),
        ("/dimensions/exportables", get(dimensions::list)),
        ("/dimensions/status", get(health::status)),
        ("/dimensions/monitoring/health", get(health::health)),
        ("/dimensions/custom", get(dimensions::list_custom)),
        ("/dimensions/custom/status", get(health::status)),
        ("/dimensions/custom/monitoring/health", get(health::health)),
        ("/dimensions/custom/{name}", get(dimensions::read)),
        ("/dimensions/{name}", get(dimensions::read)),
    ]
}

/// Answers a path without calls. Only callers with a token learn which paths there are.
async fn no_route(_: Viewer) -> ApiError {
    ApiError::not_found(
        "There is nothing at this path. Exports are at /rest/ua/v15/exports; exports of visits and schedules \
         are not offered.",
    )
}

/// Answers a method that a path does not take. The router adds `Allow`.
async fn no_method(_: Viewer) -> ApiError {
    ApiError::method()
}

/// Keeps caches from storing answers, which depend on the token.
async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_routes_are_in_conflict() {
        // The router panics where they are.
        drop(all());
    }
}
