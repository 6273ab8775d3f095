//! Passes over source objects that write nothing: one reads join keys, another counts rows.
//!
//! Each object is read by one worker, in any order.

use std::{
    io::{self, Read},
    mem,
    ops::ControlFlow,
};

use export::{Catalog, Compression, ExportRequest, Table, Window, Workspace};
use jiff::Timestamp;

use crate::{
    BadRow, InputObject, ObjectError, Selection, Stats,
    field_ref::{FieldRef, field_ref},
    fields::FieldBuffer,
    framing::Framing,
    key_set::{KeySet, key_of},
    names::Names,
    needs::{Needs, ParquetUse},
    object_scan::{ScanOptions, scan_objects},
    predicate::{Binder, Predicate, Row, lookups},
    row_time::RowTime,
    selection::{Outcome, read_fields},
    tenant::Tenant,
};

/// How many keys are held before they are sorted and duplicates dropped.
const MIN_IDS: usize = 1 << 20;

/// Reads the join keys of one table that a semi-join needs.
#[derive(Debug)]
pub struct KeyScan {
    table: String,
    compression: Compression,
    max_bad_percent: u8,
    framing: Framing,
    parquet: ParquetUse,
    window: Window,
    names: Names,
    time: RowTime,
    tenant: Option<Tenant>,
    omit: Option<FieldRef>,
    relation: FieldRef,
    predicates: Vec<Predicate>,
}

/// The join keys that were read.
#[derive(Debug, Default)]
pub struct ScannedKeys {
    /// The keys of rows that pass, for each lookup.
    pub ids: Vec<KeySet>,
    /// How many rows were bad or outside of the window.
    pub stats: Stats,
    /// If there was no room for more keys: the number of the last record that was read. Then the keys are only
    /// of use if there was a single object.
    pub full: Option<u64>,
}

impl KeyScan {
    /// Prepares the lookups of `request` in a table, in the order of [`lookups`]. `None` if the catalog lacks
    /// the table or a column.
    pub fn new(
        catalog: &Catalog,
        workspace: &Workspace,
        request: &ExportRequest,
        table: &str,
    ) -> Option<Self> {
        let table = catalog.table(table)?;
        let lookups = lookups(catalog, request);
        let mut names = Vec::new();
        let mut binder = Binder { catalog, table, lookups: &lookups, names: &mut names };
        let here = lookups.iter().filter(|lookup| lookup.table == table.name);
        let predicates = here.map(|lookup| binder.lookup(lookup)).collect::<Option<_>>()?;
        Self::with(catalog, workspace, table, request.window, names, predicates)
    }

    /// Prepares to read the keys of all rows of a table.
    pub fn every(
        catalog: &Catalog,
        workspace: &Workspace,
        request: &ExportRequest,
        table: &str,
    ) -> Option<Self> {
        let all = vec![Predicate::All(Vec::new())];
        Self::with(catalog, workspace, catalog.table(table)?, request.window, Vec::new(), all)
    }

    fn with(
        catalog: &Catalog,
        workspace: &Workspace,
        table: &Table,
        window: Window,
        mut names: Vec<String>,
        predicates: Vec<Predicate>,
    ) -> Option<Self> {
        Some(Self {
            table: table.name.clone(),
            compression: catalog.dataset_of(table).compression,
            max_bad_percent: catalog.dataset_of(table).max_bad_percent,
            framing: Framing::of(catalog.dataset_of(table)),
            parquet: ParquetUse::of(catalog.dataset_of(table)),
            window,
            time: RowTime::of(catalog, table, &mut names),
            tenant: Tenant::of(catalog.dataset_of(table), workspace, &mut names),
            omit: table.omit.as_ref().map(|path| field_ref(&mut names, path)),
            relation: field_ref(&mut names, table.relation_path()?),
            predicates,
            names: Names::new(names),
        })
    }

    /// Returns what is needed of the objects of its dataset.
    pub fn needs(&self) -> Needs {
        Needs::new(self.parquet, &self.framing, Some(&self.names), &self.time, self.window)
    }

    /// Reads the keys of these objects, of each from record number `first` on, until about `most` keys are held.
    /// `open` returns the stored bytes of an object.
    pub fn run<R: Read>(
        &self,
        objects: &[InputObject],
        first: u64,
        most: usize,
        workers: usize,
        open: impl Fn(usize) -> io::Result<R> + Sync,
    ) -> Result<ScannedKeys, ObjectError> {
        let buffers = self.predicates.len() * workers.clamp(1, objects.len().max(1));
        let empty = || Scanned {
            buffers: vec![KeyBuffer::new(most / buffers); self.predicates.len()],
            stats: Stats::default(),
            full: None,
        };
        let options = ScanOptions {
            table: &self.table,
            compression: self.compression,
            max_bad_percent: self.max_bad_percent,
            framing: &self.framing,
            wanted: first..=u64::MAX,
        };
        let found =
            scan_objects(&options, objects, workers, open, empty, |found, object, at, record| {
                let Scanned { buffers, stats, full } = found;
                let Some(time) = self.record(record, buffers)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                if self.window.contains(time) {
                    stats.add_time(time);
                } else {
                    let row =
                        |reason| BadRow::new(&self.table, &object.key, at.line, reason, false);
                    stats.outside(self.time.misfiled(time, object.partition).map(row));
                }
                if buffers.iter().any(KeyBuffer::is_full) {
                    *full = Some(at.record);
                    return Ok(ControlFlow::Break(()));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        let mut ids: Vec<Vec<u128>> = vec![Vec::new(); self.predicates.len()];
        let (mut all_stats, mut full) = (Vec::new(), None);
        for one in found {
            all_stats.push(one.stats);
            full = full.max(one.full);
            for (all, buffer) in ids.iter_mut().zip(one.buffers) {
                all.extend(buffer.ids);
            }
        }
        let stats = Stats::merge(objects, all_stats);
        Ok(ScannedKeys { ids: ids.into_iter().map(KeySet::new).collect(), stats, full })
    }

    /// Adds the key of a record if it is inside of the window and passes. Returns its time; `None` if the
    /// record is another tenant's.
    fn record(
        &self,
        record: &[u8],
        buffers: &mut [KeyBuffer],
    ) -> Result<Option<Timestamp>, String> {
        let mut buffer = FieldBuffer::default();
        let (_, found) = read_fields(record, &self.names, &mut buffer)?;
        if self.tenant.as_ref().is_some_and(|tenant| !tenant.owns(found)) {
            return Ok(None);
        }
        let time = self.time.read(found)?;
        if !self.window.contains(time) {
            return Ok(Some(time));
        }
        let omitted = self.omit.as_ref().and_then(|field| field.find(found)) == Some("true");
        let id = self.relation.find(found).and_then(key_of).filter(|_| !omitted);
        let Some(id) = id else { return Ok(Some(time)) };
        let row = Row { found, elements: &[], id: None };
        for (predicate, buffer) in self.predicates.iter().zip(buffers) {
            if predicate.passes(row, &[]) {
                buffer.push(id);
            }
        }
        Ok(Some(time))
    }
}

/// The keys that a worker has read so far.
struct Scanned {
    buffers: Vec<KeyBuffer>,
    stats: Stats,
    full: Option<u64>,
}

impl AsMut<Stats> for Scanned {
    fn as_mut(&mut self) -> &mut Stats {
        &mut self.stats
    }
}

/// Keys in the order they come, with few duplicates.
#[derive(Clone, Debug)]
struct KeyBuffer {
    ids: Vec<u128>,
    different: usize,
    most: usize,
}

impl KeyBuffer {
    fn new(most: usize) -> Self {
        Self { ids: Vec::new(), different: 0, most: most.max(2) }
    }

    fn push(&mut self, id: u128) {
        self.ids.push(id);
        if self.ids.len() >= MIN_IDS.max(2 * self.different).min(self.most) {
            self.ids = KeySet::new(mem::take(&mut self.ids)).into();
            self.different = self.ids.len();
        }
    }

    /// Tells whether so many keys differ that dropping duplicates hardly makes room.
    fn is_full(&self) -> bool {
        self.different > self.most / 2
    }
}

impl Selection {
    /// Counts the rows that an export takes of these objects. `open` returns the stored bytes of an object.
    pub fn count<R: Read>(
        &self,
        objects: &[InputObject],
        workers: usize,
        open: impl Fn(usize) -> io::Result<R> + Sync,
    ) -> Result<(u64, Stats), ObjectError> {
        let empty = || Counted { rows: 0, stats: Stats::default() };
        let options = ScanOptions {
            table: &self.table,
            compression: self.compression,
            max_bad_percent: self.max_bad_percent,
            framing: &self.framing,
            wanted: self.wanted(),
        };
        let counted =
            scan_objects(&options, objects, workers, open, empty, |sum, object, at, record| {
                match self.count_rows(record, object.partition)? {
                    Outcome::Taken(taken) => {
                        sum.rows += taken.rows;
                        sum.stats.add_time(taken.time);
                        if let Some(flaw) = taken.flaw {
                            let exported = taken.rows > 0;
                            let row =
                                || BadRow::new(&self.table, &object.key, at.line, flaw, exported);
                            sum.stats.bad(row);
                        }
                    }
                    Outcome::Foreign => {}
                    Outcome::Outside(time) => {
                        let row =
                            |reason| BadRow::new(&self.table, &object.key, at.line, reason, false);
                        sum.stats.outside(self.time.misfiled(time, object.partition).map(row));
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        let rows = counted.iter().map(|one| one.rows).sum();
        Ok((rows, Stats::merge(objects, counted.into_iter().map(|one| one.stats))))
    }
}

/// What a worker counted so far.
struct Counted {
    rows: u64,
    stats: Stats,
}

impl AsMut<Stats> for Counted {
    fn as_mut(&mut self) -> &mut Stats {
        &mut self.stats
    }
}

#[cfg(test)]
mod tests;
