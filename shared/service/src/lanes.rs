//! Lanes: exports of a workspace that are built one at a time, in the order in which they were made.

use cloud::{ExportQueue, ExportTable, Result};
use export::{Export, Lane, State, Workspace};

/// Finds the first export of a lane that is not finished, and removes the places before it.
pub async fn first_in_lane(
    table: &ExportTable,
    workspace: &Workspace,
    lane: &Lane,
) -> Result<Option<Export>> {
    while let Some(place) = table.first_place(workspace, lane).await? {
        if let Some(id) = place.export {
            let export = table.get(workspace, id).await?;
            if let Some(export) = export.filter(|e| e.status(e.created_at).is_unfinished()) {
                return Ok(Some(export));
            }
        }
        table.remove_place(workspace, &place).await?;
    }
    Ok(None)
}

/// Asks for the next export of the lane of an export that has ended, if it has a lane.
///
/// Should this be left undone, the janitor does it.
pub async fn start_next(table: &ExportTable, queue: &ExportQueue, ended: &Export) -> Result<()> {
    let Some(lane) = &ended.lane else { return Ok(()) };
    match first_in_lane(table, &ended.workspace, lane).await? {
        Some(next) if matches!(next.state, State::Queued { .. }) => queue.send(&next, 0).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
