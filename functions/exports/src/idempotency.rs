//! The `Idempotency-Key` header, after the IETF draft of that name (draft-ietf-httpapi-idempotency-key-header).

use axum::http::{HeaderMap, StatusCode};
use export::{Opener, Order, sha256_hex};
use web::Problem;

const HEADER: &str = "idempotency-key";
const MOST: usize = 255;

/// Reads the key, a string with or without quotes; none if there is no such header.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=MOST).contains(&bare.len())
        && bare.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"');
    if fits && values.next().is_none() {
        return Ok(Some(bare.to_owned()));
    }
    let detail = format!(
        "Idempotency-Key is one string of 1 to {MOST} printable ASCII characters, as a UUID."
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail))
}

/// Returns what is stored of a key, and of the order that it stands for. A secret is not part of it: it
/// may be changed and sent again.
pub(crate) fn hashes(key: &str, order: &Order) -> anyhow::Result<(String, String)> {
    let mut body = serde_json::to_vec(&order.request)?;
    if let Some(url) = &order.callback {
        body.extend(serde_json::to_vec(url)?);
    }
    if let Some((target, opener)) = &order.copy {
        let opener = match opener {
            Opener::Key { id, .. } => id,
            Opener::Role { arn } => arn,
        };
        body.extend(serde_json::to_vec(&(target, opener))?);
    }
    Ok((sha256_hex(key.as_bytes()), sha256_hex(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Problem> {
        let headers = values.iter().map(|v| (HEADER.parse().unwrap(), v.parse().unwrap()));
        key(&headers.collect::<HeaderMap>())
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
