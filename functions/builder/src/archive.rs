//! From what all steps wrote to the archive.

use std::{collections::BTreeMap, pin::pin};

use anyhow::Context as _;
use archive::{
    Extent, Gzip, Member, Method, Segment, SegmentDecoder, SegmentEncoder, layout,
    names_are_distinct, plan_parts,
};
use cloud::{PieceWriter, Stored};
use export::{
    Archive, ArchiveKey, BadRowsKey, Export, Files, Format, PlainKey, TableSelection, WorkKey,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lake::{Plan, StepKind};

use crate::{
    app::App,
    extents::{extents, push_extent},
    parquet::{self, Joined, TooManyRowGroups},
    parts,
    receipt::{self, ReceiptFile},
    report::{Output, Report},
    work::selection,
};

/// Reports read at the same time.
const MAX_CONCURRENT_READS: usize = 32;
/// What reports may say of row groups together, in bytes: whoever puts files together of them holds all of it.
const MAX_FOOTER_BYTES: usize = 128 << 20;

/// Writes the archive of an export all of whose steps are done.
pub(crate) async fn assemble(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: BTreeMap<u32, Report>,
) -> anyhow::Result<Archive> {
    let reports = all_reports(app, export, plan, reports).await?;
    let nothing = (0, 0);
    match export.request.files {
        Files::Counts => return Ok(archive_of(export, plan, &reports, nothing, app.clock.now())),
        Files::Parts(parts) => {
            if reports.iter().any(|report| report.bad_rows > 0) {
                write_bad_rows(app, export, &reports).await?;
            }
            let files = parts::assemble(app, export, plan, &reports, parts).await?;
            let size_bytes = files.iter().map(|file| file.size_bytes).sum();
            let files_of = |table: &TableSelection| {
                let of_table = files.iter().filter(|file| file.table == table.table);
                u32::try_from(of_table.count()).unwrap_or(u32::MAX)
            };
            let table_files = Some(export.request.tables.iter().map(files_of).collect());
            let archive = archive_of(export, plan, &reports, (size_bytes, 0), app.clock.now());
            let archive = Archive { table_files, ..archive };
            let files: Vec<ReceiptFile> = files.iter().map(ReceiptFile::from).collect();
            return with_receipt(app, export, plan, &reports, archive, &files).await;
        }
        Files::Single(_) | Files::Hourly(_) => anyhow::ensure!(
            export.request.format != Format::Parquet,
            "write Parquet to files that only other formats have"
        ),
        Files::Tables => {}
    }
    let members = members(app, export, plan, &reports)?;
    let files = receipt_files(&members);
    let layout = layout(members.into_iter().map(|(member, _)| member).collect());
    if reports.iter().any(|report| report.bad_rows > 0) {
        write_bad_rows(app, export, &reports).await?;
    }

    if let Files::Single(_) = &export.request.files {
        write_plain(app, export, plan, &reports).await?;
    }
    let key = ArchiveKey::of(&export.workspace, export.id);
    let (size_bytes, crc32) = (layout.size_bytes, layout.crc32);
    let name = export.zip_name();
    match app
        .archives
        .assemble(&app.catalog.lake, &key, plan_parts(&layout.extents), crc32, &name)
        .await
    {
        Ok(()) => {}
        // A builder before us got this far; the same input gives the same bytes.
        Err(cloud::Error::Exists(_))
            if app.archives.has(&key.to_string(), size_bytes, crc32).await? => {}
        Err(e) => return Err(e.into()),
    }
    let archive = archive_of(export, plan, &reports, (size_bytes, crc32), app.clock.now());
    with_receipt(app, export, plan, &reports, archive, &files).await
}

/// Writes the receipt of an archive, and adds it to what is known of the archive.
async fn with_receipt(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    archive: Archive,
    files: &[ReceiptFile],
) -> anyhow::Result<Archive> {
    let receipt = receipt::write(app, export, plan, reports, &archive, files).await?;
    Ok(Archive { receipt: Some(receipt), ..archive })
}

/// Sums up what all steps wrote, as of `now`.
fn archive_of(
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    (size_bytes, crc32): (u64, u32),
    now: Timestamp,
) -> Archive {
    // None if anything was copied without being counted.
    let rows = |output: &Output| match output {
        Output::Copied(_) | Output::Unterminated(_) => None,
        Output::Rows(segment, _) | Output::Group(segment, _) => Some(segment.rows),
    };
    let rows_of = |index: usize| {
        let steps = plan.steps.iter().zip(reports);
        let of_table = steps.filter(|(step, _)| step.kind == StepKind::Rows(index));
        of_table.flat_map(|(_, report)| &report.outputs).map(rows).sum::<Option<u64>>()
    };
    let table_rows: Option<Vec<u64>> = (0..export.request.tables.len()).map(rows_of).collect();
    Archive {
        published_at: now,
        expires_at: now,
        size_bytes,
        crc32,
        rows: table_rows.as_ref().map(|rows| rows.iter().sum()),
        table_files: None,
        table_rows,
        bad_rows: reports.iter().map(|report| report.bad_rows).sum(),
        receipt: None,
    }
}

/// Adds to `known` the reports of the steps that other invocations did.
async fn all_reports(
    app: &App,
    export: &Export,
    plan: &Plan,
    mut known: BTreeMap<u32, Report>,
) -> anyhow::Result<Vec<Report>> {
    let missing =
        (0_u32..).zip(&plan.steps).map(|(number, _)| number).filter(|n| !known.contains_key(n));
    let read = async |number| {
        let key = WorkKey::report(&export.workspace, export.id, number);
        let bytes = app
            .archives
            .read_work(&key)
            .await?
            .context("find the report of a step that is done")?;
        let report: Report = serde_json::from_slice(&bytes).context("decode step report")?;
        Ok::<_, anyhow::Error>((number, report))
    };
    let missing: Vec<u32> = missing.collect();
    let mut footer_bytes = known.values().map(Report::footer_bytes).sum();
    check_footers(footer_bytes)?;
    let mut found = pin!(stream::iter(missing).map(read).buffered(MAX_CONCURRENT_READS));
    while let Some((number, report)) = found.try_next().await? {
        footer_bytes += report.footer_bytes();
        check_footers(footer_bytes)?;
        known.insert(number, report);
    }
    Ok(known.into_values().collect())
}

/// Refuses more row groups than can be told of.
fn check_footers(bytes: usize) -> Result<(), TooManyRowGroups> {
    if bytes <= MAX_FOOTER_BYTES { Ok(()) } else { Err(TooManyRowGroups) }
}

/// A file of an archive, and how many rows it has if they were counted.
type Counted = (Member<Stored>, Option<u64>);

fn members(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
) -> anyhow::Result<Vec<Counted>> {
    let members = match &export.request.files {
        Files::Tables | Files::Single(_) | Files::Parts(_) | Files::Counts => {
            table_members(app, export, plan, reports)?
        }
        Files::Hourly(_) => object_members(plan, reports)?,
    };
    anyhow::ensure!(
        names_are_distinct(members.iter().map(|(member, _)| &member.name)),
        "name each file differently"
    );
    Ok(members)
}

/// Returns what a receipt says of files.
fn receipt_files(members: &[Counted]) -> Vec<ReceiptFile> {
    let file = |(member, rows): &Counted| ReceiptFile {
        name: member.name.to_string(),
        size_bytes: member.raw_bytes,
        crc32: format!("{:08x}", member.crc32),
        rows: *rows,
    };
    members.iter().map(file).collect()
}

/// Returns one file for each table, of what its steps wrote.
fn table_members(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
) -> anyhow::Result<Vec<Counted>> {
    let mut members = Vec::new();
    for (index, table) in export.request.tables.iter().enumerate() {
        if export.request.format == Format::Parquet {
            members.push(parquet_member(app, export, plan, reports, index)?);
            continue;
        }
        let mut content = Vec::new();
        let mut whole = Segment::default();
        let head = selection(app, export, index)?.head();
        if !head.is_empty() {
            let mut stored = Vec::new();
            whole = SegmentEncoder::new(app.compression_level).encode(&head, 0, &mut stored);
            content.push(Extent::Bytes(stored));
        }
        for (step, report) in plan.steps.iter().zip(reports) {
            if step.kind == StepKind::Rows(index) {
                for extent in extents(step, report).into_iter().flatten() {
                    push_extent(&mut content, extent);
                }
                whole = report.outputs.iter().fold(whole, |whole, output| match output {
                    Output::Rows(segment, _) => whole.join(*segment),
                    Output::Copied(_) | Output::Unterminated(_) | Output::Group(..) => whole,
                });
            }
        }
        let name = export.request.file_name(table);
        let member = Member {
            name: name.parse().context("name a file")?,
            method: Method::Deflate,
            crc32: whole.crc32,
            raw_bytes: whole.raw_bytes,
            content,
            stored_crc32: whole.stored_crc32,
        };
        members.push((member, Some(whole.rows)));
    }
    Ok(members)
}

/// Returns the Parquet of one table. Its pages are compressed already.
fn parquet_member(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    index: usize,
) -> anyhow::Result<Counted> {
    let writer = parquet::writer(&selection(app, export, index)?)?;
    let mut file = Joined::new(&writer);
    for (segment, footer, here) in groups(plan, reports, index) {
        anyhow::ensure!(file.has_room(), TooManyRowGroups);
        file.push(segment, footer, here);
    }
    let (whole, content) = file.finish()?;
    let name = export.request.file_name(&export.request.tables[index]);
    let member = Member {
        name: name.parse().context("name a file")?,
        method: Method::Stored,
        crc32: whole.crc32,
        raw_bytes: whole.raw_bytes,
        content,
        stored_crc32: whole.stored_crc32,
    };
    Ok((member, Some(whole.rows)))
}

/// Returns the row groups of a table, in order: what is known of each, what the end of a file says of it, and where
/// it is.
pub(crate) fn groups<'a>(
    plan: &'a Plan,
    reports: &'a [Report],
    index: usize,
) -> impl Iterator<Item = (Segment, &'a [u8], Vec<Extent<Stored>>)> {
    let steps = plan.steps.iter().zip(reports);
    let of_table = steps.filter(move |(step, _)| step.kind == StepKind::Rows(index));
    of_table.flat_map(|(step, report)| {
        let outputs = report.outputs.iter().zip(extents(step, report));
        outputs.filter_map(|(output, here)| match output {
            Output::Group(segment, footer) => Some((*segment, &footer.0[..], here)),
            Output::Rows(..) | Output::Copied(_) | Output::Unterminated(_) => None,
        })
    })
}

/// Returns one gzip file for each source object: a copy, or the rows converted. The ZIP does not compress them
/// again.
fn object_members(plan: &Plan, reports: &[Report]) -> anyhow::Result<Vec<Counted>> {
    let mut members = Vec::new();
    for (step, report) in plan.steps.iter().zip(reports) {
        let outputs = report.outputs.iter().zip(extents(step, report));
        for (planned, (output, extents)) in step.objects.iter().zip(outputs) {
            let (crc32, raw_bytes, content, rows) = match output {
                Output::Copied(crc32) => (*crc32, planned.object.size_bytes, extents, None),
                Output::Unterminated(crc32) => {
                    let end = line_end();
                    let size = planned.object.size_bytes;
                    let mut hasher = crc32fast::Hasher::new_with_initial_len(*crc32, size);
                    hasher.update(&end);
                    let whole = (hasher.finalize(), size + end.len() as u64);
                    let content = extents.into_iter().chain([Extent::Bytes(end)]).collect();
                    (whole.0, whole.1, content, None)
                }
                Output::Rows(segment, _) if segment.rows == 0 => continue,
                Output::Group(..) => continue,
                Output::Rows(segment, _) => {
                    let gzip = Gzip::of(*segment);
                    let head = std::iter::once(Extent::Bytes(gzip.head));
                    let content = head.chain(extents).chain([Extent::Bytes(gzip.tail)]).collect();
                    (gzip.crc32, gzip.size_bytes, content, Some(segment.rows))
                }
            };
            let name = planned.file.as_deref().unwrap_or_default();
            let member = Member {
                name: name.parse().context("name a file")?,
                method: Method::Stored,
                crc32,
                raw_bytes,
                content,
                stored_crc32: crc32,
            };
            members.push((member, rows));
        }
    }
    Ok(members)
}

/// Returns a member of a gzip file that is a line feed, for one whose last line has none: some readers of
/// such files lose the last line, or fail.
fn line_end() -> Vec<u8> {
    let (mut stored, line) = (Vec::new(), b"\n");
    let Gzip { head, tail, .. } = Gzip::of(SegmentEncoder::new(1).encode(line, 0, &mut stored));
    [head, stored, tail].concat()
}

/// The only file of an export would be larger than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file would have {bytes} bytes, of which {most} can be written")]
pub(crate) struct FileTooLarge {
    /// The bytes it would have.
    pub(crate) bytes: u64,
    /// The bytes it may have.
    pub(crate) most: u64,
}

/// Refuses a file of rows that has more than `most` bytes as it is, without a ZIP.
fn check_plain_size(head: &[u8], reports: &[Report], most: u64) -> Result<(), FileTooLarge> {
    let rows = reports.iter().flat_map(|report| &report.outputs).map(|output| match output {
        Output::Rows(segment, _) => segment.raw_bytes,
        Output::Copied(_) | Output::Unterminated(_) | Output::Group(..) => 0,
    });
    let bytes = head.len() as u64 + rows.sum::<u64>();
    if bytes <= most { Ok(()) } else { Err(FileTooLarge { bytes, most }) }
}

/// Writes the only file of an export as it is, for those who want no ZIP.
async fn write_plain(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
) -> anyhow::Result<()> {
    let head = selection(app, export, 0)?.head();
    check_plain_size(&head, reports, PieceWriter::MAX_BYTES)?;
    let mut content = Vec::new();
    for (step, report) in plan.steps.iter().zip(reports) {
        for extent in extents(step, report).into_iter().flatten() {
            push_extent(&mut content, extent);
        }
    }
    let file = app.archives.write_plain(&PlainKey::of(&export.workspace, export.id));
    file.filled(async |file| {
        file.push(&head).await?;
        inflate(app, &content, file).await
    })
    .await
}

/// Writes the content of compressed rows.
async fn inflate(app: &App, rows: &[Extent<Stored>], file: &mut PieceWriter) -> anyhow::Result<()> {
    let (mut decoder, mut content) = (SegmentDecoder::default(), Vec::new());
    for extent in rows {
        let mut stored = app.archives.open_extent(&app.catalog.lake, extent).await?;
        while let Some(chunk) = stored.chunk().await? {
            decoder.decode(&chunk, &mut content)?;
            file.push(&content).await?;
            content.clear();
        }
    }
    Ok(())
}

async fn write_bad_rows(app: &App, export: &Export, reports: &[Report]) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for row in reports.iter().flat_map(|report| &report.listed).take(lake::MAX_LISTED_BAD_ROWS) {
        serde_json::to_writer(&mut lines, row)?;
        lines.push(b'\n');
    }
    let key = BadRowsKey::of(&export.workspace, export.id);
    Ok(app.archives.write_bad_rows(&key, lines, &export.bad_rows_name()).await?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_line_end_is_a_member_of_a_gzip_file() {
        let mut content = String::new();
        let end = line_end();
        flate2::read::MultiGzDecoder::new(&end[..]).read_to_string(&mut content).unwrap();
        assert_eq!(content, "\n");
    }

    #[test]
    fn so_much_can_be_told_of_row_groups_and_no_more() {
        assert!(check_footers(134_217_728).is_ok());
        assert!(check_footers(134_217_729).is_err());
    }

    #[test]
    fn a_file_without_a_zip_may_be_as_large_as_can_be_written_and_no_larger() {
        let rows = |raw_bytes| Output::Rows(Segment { raw_bytes, ..Segment::default() }, vec![]);
        let report = |outputs| Report {
            piece: WorkKey::kept_report(&"acme".parse().unwrap(), "a"),
            made_at: Timestamp::UNIX_EPOCH,
            outputs,
            key_counts: Vec::new(),
            bad_rows: 0,
            listed: Vec::new(),
            outside: 0,
            times: None,
            objects: Vec::new(),
        };
        let reports = [report(vec![rows(40), rows(2)]), report(vec![rows(50)])];
        assert_eq!(check_plain_size(b"a\n", &reports, 94), Ok(()));
        let too_large = FileTooLarge { bytes: 94, most: 93 };
        assert_eq!(check_plain_size(b"a\n", &reports, 93), Err(too_large));
    }
}
