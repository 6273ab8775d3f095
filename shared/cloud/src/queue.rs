//! Queues that feed functions.

use std::fmt;

use aws_sdk_sqs::Client;
use export::{Export, ExportId, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Messages sent at the same time.
const MAX_CONCURRENT_SENDS: usize = 16;

/// What a message says: build this export, or some of its steps; or copy its files. All else is in its
/// record.
///
/// Fields that are not known are ignored: during an update, the version before reads messages of the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose export.
    pub workspace: Workspace,
    /// Which one.
    pub export: ExportId,
    /// The first of the steps and the one after the last, if others build the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<(u32, u32)>,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "export {}", self.export)
    }
}

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// The queue of exports to build.
#[derive(Clone, Debug)]
pub struct ExportQueue(Queue);

impl Job {
    /// Returns the message that is about all of an export.
    pub fn of(export: &Export) -> Self {
        Self { workspace: export.workspace.clone(), export: export.id, steps: None }
    }
}

impl Queue {
    /// Returns the queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends a message of a workspace that arrives `delay_seconds` (at most 900) from now.
    pub async fn send(
        &self,
        message: &impl Serialize,
        workspace: &Workspace,
        delay_seconds: i32,
    ) -> Result<()> {
        let body = serde_json::to_string(message).map_err(Error::aws("encode message"))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(delay_seconds)
            // A fair queue: a workspace with many exports does not hold up the others.
            .message_group_id(workspace.as_ref())
            .send()
            .await
            .map_err(Error::aws("send message"))?;
        Ok(())
    }

    /// Makes a received message come back in `seconds`, instead of after the visibility timeout.
    pub async fn return_in(&self, receipt: &str, seconds: i32) -> Result<()> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .map_err(Error::aws("return message"))?;
        Ok(())
    }
}

impl ExportQueue {
    /// Returns the queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self(Queue::new(client, url))
    }

    /// Asks for an export to be built, `delay_seconds` (at most 900) from now.
    pub async fn send(&self, export: &Export, delay_seconds: i32) -> Result<()> {
        self.0.send(&Job::of(export), &export.workspace, delay_seconds).await
    }

    /// Asks for steps of an export to be built, by as many builders as there are.
    pub async fn send_batches(&self, export: &Export, batches: &[(u32, u32)]) -> Result<()> {
        stream::iter(batches)
            .map(async |batch| {
                let job = Job { steps: Some(*batch), ..Job::of(export) };
                self.0.send(&job, &export.workspace, 0).await
            })
            .buffer_unordered(MAX_CONCURRENT_SENDS)
            .try_collect()
            .await
    }

    /// Returns the plain queue.
    pub fn plain(&self) -> &Queue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_newer_version_is_still_read() {
        let id = ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        let text = format!("{{\"workspace\":\"acme\",\"export\":\"{id}\",\"priority\":3}}");
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap().export, id);
    }

    #[test]
    fn messages_of_the_first_version_are_read() {
        let id = "019ca8d7-2d00-71be-91b6-cdbd33a83dfe";
        let whole = format!("{{\"workspace\":\"acme\",\"export\":\"{id}\"}}");
        assert_eq!(serde_json::from_str::<Job>(&whole).unwrap().steps, None);
        let steps = format!("{{\"workspace\":\"acme\",\"export\":\"{id}\",\"steps\":[3,7]}}");
        assert_eq!(serde_json::from_str::<Job>(&steps).unwrap().steps, Some((3, 7)));
    }
}
