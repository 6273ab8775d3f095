//! The message that a builder works on.

use cloud::Queue;
use export::BUILD_LEASE;
use jiff::Timestamp;
use tracing::warn;

/// How long the message stays hidden from other builders after its own last hid it, in seconds: longer than a
/// lease, so that whoever gets it then can take over.
const HIDDEN_SECONDS: i32 = 90;
const _: () = assert!(BUILD_LEASE.as_secs() < HIDDEN_SECONDS as i64);

/// The longest that SQS hides a message, in seconds: 12 hours.
const MAX_HIDDEN_SECONDS: i64 = 43_200;

/// Keeps a message from others while its builder lives. If that dies, another gets it soon.
#[derive(Debug)]
pub(super) struct Message<'a> {
    queue: &'a Queue,
    receipt: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// Returns the message of this receipt; without one, nothing is kept from others.
    pub(super) fn new(queue: &'a Queue, receipt: Option<&'a str>) -> Self {
        Self { queue, receipt }
    }

    /// Hides the message for [`HIDDEN_SECONDS`] more. If that fails, work goes on: the record says who builds
    /// what.
    pub(super) async fn keep(&self) {
        let Some(receipt) = self.receipt else { return };
        if let Err(e) = self.queue.return_in(receipt, HIDDEN_SECONDS).await {
            warn!("failed to {:#}", anyhow::Error::new(e));
        }
    }
}

/// Returns after how many seconds a message comes back that is to come at `then`: at least one, at most 12 hours.
pub(super) fn seconds_until(now: Timestamp, then: Timestamp) -> i32 {
    let seconds = then.duration_since(now).as_secs().clamp(0, MAX_HIDDEN_SECONDS - 1) + 1;
    i32::try_from(seconds).unwrap_or(1)
}
