//! Counting the rows that an export would have: an export that writes nothing is made, and its answer is kept
//! for a minute, by what it counted.

use std::time::Duration;

use export::{
    CsvStyle, Export, ExportRequest, Files, State, TableSelection, Workspace, sha256_hex,
};
use jiff::{SignedDuration, Timestamp};

use crate::{Exports, Joined, Result};

/// How long an answer is given again without looking.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// What came of counting.
#[derive(Debug)]
pub enum Counted {
    /// So many rows of each table.
    Rows(Vec<u64>),
    /// It takes longer than was waited. It goes on, and a later call gets the answer.
    Later,
    /// They cannot be counted, and why.
    Failed(String),
}

impl Exports {
    /// Counts the rows of each table of a request, and waits no longer than `timeout` for it.
    pub async fn count_rows(
        &self,
        workspace: &Workspace,
        request: &ExportRequest,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<Counted> {
        let request = counting(request);
        let key = sha256_hex(&[b"count/", &serde_json::to_vec(&request)?[..]].concat());
        let new = self.draft(workspace, request, now)?;
        let is_fresh = |export: &Export| match &export.state {
            State::Succeeded { archive } => now < archive.published_at + FRESH,
            State::Queued { .. } | State::Running { .. } => true,
            _ => false,
        };
        let export = match self.join(&new, &key, is_fresh, None).await? {
            Joined::Kept(export) => *export,
            Joined::New { .. } => new,
        };
        let export = self.wait_for(export, timeout).await?;
        match export.state {
            State::Succeeded { archive } => {
                Ok(Counted::Rows(archive.table_rows.unwrap_or_default()))
            }
            State::Queued { .. } | State::Running { .. } => Ok(Counted::Later),
            State::Failed { failure, .. } => Ok(Counted::Failed(failure.detail)),
            State::Cancelled { .. } | State::Expired { .. } | State::Deleted { .. } => {
                Err(anyhow::anyhow!("count rows: export {} has ended", export.id).into())
            }
        }
    }
}

/// Returns what only counts the rows of a request, the same for all requests that have them.
fn counting(request: &ExportRequest) -> ExportRequest {
    let whole = |selection: &TableSelection| TableSelection::whole(&selection.table);
    ExportRequest {
        tables: request.tables.iter().map(whole).collect(),
        filters: request.filters.clone(),
        released: request.released,
        csv: CsvStyle::default(),
        files: Files::Counts,
        ..ExportRequest::new(Vec::new(), request.window, request.format)
    }
}

#[cfg(test)]
mod tests;
