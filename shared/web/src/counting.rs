//! How many rows an export would have: an export that writes nothing is made, and what it counts is
//! remembered for some time, by what it counted.

use std::time::Duration;

use anyhow::bail;
use cloud::Joined;
use export::{
    CsvStyle, Export, ExportId, ExportRequest, Files, State, TableSelection, Workspace, sha256_hex,
};
use jiff::{SignedDuration, Timestamp};

use crate::{AuthError, Services};

/// How long an answer is given again without looking.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// What came of counting.
#[derive(Debug)]
pub enum Counted {
    /// So many rows of each table.
    Rows(Vec<u64>),
    /// It takes longer than was waited. It goes on, and who asks again is told.
    Later,
    /// They cannot be counted, and why.
    Failed(String),
    /// The workspace may not make the export that counts them.
    Denied(AuthError),
}

impl Services {
    /// Counts the rows of each table of a request, and waits no longer than `wait` for it.
    pub async fn count_rows(
        &self,
        workspace: &Workspace,
        request: &ExportRequest,
        wait: Duration,
        now: Timestamp,
    ) -> anyhow::Result<Counted> {
        let request = counting(request);
        let key = sha256_hex(&[b"count/", &serde_json::to_vec(&request)?[..]].concat());
        let id = ExportId::generate();
        let new = Export::queued(id, workspace.clone(), request, now, self.time_limit);
        let fresh = |export: &Export| match &export.state {
            State::Succeeded { archive } => now < archive.published_at + FRESH,
            State::Queued { .. } | State::Running { .. } => true,
            _ => false,
        };
        let export = match self.join(&new, &key, fresh).await {
            Err(denial) => return Ok(Counted::Denied(denial)),
            Ok(Joined::Kept(export)) => *export,
            Ok(Joined::New { .. }) => {
                self.submit(&new).await;
                new
            }
        };
        let export = self.wait_for(export, wait).await?;
        match export.state {
            State::Succeeded { archive } => {
                Ok(Counted::Rows(archive.table_rows.unwrap_or_default()))
            }
            State::Queued { .. } | State::Running { .. } => Ok(Counted::Later),
            State::Failed { failure, .. } => Ok(Counted::Failed(failure.detail)),
            State::Cancelled { .. } | State::Expired { .. } | State::Deleted { .. } => {
                bail!("count rows: export {} has ended", export.id)
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
