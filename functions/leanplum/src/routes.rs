//! The two paths of this dialect.

use axum::{
    Router,
    body::Bytes,
    extract::RawQuery,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use web::{BaseUrl, Kit, Public};

use crate::{
    app::App,
    arguments::Arguments,
    calls,
    error::ApiError,
    files,
    response::{answer, expire_at_once},
};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/api", any(api))
        .route("/files/{name}", get(files::file))
        .method_not_allowed_fallback(async || {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
            (allow, ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD."))
        })
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "Calls are at /api?action=..."))
        .layer(from_fn(expire_at_once))
}

/// `/api?action=...`: a call, its arguments in the query or the body.
async fn api(
    app: Public<App>,
    base: BaseUrl,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::OPTIONS {
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Content-Type")),
        ];
        return (StatusCode::NO_CONTENT, headers).into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD | Method::POST) {
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.").into_response();
    }
    let files = app.files_url.clone().unwrap_or_else(|| base.join("/files"));
    let query = query.as_deref().unwrap_or_default();
    let answered = match Arguments::read(query, &headers, &body).await {
        Ok(arguments) => calls::call(&app, &arguments, files.trim_end_matches('/')).await,
        Err(refused) => Err(refused),
    };
    match answered {
        Ok(envelope) => answer(StatusCode::OK, &envelope),
        Err(refused) => refused.into_response(),
    }
}
