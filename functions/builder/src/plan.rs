//! What has to be read for an export, cut into steps.

use anyhow::Context as _;
use cloud::SourceObject;
use export::{Dataset, Export, Files, Format, Table, TableSelection, WorkKey};
use jiff::Timestamp;
use lake::is_gzip;
use serde::{Deserialize, Serialize};

use crate::app::App;

/// The most objects of one step: each is asked about even where none is read.
const MOST_OBJECTS: usize = 2000;

/// What has to be done, fixed when the export is first built, so that every builder of it does the
/// same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// Some source objects of one table, which become one piece of its file, or a file each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which of the request's tables.
    pub(crate) table: usize,
    /// Whether the piece stands at the head of the file.
    pub(crate) head: bool,
    /// The objects, in order.
    pub(crate) objects: Vec<SourceObject>,
    /// The file that each of them becomes; empty where they are joined.
    #[serde(default)]
    pub(crate) files: Vec<File>,
}

/// A file that is made from one source object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) way: Way,
}

/// How a source object becomes a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// It goes in as it is. No byte is read if S3 knows its checksum.
    Copy,
    /// It is decoded, rows are selected, and it is compressed again.
    Transcode,
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
        let window = export.request.window;
        let partitions = dataset.path.partitions(&export.workspace, window, dataset.late);
        let (hours, prefixes): (Vec<Timestamp>, Vec<String>) = partitions.into_iter().unzip();
        let listed = app.lake.list(prefixes).await?;
        let objects = match &export.request.files {
            Files::Tables | Files::Single(_) => {
                listed.into_iter().flatten().map(|object| (object, None)).collect()
            }
            Files::Hourly(folder) => hours
                .into_iter()
                .zip(listed)
                .flat_map(|(hour, objects)| {
                    hourly(export, (dataset, table, selection), folder, hour, objects)
                })
                .collect(),
        };
        steps.extend(cut(index, objects, app.step_bytes));
    }
    let plan = Plan { steps };
    app.archives.write_work(&key, serde_json::to_vec(&plan)?).await?;
    Ok(plan)
}

/// Names the files of what was filed in one hour, and chooses how each is made.
fn hourly(
    export: &Export,
    (dataset, table, selection): (&Dataset, &Table, &TableSelection),
    folder: &str,
    hour: Timestamp,
    objects: Vec<SourceObject>,
) -> Vec<(SourceObject, Option<File>)> {
    let window = export.request.window;
    let end = hour + dataset.path.span();
    // Where rows are filed by their own time, all rows of a whole partition are wanted.
    let whole = dataset.late.is_zero() && window.from() <= hour && end <= window.to();
    let all = table.omit.is_none() && table.explode.is_none() && selection.columns.is_none();
    let as_it_is = whole && all && export.request.format == Format::Jsonl;
    let filled = objects.into_iter().filter(|object| object.size_bytes > 0);
    filled
        .enumerate()
        .map(|(number, object)| {
            let copy = as_it_is && is_gzip(dataset.compression, &object.key);
            let way = if copy { Way::Copy } else { Way::Transcode };
            (object, Some(File { name: Files::hourly_name(folder, hour, number), way }))
        })
        .collect()
}

/// Cuts a table's objects into steps of about `step_bytes`. A table without objects has a step too,
/// since its file has a head.
fn cut(table: usize, objects: Vec<(SourceObject, Option<File>)>, step_bytes: u64) -> Vec<Step> {
    let begin = |head| Step { table, head, objects: Vec::new(), files: Vec::new() };
    let mut steps = Vec::new();
    let (mut step, mut bytes) = (begin(true), 0);
    for (object, file) in objects {
        let full = bytes + object.size_bytes > step_bytes || step.objects.len() == MOST_OBJECTS;
        if bytes > 0 && full {
            steps.push(std::mem::replace(&mut step, begin(false)));
            bytes = 0;
        }
        bytes += object.size_bytes;
        step.objects.push(object);
        step.files.extend(file);
    }
    steps.push(step);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_every_object_once_in_order() {
        let object =
            |n: u64| SourceObject { key: n.to_string(), etag: String::new(), size_bytes: n * 10 };
        let steps = cut(0, (0..10).map(|n| (object(n), None)).collect(), 100);

        let keys: Vec<_> = steps.iter().flat_map(|s| &s.objects).map(|o| o.key.as_str()).collect();
        assert_eq!(keys, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let sizes: Vec<u64> =
            steps.iter().map(|s| s.objects.iter().map(|o| o.size_bytes).sum()).collect();
        assert_eq!(sizes, [100, 50, 60, 70, 80, 90]);
        assert_eq!(steps.iter().filter(|s| s.head).count(), 1);
        assert_eq!(cut(0, Vec::new(), 100).len(), 1);
    }
}
