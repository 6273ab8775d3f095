//! The arguments of a call, from its query and its body, in any of the forms that clients send.

use std::{collections::BTreeMap, fmt};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Multipart},
    http::{HeaderMap, Request, header},
};
use export::{MAX_BODY_BYTES, MAX_BODY_DEPTH};
use serde_json::Value;
use web::{is_json, nesting, parse_json};

use crate::error::ApiError;

/// The most calls in one.
const MAX_CALLS: usize = 50;
/// The argument that has the calls of several in one.
const CALLS: &str = "data";

/// Names and values. Those that are empty are as good as not there.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Arguments(BTreeMap<String, String>);

impl fmt::Debug for Arguments {
    /// Shows names only: keys and secrets are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Arguments {
    /// Reads query and body. What the query says counts before what the body says, and what comes first
    /// before what comes later.
    pub(crate) async fn read(
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let mut arguments = Self::default();
        arguments.add_form(query.as_bytes())?;
        if body.len() > MAX_BODY_BYTES {
            return Err(ApiError::bad(format!("The body has more than {MAX_BODY_BYTES} bytes.")));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if body.is_empty() {
            return Ok(arguments);
        }
        if is_json(headers) {
            arguments.add_json(body)?;
        } else if kind.starts_with("multipart/form-data") {
            arguments.add_multipart(headers, body).await?;
        } else {
            arguments.add_form(body)?;
        }
        Ok(arguments)
    }

    /// Adds the arguments of a form.
    fn add_form(&mut self, form: &[u8]) -> Result<(), ApiError> {
        let pairs = form_urlencoded::parse(form);
        self.add_once(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())))
    }

    /// Adds arguments of one place. One that says two things at once says neither.
    fn add_once(&mut self, pairs: impl Iterator<Item = (String, String)>) -> Result<(), ApiError> {
        let mut own: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in pairs {
            let before = own.entry(name.clone()).or_insert_with(|| value.clone());
            if *before != value {
                let name: String = name.chars().take(60).collect();
                return Err(ApiError::wrong(&name, "It is there twice. Send it once."));
            }
        }
        for (name, value) in own {
            self.add(&name, value);
        }
        Ok(())
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), ApiError> {
        if nesting(body) > MAX_BODY_DEPTH {
            return Err(ApiError::bad("The body nests too deep."));
        }
        let body: Value = parse_json(body)
            .map_err(|e| ApiError::bad(format!("The body cannot be read as JSON: {e}.")))?;
        let Value::Object(object) = body else {
            return Err(ApiError::bad("The body must be a JSON object of arguments."));
        };
        for (name, value) in object {
            match value {
                Value::String(text) => self.add(&name, text),
                Value::Number(_) | Value::Bool(_) => self.add(&name, value.to_string()),
                Value::Array(_) if name == CALLS => self.add(&name, value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {}
            }
        }
        Ok(())
    }

    async fn add_multipart(&mut self, headers: &HeaderMap, body: &Bytes) -> Result<(), ApiError> {
        let wrong = |_| ApiError::bad("The multipart body cannot be read.");
        let mut request = Request::new(Body::from(body.clone()));
        *request.headers_mut() = headers.clone();
        let parts = Multipart::from_request(request, &()).await;
        let mut parts = parts.map_err(|_| ApiError::bad("The multipart body cannot be read."))?;
        let mut pairs = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(wrong)? {
            let name = part.name().unwrap_or_default().to_owned();
            pairs.push((name, part.text().await.map_err(wrong)?));
        }
        self.add_once(pairs.into_iter())
    }

    fn add(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.0.entry(name.to_owned()).or_insert(value);
        }
    }

    /// Returns the calls that are in this one, each with the arguments of this one where it has none of its
    /// own.
    pub(crate) fn calls(&self) -> Result<Vec<Self>, ApiError> {
        let text = self.required(CALLS)?;
        let wrong = || {
            ApiError::wrong(
                CALLS,
                "It is a JSON list of objects, 1 to 50 of them, each with a field once.",
            )
        };
        if nesting(text.as_bytes()) > MAX_BODY_DEPTH {
            return Err(wrong());
        }
        let Ok(Value::Array(list)) = parse_json(text.as_bytes()) else {
            return Err(wrong());
        };
        if !(1..=MAX_CALLS).contains(&list.len()) {
            return Err(wrong());
        }
        let outer = self.0.iter().filter(|(name, _)| !["action", CALLS].contains(&name.as_str()));
        list.iter()
            .map(|inner| {
                let mut call = Self::default();
                call.add_json(inner.to_string().as_bytes()).map_err(|_| wrong())?;
                outer.clone().for_each(|(name, value)| call.add(name, value.clone()));
                Ok(call)
            })
            .collect()
    }

    /// Returns an argument.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns an argument that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::missing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(query: &str, kind: &str, body: &'static str) -> Arguments {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
        Arguments::read(query, &headers, &Bytes::from_static(body.as_bytes())).await.unwrap()
    }

    #[tokio::test]
    async fn several_calls_in_one_share_what_stands_outside() {
        let json =
            r#"{"action":"multi","appId":"a","data":[{"action":"x"},{"action":"y","appId":"b"}]}"#;
        let calls = read("", "application/json", json).await.calls().unwrap();
        let told: Vec<_> =
            calls.iter().map(|call| (call.get("action"), call.get("appId"))).collect();
        assert_eq!(told, [(Some("x"), Some("a")), (Some("y"), Some("b"))]);
        let form = "action=multi&appId=a&data=%5B%7B%22action%22%3A%22x%22%7D%5D";
        assert_eq!(read(form, "", "").await.calls().unwrap()[0], calls[0]);
        for wrong in ["", "data=1", "data=%5B%5D", "data=%5B1%5D", "data=%5B"] {
            assert!(read(wrong, "", "").await.calls().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_there_twice_is_refused_and_no_value_is_shown() {
        let form = async |query: &str, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            Arguments::read(query, &HeaderMap::new(), &body).await
        };
        assert!(form("a=1&a=2", "").await.is_err());
        assert!(form("", "a=1&a=2").await.is_err());
        let json =
            HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let twice = Bytes::from_static(br#"{"a":1,"a":2}"#);
        assert!(Arguments::read("", &json, &twice).await.is_err());
        let part =
            |value| format!("--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n");
        let kind = "multipart/form-data; boundary=X".parse().unwrap();
        let multipart = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        let twice = Bytes::from(format!("{}{}--X--\r\n", part(1), part(2)));
        assert!(Arguments::read("", &multipart, &twice).await.is_err());
        let twice = form("", "data=[{\"a\":1,\"a\":2}]").await.unwrap();
        assert!(twice.calls().is_err());
        let both = form("a=1&a=1&b=s3cr3t", "a=2").await.unwrap();
        assert_eq!(both.get("a"), Some("1"), "the query counts first");
        assert_eq!(format!("{both:?}"), r#"{"a", "b"}"#);
    }

    #[tokio::test]
    async fn every_form_says_the_same() {
        let want = read("a=1&b=true&c=x+y", "", "").await;
        let multipart = "--X\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\nx y\r\n--X--\r\n";
        for (query, kind, body) in [
            (
                "a=1",
                "application/json; charset=utf-8",
                r#"{"a":2,"b":true,"c":"x y","d":null,"e":[1]}"#,
            ),
            ("a=1&c=", "application/x-www-form-urlencoded", "b=true&c=x%20y&a=3"),
            ("a=1&b=true", "multipart/form-data; boundary=X", multipart),
        ] {
            assert_eq!(read(query, kind, body).await, want, "{kind}");
        }
    }
}
