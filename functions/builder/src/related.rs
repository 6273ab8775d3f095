//! What was looked up in other tables, where the rows of a step need it.
//!
//! If all of it is small, it is held by a builder for all of its steps. Else the ids of the rows of a
//! step are found first, and only what belongs to these is held; and if these are too many, a step is
//! done in portions. So memory is bounded by a setting, whatever the export, and every answer is exact.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use anyhow::Context as _;
use archive::Extent;
use cloud::Stored;
use export::WorkKey;
use lake::{Gather, Gathered, ID_BYTES, Ids, Makes, Selection, Step, lookups};

use crate::{
    pouring::look,
    report::Report,
    step::{Work, read, selection},
};

/// How much of what was looked up is read at a time, in bytes.
const READ_BYTES: u64 = 8 << 20;

/// The ids that a step found for one lookup.
#[derive(Debug)]
pub(crate) struct Found {
    lookup: usize,
    piece: WorkKey,
    bytes: Range<u64>,
}

/// What is still to be done of a step: objects in a row, or a single one from some line on.
#[derive(Debug)]
pub(crate) struct Portions(Vec<Portion>);

#[derive(Clone, Debug)]
struct Portion {
    objects: Range<usize>,
    first_line: u64,
}

impl Portions {
    /// All of a step.
    pub(crate) fn of(step: &Step) -> Self {
        Self(vec![Portion { objects: 0..step.objects.len(), first_line: 1 }])
    }

    /// Finds ids in as much as there is room for. Returns what was found, and where.
    pub(crate) async fn gather(
        &mut self,
        work: &mut Work<'_>,
        step: &Step,
        gather: &Arc<Gather>,
    ) -> anyhow::Result<Option<(Range<usize>, RangeInclusive<u64>, Gathered)>> {
        let (most, workers) = (work.app.most_ids(), work.app.workers);
        while let Some(Portion { objects, first_line }) = self.0.pop() {
            let gather = Arc::clone(gather);
            let here = &step.objects[objects.clone()];
            let gathered = look(work.app, here, &mut work.watch, move |objects, opener| {
                gather.run(objects, first_line, most, workers, |index| opener.open(index))
            });
            let gathered = gathered.await?;
            let last_line = match gathered.full {
                None => u64::MAX,
                Some(_) if objects.len() > 1 => {
                    let middle = objects.start + objects.len() / 2;
                    self.push(middle..objects.end, 1);
                    self.push(objects.start..middle, 1);
                    continue;
                }
                Some(line) => {
                    self.push(objects.clone(), line + 1);
                    line
                }
            };
            return Ok(Some((objects, first_line..=last_line, gathered)));
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
        if let Some(held) = held(work).await? {
            return Ok(self.0.pop().map(|portion| (portion.objects, selection.with_sets(held))));
        }
        let gather = Gather::every(&app.catalog, request, &request.tables[table].table)
            .context("find the table in the catalog")?;
        let gathered = self.gather(work, step, &Arc::new(gather)).await?;
        let Some((objects, lines, mut gathered)) = gathered else { return Ok(None) };
        let keys = gathered.ids.pop().unwrap_or_default();
        let found = found_before(work).await?;
        let sets = read_sets(work, &found, Some(&keys)).await?;
        Ok(Some((objects, selection.with_sets(sets).with_lines(lines))))
    }

    fn push(&mut self, objects: Range<usize>, first_line: u64) {
        self.0.push(Portion { objects, first_line });
    }
}

/// Returns all that was looked up, in the order of [`lookups`], if it is little.
async fn held(work: &mut Work<'_>) -> anyhow::Result<Option<Arc<[Ids]>>> {
    if work.held.is_none() {
        let found = found_before(work).await?;
        let total: u64 = found.iter().map(|one| one.bytes.end - one.bytes.start).sum();
        if total <= work.app.lookup_bytes {
            work.held = Some(read_sets(work, &found, None).await?);
        }
    }
    Ok(work.held.clone())
}

/// Finds what the steps of the first pass made.
async fn found_before(work: &mut Work<'_>) -> anyhow::Result<Arc<[Found]>> {
    if let Some(found) = &work.found {
        return Ok(Arc::clone(found));
    }
    let (app, export) = (work.app, work.export);
    let lookups = lookups(&app.catalog, &export.request);
    let mut found = Vec::new();
    for (number, step) in (0..).zip(&work.plan.steps[work.plan.first_pass()]) {
        let Makes::Ids(first) = step.makes else { continue };
        let key = WorkKey::report(&export.workspace, export.id, number);
        let report: Report =
            read(app, &key).await?.context("find the report of a step that is done")?;
        let here = (0..lookups.len()).filter(|other| lookups[*other].table == lookups[first].table);
        let mut at = 0;
        // Once for each portion of the step.
        for (lookup, ids) in here.cycle().zip(&report.ids) {
            let bytes = at..at + ids * ID_BYTES as u64;
            at = bytes.end;
            found.push(Found { lookup, piece: report.piece.clone(), bytes });
        }
    }
    Ok(Arc::clone(work.found.insert(found.into())))
}

/// Reads what was found; of it, only what is `within`.
async fn read_sets(
    work: &Work<'_>,
    found: &[Found],
    within: Option<&Ids>,
) -> anyhow::Result<Arc<[Ids]>> {
    let count = lookups(&work.app.catalog, &work.export.request).len();
    let mut sets: Vec<Vec<Ids>> = vec![Vec::new(); count];
    for Found { lookup, piece, bytes } in found {
        let mut offset = bytes.start;
        while offset < bytes.end {
            let len = READ_BYTES.min(bytes.end - offset);
            let extent = Extent::Range { source: Stored::Work(piece.clone()), offset, len };
            let body = work.app.archives.open_extent(&work.app.lake, &extent).await?;
            let ids = Ids::from_bytes(&body.collect().await.context("read ids")?.into_bytes());
            sets[*lookup].push(match within {
                Some(within) => ids.within(within),
                None => ids,
            });
            offset += len;
        }
    }
    Ok(sets.into_iter().map(Ids::joined).collect())
}
