//! The rows of a step: source objects that are copied, and those that are converted.

use std::ops::Range;

use anyhow::Context as _;
use archive::Segment;
use cloud::PieceWriter;
use export::Files;
use lake::{Encoding, Ending, Group, PlannedObject, Stats, Step, Verified, Way, group_runs};

use crate::{
    convert::{Conversion, Run, convert, scan},
    encoding::encoding,
    report::{Content, Footer, Output},
    slices::Slices,
    work::{Work, selection},
};

/// Writes the rows of a step, and returns what became of its objects.
pub(crate) async fn write_rows(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    piece: &mut PieceWriter,
) -> anyhow::Result<(Vec<Output>, Stats)> {
    if matches!(work.export.request.files, Files::Hourly(_)) {
        return write_file_each(work, step, table, piece).await;
    }
    let encoding = encoding(work.app, work.export, &selection(work.app, work.export, table)?)?;
    let mut stats = Stats::default();
    let (mut whole, mut contents, mut plain) = (Segment::default(), Vec::new(), Vec::new());
    let mut groups = Vec::new();
    let group = |objects: &[PlannedObject], _| {
        let objects: Vec<_> = objects.iter().map(PlannedObject::to_input).collect();
        group_runs(&objects, &encoding)
    };
    for (run, here) in convert_slices(work, step, table, &encoding, group, piece).await? {
        stats.add(run.stats);
        whole = whole.join(run.segment);
        contents.extend(here);
        plain.extend(run.plain_segments);
        groups.extend(run.groups);
    }
    let output =
        |segment: Segment| Output::Rows(segment, vec![Content::Piece(segment.stored_bytes)]);
    let outputs = match encoding {
        Encoding::Plain { .. } => plain.into_iter().map(output).collect(),
        Encoding::Deflate(_) => vec![Output::Rows(whole, contents)],
        Encoding::Groups { .. } => {
            let output = |group: Group| Output::Group(group.segment, Footer(group.footer));
            groups.into_iter().map(output).collect()
        }
    };
    Ok((outputs, stats))
}

/// Writes the rows of a step whose objects become a file each.
async fn write_file_each(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    piece: &mut PieceWriter,
) -> anyhow::Result<(Vec<Output>, Stats)> {
    let encoding = encoding(work.app, work.export, &selection(work.app, work.export, table)?)?;
    let copied = verify_copies(work, step, table).await?;
    let is_copied = |index: usize| matches!(copied.get(index), Some(Some(_)));
    let one_each = |objects: &[PlannedObject], first: usize| {
        let converted = (0..objects.len()).filter(|index| !is_copied(first + index));
        converted.map(|index| index..index + 1).collect()
    };
    let runs = convert_slices(work, step, table, &encoding, one_each, piece).await?;
    let (mut runs, mut stats) = (runs.into_iter(), Stats::default());
    let mut outputs = Vec::with_capacity(copied.len());
    for copied in copied {
        let output = if let Some(copied) = copied {
            copied
        } else {
            let (run, contents) = runs.next().context("find what was converted")?;
            stats.add(run.stats);
            Output::Rows(run.segment, contents)
        };
        outputs.push(output);
    }
    Ok((outputs, stats))
}

/// Sees that the objects that are to be copied can be. Returns `None` for those that are to be converted.
async fn verify_copies(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
) -> anyhow::Result<Vec<Option<Output>>> {
    let is_copy = |planned: &&PlannedObject| planned.way == Way::Copy;
    let copies: Vec<PlannedObject> = step.objects.iter().filter(is_copy).cloned().collect();
    let (workers, selection) = (work.app.workers, selection(work.app, work.export, table)?);
    let needs = selection.needs();
    let verified = scan(work.app, &copies, needs, &mut work.watch, move |objects, opener| {
        selection.verify(objects, workers, |index| opener.open(index))
    });
    let output = |verified: Verified| match verified.ending {
        // A file without rows helps nobody.
        Ending::Empty => Output::Rows(Segment::default(), Vec::new()),
        Ending::Complete => Output::Copied(verified.crc32),
        Ending::Unterminated => Output::Unterminated(verified.crc32),
    };
    let mut verified = verified.await?.into_iter();
    let of_object = |planned: &PlannedObject| match planned.way {
        Way::Copy => Ok(verified.next().context("find what was verified")?.map(output)),
        Way::Splice | Way::Transcode => Ok(None),
    };
    step.objects.iter().map(of_object).collect()
}

/// Converts a step slice by slice. `group` says which objects of a slice are converted together, given the
/// objects and the index of the first in the step.
async fn convert_slices(
    work: &mut Work<'_>,
    step: &Step,
    table: usize,
    encoding: &Encoding,
    group: impl Fn(&[PlannedObject], usize) -> Vec<Range<usize>>,
    piece: &mut PieceWriter,
) -> anyhow::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut slices, mut before) = (Slices::of(step), None);
    while let Some((slice, selection)) = slices.next(work, step, table).await? {
        let objects = step.objects[slice.clone()].to_vec();
        let here = group(&objects, slice.start);
        let conversion = Conversion { selection, objects, runs: here, encoding: encoding.clone() };
        for mut run in Box::pin(convert(work.app, conversion, piece, &mut work.watch)).await? {
            for content in &mut run.1 {
                content.shift(slice.start);
            }
            for counted in &mut run.0.stats.objects {
                counted.object += slice.start;
            }
            match runs.last_mut() {
                // More lines of the same object.
                Some((whole, contents)) if before.as_ref() == Some(&slice) => {
                    whole.add(run.0);
                    contents.extend(run.1);
                }
                _ => runs.push(run),
            }
        }
        before = Some(slice);
    }
    Ok(runs)
}
