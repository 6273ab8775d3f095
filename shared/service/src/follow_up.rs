//! What follows the end of an export: the next of its lane is built, its files are copied, its callback is
//! posted.

use aws_config::SdkConfig;
use cloud::{ExportQueue, ExportTable, Job, Queue, Result, env};
use export::{BucketCopy, CopyState, Export, State};
use outbox::WebhookMessage;
use tracing::{error, info};

use crate::{Clock, start_next};

/// The queues of what follows.
#[derive(Clone, Debug)]
pub struct FollowUp {
    exports: ExportTable,
    builds: ExportQueue,
    callbacks: Queue,
    copies: Queue,
    clock: Clock,
}

impl FollowUp {
    /// Returns what puts messages into the queues of exports, callbacks and copies.
    pub fn new(
        exports: ExportTable,
        builds: ExportQueue,
        callbacks: Queue,
        copies: Queue,
        clock: Clock,
    ) -> Self {
        Self { exports, builds, callbacks, copies, clock }
    }

    /// Reads the settings that `template.yaml` gives every function that ends exports, or says which one
    /// is missing.
    pub fn from_env(
        aws: &SdkConfig,
        exports: ExportTable,
        builds: ExportQueue,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(aws);
        let callbacks = Queue::new(sqs.clone(), env::required("NOTICE_QUEUE_URL")?);
        let copies = Queue::new(sqs, env::required("COPY_QUEUE_URL")?);
        Ok(Self::new(exports, builds, callbacks, copies, clock))
    }

    /// Does what is due now that an export has ended. What breaks is logged and left to the janitor.
    pub async fn run(&self, export: &Export) {
        if let Err(e) = self.try_run(export).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }

    /// Does the same, and returns the first error. A part that breaks does not keep the others from being done.
    pub async fn try_run(&self, export: &Export) -> Result<()> {
        let started = self.start_next_of(export).await;
        let copied = self.request_copy(export).await;
        let posted = self.post_callback_once(export).await;
        started.and(copied).and(posted)
    }

    async fn start_next_of(&self, export: &Export) -> Result<()> {
        if export.next_call_due_since().is_none() {
            return Ok(());
        }
        start_next(&self.exports, &self.builds, export).await?;
        self.exports.change(&export.workspace, export.id, Export::with_next_called).await.map(drop)
    }

    async fn request_copy(&self, export: &Export) -> Result<()> {
        let waits = |copy: &BucketCopy| matches!(copy.state, CopyState::Waiting { .. });
        let has_files = matches!(export.state, State::Succeeded { .. });
        if has_files && export.copy.as_ref().is_some_and(waits) {
            self.copies.send(&Job::of(export), &export.workspace, 0).await?;
            info!(export.id = %export.id, "asked for the files of export {} to be copied", export.id);
        }
        Ok(())
    }

    async fn post_callback_once(&self, export: &Export) -> Result<()> {
        if export.callback_due_since().is_none() {
            return Ok(());
        }
        self.post_callback(export).await?;
        self.exports
            .change(&export.workspace, export.id, Export::with_callback_sent)
            .await
            .map(drop)
    }

    /// Asks for the callback of an export that has ended to be posted, whether or not it was before.
    pub async fn post_callback(&self, export: &Export) -> Result<()> {
        if let Some(message) = WebhookMessage::of(export, self.clock.now()) {
            self.callbacks.send(&message, &export.workspace, 0).await?;
            info!(export.id = %export.id, "asked for the callback of export {} to be posted", export.id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
