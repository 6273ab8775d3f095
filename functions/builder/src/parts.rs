//! From what all steps wrote to plain files, each as full as it may be.

use anyhow::Context as _;
use archive::{Extent, Segment, plan_parts};
use cloud::Stored;
use export::{Export, FileKey, FileName, Format, Parts, PlainFile};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lake::{Encoding, Plan, StepKind};

use crate::{
    app::App,
    archive::groups,
    extents::{extents, push_extent},
    parquet::{self, Joined},
    report::{Output, Report},
    work::selection,
};

/// The most files of an export.
const MAX_FILES: usize = 1000;
/// Files written at the same time.
const MAX_CONCURRENT_WRITES: usize = 4;
/// The most bytes of a segment, which is never split between files.
const MAX_SEGMENT_BYTES: u64 = 1 << 20;

/// An export would have more files than it may.
#[derive(Debug, thiserror::Error)]
#[error("the export would have {0} files")]
pub(crate) struct TooManyFiles(pub(crate) usize);

/// Returns how rows are encoded that become plain files: in segments small enough to fill them.
pub(crate) fn encoding(parts: Parts) -> Encoding {
    let bytes = (parts.max_bytes / 16).clamp(1, MAX_SEGMENT_BYTES);
    let rows = parts.max_rows.map_or(u64::MAX, |rows| (rows / 16).max(1));
    Encoding::Plain { bytes: usize::try_from(bytes).unwrap_or(usize::MAX), rows }
}

/// A file that is being put together.
#[derive(Debug)]
struct Draft {
    name: String,
    table: String,
    /// All of it.
    whole: Segment,
    extents: Vec<Extent<Stored>>,
}

impl Draft {
    /// Adds a segment that lies in these extents.
    fn push(&mut self, segment: Segment, extents: Vec<Extent<Stored>>) {
        self.whole = self.whole.join(segment);
        for extent in extents {
            push_extent(&mut self.extents, extent);
        }
    }
}

/// Writes the files of an export all of whose steps are done, and the list of them.
pub(crate) async fn assemble(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    parts: Parts,
) -> anyhow::Result<Vec<PlainFile>> {
    let mut drafts = Vec::new();
    for index in 0..export.request.tables.len() {
        drafts.extend(match export.request.format {
            Format::Parquet => parquet_drafts(app, export, plan, reports, parts, index)?,
            Format::Jsonl | Format::Csv => drafts_of(app, export, plan, reports, parts, index)?,
        });
    }
    anyhow::ensure!(drafts.len() <= MAX_FILES, TooManyFiles(drafts.len()));
    let files: Vec<PlainFile> = drafts
        .iter()
        .map(|draft| PlainFile {
            name: draft.name.clone(),
            table: draft.table.clone(),
            size_bytes: draft.whole.raw_bytes,
            rows: draft.whole.rows,
            crc32: Some(format!("{:08x}", draft.whole.crc32)),
        })
        .collect();
    // The list first: whoever removes the export then knows what there is.
    app.archives.write_files(&export.workspace, export.id, &files).await?;
    stream::iter(drafts)
        .map(|draft| write(app, export, draft))
        .buffer_unordered(MAX_CONCURRENT_WRITES)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(files)
}

/// Fills the files of one table.
fn drafts_of(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    parts: Parts,
    index: usize,
) -> anyhow::Result<Vec<Draft>> {
    let (request, selected) = (&export.request, &export.request.tables[index]);
    let head = selection(app, export, index)?.head();
    let begin = |number: usize| {
        let mut draft = Draft {
            name: request.part_name(selected, &parts, number),
            table: selected.table.clone(),
            whole: Segment::default(),
            extents: Vec::new(),
        };
        if !head.is_empty() {
            draft.push(Segment::plain(&head, 0), vec![Extent::Bytes(head.clone())]);
        }
        draft
    };
    let mut drafts = vec![begin(0)];
    let steps = plan.steps.iter().zip(reports);
    for (step, report) in steps.filter(|(step, _)| step.kind == StepKind::Rows(index)) {
        for (output, here) in report.outputs.iter().zip(extents(step, report)) {
            let Output::Rows(segment, _) = output else { continue };
            let full = drafts.last().is_some_and(|draft| {
                let Segment { raw_bytes, rows, .. } = draft.whole;
                let too_many = parts.max_rows.is_some_and(|most| rows + segment.rows > most);
                rows > 0 && (too_many || raw_bytes + segment.raw_bytes > parts.max_bytes)
            });
            if full {
                drafts.push(begin(drafts.len()));
            }
            drafts.last_mut().context("fill a file")?.push(*segment, here);
        }
    }
    // A file without anything in it helps nobody; one with a header says that there are no rows.
    drafts.retain(|draft| draft.whole.raw_bytes > 0);
    Ok(drafts)
}

/// Fills the files of one table with Parquet.
fn parquet_drafts(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    parts: Parts,
    index: usize,
) -> anyhow::Result<Vec<Draft>> {
    let (request, selected) = (&export.request, &export.request.tables[index]);
    let writer = parquet::writer(&selection(app, export, index)?)?;
    let mut files = Vec::new();
    let mut file = Joined::new(&writer);
    for (segment, footer, here) in groups(plan, reports, index) {
        let too_many = parts.max_rows.is_some_and(|most| file.rows() + segment.rows > most);
        let too_long = file.bytes_with(segment, footer) > parts.max_bytes;
        if file.rows() > 0 && (too_many || too_long || !file.has_room()) {
            files.push(std::mem::replace(&mut file, Joined::new(&writer)).finish()?);
        }
        file.push(segment, footer, here);
    }
    // One without rows says what columns there would be.
    files.push(file.finish()?);
    let draft = |(number, (whole, extents))| Draft {
        name: request.part_name(selected, &parts, number),
        table: selected.table.clone(),
        whole,
        extents,
    };
    Ok(files.into_iter().enumerate().map(draft).collect())
}

async fn write(app: &App, export: &Export, draft: Draft) -> anyhow::Result<()> {
    let key = FileKey::of(&export.workspace, export.id, &draft.name);
    let (parts, size_bytes) = (plan_parts(&draft.extents), draft.whole.raw_bytes);
    let (crc32, name) = (draft.whole.crc32, FileName::plain(&draft.name));
    let written = app.archives.assemble_file(&app.catalog.lake, &key, parts, crc32, &name).await;
    match written {
        Ok(()) => Ok(()),
        // A builder before us got this far; the same input gives the same bytes.
        Err(cloud::Error::Exists(_))
            if app.archives.has(&key.to_string(), size_bytes, crc32).await? =>
        {
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use export::{
        Catalog, ExportId, ExportRequest, Files, Format, TableSelection, Window, WorkKey,
    };
    use fake_aws::Reply;
    use jiff::{SignedDuration, Timestamp};
    use lake::{Stats, Step};

    use super::*;
    use crate::{report::Content, testing::app};

    /// Puts an export together that becomes so many files, of a row each, at an S3 that refuses all.
    async fn assemble_files(count: usize) -> anyhow::Error {
        let (app, _aws) = app(|_| Some(Reply::s3_fault(403, "AccessDenied"))).await;
        let hour = SignedDuration::from_hours(1);
        let window = Window::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + hour).unwrap();
        let table = Catalog::built_in().unwrap().tables().next().unwrap().name.clone();
        let mut request =
            ExportRequest::new(vec![TableSelection::whole(&table)], window, Format::Jsonl);
        let parts = Parts { max_bytes: 1 << 20, max_rows: Some(1), suffix: true };
        request.files = Files::Parts(parts);
        let id = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
        let acme = "acme".parse().unwrap();
        let export = Export::queued(id, acme, request, Timestamp::UNIX_EPOCH, hour);
        let segment = Segment { raw_bytes: 1, stored_bytes: 1, rows: 1, ..Segment::default() };
        let output = || Output::Rows(segment, vec![Content::Piece(1)]);
        let outputs = std::iter::repeat_with(output).take(count).collect();
        let piece = WorkKey::kept_report(&export.workspace, "piece");
        let report = Report::new(piece, outputs, Stats::default(), Timestamp::UNIX_EPOCH);
        let step = Step { kind: StepKind::Rows(0), inside: true, objects: Vec::new() };
        let plan = Plan { steps: vec![step], ..Plan::default() };
        assemble(&app, &export, &plan, &[report], parts).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_export_has_a_thousand_files_and_no_more() {
        assert!(!assemble_files(1000).await.is::<TooManyFiles>(), "S3 is what refuses them");
        let error = assemble_files(1001).await;
        assert_eq!(error.to_string(), "the export would have 1001 files");
        assert!(error.is::<TooManyFiles>());
    }
}
