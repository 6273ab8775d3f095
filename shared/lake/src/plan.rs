//! What has to be read for an export, and how, cut into steps.

use std::ops::Range;

use export::{Catalog, ExportRequest, Files, Format, SourceObject, Table, TableSelection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{InputObject, is_gzip, lookups};

/// The most objects of one step: each is asked about even where none is read.
const MAX_OBJECTS: usize = 2000;

/// The smallest object that an archive refers to instead of holding a copy in its own pieces.
const MIN_REFERRED_BYTES: u64 = 32 << 20;
/// How many objects an archive may refer to: with what stands between them, each is two parts of S3's
/// 10,000, and the pieces of other objects are parts, too.
const MAX_REFERRED: u64 = 2500;

/// What a source object costs at least, in bytes of a larger one: it is asked for by a request of its own.
const MIN_OBJECT_COST: u64 = 256 << 10;

/// The work of an export, fixed when it is first built, so that every builder of it does the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of the catalog that it was made with. Plans of an older version have it not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// When the lake began to be listed. Plans of an older version have it not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_at: Option<Timestamp>,
    /// The steps, in the order of their output.
    pub steps: Vec<Step>,
}

/// Some source objects of one table, which become a part of its file, or a file each.
///
/// Steps do not reach from one day into the next, nor from the edge of a window to its inside: so they
/// are the same for every window that holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is for.
    #[serde(rename = "makes")]
    pub kind: StepKind,
    /// Whether everything filed there is inside of the window, as far as the partitions tell.
    pub inside: bool,
    /// The objects, in order.
    pub objects: Vec<PlannedObject>,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Rows of the request's table of this number.
    Rows(usize),
    /// Join keys of a table by which rows of other tables are chosen (a semi-join). The number is that of
    /// the first of the request's [`lookups`] in this table.
    #[serde(rename = "ids")]
    Keys(usize),
}

/// A source object, and how it is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedObject {
    /// Which object.
    #[serde(flatten)]
    pub object: SourceObject,
    /// How it is exported.
    pub way: Way,
    /// Whether the archive may refer to what is taken over of it.
    #[serde(default)]
    pub refer: bool,
    /// When the time of its partition begins. Plans of an older version have it not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Timestamp>,
    /// The file that it becomes, if it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How a source object is exported: the cheapest way that is correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// S3 copies it as it is, once it was read to see that it is not damaged.
    Copy,
    /// Its compressed stream is taken over, if every row turns out to be wanted.
    Splice,
    /// It is decoded, rows are selected, and it is compressed again.
    Transcode,
}

/// Why an object is exported in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All that is in it is wanted as it is.
    Whole,
    /// It is filed at the edge of the window.
    WindowEdge,
    /// Rows are written otherwise than they are stored: as CSV, as Parquet, with columns of their own, one for each
    /// element of a list, or not compressed.
    Rewritten,
    /// Rows are chosen by their columns.
    Filtered,
    /// It is not stored as gzip, which archives take over.
    NotGzip,
}

impl Step {
    /// Returns the size of its objects in bytes, as stored.
    pub fn size_bytes(&self) -> u64 {
        self.objects.iter().map(|planned| planned.object.size_bytes).sum()
    }

    /// Returns what it costs in bytes: the size of its objects, where each counts as 256 KiB or more.
    pub fn cost_bytes(&self) -> u64 {
        self.objects.iter().map(|planned| planned.object.size_bytes.max(MIN_OBJECT_COST)).sum()
    }
}

impl PlannedObject {
    /// Returns the object as the pipeline reads it.
    pub fn to_input(&self) -> InputObject {
        InputObject {
            key: self.object.key.clone(),
            size_bytes: self.object.size_bytes,
            likely_whole: self.way == Way::Splice,
            refer: self.refer,
            partition: self.partition,
        }
    }
}

/// When the time of a partition begins, and the objects in it.
pub type ListedPartition = (Timestamp, Vec<SourceObject>);

impl Plan {
    /// Returns the steps that read join keys, which all other steps wait for.
    pub fn first_pass(&self) -> Range<usize> {
        0..self.steps.partition_point(|step| matches!(step.kind, StepKind::Keys(_)))
    }

    /// Adds the steps that read join keys: see [`StepKind::Keys`]. They come before all other steps.
    pub fn add_lookup(
        &mut self,
        catalog: &Catalog,
        request: &ExportRequest,
        index: usize,
        filed: Vec<ListedPartition>,
        step_bytes: u64,
    ) -> Option<()> {
        let table = catalog.table(&lookups(catalog, request).get(index)?.table)?;
        let ways = WayChooser { catalog, request, table, selection: None };
        self.add(&ways, StepKind::Keys(index), filed, step_bytes)
    }

    /// Adds the steps of the request's table number `index`, of about `step_bytes` at most. `filed` is
    /// what lies in its partitions, in order of time.
    pub fn add_table(
        &mut self,
        catalog: &Catalog,
        request: &ExportRequest,
        index: usize,
        filed: Vec<ListedPartition>,
        step_bytes: u64,
    ) -> Option<()> {
        self.add(
            &WayChooser::new(catalog, request, index)?,
            StepKind::Rows(index),
            filed,
            step_bytes,
        )
    }

    fn add(
        &mut self,
        ways: &WayChooser<'_>,
        kind: StepKind,
        filed: Vec<ListedPartition>,
        step_bytes: u64,
    ) -> Option<()> {
        let day = |at: Timestamp| at.as_second().div_euclid(86_400);
        let (mut last, mut bytes) = (None, 0);
        for (hour, objects) in filed {
            let inside = ways.inside(hour);
            let objects = objects.into_iter().filter(|object| object.size_bytes > 0);
            for (number, object) in objects.enumerate() {
                let group = Some((day(hour), inside));
                let full = |step: &Step| step.objects.len() >= MAX_OBJECTS;
                if last != group
                    || bytes + object.size_bytes > step_bytes
                    || self.steps.last().is_some_and(full)
                {
                    self.steps.push(Step { kind, inside, objects: Vec::new() });
                    (last, bytes) = (group, 0);
                }
                bytes += object.size_bytes;
                let (way, _) = ways.of(hour, &object);
                let file = match &ways.request.files {
                    Files::Hourly(folder) => Some(Files::hourly_name(folder, hour, number)),
                    Files::Tables | Files::Single(_) | Files::Parts(_) | Files::Counts => None,
                };
                self.steps.last_mut()?.objects.push(PlannedObject {
                    object,
                    way,
                    refer: false,
                    partition: Some(hour),
                    file,
                });
            }
        }
        Some(())
    }

    /// Marks the objects that the archive may refer to, once all tables are added: S3 copies each of
    /// them as a part of its own, and there are only so many.
    pub fn mark_referred(&mut self) {
        let total: u64 = self.steps.iter().map(Step::size_bytes).sum();
        let least = MIN_REFERRED_BYTES.max(total / MAX_REFERRED);
        for planned in self.steps.iter_mut().flat_map(|step| &mut step.objects) {
            // S3 copies with the rights and in the region of whoever writes the archive.
            let copyable = planned.object.bucket.is_none();
            planned.refer = copyable && planned.object.size_bytes >= least;
        }
    }

    /// Counts the source objects of all steps.
    pub fn object_count(&self) -> usize {
        self.steps.iter().map(|step| step.objects.len()).sum()
    }

    /// Tells whether a single builder does all of it, if one takes on about `step_bytes` at most.
    pub fn is_small(&self, step_bytes: u64) -> bool {
        self.steps.iter().map(Step::cost_bytes).sum::<u64>() <= step_bytes
            || self.batches(step_bytes).len() <= 1
    }

    /// Cuts the steps into what one builder does: about `step_bytes` at most by what they cost, or one step.
    /// What is done before all others is not mixed with them.
    pub fn batches(&self, step_bytes: u64) -> Vec<Range<usize>> {
        let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0);
        for (number, step) in self.steps.iter().enumerate() {
            let size = step.cost_bytes();
            let second = number == self.first_pass().end;
            if number > begin && (bytes + size > step_bytes || second) {
                batches.push(begin..number);
                (begin, bytes) = (number, 0);
            }
            bytes += size;
        }
        if begin < self.steps.len() {
            batches.push(begin..self.steps.len());
        }
        batches
    }
}

/// Chooses how the objects of one table are exported.
#[derive(Clone, Copy, Debug)]
pub struct WayChooser<'a> {
    catalog: &'a Catalog,
    request: &'a ExportRequest,
    table: &'a Table,
    /// `None` where only join keys are read.
    selection: Option<&'a TableSelection>,
}

impl<'a> WayChooser<'a> {
    /// Returns what chooses for the request's table number `index`; none if there is no such table.
    pub fn new(catalog: &'a Catalog, request: &'a ExportRequest, index: usize) -> Option<Self> {
        let selection = request.tables.get(index)?;
        let table = catalog.table(&selection.table)?;
        Some(Self { catalog, request, table, selection: Some(selection) })
    }

    /// Returns how an object of the partition that begins at `hour` is exported, and why.
    pub fn of(&self, hour: Timestamp, object: &SourceObject) -> (Way, Reason) {
        let dataset = self.catalog.dataset_of(self.table);
        let Some(selection) = self.selection else { return (Way::Transcode, Reason::Filtered) };
        let rewritten = self.request.format != Format::Jsonl
            || self.request.released.is_some()
            || matches!(self.request.files, Files::Parts(_))
            || !self.table.explode.is_empty()
            || !dataset.format.is_plain()
            || selection.columns.is_some();
        if rewritten {
            return (Way::Transcode, Reason::Rewritten);
        }
        if !is_gzip(dataset.compression, &object.key) {
            return (Way::Transcode, Reason::NotGzip);
        }
        if !self.inside(hour) {
            return (Way::Transcode, Reason::WindowEdge);
        }
        // The first row that is not wanted says that they are not whole.
        if dataset.tenancy.field().is_some()
            || self.request.filters_of(&selection.table).next().is_some()
        {
            return (Way::Splice, Reason::Filtered);
        }
        let way = match &self.request.files {
            // Where rows are filed by their own time, nobody has to look at it.
            Files::Hourly(_)
                if object.bucket.is_none()
                    && dataset.early.is_zero()
                    && dataset.late.is_zero()
                    && self.table.omit.is_none() =>
            {
                Way::Copy
            }
            Files::Hourly(_)
            | Files::Tables
            | Files::Single(_)
            | Files::Parts(_)
            | Files::Counts => Way::Splice,
        };
        (way, Reason::Whole)
    }

    /// Returns true if all rows that belong to the partition of `hour` are inside of the window.
    fn inside(&self, hour: Timestamp) -> bool {
        let times = self.catalog.dataset_of(self.table).filing().times(hour);
        self.request.window.from() <= times.start && times.end <= self.request.window.to()
    }
}

#[cfg(test)]
mod tests;
