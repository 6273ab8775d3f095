//! Telling a user's server that an export has ended: where, and what became of it.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{CopyState, Export, checked::checked_text, record::State};

/// Who is told that an export has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Where it is posted to.
    pub url: CallbackUrl,
    /// The URL below which the files it tells of are, or that of the export itself.
    pub base: String,
    /// Whether it was handed to whoever posts it.
    pub sent: bool,
    /// Whether it could not be handed over, for too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// How long it is tried to hand a callback to whoever posts it, from when that is due.
pub const CALLBACK_PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// An absolute URL of HTTP or HTTPS, normalised as browsers do (WHATWG URL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallbackUrl(String);

/// A text that nothing can be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a callback is posted to an absolute http or https URL of {MOST} bytes at most, without a user name"
)]
pub struct CallbackUrlError;

const MOST: usize = 2000;

/// One attempt to post a callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was made.
    pub at: Timestamp,
    /// Which one it was, from 1.
    pub attempt: u32,
    /// How long it took.
    pub duration_ms: u64,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why there is no answer, or none that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the next attempt is made, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl FromStr for CallbackUrl {
    type Err = CallbackUrlError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(s).map_err(|_| CallbackUrlError)?;
        let plain = url.username().is_empty() && url.password().is_none();
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && plain;
        // What is stored is what will be called: parsing drops line breaks and escapes what it has to.
        let text = String::from(url);
        if fits && s.len().max(text.len()) <= MOST { Ok(Self(text)) } else { Err(CallbackUrlError) }
    }
}

checked_text!(CallbackUrl, CallbackUrlError);

impl Callback {
    /// Tells whether it has still to be handed over.
    pub fn is_open(&self) -> bool {
        !self.sent && !self.given_up
    }
}

impl Export {
    /// The same export, somebody to be told of its end.
    pub fn with_callback(self, url: CallbackUrl, base: String) -> Self {
        Self { callback: Some(Callback { url, base, sent: false, given_up: false }), ..self }
    }

    /// The same export, its callback handed over; none if it has none, or it was.
    pub fn told(&self) -> Option<Self> {
        self.with_open_callback(|callback| Callback { sent: true, ..callback })
    }

    /// The same export, its callback given up, if it could not be handed over for too long.
    pub fn callback_given_up(&self, now: Timestamp) -> Option<Self> {
        self.untold_since().filter(|since| *since + CALLBACK_PATIENCE <= now)?;
        self.with_open_callback(|callback| Callback { given_up: true, ..callback })
    }

    fn with_open_callback(&self, change: impl FnOnce(Callback) -> Callback) -> Option<Self> {
        let callback = self.callback.clone().filter(Callback::is_open)?;
        let callback = Some(change(callback));
        Some(Self { callback, put_off: None, ..self.then(self.state.clone()) })
    }

    /// Since when somebody is to be told of its end, and was not yet: that of its copy, if it has one.
    pub fn untold_since(&self) -> Option<Timestamp> {
        let ended_at = self.ended_at()?;
        self.callback.as_ref().filter(|callback| callback.is_open())?;
        match self.copy.as_ref().map(|copy| &copy.state) {
            None => Some(ended_at),
            Some(CopyState::Ended { at, .. }) => Some(ended_at.max(*at)),
            Some(CopyState::Waiting { .. } | CopyState::Running { .. }) => None,
        }
    }

    /// When it was over with building it.
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
        let window = crate::Window::new(now, now + CALLBACK_PATIENCE).unwrap();
        let tables = vec![crate::TableSelection::whole("t")];
        let request = crate::ExportRequest::new(tables, window, crate::Format::Jsonl);
        let id = crate::ExportId::generate();
        let acme = "acme".parse().unwrap();
        let export = Export::queued(id, acme, request, now, CALLBACK_PATIENCE);
        let export = export.with_callback("http://example.com".parse().unwrap(), String::new());
        assert_eq!(export.callback_given_up(now + CALLBACK_PATIENCE), None, "it has not ended");

        let ended = export.cancel(now).unwrap();
        let second = SignedDuration::from_secs(1);
        assert_eq!(ended.callback_given_up(now + CALLBACK_PATIENCE - second), None);
        let given_up = ended.callback_given_up(now + CALLBACK_PATIENCE).unwrap();
        assert_eq!((given_up.untold_since(), given_up.due()), (None, None));
        assert_eq!(given_up.told(), None);
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
        let long = format!("https://example.com/{}", "a".repeat(MOST));
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
