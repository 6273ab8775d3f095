//! Posting to a server that may be slow, broken or hostile.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use outbox::Notice;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect::Policy,
};
use url::Url;

use crate::address::{Allowed, Forbidden, Resolver};

/// How long an answer may take, from the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is read of an answer, in bytes.
const MOST_READ: usize = 64 << 10;
/// The most that is kept of an answer, in characters.
const MOST_KEPT: usize = 500;

/// What posts.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    client: Client,
    allowed: Arc<Allowed>,
}

/// What came of posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status, if there was one.
    pub(crate) status: Option<u16>,
    /// The beginning of what was answered.
    pub(crate) text: Option<String>,
    /// Why it does not count, if it does not.
    pub(crate) error: Option<String>,
    /// Whether it may go better later.
    pub(crate) again: bool,
}

impl Poster {
    pub(crate) fn new(allowed: Allowed) -> anyhow::Result<Self> {
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

    /// Posts a notice, signed if there are signatures.
    pub(crate) async fn post(&self, notice: &Notice, seconds: i64, signatures: &str) -> Answer {
        let Ok(url) = Url::parse(&notice.url.to_string()) else {
            return Answer::refused("the URL cannot be read".to_owned());
        };
        if let Err(forbidden) = self.allowed.url(&url) {
            return Answer::refused(forbidden.to_string());
        }
        let mut post = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json;charset=utf-8")
            .header(USER_AGENT, "Decant")
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", seconds)
            .body(notice.body.clone());
        if !signatures.is_empty() {
            post = post.header("webhook-signature", signatures);
        }
        match post.send().await {
            Ok(response) => Answer::of(response).await,
            Err(error) => Answer::broken(&error),
        }
    }
}

impl Answer {
    fn refused(why: String) -> Self {
        Self { status: None, text: None, error: Some(why), again: false }
    }

    fn broken(error: &reqwest::Error) -> Self {
        let mut causes: Vec<&(dyn StdError + 'static)> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause);
            next = cause.source();
        }
        if let Some(forbidden) = causes.iter().find_map(|cause| cause.downcast_ref::<Forbidden>()) {
            return Self::refused(forbidden.to_string());
        }
        let error = if error.is_timeout() {
            format!("there was no whole answer within {} seconds", TIMEOUT.as_secs())
        } else {
            // The first cause: what stands above it repeats the URL.
            causes.last().map_or_else(|| "the request broke".to_owned(), ToString::to_string)
        };
        Self { status: None, text: None, error: Some(error), again: true }
    }

    async fn of(mut response: Response) -> Self {
        let status = response.status();
        let mut bytes = Vec::new();
        while bytes.len() < MOST_READ {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                // What counts is the status, and that is there.
                Ok(None) | Err(_) => break,
            }
        }
        bytes.truncate(4 * MOST_KEPT);
        let text: String = String::from_utf8_lossy(&bytes).chars().take(MOST_KEPT).collect();
        let again = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let error = match status {
            _ if status.is_success() => None,
            _ if status.is_redirection() => Some(format!(
                "the server answered with status {}, and redirects are not followed",
                status.as_u16()
            )),
            _ => Some(format!("the server answered with status {}", status.as_u16())),
        };
        let text = Some(text).filter(|text| !text.is_empty());
        Self { status: Some(status.as_u16()), text, error, again }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_name_or_an_address_that_leads_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let poster = Poster::new(Allowed::Public).unwrap();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0"] {
            let notice = Notice {
                workspace: "acme".parse().unwrap(),
                export: export::ExportId::generate(),
                id: "msg".into(),
                url: format!("http://{host}:{port}/").parse().unwrap(),
                body: "{}".into(),
                secrets: Vec::new(),
                until: Timestamp::UNIX_EPOCH,
            };
            let answer = poster.post(&notice, 0, "").await;
            let error = answer.error.unwrap();
            assert!(error.contains("not a public address"), "{host}: {error}");
            assert!(!answer.again, "{host}");
        }
        let connected = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(connected.is_err(), "somebody connected");
    }
}
