//! Delivering callbacks: one attempt, its log, and when the next one is made.
//!
//! Failures of two kinds are counted apart. Posts that a receiver does not take are counted in the message,
//! which is sent anew for the next of them. Failures of ours, before anything could be posted, leave the
//! message in the queue: how often it came counts them, and they use up none of the receiver's posts.

mod schedule;
mod sign;

use anyhow::Context as _;
use cloud::{DeliveryTable, ExportTable, KmsCipher, Purpose, Queue};
use export::Delivery;
use jiff::{SignedDuration, Timestamp};
use outbox::WebhookMessage;
use tokio::time::Instant;
use tracing::{error, info};

use self::{
    schedule::{MAX_DELAY, MAX_HIDDEN, next_wait},
    sign::signatures,
};
use crate::{Clock, Outcome, retry_pause};

/// Delivers callbacks.
#[derive(Clone, Debug)]
pub struct Deliverer {
    /// The queue that callbacks come from.
    pub queue: Queue,
    /// The log of callbacks.
    pub deliveries: DeliveryTable,
    /// The table of signing secrets. Nothing else of it is read.
    pub exports: ExportTable,
    /// The key that opens signing secrets.
    pub seal: KmsCipher,
    /// The time.
    pub clock: Clock,
}

/// What came of posting a callback once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The beginning of its body.
    pub answer: Option<String>,
    /// Why the post does not count, if it does not.
    pub error: Option<String>,
    /// Whether it may go better later.
    pub again: bool,
    /// In how many seconds, if the server says so.
    pub retry_after: Option<i32>,
}

impl Posted {
    /// Returns what comes of a callback that was not taken on, for this reason, which lasts.
    pub fn refused(why: String) -> Self {
        Self { status: None, answer: None, error: Some(why), again: false, retry_after: None }
    }

    /// Returns what comes of a callback that has to be signed while its workspace has no secret.
    fn unsigned() -> Self {
        let why = "It was not posted: this workspace has no signing secret any more. Make one with \
                   POST /v1/workspace/signing-secrets.";
        Self { again: true, ..Self::refused(why.to_owned()) }
    }
}

impl Deliverer {
    /// Posts a callback if it is time, and logs what came of it. `received` is how often its message came. `post`
    /// posts it once, with the seconds since 1970 and the signatures of these headers, none if they are empty.
    pub async fn deliver(
        &self,
        message: &WebhookMessage,
        received: u32,
        post: impl AsyncFnOnce(i64, &str) -> Posted,
    ) -> anyhow::Result<Outcome> {
        let (at, begun) = (self.clock.now(), Instant::now());
        if message.until < at {
            let error = "It was given up: it could not be delivered in 24 hours.";
            let row = Delivery { error: Some(error.to_owned()), ..unposted(message, at) };
            self.log(message, &row).await;
            return Ok(Outcome::Done);
        }
        if let Some(early) = message.due.and_then(|due| seconds_until(at, due)) {
            let seconds = early.min(MAX_HIDDEN);
            return Ok(Outcome::ComeBack { seconds, reason: "it is not to be posted yet" });
        }
        let signatures = match self.sign(message, at).await {
            Ok(signatures) => signatures,
            Err(e) => {
                let error =
                    "It was not posted yet: it could not be signed, for a fault on our side.";
                let next_at = Some(at + SignedDuration::from_secs(retry_pause(received).into()));
                let error = Some(error.to_owned());
                self.log(message, &Delivery { error, next_at, ..unposted(message, at) }).await;
                return Err(e);
            }
        };
        let posted = match &signatures {
            Some(signatures) => post(at.as_second(), signatures).await,
            None => Posted::unsigned(),
        };
        let wait = next_wait(message.posts + 1, posted.retry_after, at, message.until)
            .filter(|_| posted.error.is_some() && posted.again);
        let next_at = wait.map(|seconds| at + SignedDuration::from_secs(seconds.into()));
        let row = Delivery {
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            status: posted.status,
            answer: posted.answer,
            error: posted.error,
            next_at,
            ..unposted(message, at)
        };
        self.log(message, &row).await;
        let (Some(next_at), Some(wait)) = (next_at, wait) else { return Ok(Outcome::Done) };
        let next = message.posted(next_at);
        match self.queue.send(&next, &message.workspace, wait.min(MAX_DELAY)).await {
            Ok(()) => Ok(Outcome::Done),
            Err(e) => {
                error!(export.id = %message.export, "failed to {:#}", anyhow::Error::new(e));
                // This message stands in for the next one, which would only have counted further.
                Ok(Outcome::ComeBack { seconds: wait, reason: "the next message was not taken" })
            }
        }
    }

    /// Returns the signatures, empty for a callback that needs none; `None` if it needs one while its workspace has
    /// no secret.
    async fn sign(
        &self,
        message: &WebhookMessage,
        at: Timestamp,
    ) -> anyhow::Result<Option<String>> {
        if !message.signed {
            return Ok(Some(String::new()));
        }
        let mut secrets = Vec::new();
        for sealed in self.exports.sealed_secrets(&message.workspace).await? {
            secrets.push(self.seal.open(&sealed, Purpose::Callback(&message.workspace)).await?);
        }
        if secrets.is_empty() {
            return Ok(None);
        }
        let signed = signatures(&message.id, at, message.body.text(), &secrets);
        signed.map(Some).context("sign a callback")
    }

    /// Logs an attempt. That it cannot be logged is no reason to make it again.
    async fn log(&self, message: &WebhookMessage, row: &Delivery) {
        let added = self.deliveries.add(&message.workspace, message.export, row).await;
        if let Err(e) = added {
            error!(export.id = %message.export, "failed to {:#}", anyhow::Error::new(e));
        }
        info!(
            export.id = %message.export, attempt = row.attempt,
            status = row.status.unwrap_or_default(), error = row.error.as_deref().unwrap_or_default(),
            "tried to post the callback of export {}", message.export
        );
    }
}

/// Returns how many seconds after `at` it is `due`, if it is a second at least.
fn seconds_until(at: Timestamp, due: Timestamp) -> Option<i32> {
    let seconds = due.as_second() - at.as_second();
    (seconds > 0).then(|| i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// Returns the row of an attempt in which nothing was posted.
fn unposted(message: &WebhookMessage, at: Timestamp) -> Delivery {
    Delivery {
        at,
        attempt: message.posts + 1,
        duration_ms: 0,
        status: None,
        answer: None,
        error: None,
        next_at: None,
    }
}

#[cfg(test)]
mod tests;
