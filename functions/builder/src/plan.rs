//! The plan of an export: made once, then read by all who build it.

use anyhow::Context as _;
use export::{Export, WorkKey};
use lake::{Plan, lookup_tables};

use crate::app::App;

/// Reads the plan of an export, or makes it.
pub(crate) async fn of(app: &App, export: &Export) -> anyhow::Result<Plan> {
    let key = WorkKey::plan(&export.workspace, export.id);
    if let Some(bytes) = app.archives.read_work(&key).await? {
        return serde_json::from_slice(&bytes).context("decode plan");
    }
    let request = &export.request;
    let mut plan = Plan::default();
    for (index, name) in lookup_tables(&app.catalog, request) {
        let table = app.catalog.table(&name).context("find table in the catalog")?;
        let dataset = app.catalog.dataset_of(table);
        let filed = app.lake.filed(dataset, &export.workspace, request.window).await?;
        plan.add_lookup(&app.catalog, request, index, filed, app.step_bytes)
            .context("find table in the catalog")?;
    }
    for (index, selection) in request.tables.iter().enumerate() {
        let table = app.catalog.table(&selection.table).context("find table in the catalog")?;
        let dataset = app.catalog.dataset_of(table);
        let filed = app.lake.filed(dataset, &export.workspace, request.window).await?;
        plan.add_table(&app.catalog, request, index, filed, app.step_bytes)
            .context("find table in the catalog")?;
    }
    let objects: usize = plan.steps.iter().map(|step| step.objects.len()).sum();
    if objects > app.most_objects {
        return Err(cloud::Error::TooManyObjects(app.most_objects).into());
    }
    plan.mark_referred();
    if app.archives.write_new_work(&key, serde_json::to_vec(&plan)?).await? {
        return Ok(plan);
    }
    // Another builder was faster; the lake may have changed between the two.
    let bytes = app.archives.read_work(&key).await?.context("find the plan")?;
    serde_json::from_slice(&bytes).context("decode plan")
}
