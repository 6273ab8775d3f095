//! Who is next, where exports are built one at a time.

use export::{Export, Lane, State, Workspace};

use crate::{
    Error, ExportQueue, ExportTable, Result,
    exports::{pk, text},
};

impl ExportTable {
    /// Reads the first export of a lane that is not finished, and clears away those before it.
    pub async fn first_in_lane(&self, workspace: &Workspace, lane: Lane) -> Result<Option<Export>> {
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("pk = :pk AND begins_with(sk, :lane)")
                .expression_attribute_values(":pk", text(pk(workspace)))
                .expression_attribute_values(":lane", text(lane_prefix(lane)))
                .consistent_read(true)
                .limit(1)
                .send()
                .await
                .map_err(Error::aws("read lane"))?;
            let Some(place) = output.items.unwrap_or_default().pop() else { return Ok(None) };
            let sk = place.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
            if let Some(id) = sk.strip_prefix(&lane_prefix(lane)).and_then(|id| id.parse().ok()) {
                let export = self.get(workspace, id).await?;
                if let Some(export) = export.filter(|e| e.status(e.created_at).is_unfinished()) {
                    return Ok(Some(export));
                }
            }
            self.client
                .delete_item()
                .table_name(&self.name)
                .key("pk", text(pk(workspace)))
                .key("sk", text(sk))
                .send()
                .await
                .map_err(Error::aws("clear lane"))?;
        }
    }
}

/// How the sort keys of a lane's places begin. Ids sort by time, so places do.
pub(crate) fn lane_prefix(lane: Lane) -> String {
    format!("Q#{}#", lane.name())
}

/// Asks for the next export of the lane that `ended` stood in, if it stood in one.
///
/// Should this be left undone, the janitor sends what waits.
pub async fn call_next(exports: &ExportTable, queue: &ExportQueue, ended: &Export) -> Result<()> {
    let Some(lane) = ended.lane else { return Ok(()) };
    match exports.first_in_lane(&ended.workspace, lane).await? {
        Some(next) if matches!(next.state, State::Queued { .. }) => queue.send(&next, 0).await,
        _ => Ok(()),
    }
}
