//! What every function needs that a queue feeds: its messages one by one, and those back to the queue
//! that have to come again.
//!
//! Of what a message says it knows no more than what it is about, for the log.

use std::fmt::Display;

use anyhow::Context as _;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use cloud::Queue;
use serde::de::DeserializeOwned;
use tracing::{error, info};

/// How soon a message comes back whose handling failed for the first time, in seconds; each time after
/// that, twice as late.
pub const FIRST_PAUSE: i32 = 5;
/// How late it comes back at most, in seconds.
pub const MAX_PAUSE: i32 = 900;
/// How soon a message comes back that cannot be read, in seconds. Another version may be able to read it, but
/// what none can read is to be out of the way after a minute: queues deliver a message 20 times.
const UNREADABLE_PAUSE: i32 = 2;

/// What is to become of a message.
#[derive(Debug)]
pub enum Outcome {
    /// It is not needed any more.
    Done,
    /// It has to come back.
    ComeBack {
        /// In how many seconds.
        seconds: i32,
        /// Why.
        reason: &'static str,
    },
}

/// Returns in how many seconds a message comes back whose handling failed after it was `received` so often.
pub fn pause(received: u32) -> i32 {
    let doublings = received.saturating_sub(1).min(16);
    (FIRST_PAUSE << doublings).min(MAX_PAUSE)
}

/// Works on each message of a batch and reports those that have to come back. `work` is given what a
/// message says, and how often it came, from 1.
///
/// A message that cannot be read counts as failed: after a few tries SQS moves it to the dead-letter
/// queue, out of the way of its neighbours.
pub async fn each<M: DeserializeOwned + Display>(
    queue: &Queue,
    event: SqsEvent,
    work: impl AsyncFn(M, u32) -> anyhow::Result<Outcome>,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Some(seconds) = one(&message, &work).await {
            let receipt = message.receipt_handle.unwrap_or_default();
            if let Err(error) = queue.return_in(&receipt, seconds).await {
                // It comes back all the same, after the queue's visibility timeout.
                error!("failed to {:#}", anyhow::Error::new(error));
            }
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            response.batch_item_failures.push(failure);
        }
    }
    response
}

/// Works on a message. Returns in how many seconds it has to come back, if at all.
async fn one<M: DeserializeOwned + Display>(
    message: &SqsMessage,
    work: &impl AsyncFn(M, u32) -> anyhow::Result<Outcome>,
) -> Option<i32> {
    let id = message.message_id.as_deref().unwrap_or_default();
    let body = message.body.as_deref().unwrap_or_default();
    let received = message.attributes.get("ApproximateReceiveCount");
    let received = received.and_then(|count| count.parse().ok()).unwrap_or(1);
    let content: M = match serde_json::from_str(body).context("decode message") {
        Ok(content) => content,
        Err(error) => {
            error!(message.id = id, "failed to {error:#}");
            return Some(UNREADABLE_PAUSE);
        }
    };
    let about = content.to_string();
    // The SDK's futures are large; this one is as deep as it gets.
    match Box::pin(work(content, received)).await {
        Ok(Outcome::Done) => None,
        Ok(Outcome::ComeBack { seconds, reason }) => {
            info!(message.id = id, "returned the message about {about}: {reason}");
            Some(seconds)
        }
        Err(error) => {
            error!(message.id = id, "failed to work on {about}: {error:#}");
            Some(pause(received))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_whose_handling_fails_comes_back_later_and_later_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<i32> = (1..=10).map(pause).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!([pause(0), pause(u32::MAX)], [5, 900]);
    }
}
