//! Posting to a server that may be slow, broken or hostile.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use export::{CallbackHosts, ForbiddenHost};
use jiff::{Timestamp, fmt::rfc2822};
use outbox::WebhookMessage;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
    redirect::Policy,
};
use service::{Clock, Posted};
use url::Url;

use crate::resolver::Resolver;

/// How long an answer may take, from the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is read of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The most that is kept of an answer, in characters.
const MAX_KEPT_CHARS: usize = 500;

/// What posts.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    client: Client,
    allowed: Arc<CallbackHosts>,
}

impl Poster {
    pub(crate) fn new(allowed: CallbackHosts) -> anyhow::Result<Self> {
        let allowed = Arc::new(allowed);
        let client = Client::builder()
            .dns_resolver(Arc::new(Resolver(Arc::clone(&allowed))))
            .redirect(Policy::none())
            .no_proxy()
            // Each connection is to an address that was just looked at.
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, allowed })
    }

    /// Posts a callback once, signed if there are signatures.
    pub(crate) async fn post(
        &self,
        message: &WebhookMessage,
        seconds: i64,
        signatures: &str,
        clock: Clock,
    ) -> Posted {
        let Ok(url) = Url::parse(&message.url.to_string()) else {
            return Posted::refused("the URL cannot be read".to_owned());
        };
        if let Err(forbidden) = self.allowed.url(&url) {
            return Posted::refused(forbidden.to_string());
        }
        let mut post = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json;charset=utf-8")
            .header(USER_AGENT, "Decant")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .body(message.body.text().to_owned());
        if !signatures.is_empty() {
            post = post.header("webhook-signature", signatures);
        }
        match post.send().await {
            Ok(response) => answered(response, clock.now()).await,
            Err(error) => broken(&error),
        }
    }
}

/// Returns what came of a post that got no answer.
fn broken(error: &reqwest::Error) -> Posted {
    let mut causes: Vec<&(dyn StdError + 'static)> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    if let Some(forbidden) = causes.iter().find_map(|cause| cause.downcast_ref::<ForbiddenHost>()) {
        return Posted::refused(forbidden.to_string());
    }
    let error = if error.is_timeout() {
        format!("there was no whole answer within {} seconds", TIMEOUT.as_secs())
    } else {
        // The first cause: what stands above it repeats the URL.
        causes.last().map_or_else(|| "the request broke".to_owned(), ToString::to_string)
    };
    Posted { again: true, ..Posted::refused(error) }
}

/// Returns what came of a post that was answered.
async fn answered(mut response: Response, now: Timestamp) -> Posted {
    let status = response.status();
    let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = response.headers().get(RETRY_AFTER).filter(|_| busy);
    let retry_after = retry_after.and_then(|v| seconds_of(v.to_str().ok()?, now));
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            // What counts is the status, and that is there.
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(4 * MAX_KEPT_CHARS);
    let text: String = String::from_utf8_lossy(&bytes).chars().take(MAX_KEPT_CHARS).collect();
    let error = match status {
        _ if status.is_success() => None,
        _ if status.is_redirection() => Some(format!(
            "the server answered with status {}, and redirects are not followed",
            status.as_u16()
        )),
        _ => Some(format!("the server answered with status {}", status.as_u16())),
    };
    let answer = Some(text).filter(|text| !text.is_empty());
    // As Standard Webhooks has it: a server that is gone says so, anything else may be mended.
    let again = status != StatusCode::GONE;
    Posted { status: Some(status.as_u16()), answer, error, again, retry_after }
}

/// Reads a `Retry-After`, which is a number of seconds or a date.
fn seconds_of(text: &str, now: Timestamp) -> Option<i32> {
    let text = text.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX),
        Err(_) if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => i64::MAX,
        Err(_) => rfc2822::parse(text).ok()?.timestamp().as_second() - now.as_second(),
    };
    Some(i32::try_from(seconds.max(0)).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use outbox::Body;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_retry_after_is_read_as_seconds_or_as_a_date() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let read = |text| seconds_of(text, now);
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 01 Mar 2026 00:02:00 GMT"), Some(120));
        assert_eq!(read("Sat, 28 Feb 2026 00:00:00 GMT"), Some(0));
        assert_eq!(read("99999999999999999999999"), Some(i32::MAX));
        for odd in ["", "-1", "1.5", "soon"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[tokio::test]
    async fn a_name_or_an_address_that_leads_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let poster = Poster::new(CallbackHosts::Public).unwrap();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0"] {
            let message = WebhookMessage {
                workspace: "acme".parse().unwrap(),
                export: export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
                id: "msg".into(),
                url: format!("http://{host}:{port}/").parse().unwrap(),
                body: Body::new("{}"),
                signed: false,
                posts: 0,
                due: None,
                until: Timestamp::UNIX_EPOCH,
            };
            let answer = poster.post(&message, 0, "", Clock::system()).await;
            let error = answer.error.unwrap();
            assert!(error.contains("not a public address"), "{host}: {error}");
            assert!(!answer.again, "{host}");
        }
        let connected = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(connected.is_err(), "somebody connected");
    }
}
