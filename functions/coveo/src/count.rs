//! How many rows an export would have, and whether that is too many.

use export::{ExportRequest, Table, Workspace};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use service::Counted;

use crate::{app::App, error::ApiError};

/// The least bytes that a row takes, as stored. Where rows are smaller, an export with too many of them
/// fails while it is made.
const MIN_ROW_BYTES: u64 = 16;

/// Counts the rows of each table of a request.
pub(crate) async fn rows(
    app: &App,
    workspace: &Workspace,
    request: &ExportRequest,
    now: Timestamp,
) -> Result<Vec<u64>, ApiError> {
    match app.services.exports.count_rows(workspace, request, app.wait, now).await? {
        Counted::Rows(rows) => Ok(rows),
        Counted::Later => Err(ApiError::later(
            "Counting takes longer than a request may. It goes on: ask again in some seconds.",
        )),
        Counted::Failed(detail) => Err(ApiError::broken(detail)),
    }
}

/// Refuses an export that is seen to have too many rows. What is not seen in time is refused by the
/// builder.
pub(crate) async fn check_limit(
    app: &App,
    workspace: &Workspace,
    request: &ExportRequest,
    now: Timestamp,
) -> Result<(), ApiError> {
    let catalog = app.services.catalog().await;
    let tables: Vec<&Table> =
        request.tables.iter().filter_map(|selection| catalog.table(&selection.table)).collect();
    let mut datasets: Vec<_> = tables.iter().map(|table| catalog.dataset_of(table)).collect();
    datasets.sort_by_key(|dataset| &dataset.name);
    datasets.dedup_by_key(|dataset| &dataset.name);
    let lake = &catalog.lake;
    let filed = datasets.iter().map(|dataset| lake.filed_bytes(dataset, workspace, request.window));
    let filed = try_join_all(filed).await?;
    let bytes: u64 = filed.iter().flatten().map(|(_, bytes)| bytes).sum();
    if bytes / MIN_ROW_BYTES <= app.row_limit {
        return Ok(());
    }
    let Ok(counted) = rows(app, workspace, request, now).await else { return Ok(()) };
    let (rows, most) = (counted.iter().sum::<u64>(), app.row_limit);
    if rows <= most {
        return Ok(());
    }
    Err(ApiError::bad(
        "RowLimitExceeded",
        format!(
            "The export would have {rows} rows, of which {most} are allowed. Choose a shorter time, fewer \
             tables or a filter."
        ),
    ))
}
