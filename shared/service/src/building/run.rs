//! From a message to what is done about its export.

use cloud::Job;

use super::{
    Builder, Engine,
    batch::{self, Batch},
    message::Message,
    whole,
};
use crate::{Outcome, first_in_lane};

impl Builder {
    /// Builds what a message asks for: an export, or some steps of it. `receipt` is that of the message, which
    /// is kept from others meanwhile.
    pub async fn run(
        &self,
        engine: &impl Engine,
        job: &Job,
        receipt: Option<&str>,
    ) -> anyhow::Result<Outcome> {
        let message = &Message::new(self.queue.plain(), receipt);
        let Some(export) = self.exports.get(&job.workspace, job.export).await? else {
            let reason = "there is no such export, or not yet";
            return Ok(Outcome::ComeBack { seconds: 5, reason });
        };
        if let Some(steps) = job.steps {
            return match batch::run(self, engine, &export, steps, message).await? {
                Batch::Settled(outcome) => Ok(outcome),
                Batch::PassDone(export) => whole::run(self, engine, &export, message).await,
            };
        }
        if let Some(lane) = &export.lane {
            let first = first_in_lane(&self.exports, &export.workspace, lane).await?;
            if first.is_some_and(|first| first.id != export.id) {
                // Whoever ends the export before it sends a message for it.
                return Ok(Outcome::Done);
            }
        }
        whole::run(self, engine, &export, message).await
    }
}
