//! Slots: how many exports of a kind a workspace may make, as so many a day.

use cloud::Slot;
use export::{ExportId, Workspace};
use jiff::Timestamp;

use crate::{Exports, Result};

/// How long it may take until the export is stored that took a slot, in seconds.
const STORED_WITHIN_SECONDS: i64 = 60;

impl Exports {
    /// Takes one of `most` slots called `name` for an export, until a time that is always as long after taking
    /// it. An export that failed, or was never stored, gives its slot back. Returns false if there is none.
    pub async fn take_slot(
        &self,
        workspace: &Workspace,
        name: &str,
        most: u32,
        export: ExportId,
        until: Timestamp,
    ) -> Result<bool> {
        let taken = self.table.slots(workspace, name).await?;
        let states =
            self.table.stored_states(workspace, taken.iter().map(|slot| slot.export)).await?;
        // A slot is taken before its export is stored. What failed was not its user's doing.
        let is_kept = |slot: &Slot| match states.get(&slot.export) {
            Some(state) => state != "failed",
            None => until.as_second() < slot.until + STORED_WITHIN_SECONDS,
        };
        for number in 0..most {
            let holder = taken.iter().find(|slot| slot.number == number);
            if holder.is_some_and(is_kept) {
                continue;
            }
            let (slot, from) = (Slot::new(number, export, until), holder.map(|slot| slot.export));
            // Else somebody was faster.
            if self.table.take_slot(workspace, name, slot, from).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
