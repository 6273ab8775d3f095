//! SQS batches, answered message by message.

use anyhow::Context as _;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use cloud::Job;
use lambda_runtime::tracing::{error, info};

use crate::{
    app::App,
    build::{self, Outcome},
};

/// How soon a message comes back that could not be handled, in seconds.
const RETRY_SECONDS: i32 = 5;

/// Works on each message and reports those that have to come back.
///
/// A message that is not ours counts as failed: after a few tries SQS moves it to the dead-letter
/// queue, out of the way of its neighbours.
pub(crate) async fn each(app: &App, event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        if let Some(seconds) = one(app, &message).await {
            let receipt = message.receipt_handle.unwrap_or_default();
            if let Err(error) = app.queue.return_in(&receipt, seconds).await {
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
async fn one(app: &App, message: &SqsMessage) -> Option<i32> {
    let id = message.message_id.as_deref().unwrap_or_default();
    let body = message.body.as_deref().unwrap_or_default();
    let job: Job = match serde_json::from_str(body).context("decode message") {
        Ok(job) => job,
        Err(error) => {
            error!(message.id = id, "failed to {error:#}");
            return Some(RETRY_SECONDS);
        }
    };
    // The SDK's futures are large; this one is as deep as it gets.
    match Box::pin(build::run(app, &job)).await {
        Ok(Outcome::Done) => None,
        Ok(Outcome::ComeBack { seconds, reason }) => {
            info!(message.id = id, export.id = %job.export, "returned the message: {reason}");
            Some(seconds)
        }
        Err(error) => {
            error!(message.id = id, export.id = %job.export, "failed to {error:#}");
            Some(RETRY_SECONDS)
        }
    }
}
