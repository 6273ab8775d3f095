//! A step in portions, each with no more ids than a builder holds. Mostly a step is a single one.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use anyhow::Context as _;
use lake::{KeyScan, ScannedKeys, Selection, Step};

use crate::{
    pouring::look,
    related,
    work::{Work, selection},
};

/// What is still to be done of a step: objects in a row, or a single one from some line on.
#[derive(Debug)]
pub(crate) struct Portions(Vec<Portion>);

#[derive(Clone, Debug)]
struct Portion {
    objects: Range<usize>,
    first: u64,
}

impl Portions {
    /// All of a step.
    pub(crate) fn of(step: &Step) -> Self {
        Self(vec![Portion { objects: 0..step.objects.len(), first: 1 }])
    }

    /// Finds ids in as much as there is room for. Returns what was found, and where.
    pub(crate) async fn gather(
        &mut self,
        work: &mut Work<'_>,
        step: &Step,
        gather: &Arc<KeyScan>,
    ) -> anyhow::Result<Option<(Range<usize>, RangeInclusive<u64>, ScannedKeys)>> {
        let (most, workers) = (work.app.most_ids(), work.app.workers);
        while let Some(Portion { objects, first }) = self.0.pop() {
            let gather = Arc::clone(gather);
            let here = &step.objects[objects.clone()];
            let needs = gather.needs();
            let gathered = look(work.app, here, needs, &mut work.watch, move |objects, opener| {
                gather.run(objects, first, most, workers, |index| opener.open(index))
            });
            let gathered = gathered.await?;
            let last = match gathered.full {
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
            return Ok(Some((objects, first..=last, gathered)));
        }
        Ok(None)
    }

    /// Returns the next objects, and what is taken of them of the table at this place of the request.
    pub(crate) async fn next(
        &mut self,
        work: &mut Work<'_>,
        step: &Step,
        table: usize,
    ) -> anyhow::Result<Option<(Range<usize>, Selection)>> {
        let (app, request) = (work.app, &work.export.request);
        let selection = selection(app, work.export, table)?;
        if !selection.is_related() {
            return Ok(self.0.pop().map(|portion| (portion.objects, selection)));
        }
        if let Some(held) = related::held(work).await? {
            return Ok(self.0.pop().map(|portion| (portion.objects, selection.with_sets(held))));
        }
        let gather = KeyScan::every(
            &app.catalog,
            &work.export.workspace,
            request,
            &request.tables[table].table,
        )
        .context("find the table in the catalog")?;
        let gathered = self.gather(work, step, &Arc::new(gather)).await?;
        let Some((objects, records, mut gathered)) = gathered else { return Ok(None) };
        let keys = gathered.ids.pop().unwrap_or_default();
        let sets = related::within(work, &keys).await?;
        Ok(Some((objects, selection.with_sets(sets).with_records(records))))
    }

    fn push(&mut self, objects: Range<usize>, first: u64) {
        self.0.push(Portion { objects, first });
    }
}
