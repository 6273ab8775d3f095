//! Waiting for an export while its user waits for an answer.

use std::time::Duration;

use export::{Export, State};
use tokio::time::Instant;

use crate::{Exports, Result};

/// The pause before the first look at an export that is waited for.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two looks: most exports end within seconds, the others take minutes.
const MAX_PAUSE: Duration = Duration::from_secs(2);

impl Exports {
    /// Waits until an export has ended, but no longer than `timeout`. Returns it as it was seen last.
    ///
    /// The record is read at half the price of a consistent read: an end that is seen is an end, and one
    /// that is missed is seen at the next look.
    pub async fn wait_for(&self, export: Export, timeout: Duration) -> Result<Export> {
        let begun = Instant::now();
        let (mut export, mut pauses) = (export, pauses());
        while matches!(export.state, State::Queued { .. } | State::Running { .. }) {
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(pauses.next().unwrap_or(MAX_PAUSE).min(left)).await;
            // A record that was just stored may not be there yet.
            if let Some(found) = self.table.look(&export.workspace, export.id).await? {
                export = found;
            }
        }
        Ok(export)
    }
}

/// Returns the pauses between looks, each half as long again as the one before.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| Some((*pause * 3 / 2).min(MAX_PAUSE)))
}

#[cfg(test)]
mod tests;
