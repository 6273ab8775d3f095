//! The join keys that were found in other tables, as far as the rows of a step need them.
//!
//! If they are few, a builder holds all of them for all of its steps. Else the keys of the rows of a step are
//! read first, slice by slice, and only those that were found, too, are held. So memory is bounded
//! by a setting, whatever the export, and every answer is exact.

use std::sync::Arc;

use anyhow::Context as _;
use archive::Extent;
use cloud::Stored;
use export::WorkKey;
use lake::{KEY_BYTES, KeySet, StepKind, lookups};

use crate::{
    report::Report,
    work::{FoundKeys, Work, read_report},
};

/// How many bytes of join keys are read at a time.
const READ_BYTES: u64 = 8 << 20;

/// Returns all keys that were found, in the order of [`lookups`], if they fit into memory.
pub(crate) async fn all_keys(work: &mut Work<'_>) -> anyhow::Result<Option<Arc<[KeySet]>>> {
    if work.all_keys.is_none() {
        let found = find_keys(work).await?;
        let total: u64 = found.iter().map(|one| one.bytes.end - one.bytes.start).sum();
        if total <= work.app.lookup_bytes {
            work.all_keys = Some(read_sets(work, &found, None).await?);
        }
    }
    Ok(work.all_keys.clone())
}

/// Returns which of these keys were found, in the same order.
pub(crate) async fn keys_within(
    work: &mut Work<'_>,
    keys: &KeySet,
) -> anyhow::Result<Arc<[KeySet]>> {
    let found = find_keys(work).await?;
    read_sets(work, &found, Some(keys)).await
}

/// Finds where the keys are that the steps of the first pass found.
async fn find_keys(work: &mut Work<'_>) -> anyhow::Result<Arc<[FoundKeys]>> {
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
            read_report(app, &key).await?.context("find the report of a step that is done")?;
        let here = (0..lookups.len()).filter(|other| lookups[*other].table == lookups[first].table);
        let mut at = 0;
        // Once for each slice of the step.
        for (lookup, count) in here.cycle().zip(&report.key_counts) {
            let bytes = at..at + count * KEY_BYTES as u64;
            at = bytes.end;
            found.push(FoundKeys { lookup, piece: report.piece.clone(), bytes });
        }
    }
    Ok(Arc::clone(work.found.insert(found.into())))
}

/// Reads the keys that were found; of them, only those `within`.
async fn read_sets(
    work: &Work<'_>,
    found: &[FoundKeys],
    within: Option<&KeySet>,
) -> anyhow::Result<Arc<[KeySet]>> {
    let count = lookups(&work.app.catalog, &work.export.request).len();
    let mut sets: Vec<Vec<KeySet>> = vec![Vec::new(); count];
    for FoundKeys { lookup, piece, bytes } in found {
        let mut offset = bytes.start;
        while offset < bytes.end {
            let len = READ_BYTES.min(bytes.end - offset);
            let extent = Extent::Range { source: Stored::Work(piece.clone()), offset, len };
            let body = work.app.archives.open_extent(&work.app.catalog.lake, &extent).await?;
            let keys = KeySet::from_bytes(&body.collect().await.context("read join keys")?);
            sets[*lookup].push(match within {
                Some(within) => keys.within(within),
                None => keys,
            });
            offset += len;
        }
    }
    Ok(sets.into_iter().map(KeySet::joined).collect())
}
