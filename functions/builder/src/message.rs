//! The message that a builder works on.

use aws_lambda_events::sqs::SqsEvent;
use cloud::Queue;
use export::BUILD_LEASE;
use jiff::Timestamp;
use lambda_runtime::tracing::warn;

/// How long the message stays hidden from others without a word from its builder, in seconds: until the lease
/// has lapsed, so that whoever gets it then can take over.
const HIDDEN_SECONDS: i32 = 90;
const _: () = assert!(BUILD_LEASE.as_secs() < HIDDEN_SECONDS as i64);

/// The longest that SQS hides a message: 12 hours.
const MAX_HIDDEN_SECONDS: i64 = 43_200;

/// Keeps a message from others while its builder lives. If that dies, another gets it soon.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    queue: &'a Queue,
    receipt: Option<String>,
}

impl<'a> Message<'a> {
    /// Returns the message of an event. `template.yaml` gives builders one at a time.
    pub(crate) fn of(queue: &'a Queue, event: &SqsEvent) -> Self {
        let receipt = match &event.records[..] {
            [only] => only.receipt_handle.clone(),
            _ => None,
        };
        Self { queue, receipt }
    }

    /// Hides the message for some more time. If that breaks, work goes on: the record says who holds what.
    pub(crate) async fn keep(&self) {
        let Some(receipt) = &self.receipt else { return };
        if let Err(e) = self.queue.return_in(receipt, HIDDEN_SECONDS).await {
            warn!("failed to {:#}", anyhow::Error::new(e));
        }
    }
}

/// Returns in how many seconds a message comes back that is hidden until `then`.
pub(crate) fn seconds_until(now: Timestamp, then: Timestamp) -> i32 {
    let seconds = then.duration_since(now).as_secs().clamp(0, MAX_HIDDEN_SECONDS - 1) + 1;
    i32::try_from(seconds).unwrap_or(1)
}
