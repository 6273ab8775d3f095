//! What this function works with, and how a request finds its call.

use std::time::Duration;

use aws_config::SdkConfig;
use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use cloud::env;
use export::{ExportId, Privilege};
use jiff::Timestamp;
use serde::Serialize;
use web::{BaseUrl, Caller, Services, with_context};

use crate::{
    choices::Choices,
    dimensions, exports, filters,
    params::Params,
    refused::Refused,
    route::{Call, NoCall, Words},
};

/// What this function works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    /// The most rows of an export.
    pub(crate) row_limit: u64,
    /// How long a request waits for rows to be counted.
    pub(crate) wait: Duration,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let services = Services::from_env(aws).await?;
        // A fault in them is told at the start, not at the first export.
        Choices::of(&services.catalog)?;
        Ok(Self {
            services,
            row_limit: env::required("ROW_LIMIT")?,
            wait: Duration::from_secs(env::required("WAIT_SECONDS")?),
        })
    }
}

/// One request. It is never printed: a token is among its headers.
pub(crate) struct Request {
    pub(crate) app: App,
    pub(crate) base: BaseUrl,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Params,
    pub(crate) body: Bytes,
    pub(crate) now: Timestamp,
}

impl Request {
    /// Finds out who asks, and that they may do what needs `privilege`.
    pub(crate) async fn caller(&self, privilege: Privilege) -> Result<Caller, Refused> {
        let authenticator = &self.app.services.authenticator;
        let org = self.query.one("org");
        Ok(authenticator.bearer_in(&self.headers, org, privilege, self.now).await?)
    }
}

pub(crate) fn router(app: App) -> Router {
    let context = from_fn_with_state(app.services.public_base_url.clone(), with_context);
    Router::new()
        .fallback(handle)
        // Our own limit is answered in our own words.
        .layer(DefaultBodyLimit::disable())
        .layer(context)
        .with_state(app)
}

async fn handle(
    State(app): State<App>,
    Extension(base): Extension<BaseUrl>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let query = Params::of_query(uri.query().unwrap_or_default())?;
    let request = Request { app, base, method, headers, query, body, now: Timestamp::now() };
    let method = &request.method;
    let response = match Call::of(method, uri.path()) {
        Ok(call) => answer(&request, call).await?,
        Err(no_call) => {
            // Who may not look is not told what there is.
            request.caller(Privilege::View).await?;
            return Err(match no_call {
                NoCall::Path => Refused::not_found(
                    "There is nothing at this path. Exports are at /rest/ua/v15/exports; exports of visits \
                     and schedules are not offered.",
                ),
                NoCall::Method(allowed) => Refused::method(&allowed),
            });
        }
    };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let response = (no_store, response).into_response();
    Ok(if method == Method::HEAD { response.map(|_| Body::empty()) } else { response })
}

async fn answer(request: &Request, call: Call) -> Result<Response, Refused> {
    match call {
        Call::ListExports => exports::list(request).await,
        Call::CreateExport => exports::create(request).await,
        Call::CreateExportFromBody => exports::create_from_body(request).await,
        Call::ReadExport(id) => exports::read(request, &id).await,
        Call::DeleteExport(id) => exports::delete(request, &id).await,
        Call::DownloadLink(id) => exports::download_link(request, &id).await,
        Call::Estimate => exports::estimate(request).await,
        Call::RowLimit => exports::row_limit(request).await,
        Call::Health(words) => Ok(health(&request.app, words).await),
        Call::ListFilters => filters::list(request).await,
        Call::CreateFilter => filters::create(request).await,
        Call::ReadFilter(id) => filters::read(request, &id).await,
        Call::ReplaceFilter(id) => filters::replace(request, &id).await,
        Call::DeleteFilter(id) => filters::delete(request, &id).await,
        Call::ListDimensions(which) => dimensions::list(request, which).await,
        Call::ReadDimension(name) => dimensions::read(request, &name).await,
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Whether exports can be read: where they cannot, nothing else works.
async fn health(app: &App, words: Words) -> Response {
    let reachable = match "health".parse() {
        Ok(workspace) => app.services.exports.get(&workspace, ExportId::generate()).await.is_ok(),
        Err(_) => false,
    };
    let status = match (reachable, words) {
        (true, Words::Status) => "online",
        (true, Words::Health) => "up",
        (false, _) => "unavailable",
    };
    (StatusCode::OK, Json(Health { status })).into_response()
}
