//! What has to be read for an export, cut into steps.

use anyhow::Context as _;
use cloud::SourceObject;
use export::{Export, WorkKey};
use serde::{Deserialize, Serialize};

use crate::app::App;

/// What has to be done, fixed when the export is first built, so that every builder of it does the
/// same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// Some source objects of one table, which become one piece of its file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which of the request's tables.
    pub(crate) table: usize,
    /// Whether the piece stands at the head of the file.
    pub(crate) head: bool,
    /// The objects, in order.
    pub(crate) objects: Vec<SourceObject>,
}

/// Reads the plan of an export, or makes it.
pub(crate) async fn of(app: &App, export: &Export) -> anyhow::Result<Plan> {
    let key = WorkKey::plan(&export.workspace, export.id);
    if let Some(bytes) = app.archives.read_work(&key).await? {
        return serde_json::from_slice(&bytes).context("decode plan");
    }
    let mut steps = Vec::new();
    for (index, selection) in export.request.tables.iter().enumerate() {
        let table = app.catalog.table(&selection.table).context("find table in the catalog")?;
        let dataset = app.catalog.dataset_of(table);
        let prefixes =
            dataset.path.prefixes(&export.workspace, export.request.window, dataset.late);
        steps.extend(cut(index, app.lake.list(prefixes).await?, app.step_bytes));
    }
    let plan = Plan { steps };
    app.archives.write_work(&key, serde_json::to_vec(&plan)?).await?;
    Ok(plan)
}

/// Cuts a table's objects into steps of about `step_bytes`. A table without objects has a step too,
/// since its file has a head.
fn cut(table: usize, objects: Vec<SourceObject>, step_bytes: u64) -> Vec<Step> {
    let mut steps = vec![Step { table, head: true, objects: Vec::new() }];
    let mut bytes = 0;
    for object in objects {
        if bytes > 0 && bytes + object.size_bytes > step_bytes {
            steps.push(Step { table, head: false, objects: Vec::new() });
            bytes = 0;
        }
        bytes += object.size_bytes;
        if let Some(step) = steps.last_mut() {
            step.objects.push(object);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_every_object_once_in_order() {
        let object =
            |n: u64| SourceObject { key: n.to_string(), etag: String::new(), size_bytes: n * 10 };
        let steps = cut(0, (0..10).map(object).collect(), 100);

        let keys: Vec<_> = steps.iter().flat_map(|s| &s.objects).map(|o| o.key.as_str()).collect();
        assert_eq!(keys, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let sizes: Vec<u64> =
            steps.iter().map(|s| s.objects.iter().map(|o| o.size_bytes).sum()).collect();
        assert_eq!(sizes, [100, 50, 60, 70, 80, 90]);
        assert_eq!(steps.iter().filter(|s| s.head).count(), 1);
        assert_eq!(cut(0, Vec::new(), 100).len(), 1);
    }
}
