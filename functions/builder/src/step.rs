//! One step of an export, done once however often it is begun.

use std::sync::Arc;

use anyhow::Context as _;
use archive::Segment;
use cloud::PieceWriter;
use export::{Files, WorkKey};
use lake::{KeyScan, Stats, Step, StepKind, lookups};

use crate::{
    convert::scan,
    kept::Kept,
    report::{Output, Report},
    rows::write_rows,
    slices::Slices,
    work::{Work, read_report, selection},
};

/// Does a step, or finds that it was done, for this export or for another.
pub(crate) async fn do_step(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    let key = WorkKey::report(&export.workspace, export.id, number);
    if let Some(report) = read_report(app, &key).await? {
        return Ok(report);
    }
    let report = match step.kind {
        StepKind::Keys(index) => find_keys(work, number, step, index).await?,
        StepKind::Rows(index) => {
            let selection = selection(app, export, index)?;
            let is_kept = step.inside && app.keep_days > 0 && !selection.is_related();
            if is_kept {
                let kept = Kept::new(work, step, &selection)?;
                reuse_or_make_rows(work, step, index, kept).await?
            } else {
                let piece = WorkKey::piece(&export.workspace, export.id, number);
                make_rows(work, step, index, piece).await?
            }
        }
    };
    app.archives.write_work(&key, serde_json::to_vec(&report)?).await?;
    Ok(report)
}

/// Takes the rows that an earlier export kept, or writes them and keeps them for later ones.
async fn reuse_or_make_rows(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    kept: Kept,
) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    if let Some(report) = kept.find(app, export).await? {
        return Ok(report);
    }
    let report = make_rows(work, step, table, kept.piece.clone()).await?;
    kept.add(app, export, &report).await?;
    Ok(report)
}

/// Writes the rows of a step into `piece`, or counts them where nothing else is asked for.
async fn make_rows(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    piece: WorkKey,
) -> anyhow::Result<Report> {
    let (outputs, stats) = if matches!(work.export.request.files, Files::Counts) {
        let (rows, stats) = count_rows(work, step, table).await?;
        let segment = Segment { rows, ..Segment::default() };
        (vec![Output::Rows(segment, Vec::new())], stats)
    } else {
        let writer = work.app.archives.write_piece(&piece);
        writer.filled(async |writer| write_rows(work, step, table, writer).await).await?
    };
    Ok(Report::new(piece, outputs, stats, work.app.clock.now()))
}

async fn count_rows(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
) -> anyhow::Result<(u64, Stats)> {
    let (mut rows, mut stats) = (0, Stats::default());
    let mut slices = Slices::of(step);
    while let Some((objects, selection)) = slices.next(work, step, table).await? {
        let (workers, needs) = (work.app.workers, selection.needs());
        let objects = &step.objects[objects];
        let counted = scan(work.app, objects, needs, &mut work.watch, move |objects, opener| {
            selection.count(objects, workers, |index| opener.open(index))
        });
        let (more, noticed) = counted.await?;
        rows += more;
        stats.add(noticed);
    }
    Ok((rows, stats))
}

/// Finds the join keys of all lookups in the table of lookup number `index`.
async fn find_keys(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
    index: usize,
) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    let lookups = lookups(&app.catalog, &export.request);
    let table = &lookups.get(index).context("find what is looked up")?.table;
    let key_scan = KeyScan::new(&app.catalog, &export.workspace, &export.request, table)
        .context("find the table and its columns in the catalog")?;
    let key = WorkKey::piece(&export.workspace, export.id, number);
    let (piece, key_scan) = (app.archives.write_piece(&key), Arc::new(key_scan));
    let written = piece.filled(async |piece| write_keys(work, step, &key_scan, piece).await);
    let (key_counts, mut stats) = written.await?;
    // Rows that are exported themselves are read again, and counted then.
    let dataset = |name: &str| app.catalog.table(name).map(|table| &table.dataset);
    if export.request.tables.iter().any(|other| dataset(&other.table) == dataset(table)) {
        stats = Stats::default();
    }
    Ok(Report::new(key, Vec::new(), stats, app.clock.now()).with_key_counts(key_counts))
}

/// Writes join keys, and returns how many they are, for each slice and lookup.
async fn write_keys(
    work: &mut Work<'_>,
    step: &Step,
    key_scan: &Arc<KeyScan>,
    piece: &mut PieceWriter,
) -> anyhow::Result<(Vec<u64>, Stats)> {
    let (mut counts, mut stats) = (Vec::new(), Stats::default());
    let mut slices = Slices::of(step);
    while let Some((_, _, scanned)) = slices.next_keys(work, step, key_scan).await? {
        for set in scanned.ids {
            piece.push(&set.to_bytes()).await?;
            counts.push(set.len() as u64);
        }
        stats.add(scanned.stats);
    }
    Ok((counts, stats))
}
