//! What API Gateway says of a request: its id, and the URL under which users reach us.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header::USER_AGENT, request::Parts},
    middleware::Next,
    response::Response,
};
use export::Actor;
use jiff::Timestamp;
use lambda_http::{RequestExt as _, request::RequestContext};
use service::Clock;
use tracing::{Instrument as _, info_span};

/// The URL that our paths are appended to, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Returns the absolute URL of a path that begins with `/`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let found = parts.extensions.get::<Self>().cloned();
        Ok(found.unwrap_or_else(|| Self("https://localhost".to_owned())))
    }
}

/// When a request came. Every router of this crate adds it.
#[derive(Clone, Copy, Debug)]
pub struct RequestTime(pub Timestamp);

impl RequestTime {
    /// Returns when this request came, or now by `clock` if nobody noted it.
    pub(crate) fn of(parts: &Parts, clock: Clock) -> Timestamp {
        parts.extensions.get::<Self>().map_or_else(|| clock.now(), |time| time.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestTime {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Self>().copied().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// From where a request came, as API Gateway saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    address: Option<String>,
    agent: Option<String>,
    request: String,
}

impl Client {
    /// Returns from where this request came.
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Returns who sends it to this API, as far as that is known without a credential.
    pub(crate) fn actor(self, api: &str) -> Actor {
        let Self { address, agent, request } = self;
        let request = Some(request);
        Actor { api: api.to_owned(), address, agent, request, ..Actor::default() }
    }
}

/// Adds [`BaseUrl`], [`RequestTime`] and [`Client`] to the request and `X-Request-Id` to its answer.
///
/// `configured` is the base URL if the deployment sets one; without it, it is where API Gateway was
/// reached. The `Host` header is never taken: links must not lead where a caller wants.
pub(crate) async fn with_context(
    State((configured, clock)): State<(Option<String>, Clock)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (id, address, url) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(gateway)) => {
            let path = gateway.path.as_deref().unwrap_or_default();
            let prefix = path.strip_suffix(request.uri().path()).unwrap_or_default();
            let domain = gateway.domain_name.as_deref().unwrap_or("localhost");
            let address = gateway.identity.source_ip.clone();
            (gateway.request_id.clone(), address, format!("https://{domain}{prefix}"))
        }
        _ => (None, None, "https://localhost".to_owned()),
    };
    let id = id.or_else(|| request.lambda_context_ref().map(|context| context.request_id.clone()));
    let id = id.unwrap_or_default();
    let url = configured.unwrap_or(url).trim_end_matches('/').to_owned();
    request.extensions_mut().insert(BaseUrl(url));
    request.extensions_mut().insert(RequestTime(clock.now()));
    let agent = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
    let agent = agent.map(|agent| String::from_utf8_lossy(agent).into_owned());
    request.extensions_mut().insert(Client { address, agent, request: id.clone() });

    let span = info_span!("request", request.id = id, method = %request.method(), path = logged(request.uri().path()));
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Returns what the log may have of a path: below `/files` and `/s`, the rest is all that it takes to read a file.
fn logged(path: &str) -> &str {
    const SECRET: [&str; 2] = ["/files/", "/s/"];
    SECRET.into_iter().find(|start| path.starts_with(start)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_opens_a_file_is_not_logged() {
        assert_eq!(
            logged("/files/export-1-6d1aeb86-6a02-4d3c-b3a3-5d1d3ac5a9be-output-0"),
            "/files/"
        );
        assert_eq!(
            logged("/s/BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc/files/page-0.csv"),
            "/s/"
        );
        for path in ["/v1/exports/1/files/page.csv", "/v1/exports/1/shares/2", "/api", "/files"] {
            assert_eq!(logged(path), path);
        }
    }
}
