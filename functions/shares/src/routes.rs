//! Every route.

use axum::{
    Router, http::StatusCode, middleware::from_fn, response::IntoResponse as _, routing::get,
};
use pages::keep_private;
use web::{Kit, Problem};

use crate::{app::App, download};

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
        .layer(from_fn(keep_private))
}
