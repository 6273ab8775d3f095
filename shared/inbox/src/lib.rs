//! What every function needs that a queue feeds: its messages one by one, and those back to the queue
//! that have to come again.
//!
//! Of what a message says it knows no more than what it is about, for the log.

use std::fmt::Display;

use anyhow::Context as _;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use cloud::Queue;
use serde::de::DeserializeOwned;
use service::{Outcome, retry_pause};
use tracing::{error, info};

/// How soon a message comes back that cannot be read, in seconds. Another version may be able to read it, but
/// what none can read is to be out of the way after a minute: queues deliver a message 20 times.
const UNREADABLE_PAUSE: i32 = 2;

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
            Some(retry_pause(received))
        }
    }
}
