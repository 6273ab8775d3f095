//! One step of an export, done once however often it is begun.

use std::sync::Arc;

use anyhow::Context as _;
use archive::Segment;
use cloud::PieceWriter;
use export::{Export, Files, WorkKey, sha256_hex};
use jiff::SignedDuration;
use lake::{
    Encoding, Ending, KeyScan, PlannedObject, Selection, Stats, Step, StepKind, Verified, Way,
    group_runs, lookups,
};

use crate::{
    app::App,
    parts,
    portions::Portions,
    pouring::{Run, Task, look, pour},
    report::{Content, Made, Report},
    work::{Work, read, selection},
};

/// Raised whenever a report says something else than before, so that none of before is taken for one of now.
/// Since 2, objects that go in as they are were read to their end; since 3, none of them is one that readers of
/// JSON Lines fail at.
const REPORT: u32 = 3;

/// A day, as lifecycle rules count.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Does a step, or finds that it was done, for this export or for another.
pub(crate) async fn done(work: &mut Work<'_>, number: u32, step: &Step) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    let key = WorkKey::report(&export.workspace, export.id, number);
    if let Some(report) = read(app, &key).await? {
        return Ok(report);
    }
    let report = match step.kind {
        StepKind::Keys(index) => found(work, number, step, index).await?,
        StepKind::Rows(index) => {
            let selection = selection(app, export, index)?;
            let keeps = step.inside && app.keep_days > 0 && !selection.is_related();
            let keep = keeps.then(|| Keep::new(work, step, &selection)).transpose()?;
            kept_or_made(work, number, step, index, keep).await?
        }
    };
    app.archives.write_work(&key, serde_json::to_vec(&report)?).await?;
    Ok(report)
}

/// Where what is made is kept for others, under hashes of what it is made of.
#[derive(Debug)]
struct Keep {
    /// The report on it.
    report: WorkKey,
    /// What is made.
    piece: WorkKey,
    /// How many rows that are.
    count: WorkKey,
}

impl Keep {
    fn new(work: &Work<'_>, step: &Step, selection: &Selection) -> anyhow::Result<Self> {
        let (workspace, request) = (&work.export.workspace, &work.export.request);
        let objects: Vec<_> = step
            .objects
            .iter()
            .map(|p| (&p.object.bucket, &p.object.key, &p.object.etag))
            .collect();
        let ways: Vec<_> = step.objects.iter().map(|p| (p.way, p.refer)).collect();
        let alone = matches!(request.files, Files::Hourly(_));
        let pack = format!("{:?}", pack(work.app, work.export));
        let written = (REPORT, pack, alone, selection.identity(), &objects, ways);
        let hash = sha256_hex(&serde_json::to_vec(&written)?);
        let rows = sha256_hex(&serde_json::to_vec(&(selection.row_identity(), &objects))?);
        Ok(Self {
            report: WorkKey::kept_report(workspace, &hash),
            piece: WorkKey::kept_piece(workspace, &hash, request.window),
            count: WorkKey::kept_count(workspace, &rows),
        })
    }
}

async fn kept_or_made(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
    table: usize,
    keep: Option<Keep>,
) -> anyhow::Result<Report> {
    let Some(keep) = keep else { return made(work, number, step, table, None).await };
    let (app, export) = (work.app, work.export);
    let counts = matches!(export.request.files, Files::Counts);
    let kept = read(app, if counts { &keep.count } else { &keep.report }).await?;
    if let Some(kept) = kept
        && kept.serves(export.request.window)
        && export.deadline < kept.made_at + DAY * app.keep_days
    {
        return Ok(kept);
    }
    let report = made(work, number, step, table, Some(keep.piece)).await?;
    if report.outside == 0 {
        if !counts {
            app.archives.write_work(&keep.report, serde_json::to_vec(&report)?).await?;
        }
        // Where objects were copied, nobody counted.
        let is_copy = |made: &Made| matches!(made, Made::Copied(_) | Made::Unterminated(_));
        if !report.made.iter().any(is_copy) {
            app.archives.write_work(&keep.count, serde_json::to_vec(&report.counts())?).await?;
        }
    }
    Ok(report)
}

/// Makes rows, or counts them.
async fn made(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
    table: usize,
    piece: Option<WorkKey>,
) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    let key = piece.unwrap_or_else(|| WorkKey::piece(&export.workspace, export.id, number));
    if matches!(export.request.files, Files::Counts) {
        let (rows, stats) = counted(work, step, table).await?;
        let segment = Segment { rows, ..Segment::default() };
        return Ok(Report::new(
            key,
            vec![Made::Poured(segment, Vec::new())],
            stats,
            work.app.clock.now(),
        ));
    }
    let piece = app.archives.write_piece(&key);
    let poured = piece.filled(async |piece| poured(work, step, table, piece).await).await;
    poured.map(|(made, stats)| Report::new(key, made, stats, work.app.clock.now()))
}

async fn counted(work: &mut Work<'_>, step: &Step, table: usize) -> anyhow::Result<(u64, Stats)> {
    let (mut rows, mut stats) = (0, Stats::default());
    let mut portions = Portions::of(step);
    while let Some((objects, selection)) = portions.next(work, step, table).await? {
        let (workers, needs) = (work.app.workers, selection.needs());
        let counted = look(
            work.app,
            &step.objects[objects],
            needs,
            &mut work.watch,
            move |objects, opener| selection.count(objects, workers, |index| opener.open(index)),
        );
        let (more, noticed) = counted.await?;
        rows += more;
        stats.add(noticed);
    }
    Ok((rows, stats))
}

async fn poured(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    piece: &mut PieceWriter,
) -> anyhow::Result<(Vec<Made>, Stats)> {
    let alone = matches!(work.export.request.files, Files::Hourly(_));
    let pack = pack(work.app, work.export);
    let copied = if alone { copied(work, step, table).await? } else { Vec::new() };
    let is_copied = |index: usize| matches!(copied.get(index), Some(Some(_)));
    let runs = runs(work, step, table, (alone, pack), is_copied, piece).await?;
    let (mut stats, mut poured, mut stretches) = (Stats::default(), Vec::new(), Vec::new());
    for (run, contents) in runs {
        stats.add(run.stats);
        stretches.extend(run.plain_segments);
        poured.push((run.segment, contents));
    }
    if let Encoding::Plain { .. } = pack {
        let made =
            |segment: Segment| Made::Poured(segment, vec![Content::Piece(segment.stored_bytes)]);
        return Ok((stretches.into_iter().map(made).collect(), stats));
    }
    if !alone {
        let whole = poured.iter().fold(Segment::default(), |whole, (next, _)| whole.join(*next));
        let contents = poured.into_iter().flat_map(|(_, contents)| contents);
        return Ok((vec![Made::Poured(whole, contents.collect())], stats));
    }
    let mut poured = poured.into_iter();
    let mut made = Vec::with_capacity(copied.len());
    for copied in copied {
        let Some(copied) = copied else {
            let (segment, contents) = poured.next().context("find what was poured")?;
            made.push(Made::Poured(segment, contents));
            continue;
        };
        made.push(copied);
    }
    Ok((made, stats))
}

/// Sees that the objects can go in as they are that are to. Returns `None` for those that are to be poured.
async fn copied(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
) -> anyhow::Result<Vec<Option<Made>>> {
    let is_copy = |planned: &&PlannedObject| planned.way == Way::Copy;
    let copies: Vec<PlannedObject> = step.objects.iter().filter(is_copy).cloned().collect();
    let (workers, selection) = (work.app.workers, selection(work.app, work.export, table)?);
    let needs = selection.needs();
    let verified = look(work.app, &copies, needs, &mut work.watch, move |objects, opener| {
        selection.verify(objects, workers, |index| opener.open(index))
    });
    let made = |verified: Verified| match verified.ending {
        // A file without rows helps nobody.
        Ending::Empty => Made::Poured(Segment::default(), Vec::new()),
        Ending::Complete => Made::Copied(verified.crc32),
        Ending::Unterminated => Made::Unterminated(verified.crc32),
    };
    let mut verified = verified.await?.into_iter();
    let made = |planned: &PlannedObject| match planned.way {
        Way::Copy => Ok(verified.next().context("find what was verified")?.map(made)),
        Way::Splice | Way::Transcode => Ok(None),
    };
    step.objects.iter().map(made).collect()
}

/// Pours a step portion by portion, but for objects that are copied; `alone` if every object becomes a file of
/// its own.
async fn runs(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    (alone, pack): (bool, Encoding),
    is_copied: impl Fn(usize) -> bool,
    piece: &mut PieceWriter,
) -> anyhow::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut portions, mut before) = (Portions::of(step), None);
    while let Some((portion, selection)) = portions.next(work, step, table).await? {
        let objects = step.objects[portion.clone()].to_vec();
        let here = if alone {
            let poured = (0..objects.len()).filter(|index| !is_copied(portion.start + index));
            poured.map(|index| index..index + 1).collect()
        } else {
            group_runs(&objects.iter().map(PlannedObject::to_input).collect::<Vec<_>>())
        };
        let task = Task { selection, objects, runs: here, pack };
        for mut run in Box::pin(pour(work.app, task, piece, &mut work.watch)).await? {
            for content in &mut run.1 {
                content.shift(portion.start);
            }
            match runs.last_mut() {
                // More lines of the same object.
                Some((whole, contents)) if before.as_ref() == Some(&portion) => {
                    whole.add(run.0);
                    contents.extend(run.1);
                }
                _ => runs.push(run),
            }
        }
        before = Some(portion);
    }
    Ok(runs)
}

/// Returns how the rows of an export are packed.
fn pack(app: &App, export: &Export) -> Encoding {
    match export.request.files {
        Files::Parts(parts) => parts::pack(parts),
        Files::Tables | Files::Single(_) | Files::Hourly(_) | Files::Counts => {
            Encoding::Deflate(app.compression_level)
        }
    }
}

/// Finds what rows of other tables belong to, for the lookups in the table of lookup number `index`.
async fn found(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
    index: usize,
) -> anyhow::Result<Report> {
    let (app, export) = (work.app, work.export);
    let lookups = lookups(&app.catalog, &export.request);
    let table = &lookups.get(index).context("find what is looked up")?.table;
    let gather = KeyScan::new(&app.catalog, &export.workspace, &export.request, table)
        .context("find the table and its columns in the catalog")?;
    let key = WorkKey::piece(&export.workspace, export.id, number);
    let (piece, gather) = (app.archives.write_piece(&key), Arc::new(gather));
    let gathered = piece.filled(async |piece| gathered(work, step, &gather, piece).await);
    let (ids, mut stats) = gathered.await?;
    // Rows that are exported themselves are read again, and counted then.
    let dataset = |name: &str| app.catalog.table(name).map(|table| &table.dataset);
    if export.request.tables.iter().any(|other| dataset(&other.table) == dataset(table)) {
        stats = Stats::default();
    }
    Ok(Report::new(key, Vec::new(), stats, work.app.clock.now()).with_ids(ids))
}

/// Writes the ids, and returns how many they are, for each portion and lookup.
async fn gathered(
    work: &mut Work<'_>,
    step: &Step,
    gather: &Arc<KeyScan>,
    piece: &mut PieceWriter,
) -> anyhow::Result<(Vec<u64>, Stats)> {
    let (mut ids, mut stats) = (Vec::new(), Stats::default());
    let mut portions = Portions::of(step);
    while let Some((_, _, gathered)) = portions.gather(work, step, gather).await? {
        for set in gathered.ids {
            piece.push(&set.to_bytes()).await?;
            ids.push(set.len() as u64);
        }
        stats.add(gathered.stats);
    }
    Ok((ids, stats))
}
