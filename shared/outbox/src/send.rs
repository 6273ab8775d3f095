//! Setting going what is to happen once an export has ended.

use aws_config::SdkConfig;
use cloud::{ExportQueue, ExportTable, Job, Queue, Result, call_next, env};
use export::{CopyState, Export, State};
use jiff::Timestamp;
use tracing::{error, info};

use crate::WebhookMessage;

/// The queues that lead out.
#[derive(Clone, Debug)]
pub struct Outbox {
    exports: ExportTable,
    builds: ExportQueue,
    notices: Queue,
    copies: Queue,
}

impl Outbox {
    /// Returns what puts messages into these queues.
    pub fn new(exports: ExportTable, builds: ExportQueue, notices: Queue, copies: Queue) -> Self {
        Self { exports, builds, notices, copies }
    }

    /// Reads the settings that `template.yaml` gives every function that ends exports, or says which one
    /// is missing.
    pub fn from_env(
        aws: &SdkConfig,
        exports: ExportTable,
        builds: ExportQueue,
    ) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(aws);
        let notices = Queue::new(sqs.clone(), env::required("NOTICE_QUEUE_URL")?);
        let copies = Queue::new(sqs, env::required("COPY_QUEUE_URL")?);
        Ok(Self::new(exports, builds, notices, copies))
    }

    /// Sees to what is to happen once an export has ended: the next of its lane is built, its files are
    /// copied, then somebody is told. What breaks is left to the janitor.
    pub async fn follow_up(&self, export: &Export) {
        if let Err(e) = self.try_follow_up(export).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }

    /// Does the same, and returns the first error. A part that breaks does not keep the others from being done.
    pub async fn try_follow_up(&self, export: &Export) -> Result<()> {
        let called = self.call_next_of(export).await;
        let copied = self.ask_for_copy(export).await;
        let told = self.tell_once(export).await;
        called.and(copied).and(told)
    }

    async fn call_next_of(&self, export: &Export) -> Result<()> {
        if export.next_call_due_since().is_none() {
            return Ok(());
        }
        call_next(&self.exports, &self.builds, export).await?;
        self.exports.change(&export.workspace, export.id, Export::with_next_called).await.map(drop)
    }

    async fn ask_for_copy(&self, export: &Export) -> Result<()> {
        let waits = |copy: &export::BucketCopy| matches!(copy.state, CopyState::Waiting { .. });
        let is_there = matches!(export.state, State::Succeeded { .. });
        if is_there && export.copy.as_ref().is_some_and(waits) {
            self.copies.send(&Job::of(export), &export.workspace, 0).await?;
            info!(export.id = %export.id, "asked for the files of export {} to be copied", export.id);
        }
        Ok(())
    }

    async fn tell_once(&self, export: &Export) -> Result<()> {
        if export.callback_due_since().is_none() {
            return Ok(());
        }
        self.tell(export).await?;
        self.exports
            .change(&export.workspace, export.id, Export::with_callback_sent)
            .await
            .map(drop)
    }

    /// Has what became of an export posted to whoever is to be told, whether or not it was before.
    pub async fn tell(&self, export: &Export) -> Result<()> {
        if let Some(notice) = WebhookMessage::of(export, Timestamp::now()) {
            self.notices.send(&notice, &export.workspace, 0).await?;
            info!(export.id = %export.id, "asked for the callback of export {} to be posted", export.id);
        }
        Ok(())
    }
}
