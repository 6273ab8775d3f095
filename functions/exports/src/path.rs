//! What stands in a path.

use axum::{
    extract::{FromRequestParts, Path as AxumPath},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use web::Problem;

use crate::find;

/// Parameters of a path. A path that is no text is answered as one that leads nowhere.
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = AxumPath::from_request_parts(parts, state).await;
        found.map(|AxumPath(values)| Self(values)).map_err(|_| find::not_found())
    }
}
