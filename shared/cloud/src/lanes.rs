//! Who is next, where exports are built one at a time.

use export::{Export, State};

use crate::{ExportQueue, ExportTable, Result};

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
