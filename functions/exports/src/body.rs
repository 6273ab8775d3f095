//! The JSON body of a request, within its limits.

use anyhow::Context as _;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::StatusCode,
};
use export::{Fault, Limits};
use serde_json::Value;
use web::{Kit, Problem, Public, is_json, nesting, parse_json};

use crate::app::App;

/// A body of JSON: its media type, its bytes, its nesting, and each field once are checked before it is parsed.
pub(crate) struct Body(pub(crate) Value);

impl FromRequest<Kit<App>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, kit: &Kit<App>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "Send the request as JSON: Content-Type: application/json.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media_type_unsupported", detail));
        }
        let (mut parts, body) = request.into_parts();
        let Ok(app) = Public::<App>::from_request_parts(&mut parts, kit).await;
        let bytes = Bytes::from_request(Request::from_parts(parts, body), kit).await;
        let bytes = bytes.context("read the body")?;
        parse(&bytes, &app.services.limits).map(Self)
    }
}

fn parse(body: &[u8], limits: &Limits) -> Result<Value, Problem> {
    if body.len() > limits.body_bytes {
        let detail =
            format!("The body has {} bytes; {} are allowed.", body.len(), limits.body_bytes);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail));
    }
    let depth = nesting(body);
    if depth > limits.body_depth {
        let detail =
            format!("The body nests {depth} levels deep; {} are allowed.", limits.body_depth);
        return Err(Problem::invalid(Fault::new("body_too_deep", "", detail)));
    }
    parse_json(body).map_err(|e| {
        let detail = format!("The body cannot be read as JSON: {e}.");
        Problem::invalid(Fault::new("not_json", "", detail))
    })
}
