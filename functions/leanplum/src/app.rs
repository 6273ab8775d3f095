//! What this function works with, and its two paths.

use std::time::Duration;

use aws_config::SdkConfig;
use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use cloud::{KmsCipher, env};
use export::CallbackHosts;
use web::{BaseUrl, Services, with_context};

use crate::{
    arguments::Arguments,
    calls,
    envelope::{Refused, answer},
    files,
};

/// What this function works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    /// How long a call waits until it is known whether there is any data.
    pub(crate) wait: Duration,
    /// The URL to which the names of files are appended, if it is not one of ours.
    files_url: Option<String>,
    /// What seals users' secrets.
    pub(crate) seal: KmsCipher,
    /// The hosts that callbacks may be posted to.
    pub(crate) callback_hosts: CallbackHosts,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self {
            services: Services::from_env(aws).await?,
            wait: Duration::from_secs(env::required("WAIT_SECONDS")?),
            files_url: env::optional("FILES_URL")?,
            seal: KmsCipher::from_env(aws)?,
            callback_hosts: env::optional("CALLBACK_HOSTS")?.unwrap_or_default(),
        })
    }
}

pub(crate) fn router(app: App) -> Router {
    let context = from_fn_with_state(app.services.public_base_url.clone(), with_context);
    Router::new()
        .route("/api", any(api))
        .route("/files/{name}", get(files::file))
        .method_not_allowed_fallback(async || {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
            (allow, Refused::new(StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD."))
        })
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, "Calls are at /api?action=..."))
        // Our own limit is answered in our own words.
        .layer(DefaultBodyLimit::disable())
        .layer(context)
        .with_state(app)
}

/// `/api?action=...`: a call, its arguments in the query or the body.
async fn api(
    State(app): State<App>,
    Extension(base): Extension<BaseUrl>,
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
        return Refused::new(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.").into_response();
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
