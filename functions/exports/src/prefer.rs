//! What a client prefers (RFC 7240): to wait for its export.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header by which a client says so.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The longest that a request waits for its export: API Gateway waits for 29 seconds.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How long a client wants to wait, within the bound. `None` if it does not, or says it in a way that is none.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    let seconds = preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| value.trim().trim_matches('"').parse::<u64>().ok())
    });
    seconds.flatten().map(|seconds| Duration::from_secs(seconds).min(MAX_WAIT))
}

/// The header that says how long was waited at most.
pub(crate) fn applied(wait: Option<Duration>) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&format!("wait={}", wait?.as_secs())).ok()?;
    Some((HeaderName::from_static("preference-applied"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_waits_as_long_as_it_says_and_20_seconds_at_most() {
        for (prefer, seconds) in [
            (&["wait=5"][..], Some(5)),
            (&["respond-async, WAIT = \"7\"; x=1"], Some(7)),
            (&["respond-async", "wait=3"], Some(3)),
            (&["wait=3", "wait=9"], Some(3)),
            (&["wait=20"], Some(20)),
            (&["wait=21"], Some(20)),
            (&["wait=0"], Some(0)),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&["wait=-1"], None),
            (&["await=5"], None),
            (&[], None),
        ] {
            let pair = |value: &&'static str| (PREFER, HeaderValue::from_static(value));
            let headers: HeaderMap =
                prefer.iter().map(pair).fold(HeaderMap::new(), |mut all, (name, value)| {
                    all.append(name, value);
                    all
                });
            assert_eq!(wait(&headers), seconds.map(Duration::from_secs), "{prefer:?}");
        }
        let (_, value) = applied(Some(MAX_WAIT)).unwrap();
        assert_eq!(value, "wait=20");
        assert_eq!(applied(None), None);
    }
}
