//! Callbacks: a POST to a URL of the user's when an export has ended, and the log of its attempts.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{CopyState, Export, checked::checked_text, record::State};

/// The callback of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The URL that is posted to.
    pub url: CallbackUrl,
    /// The base of the URLs in its body: that of the files, or of the export itself.
    pub base: String,
    /// Whether it was sent to the queue of the notifier.
    pub sent: bool,
    /// Whether it was given up, since it could not be sent to that queue for [`CALLBACK_TIMEOUT`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// How long sending a callback to the queue of the notifier is tried, from when it was due.
pub const CALLBACK_TIMEOUT: SignedDuration = SignedDuration::from_hours(24);

/// An absolute URL of HTTP or HTTPS, normalised as browsers do (WHATWG URL Standard).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackUrl(String);

/// The text is not a URL that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a callback is posted to an absolute http or https URL of {MAX_URL_BYTES} bytes at most, without a user name"
)]
pub struct CallbackUrlError;

const MAX_URL_BYTES: usize = 2000;

/// One attempt to post a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When the attempt was made.
    pub at: Timestamp,
    /// Its number, counted from 1.
    pub attempt: u32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The HTTP status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why the attempt failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the next attempt follows. `None` after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl FromStr for CallbackUrl {
    type Err = CallbackUrlError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(s).map_err(|_| CallbackUrlError)?;
        let plain = url.username().is_empty() && url.password().is_none();
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && plain;
        // The parsed URL is stored, since parsing drops line breaks and escapes characters.
        let text = String::from(url);
        if fits && s.len().max(text.len()) <= MAX_URL_BYTES {
            Ok(Self(text))
        } else {
            Err(CallbackUrlError)
        }
    }
}

checked_text!(CallbackUrl, CallbackUrlError);

impl Callback {
    /// Whether it was neither sent nor given up.
    pub fn is_open(&self) -> bool {
        !self.sent && !self.given_up
    }
}

impl Export {
    /// Adds a callback.
    pub fn with_callback(self, url: CallbackUrl, base: String) -> Self {
        Self { callback: Some(Callback { url, base, sent: false, given_up: false }), ..self }
    }

    /// Notes that the callback was sent to its queue. `None` if no callback is open.
    pub fn with_callback_sent(&self) -> Option<Self> {
        self.with_open_callback(|callback| Callback { sent: true, ..callback })
    }

    /// Gives the callback up if it has been due for [`CALLBACK_TIMEOUT`]. `None` if not, or if none is open.
    pub fn callback_given_up(&self, now: Timestamp) -> Option<Self> {
        self.callback_due_since().filter(|since| *since + CALLBACK_TIMEOUT <= now)?;
        self.with_open_callback(|callback| Callback { given_up: true, ..callback })
    }

    fn with_open_callback(&self, change: impl FnOnce(Callback) -> Callback) -> Option<Self> {
        let callback = self.callback.clone().filter(Callback::is_open)?;
        let callback = Some(change(callback));
        Some(Self { callback, backoff: None, ..self.next_version() })
    }

    /// Returns since when the open callback is due: the end of the export, or of its copy if it has one.
    /// `None` if no callback is open, or before that end.
    pub fn callback_due_since(&self) -> Option<Timestamp> {
        let ended_at = self.ended_at()?;
        self.callback.as_ref().filter(|callback| callback.is_open())?;
        match self.copy.as_ref().map(|copy| &copy.state) {
            None => Some(ended_at),
            Some(CopyState::Ended { at, .. }) => Some(ended_at.max(*at)),
            Some(CopyState::Waiting { .. } | CopyState::Running { .. }) => None,
        }
    }

    /// Returns when building ended, successfully or not.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Queued { .. } | State::Running { .. } => None,
            State::Failed { finished_at, .. } | State::Cancelled { finished_at } => {
                Some(*finished_at)
            }
            State::Succeeded { archive }
            | State::Expired { archive, .. }
            | State::Deleted { archive, .. } => Some(archive.published_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_given_up_a_day_after_it_was_due_and_no_sooner() {
        let now = Timestamp::UNIX_EPOCH;
        let window = crate::Window::new(now, now + CALLBACK_TIMEOUT).unwrap();
        let tables = vec![crate::TableSelection::whole("t")];
        let request = crate::ExportRequest::new(tables, window, crate::Format::Jsonl);
        let id = crate::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        let acme = "acme".parse().unwrap();
        let export = Export::queued(id, acme, request, now, CALLBACK_TIMEOUT);
        let export = export.with_callback("http://example.com".parse().unwrap(), String::new());
        assert_eq!(export.callback_given_up(now + CALLBACK_TIMEOUT), None, "it has not ended");

        let ended = export.cancel(now).unwrap();
        let second = SignedDuration::from_secs(1);
        assert_eq!(ended.callback_given_up(now + CALLBACK_TIMEOUT - second), None);
        let given_up = ended.callback_given_up(now + CALLBACK_TIMEOUT).unwrap();
        assert_eq!((given_up.callback_due_since(), given_up.due()), (None, None));
        assert_eq!(given_up.with_callback_sent(), None);
    }

    #[test]
    fn only_absolute_urls_of_http_are_called() {
        for (good, stored) in [
            ("https://example.com/hook?a=b", "https://example.com/hook?a=b"),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9/"),
            ("HTTPS://EXAMPLE.COM", "https://example.com/"),
            ("https://exa\nmple.com/\ta b", "https://example.com/a%20b"),
        ] {
            assert_eq!(good.parse::<CallbackUrl>().unwrap().to_string(), stored);
        }
        let umlauts = format!("https://example.com/{}", "ü".repeat(400));
        assert!(umlauts.parse::<CallbackUrl>().is_err(), "escaped, it is too long");
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
        for bad in [
            "",
            "/hook",
            "example.com",
            "ftp://a/b",
            "file:///etc/passwd",
            "http://",
            "https://a:b@c/",
            "https://a@c/",
            "https://:b@c/",
            &long,
        ] {
            assert!(bad.parse::<CallbackUrl>().is_err(), "{bad}");
        }
    }
}
