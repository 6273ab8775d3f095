//! How many rows an export would have: an export that writes nothing is made, and what it counts is
//! remembered for some time, by what it counted.

use std::time::{Duration, Instant};

use cloud::Joined;
use export::{
    CsvStyle, Export, ExportId, ExportRequest, Files, State, Table, TableSelection, Workspace,
    sha256_hex,
};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use crate::{app::App, refused::Refused};

/// How long an answer is given again without looking.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How often the record is looked at while a request waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The least bytes that a row takes, as stored. Where rows are smaller, an export with too many of them
/// fails while it is made.
const LEAST_ROW_BYTES: u64 = 16;

/// Counts the rows of each table of a request.
pub(crate) async fn rows(
    app: &App,
    workspace: &Workspace,
    request: &ExportRequest,
    now: Timestamp,
) -> Result<Vec<u64>, Refused> {
    let begun = Instant::now();
    let services = &app.services;
    let request = counting(request);
    let key = sha256_hex(&[b"count/", &serde_json::to_vec(&request)?[..]].concat());
    let patience = services.patience;
    let new = Export::queued(ExportId::generate(), workspace.clone(), request, now, patience);
    let fresh = |export: &Export| match &export.state {
        State::Succeeded { archive } => now < archive.published_at + FRESH,
        State::Queued { .. } | State::Running { .. } => true,
        _ => false,
    };
    let mut export = match services.exports.join(&new, &key, fresh).await? {
        Joined::Kept(export) => *export,
        Joined::New { .. } => {
            services.submit(&new).await;
            new
        }
    };
    loop {
        match export.state {
            State::Succeeded { archive } => return Ok(archive.table_rows.unwrap_or_default()),
            State::Queued { .. } | State::Running { .. } if begun.elapsed() < app.wait => {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            State::Queued { .. } | State::Running { .. } => {
                return Err(Refused::later(
                    "Counting takes longer than a request may. It goes on: ask again in some seconds.",
                ));
            }
            State::Failed { failure, .. } => {
                return Err(anyhow::anyhow!("count rows: {}", failure.detail).into());
            }
            State::Cancelled { .. } | State::Expired { .. } | State::Deleted { .. } => {
                return Err(anyhow::anyhow!("count rows: export {} has ended", export.id).into());
            }
        }
        let found = services.exports.get(workspace, export.id).await?;
        export = found.ok_or_else(|| anyhow::anyhow!("find export {}", export.id))?;
    }
}

/// Returns what only counts the rows of a request, the same for all requests that have them.
fn counting(request: &ExportRequest) -> ExportRequest {
    let whole = |selection: &TableSelection| TableSelection::whole(&selection.table);
    ExportRequest {
        tables: request.tables.iter().map(whole).collect(),
        filters: request.filters.clone(),
        csv: CsvStyle::default(),
        files: Files::Counts,
        ..ExportRequest::new(Vec::new(), request.window, request.format)
    }
}

/// Refuses an export that is seen to have too many rows. What is not seen in time is refused by the
/// builder.
pub(crate) async fn check_limit(
    app: &App,
    workspace: &Workspace,
    request: &ExportRequest,
    now: Timestamp,
) -> Result<(), Refused> {
    let catalog = &app.services.catalog;
    let tables: Vec<&Table> =
        request.tables.iter().filter_map(|selection| catalog.table(&selection.table)).collect();
    let mut datasets: Vec<_> = tables.iter().map(|table| catalog.dataset_of(table)).collect();
    datasets.dedup_by_key(|dataset| &dataset.name);
    let listed =
        datasets.iter().map(|dataset| app.services.lake.filed(dataset, workspace, request.window));
    let filed = try_join_all(listed).await?;
    let objects = filed.iter().flatten().flat_map(|(_, objects)| objects);
    let bytes: u64 = objects.map(|object| object.size_bytes).sum();
    if bytes / LEAST_ROW_BYTES <= app.row_limit {
        return Ok(());
    }
    let Ok(counted) = rows(app, workspace, request, now).await else { return Ok(()) };
    let (rows, most) = (counted.iter().sum::<u64>(), app.row_limit);
    if rows <= most {
        return Ok(());
    }
    Err(Refused::bad(
        "RowLimitExceeded",
        format!(
            "The export would have {rows} rows, of which {most} are allowed. Choose a shorter time, fewer \
             tables or a filter."
        ),
    ))
}
