//! What was looked up in other tables, where the rows of a step need it.
//!
//! If all of it is small, it is held by a builder for all of its steps. Else the ids of the rows of a
//! step are found first, and only what belongs to these is held: so memory is bounded by the step, not
//! by the export, and every answer is exact.

use std::{ops::Range, sync::Arc};

use anyhow::Context as _;
use archive::Extent;
use cloud::Stored;
use export::WorkKey;
use lake::{Gather, ID_BYTES, Ids, Makes, Step, lookups};

use crate::{
    pouring::look,
    report::Report,
    step::{Work, read},
};

/// How much of what was looked up is read at a time, in bytes.
const READ_BYTES: u64 = 8 << 20;

/// The ids that a step found for one lookup.
#[derive(Debug)]
struct Found {
    lookup: usize,
    piece: WorkKey,
    bytes: Range<u64>,
}

/// Returns what was looked up, as far as the rows of `step` need it, in the order of [`lookups`].
pub(crate) async fn sets(work: &mut Work<'_>, step: &Step) -> anyhow::Result<Arc<[Ids]>> {
    if let Some(held) = &work.held {
        return Ok(Arc::clone(held));
    }
    let (count, found) = found(work).await?;
    let total: u64 = found.iter().map(|one| one.bytes.end - one.bytes.start).sum();
    if total <= work.app.lookup_bytes {
        let sets = read_sets(work, count, &found, None).await?;
        return Ok(Arc::clone(work.held.insert(sets)));
    }
    let keys = keys_of(work, step).await?;
    read_sets(work, count, &found, Some(&keys)).await
}

/// Finds what the steps of the first pass made. Returns how many lookups there are, too.
async fn found(work: &Work<'_>) -> anyhow::Result<(usize, Vec<Found>)> {
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
        for (lookup, ids) in here.zip(&report.ids) {
            let bytes = at..at + ids * ID_BYTES as u64;
            at = bytes.end;
            found.push(Found { lookup, piece: report.piece.clone(), bytes });
        }
    }
    Ok((lookups.len(), found))
}

/// Reads what was found; of it, only what is `within`.
async fn read_sets(
    work: &Work<'_>,
    count: usize,
    found: &[Found],
    within: Option<&Ids>,
) -> anyhow::Result<Arc<[Ids]>> {
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

/// Finds all that the rows of a step belong to.
async fn keys_of(work: &mut Work<'_>, step: &Step) -> anyhow::Result<Ids> {
    let (app, request) = (work.app, &work.export.request);
    let Makes::Rows(index) = step.makes else { return Ok(Ids::default()) };
    let gather = Gather::every(&app.catalog, request, &request.tables[index].table)
        .context("find the table in the catalog")?;
    let workers = app.workers;
    let gathered = look(app, &step.objects, &mut work.watch, move |objects, opener| {
        gather.run(objects, workers, |index| opener.open(index))
    });
    Ok(gathered.await?.ids.pop().unwrap_or_default())
}
