//! The parts of a request that handlers take: its query, an id of its path, and its JSON body.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::request::Parts,
};
use serde_json::Value;
use web::Kit;

use crate::{
    app::App,
    error::ApiError,
    params::{Params, json},
};

/// The parameters of the query.
pub(crate) struct Query(pub(crate) Params);

/// The id or name in the path. One that is not UTF-8 is empty, which nothing is called.
pub(crate) struct Id(pub(crate) String);

/// The JSON body, within its limits.
pub(crate) struct Body(pub(crate) Value);

impl FromRequestParts<Kit<App>> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Kit<App>) -> Result<Self, ApiError> {
        Params::of_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl FromRequestParts<Kit<App>> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, kit: &Kit<App>) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, kit).await;
        Ok(Self(path.map(|Path(id)| id).unwrap_or_default()))
    }
}

impl FromRequest<Kit<App>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, kit: &Kit<App>) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, kit).await.map_err(anyhow::Error::from)?;
        json(&headers, &bytes).map(Self)
    }
}
