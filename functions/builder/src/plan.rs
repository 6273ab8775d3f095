//! The plan of an export: made once, then read by all who build it.

use anyhow::Context as _;
use cloud::Filings;
use export::{Export, WorkKey};
use lake::{ListedPartition, Plan, lookup_tables};

use crate::app::App;

/// An export reads more source objects than a builder can keep track of.
#[derive(Debug, thiserror::Error)]
#[error("the export reads more than {0} source objects")]
pub(crate) struct TooManyObjects(pub(crate) usize);

/// A table of an export is not in the catalog any more.
#[derive(Debug, thiserror::Error)]
#[error("the catalog has no table {0}")]
pub(crate) struct TableRemoved(pub(crate) String);

/// A plan, and what follows it: with the catalog that it was made with.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) app: App,
}

/// Reads the plan of an export, or makes it.
pub(crate) async fn of(app: &App, export: &Export) -> anyhow::Result<Planned> {
    let key = WorkKey::plan(&export.workspace, export.id);
    if let Some(bytes) = app.archives.read_work(&key).await? {
        return stored(app, &bytes).await;
    }
    // The catalog that the request was checked against, or a newer one.
    let app = &app.with_catalog_since(export.created_at).await;
    let plan = made(app, export).await?;
    app.keep_catalog().await?;
    if app.archives.write_new_work(&key, serde_json::to_vec(&plan)?).await? {
        return Ok(Planned { plan, app: app.clone() });
    }
    // Another builder was faster; the lake may have changed between the two.
    let bytes = app.archives.read_work(&key).await?.context("find the plan")?;
    stored(app, &bytes).await
}

async fn stored(app: &App, bytes: &[u8]) -> anyhow::Result<Planned> {
    let plan: Plan = serde_json::from_slice(bytes).context("decode plan")?;
    let app = match &plan.catalog {
        Some(version) => app.with_catalog(version).await?,
        None => app.clone(),
    };
    Ok(Planned { plan, app })
}

async fn made(app: &App, export: &Export) -> anyhow::Result<Plan> {
    let (request, workspace) = (&export.request, &export.workspace);
    let mut filings = Filings::new(&app.catalog.lake, workspace, request.window, app.max_objects);
    let mut plan = Plan {
        catalog: Some(app.catalog.version.clone()),
        listed_at: Some(app.clock.now()),
        ..Plan::default()
    };
    for (index, table) in lookup_tables(&app.catalog, request) {
        let filed = filed(app, &mut filings, &plan, &table).await?;
        plan.add_lookup(&app.catalog, request, index, filed, app.step_bytes)
            .context("find table in the catalog")?;
    }
    for (index, selection) in request.tables.iter().enumerate() {
        let filed = filed(app, &mut filings, &plan, &selection.table).await?;
        plan.add_table(&app.catalog, request, index, filed, app.step_bytes)
            .context("find table in the catalog")?;
    }
    plan.mark_referred();
    Ok(plan)
}

/// Returns what a table's rows may be in, if it fits beside what is planned already.
async fn filed(
    app: &App,
    filings: &mut Filings<'_>,
    plan: &Plan,
    table: &str,
) -> anyhow::Result<Vec<ListedPartition>> {
    let table = app.catalog.table(table).ok_or_else(|| TableRemoved(table.to_owned()))?;
    match filings.of(app.catalog.dataset_of(table)).await {
        Ok((filed, objects)) if plan.object_count() + objects <= app.max_objects => {
            Ok(filed.to_vec())
        }
        Ok(_) | Err(cloud::Error::TooManyObjects) => Err(TooManyObjects(app.max_objects).into()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests;
