//! What builders work with, and what they do with each step.

use cloud::{ArchiveBucket, ExportQueue, ExportTable};
use export::{Export, Failure};
use jiff::SignedDuration;

use super::{
    Engine, RenewalPace, Work,
    failure::{TooManyRows, failure_of_stores},
    lease::LeaseLost,
};
use crate::{Clock, FollowUp, Random};

/// Builds exports as messages ask.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The records.
    pub exports: ExportTable,
    /// The queue whose messages it works on.
    pub queue: ExportQueue,
    /// Where archives are, and what they are made of.
    pub archives: ArchiveBucket,
    /// What follows the end of an export.
    pub follow_up: FollowUp,
    /// The time.
    pub clock: Clock,
    /// Where the names of holders come from, and how far renewals are apart.
    pub random: Random,
    /// How often leases are renewed.
    pub pace: RenewalPace,
}

impl Builder {
    /// Does a step and records it; the next is expected within `timeout`. Returns the export as it is then.
    pub(super) async fn do_step(
        &self,
        work: &mut impl Work,
        export: &Export,
        number: u32,
        timeout: SignedDuration,
    ) -> anyhow::Result<Export> {
        let progress = work.do_step(number).await?;
        let look_at = self.clock.now() + timeout;
        let counts = (progress.rows, progress.bytes);
        let after = self.exports.step_done(export, number, counts, look_at).await?;
        let after = after.ok_or(LeaseLost)?;
        match export.request.max_rows {
            Some(most) if after.rows > most => Err(TooManyRows(most).into()),
            _ => Ok(after),
        }
    }
}

/// Returns why an export fails for good by this error, if another attempt would not change that.
pub(super) fn failure_of(engine: &impl Engine, error: &anyhow::Error) -> Option<Failure> {
    failure_of_stores(error).or_else(|| engine.failure_of(error))
}
