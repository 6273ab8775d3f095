//! The JSON body of a request, as an extractor that checks the limits before it parses.

use axum::{
    body::Bytes,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, StatusCode},
};
use export::{Fault, Limits};
use serde_json::Value;

use crate::{Api, Kit, Problem, is_json, nesting, parse_json};

/// The JSON body of a request, whose media type, bytes and nesting are checked before it is parsed. An object in it
/// has each field once.
#[derive(Debug)]
pub struct JsonBody(pub Value);

/// Why a request has no JSON body. Each API says it in its own words.
#[derive(Debug)]
pub enum BodyError {
    /// The request does not say that its body is JSON.
    MediaType,
    /// The body has more bytes than are allowed.
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The most bytes.
        most: usize,
    },
    /// Objects and lists nest deeper than is allowed.
    TooDeep {
        /// Its levels.
        depth: usize,
        /// The most levels.
        most: usize,
    },
    /// The body is not JSON, or an object in it has a field twice.
    NotJson(serde_json::Error),
    /// The body did not arrive.
    Unavailable(anyhow::Error),
}

impl JsonBody {
    /// Parses a body that the headers say is JSON, if it is within the limits.
    pub fn parse(headers: &HeaderMap, body: &[u8], limits: &Limits) -> Result<Self, BodyError> {
        let Limits { body_bytes, body_depth, .. } = *limits;
        if !is_json(headers) {
            return Err(BodyError::MediaType);
        }
        if body.len() > body_bytes {
            return Err(BodyError::TooLarge { bytes: body.len(), most: body_bytes });
        }
        let depth = nesting(body);
        if depth > body_depth {
            return Err(BodyError::TooDeep { depth, most: body_depth });
        }
        parse_json(body).map(Self).map_err(BodyError::NotJson)
    }
}

impl<A: Api> FromRequest<Kit<A>> for JsonBody
where
    A::Error: From<BodyError>,
{
    type Rejection = A::Error;

    async fn from_request(request: Request, kit: &Kit<A>) -> Result<Self, A::Error> {
        let (headers, bytes) = read(request).await?;
        Ok(Self::parse(&headers, &bytes, &kit.services().limits)?)
    }
}

/// A request may have no body at all.
impl<A: Api> OptionalFromRequest<Kit<A>> for JsonBody
where
    A::Error: From<BodyError>,
{
    type Rejection = A::Error;

    async fn from_request(request: Request, kit: &Kit<A>) -> Result<Option<Self>, A::Error> {
        let (headers, bytes) = read(request).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self::parse(&headers, &bytes, &kit.services().limits)?))
    }
}

async fn read(request: Request) -> Result<(HeaderMap, Bytes), BodyError> {
    let headers = request.headers().clone();
    let bytes = Bytes::from_request(request, &()).await;
    Ok((headers, bytes.map_err(|e| BodyError::Unavailable(e.into()))?))
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::MediaType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type_unsupported",
                "Send the request as JSON: Content-Type: application/json.",
            ),
            BodyError::TooLarge { bytes, most } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("The body has {bytes} bytes; {most} are allowed."),
            ),
            BodyError::TooDeep { depth, most } => {
                let detail = format!("The body nests {depth} levels deep; {most} are allowed.");
                Self::invalid(Fault::new("body_too_deep", "", detail))
            }
            BodyError::NotJson(error) => {
                let detail = format!("The body cannot be read as JSON: {error}.");
                Self::invalid(Fault::new("not_json", "", detail))
            }
            BodyError::Unavailable(error) => error.context("read the body").into(),
        }
    }
}
