//! One attempt to post a callback, and when to make the next.
//!
//! Failures of two kinds are counted apart. Posts that a receiver does not take are counted in the message,
//! which is sent anew for the next of them. Failures of ours, before anything could be posted, leave the
//! message in the queue: how often it came counts them, and they use up none of the receiver's posts.

use std::time::Instant;

use anyhow::Context as _;
use cloud::Purpose;
use export::Delivery;
use inbox::{Outcome, pause};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::{error, info};
use outbox::WebhookMessage;

use crate::{
    app::App,
    post::Answer,
    schedule::{MAX_DELAY, MAX_HIDDEN, next_wait},
    sign::signatures,
};

/// Posts a notice if it is time, and writes down what came of it. `received` is how often its message came.
pub(crate) async fn run(
    app: &App,
    notice: &WebhookMessage,
    received: u32,
) -> anyhow::Result<Outcome> {
    let (at, begun) = (Timestamp::now(), Instant::now());
    if notice.until < at {
        let error = "It was given up: it could not be delivered in 24 hours.";
        write_down(app, notice, &Delivery { error: Some(error.to_owned()), ..row(notice, at) })
            .await;
        return Ok(Outcome::Done);
    }
    if let Some(early) = notice.due.and_then(|due| seconds_until(at, due)) {
        let seconds = early.min(MAX_HIDDEN);
        return Ok(Outcome::ComeBack { seconds, reason: "it is not to be posted yet" });
    }
    let signatures = match sign(app, notice, at).await {
        Ok(signatures) => signatures,
        Err(e) => {
            let error = "It was not posted yet: it could not be signed, for a fault on our side.";
            let next_at = Some(at + SignedDuration::from_secs(pause(received).into()));
            let row = Delivery { error: Some(error.to_owned()), next_at, ..row(notice, at) };
            write_down(app, notice, &row).await;
            return Err(e);
        }
    };
    let answer = match &signatures {
        Some(signatures) => app.poster.post(notice, at.as_second(), signatures).await,
        None => Answer::unsigned(),
    };
    let wait = next_wait(notice.posts + 1, answer.retry_after, at, notice.until)
        .filter(|_| answer.error.is_some() && answer.again);
    let next_at = wait.map(|seconds| at + SignedDuration::from_secs(seconds.into()));
    let delivery = Delivery {
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        status: answer.status,
        answer: answer.text,
        error: answer.error,
        next_at,
        ..row(notice, at)
    };
    write_down(app, notice, &delivery).await;
    let (Some(next_at), Some(wait)) = (next_at, wait) else { return Ok(Outcome::Done) };
    let next = notice.posted(next_at);
    match app.queue.send(&next, &notice.workspace, wait.min(MAX_DELAY)).await {
        Ok(()) => Ok(Outcome::Done),
        Err(e) => {
            error!(export.id = %notice.export, "failed to {:#}", anyhow::Error::new(e));
            // This message stands in for the next one, which would only have counted further.
            Ok(Outcome::ComeBack { seconds: wait, reason: "it was not taken" })
        }
    }
}

/// Returns the signatures, empty for what needs none; none for what needs one while there is no secret.
async fn sign(app: &App, notice: &WebhookMessage, at: Timestamp) -> anyhow::Result<Option<String>> {
    if !notice.signed {
        return Ok(Some(String::new()));
    }
    let mut secrets = Vec::new();
    for sealed in app.exports.sealed_secrets(&notice.workspace).await? {
        secrets.push(app.seal.open(&sealed, Purpose::Callback(&notice.workspace)).await?);
    }
    if secrets.is_empty() {
        return Ok(None);
    }
    signatures(&notice.id, at, notice.body.text(), &secrets).map(Some).context("sign a callback")
}

/// Returns how many seconds after `at` it is `due`, if it is a second at least.
fn seconds_until(at: Timestamp, due: Timestamp) -> Option<i32> {
    let seconds = due.as_second() - at.as_second();
    (seconds > 0).then(|| i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// An attempt of which nothing has come yet.
fn row(notice: &WebhookMessage, at: Timestamp) -> Delivery {
    Delivery {
        at,
        attempt: notice.posts + 1,
        duration_ms: 0,
        status: None,
        answer: None,
        error: None,
        next_at: None,
    }
}

/// Writes an attempt down. That it cannot be is no reason to make it again.
async fn write_down(app: &App, notice: &WebhookMessage, row: &Delivery) {
    if let Err(e) = app.deliveries.add(&notice.workspace, notice.export, row).await {
        error!(export.id = %notice.export, "failed to {:#}", anyhow::Error::new(e));
    }
    info!(
        export.id = %notice.export, attempt = row.attempt, status = row.status.unwrap_or_default(),
        error = row.error.as_deref().unwrap_or_default(),
        "tried to post the callback of export {}", notice.export
    );
}

#[cfg(test)]
mod tests;
