//! What is known of a client by its headers.

use axum::http::{HeaderMap, header};

/// Programs that send no `Accept` and repeat `Authorization` wherever they are redirected to, where S3
/// refuses it.
const CANNOT_BE_REDIRECTED: &str = "Python-urllib/";

/// Tells whether a client can be given a ZIP itself instead of a link to it.
///
/// API Gateway goes by `Accept` when it turns an answer into bytes. AWS does not say what it does for
/// clients that send none, so these are redirected, but for those that a redirect would not help.
pub(crate) fn takes_bytes(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !text(header::ACCEPT).trim().is_empty()
        || text(header::USER_AGENT).starts_with(CANNOT_BE_REDIRECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_say_what_it_accepts_is_redirected_unless_that_would_not_help() {
        let headers = |pairs: &[(header::HeaderName, &str)]| {
            pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
        };
        for (pairs, takes) in [
            (&[][..], false),
            (&[(header::ACCEPT, "")], false),
            (&[(header::USER_AGENT, "Go-http-client/1.1")], false),
            (&[(header::ACCEPT, "*/*")], true),
            (&[(header::ACCEPT, "application/json")], true),
            (&[(header::USER_AGENT, "Python-urllib/3.11")], true),
        ] {
            assert_eq!(takes_bytes(&headers(pairs)), takes, "{pairs:?}");
        }
    }
}
