//! Ending exports at the wish of their user.

use export::{Action, Actor, Export, ExportId, Status, Subject, Workspace};
use jiff::Timestamp;

use crate::{Exports, FollowUp, Result};

impl Exports {
    /// Cancels an export that is not finished, and sees to what follows. Returns the export as it is then, which
    /// may have ended otherwise; `None` if the workspace has no such export.
    pub async fn cancel(
        &self,
        follow_up: &FollowUp,
        workspace: &Workspace,
        id: ExportId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Export>> {
        let what = (Action::ExportCancelled, Subject::export(id));
        let entry = Some(self.audit.entry(workspace, actor, what, now)?);
        let change = |export: &Export| export.cancel(now);
        let export = self.table.change_told(workspace, id, entry.as_ref(), change).await?;
        follow_cancelled(follow_up, export.as_ref(), now).await;
        Ok(export)
    }

    /// Cancels an export if it is not finished, and sees to what follows; deletes its archive if it has one; and
    /// hides it. Returns the export as it is then; `None` if the workspace has no such export.
    pub async fn discard(
        &self,
        follow_up: &FollowUp,
        workspace: &Workspace,
        id: ExportId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Export>> {
        let what = (Action::ExportDeleted, Subject::export(id));
        let entry = Some(self.audit.entry(workspace, actor, what, now)?);
        let change = |export: &Export| Some(export.discard(now));
        let export = self.table.change_told(workspace, id, entry.as_ref(), change).await?;
        follow_cancelled(follow_up, export.as_ref(), now).await;
        Ok(export)
    }

    /// Deletes the archive of an export. The record says so at once; the janitor removes the objects, of which
    /// there may be many. Returns the export as it is then, which may have none; `None` if the workspace has no
    /// such export.
    pub async fn delete(
        &self,
        workspace: &Workspace,
        id: ExportId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Export>> {
        let what = (Action::ExportDeleted, Subject::export(id));
        let entry = Some(self.audit.entry(workspace, actor, what, now)?);
        let change = |export: &Export| export.delete(now);
        Ok(self.table.change_told(workspace, id, entry.as_ref(), change).await?)
    }
}

/// Sees to what follows the end of an export that was cancelled.
async fn follow_cancelled(follow_up: &FollowUp, export: Option<&Export>, now: Timestamp) {
    if let Some(export) = export.filter(|e| e.status(now) == Status::Cancelled) {
        follow_up.run(export).await;
    }
}

#[cfg(test)]
mod tests;
