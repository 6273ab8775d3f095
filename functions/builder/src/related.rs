//! What was looked up in other tables, where the rows of a step need it.
//!
//! If all of it is small, it is held by a builder for all of its steps. Else the ids of the rows of a
//! step are found first, portion by portion, and only what belongs to these is held. So memory is bounded
//! by a setting, whatever the export, and every answer is exact.

use std::sync::Arc;

use anyhow::Context as _;
use archive::Extent;
use cloud::Stored;
use export::WorkKey;
use lake::{KEY_BYTES, KeySet, StepKind, lookups};

use crate::{
    report::Report,
    work::{Found, Work, read},
};

/// How much of what was looked up is read at a time, in bytes.
const READ_BYTES: u64 = 8 << 20;

/// Returns all that was looked up, in the order of [`lookups`], if it is little.
pub(crate) async fn held(work: &mut Work<'_>) -> anyhow::Result<Option<Arc<[KeySet]>>> {
    if work.held.is_none() {
        let found = found_before(work).await?;
        let total: u64 = found.iter().map(|one| one.bytes.end - one.bytes.start).sum();
        if total <= work.app.lookup_bytes {
            work.held = Some(read_sets(work, &found, None).await?);
        }
    }
    Ok(work.held.clone())
}

/// Returns what was looked up of these ids, in the same order.
pub(crate) async fn within(work: &mut Work<'_>, keys: &KeySet) -> anyhow::Result<Arc<[KeySet]>> {
    let found = found_before(work).await?;
    read_sets(work, &found, Some(keys)).await
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
        let StepKind::Keys(first) = step.kind else { continue };
        let key = WorkKey::report(&export.workspace, export.id, number);
        let report: Report =
            read(app, &key).await?.context("find the report of a step that is done")?;
        let here = (0..lookups.len()).filter(|other| lookups[*other].table == lookups[first].table);
        let mut at = 0;
        // Once for each portion of the step.
        for (lookup, ids) in here.cycle().zip(&report.ids) {
            let bytes = at..at + ids * KEY_BYTES as u64;
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
    within: Option<&KeySet>,
) -> anyhow::Result<Arc<[KeySet]>> {
    let count = lookups(&work.app.catalog, &work.export.request).len();
    let mut sets: Vec<Vec<KeySet>> = vec![Vec::new(); count];
    for Found { lookup, piece, bytes } in found {
        let mut offset = bytes.start;
        while offset < bytes.end {
            let len = READ_BYTES.min(bytes.end - offset);
            let extent = Extent::Range { source: Stored::Work(piece.clone()), offset, len };
            let body = work.app.archives.open_extent(&work.app.catalog.lake, &extent).await?;
            let ids = KeySet::from_bytes(&body.collect().await.context("read ids")?);
            sets[*lookup].push(match within {
                Some(within) => ids.within(within),
                None => ids,
            });
            offset += len;
        }
    }
    Ok(sets.into_iter().map(KeySet::joined).collect())
}
