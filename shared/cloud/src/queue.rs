//! The queue that feeds the builder.

use aws_sdk_sqs::Client;
use export::{Export, ExportId, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Messages sent at the same time.
const SENDS_AT_ONCE: usize = 16;

/// What a message says: build this export, or some of its steps. All else is in its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Whose export.
    pub workspace: Workspace,
    /// Which one.
    pub export: ExportId,
    /// The first of the steps and the one after the last, if others build the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<(u32, u32)>,
}

/// The queue of exports to build.
#[derive(Clone, Debug)]
pub struct ExportQueue {
    client: Client,
    url: String,
}

impl ExportQueue {
    /// Returns the queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Asks for an export to be built, `delay_seconds` (at most 900) from now.
    pub async fn send(&self, export: &Export, delay_seconds: i32) -> Result<()> {
        self.send_one(export, None, delay_seconds).await
    }

    /// Asks for steps of an export to be built, by as many builders as there are.
    pub async fn send_batches(&self, export: &Export, batches: &[(u32, u32)]) -> Result<()> {
        stream::iter(batches)
            .map(|batch| self.send_one(export, Some(*batch), 0))
            .buffer_unordered(SENDS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn send_one(
        &self,
        export: &Export,
        steps: Option<(u32, u32)>,
        delay_seconds: i32,
    ) -> Result<()> {
        let job = Job { workspace: export.workspace.clone(), export: export.id, steps };
        let body = serde_json::to_string(&job).map_err(Error::aws("encode job"))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(delay_seconds)
            // A fair queue: a workspace with many exports does not hold up the others.
            .message_group_id(export.workspace.as_ref())
            .send()
            .await
            .map_err(Error::aws("send job"))?;
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
