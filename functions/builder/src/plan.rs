//! What has to be read for an export, cut into steps.

use anyhow::Context as _;
use cloud::SourceObject;
use export::{Dataset, Export, ExportRequest, Files, Format, Table, TableSelection, WorkKey};
use jiff::Timestamp;
use lake::{Object, is_gzip};
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

/// Some source objects of one table, which become one stretch of its file, or a file each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which of the request's tables.
    pub(crate) table: usize,
    /// Whether it stands at the head of the file.
    pub(crate) head: bool,
    /// The objects, in order.
    pub(crate) objects: Vec<Planned>,
}

/// A source object, and what is to be made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) object: SourceObject,
    pub(crate) way: Way,
    /// The file that it becomes, if it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
}

/// How a source object goes in: the cheapest way that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// As it is. No byte is read if S3 knows its checksum.
    Copy,
    /// Its compressed stream is taken over, if every row turns out to be wanted.
    Splice,
    /// It is decoded, rows are selected, and it is compressed again.
    Transcode,
}

impl Planned {
    /// Returns the object as it is to be poured.
    pub(crate) fn to_pour(&self) -> Object {
        Object {
            key: self.object.key.clone(),
            size_bytes: self.object.size_bytes,
            likely_whole: self.way == Way::Splice,
        }
    }
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
        let planned = hours.into_iter().zip(listed).flat_map(|(hour, objects)| {
            partition(&export.request, (dataset, table, selection), hour, objects)
        });
        steps.extend(cut(index, planned.collect(), app.step_bytes));
    }
    let plan = Plan { steps };
    app.archives.write_work(&key, serde_json::to_vec(&plan)?).await?;
    Ok(plan)
}

/// Chooses what is made of the objects that were filed in one hour.
fn partition(
    request: &ExportRequest,
    (dataset, table, selection): (&Dataset, &Table, &TableSelection),
    hour: Timestamp,
    objects: Vec<SourceObject>,
) -> Vec<Planned> {
    let window = request.window;
    // Rows are filed by their own time, or up to `late` after it.
    let inside = window.from() <= hour - dataset.late && hour + dataset.path.span() <= window.to();
    let as_they_are = request.format == Format::Jsonl
        && table.explode.is_none()
        && selection.columns.is_none()
        && inside;
    let way = |object: &SourceObject| match &request.files {
        _ if !(as_they_are && is_gzip(dataset.compression, &object.key)) => Way::Transcode,
        Files::Hourly(_) if dataset.late.is_zero() && table.omit.is_none() => Way::Copy,
        Files::Hourly(_) | Files::Tables | Files::Single(_) => Way::Splice,
    };
    let filled = objects.into_iter().filter(|object| object.size_bytes > 0).enumerate();
    filled
        .map(|(number, object)| {
            let file = match &request.files {
                Files::Hourly(folder) => Some(Files::hourly_name(folder, hour, number)),
                Files::Tables | Files::Single(_) => None,
            };
            Planned { way: way(&object), object, file }
        })
        .collect()
}

/// Cuts a table's objects into steps of about `step_bytes`. A table without objects has a step too,
/// since its file has a head.
fn cut(table: usize, objects: Vec<Planned>, step_bytes: u64) -> Vec<Step> {
    let begin = |head| Step { table, head, objects: Vec::new() };
    let mut steps = Vec::new();
    let (mut step, mut bytes) = (begin(true), 0);
    for planned in objects {
        let size = planned.object.size_bytes;
        if bytes > 0 && (bytes + size > step_bytes || step.objects.len() == MOST_OBJECTS) {
            steps.push(std::mem::replace(&mut step, begin(false)));
            bytes = 0;
        }
        bytes += size;
        step.objects.push(planned);
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
        let planned = |n| Planned { object: object(n), way: Way::Splice, file: None };
        let steps = cut(0, (0..10).map(planned).collect(), 100);

        let keys: Vec<_> =
            steps.iter().flat_map(|s| &s.objects).map(|o| o.object.key.as_str()).collect();
        assert_eq!(keys, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let sizes: Vec<u64> =
            steps.iter().map(|s| s.objects.iter().map(|o| o.object.size_bytes).sum()).collect();
        assert_eq!(sizes, [100, 50, 60, 70, 80, 90]);
        assert_eq!(steps.iter().filter(|s| s.head).count(), 1);
        assert_eq!(cut(0, Vec::new(), 100).len(), 1);
    }
}
