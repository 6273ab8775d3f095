//! How an export would be made, without making it.

use std::collections::BTreeMap;

use axum::Json;
use cloud::Filings;
use export::{Catalog, Dataset, ExportRequest, Fault};
use lake::{ListedPartition, Plan, Reason, Way, WayChooser, lookup_tables};
use serde::Serialize;
use web::{JsonBody, Problem};

use crate::{app::Viewer, write};

/// The most source objects of an export that is explained, which has to fit the function's memory.
const MAX_OBJECTS: usize = 100_000;

/// What would be done for a request.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    tables: Vec<ExplainedTable>,
    /// The tables that are read first, because a filter on others names columns of theirs.
    looked_up: Vec<String>,
    /// Steps, each of which is done once.
    steps: usize,
    /// How many builders could be at work on them at the same time.
    builders: usize,
}

#[derive(Debug, Serialize)]
struct ExplainedTable {
    table: String,
    ways: Vec<ExplainedWay>,
}

/// The source objects that go one way for one reason.
#[derive(Debug, Serialize)]
struct ExplainedWay {
    way: Way,
    reason: Reason,
    detail: &'static str,
    objects: u64,
    size_bytes: u64,
}

/// `POST /v1/explain`: tells how the export of this body would be made.
pub(crate) async fn explain(
    viewer: Viewer,
    JsonBody(body): JsonBody,
) -> Result<Json<Explained>, Problem> {
    let (app, workspace, now) = (&*viewer, &viewer.workspace, viewer.now);
    let request = write::order(app, workspace, &body, now).await?.request;
    let loaded = app.services.catalog().await;
    let catalog = &loaded.catalog;
    let datasets = datasets(catalog, &request);
    app.services.exports.spend_lists(workspace, datasets, request.window, now).await?;

    let (mut plan, mut tables) = (Plan::default(), Vec::new());
    let mut looked_up: Vec<String> = Vec::new();
    let mut filings = Filings::new(&loaded.lake, workspace, request.window, MAX_OBJECTS);
    for (index, table) in lookup_tables(catalog, &request) {
        let Some(known) = catalog.table(&table) else { continue };
        let filed = filed(&mut filings, &plan, catalog.dataset_of(known)).await?;
        plan.add_lookup(catalog, &request, index, filed, app.step_bytes);
        looked_up.push(table);
    }
    for (index, selection) in request.tables.iter().enumerate() {
        let ways = WayChooser::new(catalog, &request, index);
        let (Some(ways), Some(table)) = (ways, catalog.table(&selection.table)) else { continue };
        let filed = filed(&mut filings, &plan, catalog.dataset_of(table)).await?;
        let mut sums: BTreeMap<(Way, Reason), (u64, u64)> = BTreeMap::new();
        for (hour, object) in
            filed.iter().flat_map(|(hour, all)| all.iter().map(move |o| (*hour, o)))
        {
            let sum = sums.entry(ways.of(hour, object)).or_default();
            *sum = (sum.0 + 1, sum.1 + object.size_bytes);
        }
        plan.add_table(catalog, &request, index, filed, app.step_bytes);
        let way = |((way, reason), (objects, size_bytes))| ExplainedWay {
            way,
            reason,
            detail: detail(way, reason),
            objects,
            size_bytes,
        };
        let ways = sums.into_iter().map(way).collect();
        tables.push(ExplainedTable { table: selection.table.clone(), ways });
    }
    let builders = plan.batches(app.step_bytes).len();
    Ok(Json(Explained { tables, looked_up, steps: plan.steps.len(), builders }))
}

/// Returns the datasets that are listed for a request, each once.
fn datasets<'a>(catalog: &'a Catalog, request: &ExportRequest) -> Vec<&'a Dataset> {
    let looked_up = lookup_tables(catalog, request).into_iter().map(|(_, table)| table);
    let asked = request.tables.iter().map(|selection| selection.table.clone());
    let tables = looked_up.chain(asked).filter_map(|table| catalog.table(&table));
    let datasets = tables.map(|table| catalog.dataset_of(table));
    let by_name: BTreeMap<&str, &Dataset> = datasets.map(|d| (d.name.as_str(), d)).collect();
    by_name.into_values().collect()
}

/// Returns what a dataset has of the window, if it fits beside what is planned already.
async fn filed(
    filings: &mut Filings<'_>,
    plan: &Plan,
    dataset: &Dataset,
) -> Result<Vec<ListedPartition>, Problem> {
    match filings.of(dataset).await {
        Ok((filed, objects)) if has_room(plan.object_count(), objects) => Ok(filed.to_vec()),
        Ok(_) | Err(cloud::Error::TooManyObjects) => Err(too_many()),
        Err(e) => Err(e.into()),
    }
}

/// Tells whether so many objects can be explained beside those that are planned already.
fn has_room(planned: usize, objects: usize) -> bool {
    planned + objects <= MAX_OBJECTS
}

fn too_many() -> Problem {
    let detail = format!(
        "The export reads more than {MAX_OBJECTS} source objects, the most that are explained. It can be \
         made; to see how, ask for a shorter window or fewer tables."
    );
    Problem::invalid(Fault::new("too_many_objects", "", detail))
}

fn detail(way: Way, reason: Reason) -> &'static str {
    match (way, reason) {
        (Way::Copy, _) => {
            "They go in as they are; they are read once, to see that they are whole, and S3 copies them."
        }
        (Way::Splice, Reason::Filtered) => {
            "Where every row passes the filter, what is compressed stays so; where one does not, rows are \
             chosen, and that object is compressed again."
        }
        (Way::Splice, _) => {
            "Every row is wanted, so what is compressed stays so; where one turns out not to be, that \
             object is compressed again."
        }
        (Way::Transcode, Reason::WindowEdge) => {
            "Rows filed there may be outside of the window, so they are chosen, and compressed again where \
             no whole stretch of them is wanted."
        }
        (Way::Transcode, Reason::NotGzip) => {
            "They are not stored as gzip, so their rows are compressed for the archive."
        }
        (Way::Transcode, Reason::Rewritten | Reason::Filtered | Reason::Whole) => {
            "Their rows are written otherwise than they are stored, so they are compressed again."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_objects_are_explained_and_no_more() {
        for (planned, objects, fits) in [
            (0, 100_000, true),
            (0, 100_001, false),
            (60_000, 40_000, true),
            (60_000, 40_001, false),
        ] {
            assert_eq!(has_room(planned, objects), fits, "{objects} beside {planned}");
        }
    }
}
