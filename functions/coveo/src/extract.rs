//! The parts of a request that handlers take: its query, and an id of its path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use web::Kit;

use crate::{app::App, error::ApiError, params::Params};

/// The parameters of the query.
pub(crate) struct Query(pub(crate) Params);

/// The id or name in the path. One that is not UTF-8 is empty, which nothing is called.
pub(crate) struct Id(pub(crate) String);

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
