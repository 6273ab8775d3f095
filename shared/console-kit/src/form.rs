//! The fields of a form that a browser sends.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use web::Problem;

use crate::refusal::Refusal;

/// The most bytes of a form: a filter may have 64 KiB, three times as many where it is encoded.
const MAX_BYTES: usize = 256 << 10;

/// The fields of a form or a query, in their order. A name may be there several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the fields of a query.
    pub fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    fn parse(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Returns the first value of a field, without spaces around it; empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).next().map(str::trim).unwrap_or_default()
    }

    /// Returns all values of a field.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// Whether a box is ticked, or a value chosen.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|other| other == value)
    }

    /// Whether the field is there at all.
    pub fn names(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|e| anyhow::Error::new(e).context("read the form"))?;
        if bytes.len() > MAX_BYTES {
            let detail = format!("The form has {} bytes; {MAX_BYTES} are allowed.", bytes.len());
            return Err(
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).into()
            );
        }
        Ok(Self::parse(&bytes))
    }
}
