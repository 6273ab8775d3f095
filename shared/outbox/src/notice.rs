//! What is posted to whom.

use std::fmt;

use export::{CallbackUrl, Export, ExportId, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{body::Body, leanplum, native};

/// How long it is tried to post a callback: as long as an archive lives.
const TIMEOUT: SignedDuration = SignedDuration::from_hours(24);

/// A callback, with all that is needed to post it but the secrets that sign it.
///
/// Fields that are not known are ignored: during an update, the version before reads messages of the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    /// Whose export it tells of.
    pub workspace: Workspace,
    /// Which one.
    pub export: ExportId,
    /// The same however often it is posted, so that a receiver can tell.
    pub id: String,
    /// Where it is posted to.
    pub url: CallbackUrl,
    /// What is posted.
    pub body: Body,
    /// Whether it is posted only if it can be signed, with the secrets that the workspace has by then.
    #[serde(default = "signed")]
    pub signed: bool,
    /// How often it was posted before.
    #[serde(default)]
    pub posts: u32,
    /// When it is to be posted, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When it is given up.
    pub until: Timestamp,
}

/// What does not say that it needs no signature needs one.
fn signed() -> bool {
    true
}

impl fmt::Display for WebhookMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the callback of export {}", self.export)
    }
}

impl WebhookMessage {
    /// Returns what tells of an export that has ended; none if nobody is to be told.
    pub fn of(export: &Export, now: Timestamp) -> Option<Self> {
        let callback = export.callback.as_ref()?;
        let (body, signed) = match &export.origin {
            // That API has no signatures.
            Some(origin) if origin.dialect == leanplum::DIALECT => {
                (leanplum::results(export, origin, &callback.base).alone().to_json(), false)
            }
            Some(_) | None => (native::body(export, &callback.base)?, true),
        };
        Some(Self {
            workspace: export.workspace.clone(),
            export: export.id,
            id: format!("msg_{}", export.id),
            url: callback.url.clone(),
            body: Body::new(body),
            signed,
            posts: 0,
            due: None,
            until: now + TIMEOUT,
        })
    }

    /// Returns the same callback, posted once more before and to be posted again at `due`.
    pub fn posted(&self, due: Timestamp) -> Self {
        Self { posts: self.posts + 1, due: Some(due), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_first_version_are_read() {
        let message = r#"{"workspace":"acme","export":"019ca8d7-2d00-71be-91b6-cdbd33a83dfe",
            "id":"msg_019ca8d7-2d00-71be-91b6-cdbd33a83dfe","url":"https://example.com/hook","body":"{}",
            "secrets":["c2VhbGVk"],"until":"2026-03-02T10:00:00Z"}"#;
        let message: WebhookMessage = serde_json::from_str(message).unwrap();
        assert_eq!((message.body.text(), message.signed, message.posts), ("{}", true, 0));
    }
}
