//! A step in slices, each with no more join keys than a builder holds in memory. Mostly a step is a single one.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use anyhow::Context as _;
use lake::{KeyScan, ScannedKeys, Selection, Step};

use crate::{
    convert::scan,
    semi_join,
    work::{Work, selection},
};

/// What is still to be done of a step.
#[derive(Debug)]
pub(crate) struct Slices(Vec<Slice>);

/// Neighbouring objects of a step, or a single one from some row on.
#[derive(Clone, Debug)]
struct Slice {
    objects: Range<usize>,
    /// The number of the first row, from 1.
    first: u64,
}

impl Slices {
    /// All of a step.
    pub(crate) fn of(step: &Step) -> Self {
        Self(vec![Slice { objects: 0..step.objects.len(), first: 1 }])
    }

    /// Finds the join keys of as many rows as there is room for. Returns the objects, the numbers of the rows in
    /// them, and their keys.
    pub(crate) async fn next_keys(
        &mut self,
        work: &mut Work<'_>,
        step: &Step,
        key_scan: &Arc<KeyScan>,
    ) -> anyhow::Result<Option<(Range<usize>, RangeInclusive<u64>, ScannedKeys)>> {
        let (max_keys, workers) = (work.app.max_keys(), work.app.workers);
        while let Some(Slice { objects, first }) = self.0.pop() {
            let key_scan = Arc::clone(key_scan);
            let here = &step.objects[objects.clone()];
            let needs = key_scan.needs();
            let scanned = scan(work.app, here, needs, &mut work.watch, move |objects, opener| {
                key_scan.run(objects, first, max_keys, workers, |index| opener.open(index))
            });
            let scanned = scanned.await?;
            let last = match scanned.full {
                None => u64::MAX,
                Some(_) if objects.len() > 1 => {
                    let middle = objects.start + objects.len() / 2;
                    self.push(middle..objects.end, 1);
                    self.push(objects.start..middle, 1);
                    continue;
                }
                Some(record) => {
                    self.push(objects.clone(), record + 1);
                    record
                }
            };
            return Ok(Some((objects, first..=last, scanned)));
        }
        Ok(None)
    }

    /// Returns the next objects, and what is exported of them for table number `table` of the request.
    pub(crate) async fn next(
        &mut self,
        work: &mut Work<'_>,
        step: &Step,
        table: usize,
    ) -> anyhow::Result<Option<(Range<usize>, Selection)>> {
        let (app, request) = (work.app, &work.export.request);
        let selection = selection(app, work.export, table)?;
        if !selection.is_related() {
            return Ok(self.0.pop().map(|slice| (slice.objects, selection)));
        }
        if let Some(keys) = semi_join::all_keys(work).await? {
            return Ok(self.0.pop().map(|slice| (slice.objects, selection.with_sets(keys))));
        }
        let key_scan = KeyScan::every(
            &app.catalog,
            &work.export.workspace,
            request,
            &request.tables[table].table,
        )
        .context("find the table in the catalog")?;
        let scanned = self.next_keys(work, step, &Arc::new(key_scan)).await?;
        let Some((objects, records, mut scanned)) = scanned else { return Ok(None) };
        let keys = scanned.ids.pop().unwrap_or_default();
        let sets = semi_join::keys_within(work, &keys).await?;
        Ok(Some((objects, selection.with_sets(sets).with_records(records))))
    }

    fn push(&mut self, objects: Range<usize>, first: u64) {
        self.0.push(Slice { objects, first });
    }
}
