//! The `Idempotency-Key` header, after the IETF draft of that name (draft-ietf-httpapi-idempotency-key-header).

use axum::http::{HeaderMap, StatusCode};
use export::{BucketCredentials, Order, sha256_hex};
use serde_json::Value;
use web::Problem;

const HEADER: &str = "idempotency-key";
const MAX_KEY_CHARS: usize = 255;

/// Reads the key, a string with or without quotes; none if there is no such header.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=MAX_KEY_CHARS).contains(&bare.len())
        && bare.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"');
    if fits && values.next().is_none() {
        return Ok(Some(bare.to_owned()));
    }
    let detail = format!(
        "Idempotency-Key is one string of 1 to {MAX_KEY_CHARS} printable ASCII characters, as a UUID."
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail))
}

/// Returns what is stored of a key. It has a namespace of its own, beside the natural keys of the dialects.
pub(crate) fn key_hash(key: &str) -> String {
    sha256_hex(format!("idempotency/{key}").as_bytes())
}

/// Returns what is stored of a body as it was sent, whatever the order of its fields. A secret is not part
/// of it: it may be changed and sent again.
pub(crate) fn body_hash(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(copy) = body.get_mut("copy").and_then(Value::as_object_mut) {
        copy.remove("secret_access_key");
    }
    sha256_hex(body.to_string().as_bytes())
}

/// Returns what is stored of the order that was read from a body. Without a secret, too.
pub(crate) fn order_hash(order: &Order) -> anyhow::Result<String> {
    let mut text = serde_json::to_vec(&order.request)?;
    if let Some(url) = &order.callback {
        text.extend(serde_json::to_vec(url)?);
    }
    if let Some((target, opener)) = &order.copy {
        let opener = match opener {
            BucketCredentials::Key { id, .. } => id,
            BucketCredentials::Role { arn } => arn,
        };
        text.extend(serde_json::to_vec(&(target, opener))?);
    }
    Ok(sha256_hex(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Problem> {
        let headers = values.iter().map(|v| (HEADER.parse().unwrap(), v.parse().unwrap()));
        key(&headers.collect::<HeaderMap>())
    }

    #[test]
    fn a_body_is_the_same_in_any_order_and_with_another_secret() {
        let hash = |text: &str| body_hash(&serde_json::from_str(text).unwrap());
        let first = hash(r#"{"a":1,"copy":{"bucket":"b","secret_access_key":"x"}}"#);
        assert_eq!(first, hash(r#"{ "copy":{"secret_access_key":"y","bucket":"b"}, "a":1 }"#));
        assert_ne!(first, hash(r#"{"a":1,"copy":{"bucket":"c","secret_access_key":"x"}}"#));
        assert_eq!(hash("[1]"), hash("[ 1 ]"));
    }

    #[test]
    fn a_key_is_never_the_natural_key_of_a_dialect() {
        let natural = "amplitude/2026-03-01T00:00:00Z/2026-03-02T00:00:00Z";
        assert_ne!(key_hash(natural), sha256_hex(natural.as_bytes()));
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["\"8e03978e-40d5\""]).unwrap(), read(&["8e03978e-40d5"]).unwrap());
        for bad in [&[""][..], &["\"\""], &["a\"b"], &[&"x".repeat(256)]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
