//! The exports of all workspaces: what the use cases share.

use cloud::{ExportQueue, ExportTable};
use export::{Export, ExportRequest, Quota, Workspace};
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info};

use crate::{Audit, Clock, Random, Result};

/// The exports of all workspaces.
#[derive(Clone, Debug)]
pub struct Exports {
    /// The records.
    pub table: ExportTable,
    /// The queue of exports to build.
    pub queue: ExportQueue,
    /// The audit trail.
    pub audit: Audit,
    /// The time.
    pub clock: Clock,
    /// Where ids and secrets come from.
    pub random: Random,
    /// The quotas of a workspace whose operator set no others.
    pub quota: Quota,
    /// How long an export may take before it fails.
    pub time_limit: SignedDuration,
}

impl Exports {
    /// Returns a new export that is not stored yet.
    pub fn draft(
        &self,
        workspace: &Workspace,
        request: ExportRequest,
        now: Timestamp,
    ) -> Result<Export> {
        let id = self.random.export_id(now)?;
        Ok(Export::queued(id, workspace.clone(), request, now, self.time_limit))
    }

    /// Asks for an export that was just stored to be built.
    ///
    /// If the message is lost, the janitor sends it again: the export exists all the same.
    pub(crate) async fn submit(&self, export: &Export) {
        info!(export.id = %export.id, workspace = %export.workspace, "created export {}", export.id);
        if let Err(e) = self.queue.send(export, 0).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }
}
