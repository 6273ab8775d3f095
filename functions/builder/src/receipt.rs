//! The receipt of an export: which files it has, and what was taken of which source objects.
//!
//! The same plan and reports give the same receipt, whoever writes it. It is written object by object, since there may
//! be a million of them.

use std::collections::BTreeMap;

use cloud::{PieceWriter, ReceiptSigner};
use export::{
    Archive, ColumnType, Dataset, Export, Filter, Format, PlainFile, Receipt, ReceiptKey, Table,
    Window, hex,
};
use jiff::Timestamp;
use lake::{Plan, PlannedObject, StepKind, lookup_tables};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    plan::TableRemoved,
    report::{Counts, Report},
};

/// The version of the document. It is raised when a field changes its meaning or goes.
const VERSION: u8 = 1;
/// How much of a receipt is collected before it is passed on, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// A file of an export.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReceiptFile {
    /// Its name.
    pub(crate) name: String,
    /// Its size, in bytes.
    pub(crate) size_bytes: u64,
    /// The CRC-32 of its bytes, as 8 hexadecimal digits.
    pub(crate) crc32: String,
    /// Its rows; `None` if it is a copy of a source object.
    pub(crate) rows: Option<u64>,
}

impl From<&PlainFile> for ReceiptFile {
    fn from(file: &PlainFile) -> Self {
        Self {
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            crc32: file.crc32.clone().unwrap_or_default(),
            rows: Some(file.rows),
        }
    }
}

/// All of a receipt but its source objects.
#[derive(Debug, Serialize)]
struct Head<'a> {
    receipt: u8,
    export: String,
    workspace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    labels: &'a BTreeMap<String, String>,
    created_at: Timestamp,
    /// When the lake began to be listed; what arrived there later is not in the export.
    listed_at: Timestamp,
    catalog: Option<&'a str>,
    window: Window,
    filter: Option<String>,
    format: Format,
    /// The instant before which no row can be added to the lake any more, as the catalog says.
    complete_through: Timestamp,
    /// The instant from which on no row of the window can be added any more.
    may_change_until: Timestamp,
    tables: Vec<TableView<'a>>,
    files: &'a [ReceiptFile],
    /// The ZIP that the files are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<ArchiveView>,
    totals: Totals,
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct TableView<'a> {
    name: &'a str,
    dataset: &'a str,
    rows: Option<u64>,
    complete_through: Timestamp,
    may_change_until: Timestamp,
    /// `None` if rows are whole records, whatever fields they have.
    columns: Option<Vec<ColumnView<'a>>>,
}

#[derive(Debug, Serialize)]
struct ColumnView<'a> {
    name: &'a str,
    r#type: ColumnType,
}

#[derive(Debug, Serialize)]
struct ArchiveView {
    name: String,
    size_bytes: u64,
    crc32: String,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    /// Source objects that rows were read from, once for each table.
    objects: u64,
    /// Their size in bytes, as stored.
    size_bytes: u64,
    rows: Option<u64>,
    outside: u64,
    bad_rows: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Warning {
    code: &'static str,
    detail: String,
}

/// What became of a source object.
#[derive(Debug, Serialize)]
struct Source<'a> {
    table: &'a str,
    r#use: Use,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    etag: &'a str,
    size_bytes: u64,
    /// Missing where an object was copied or only looked up.
    #[serde(flatten)]
    counts: Option<CountsView>,
}

/// What an object was read for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// Its rows were exported.
    Rows,
    /// Its join keys chose rows of other tables.
    Lookup,
}

#[derive(Debug, Serialize)]
struct CountsView {
    rows: u64,
    outside: u64,
    bad_rows: u64,
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        Self { rows: counts.rows, outside: counts.outside, bad_rows: counts.bad_rows }
    }
}

/// Writes the receipt of an export whose files are these.
pub(crate) async fn write(
    app: &App,
    export: &Export,
    plan: &Plan,
    reports: &[Report],
    archive: &Archive,
    files: &[ReceiptFile],
) -> anyhow::Result<Receipt> {
    let head = head(app, export, plan, reports, archive, files)?;
    let lookups = lookup_tables(&app.catalog, &export.request);
    let lookups: BTreeMap<usize, String> = lookups.into_iter().collect();
    let piece = app.archives.write_receipt(&ReceiptKey::of(&export.workspace, export.id));
    piece
        .filled(async |piece| {
            let mut document = Document::new(piece, app.signer.as_ref())?;
            document.begin(&head).await?;
            for (step, report) in plan.steps.iter().zip(reports) {
                let (table, used) = match step.kind {
                    StepKind::Rows(index) => (&export.request.tables[index].table[..], Use::Rows),
                    StepKind::Keys(index) => {
                        (lookups.get(&index).map_or("", String::as_str), Use::Lookup)
                    }
                };
                for (index, planned) in step.objects.iter().enumerate() {
                    let counts = report.objects.get(index).copied().flatten();
                    document.source(&source(table, used, planned, counts)).await?;
                }
            }
            document.end().await
        })
        .await
}

fn source<'a>(
    table: &'a str,
    used: Use,
    planned: &'a PlannedObject,
    counts: Option<Counts>,
) -> Source<'a> {
    let object = &planned.object;
    Source {
        table,
        r#use: used,
        key: &object.key,
        bucket: object.bucket.as_ref().map(ToString::to_string),
        etag: object.etag.trim_matches('"'),
        size_bytes: object.size_bytes,
        counts: counts.map(CountsView::from),
    }
}

fn head<'a>(
    app: &'a App,
    export: &'a Export,
    plan: &'a Plan,
    reports: &[Report],
    archive: &Archive,
    files: &'a [ReceiptFile],
) -> anyhow::Result<Head<'a>> {
    let request = &export.request;
    // An earlier version that made the plan did not say when; the lake was listed after that.
    let listed_at = plan.listed_at.unwrap_or(export.created_at);
    let mut tables = Vec::with_capacity(request.tables.len());
    for (index, selection) in request.tables.iter().enumerate() {
        let removed = || TableRemoved(selection.table.clone());
        let table = app.catalog.table(&selection.table).ok_or_else(removed)?;
        let dataset = app.catalog.dataset_of(table);
        tables.push(TableView {
            name: &table.name,
            dataset: &dataset.name,
            rows: archive.table_rows.as_ref().and_then(|rows| rows.get(index).copied()),
            complete_through: complete_through(dataset, request.window, listed_at),
            may_change_until: dataset.may_change_until(request.window),
            columns: columns(table, selection.columns.as_deref(), request.format),
        });
    }
    let (from, to) = (request.window.from(), request.window.to());
    let complete_through = tables.iter().map(|table| table.complete_through).min().unwrap_or(from);
    let may_change_until = tables.iter().map(|table| table.may_change_until).max().unwrap_or(to);
    let totals = totals(plan, reports, archive);
    let zip = archive.table_files.is_none().then(|| ArchiveView {
        name: export.zip_name().to_string(),
        size_bytes: archive.size_bytes,
        crc32: format!("{:08x}", archive.crc32),
    });
    Ok(Head {
        receipt: VERSION,
        export: export.id.to_string(),
        workspace: export.workspace.as_ref(),
        name: request.name.as_deref(),
        labels: &request.labels,
        created_at: export.created_at,
        listed_at,
        catalog: plan.catalog.as_deref(),
        window: request.window,
        filter: Filter::all(request.filters.iter().map(|filter| filter.filter.clone()))
            .map(|filter| filter.to_string()),
        format: request.format,
        complete_through,
        may_change_until,
        tables,
        files,
        archive: zip,
        warnings: warnings(&totals, listed_at, may_change_until),
        totals,
    })
}

/// Returns the instant of the window before which no row can be added once the lake was listed at `listed_at`.
fn complete_through(dataset: &Dataset, window: Window, listed_at: Timestamp) -> Timestamp {
    dataset.complete_through(listed_at).clamp(window.from(), window.to())
}

fn columns<'a>(
    table: &'a Table,
    selected: Option<&[String]>,
    format: Format,
) -> Option<Vec<ColumnView<'a>>> {
    if selected.is_none() && format == Format::Jsonl && table.explode.is_empty() {
        return None;
    }
    let all = || table.columns.iter().collect();
    let columns: Vec<_> = selected
        .map_or_else(all, |names| names.iter().filter_map(|name| table.column(name)).collect());
    let view = |column: &&'a export::Column| ColumnView { name: &column.name, r#type: column.kind };
    Some(columns.iter().map(view).collect())
}

fn totals(plan: &Plan, reports: &[Report], archive: &Archive) -> Totals {
    let mut totals = Totals { rows: archive.rows, bad_rows: archive.bad_rows, ..Totals::default() };
    for (step, report) in plan.steps.iter().zip(reports) {
        if let StepKind::Rows(_) = step.kind {
            totals.objects += step.objects.len() as u64;
            totals.size_bytes += step.size_bytes();
            totals.outside += report.outside;
        }
    }
    totals
}

fn warnings(totals: &Totals, listed_at: Timestamp, may_change_until: Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if totals.bad_rows > 0 {
        let detail = format!(
            "{} rows could not be exported, or not in whole. The export's list of bad rows names the first of them.",
            totals.bad_rows
        );
        warnings.push(Warning { code: "bad_rows", detail });
    }
    if listed_at < may_change_until {
        let detail = format!(
            "Rows of the window may still have been filed after the lake was listed, until {may_change_until}. \
             Export the window again after that to have them all."
        );
        warnings.push(Warning { code: "may_change", detail });
    }
    if totals.rows.is_none() {
        let detail =
            "Source objects were copied as they are, and their rows not counted.".to_owned();
        warnings.push(Warning { code: "rows_not_counted", detail });
    }
    warnings
}

/// The signature of a receipt that is being written.
struct Signing<'p> {
    signer: &'p ReceiptSigner,
    header: String,
    /// Of what is signed so far.
    digest: Sha256,
}

impl<'p> Signing<'p> {
    fn new(signer: &'p ReceiptSigner) -> cloud::Result<Self> {
        let header = signer.header()?;
        let digest = Sha256::new().chain_update(&header).chain_update(b".");
        Ok(Self { signer, header, digest })
    }
}

/// A receipt that is being written.
struct Document<'p> {
    piece: &'p mut PieceWriter,
    buffer: Vec<u8>,
    digest: Sha256,
    signing: Option<Signing<'p>>,
    size_bytes: u64,
    has_sources: bool,
}

impl<'p> Document<'p> {
    fn new(piece: &'p mut PieceWriter, signer: Option<&'p ReceiptSigner>) -> cloud::Result<Self> {
        let (buffer, digest) = (Vec::new(), Sha256::new());
        let signing = signer.map(Signing::new).transpose()?;
        Ok(Self { piece, buffer, digest, signing, size_bytes: 0, has_sources: false })
    }

    /// Writes all but the source objects, whose list is left open.
    async fn begin(&mut self, head: &Head<'_>) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.buffer, head)?;
        anyhow::ensure!(self.buffer.pop() == Some(b'}'), "write a receipt as an object");
        self.buffer.extend_from_slice(b",\"sources\":[");
        self.flush().await
    }

    async fn source(&mut self, source: &Source<'_>) -> anyhow::Result<()> {
        if self.has_sources {
            self.buffer.push(b',');
        }
        self.has_sources = true;
        self.buffer.push(b'\n');
        serde_json::to_writer(&mut self.buffer, source)?;
        if self.buffer.len() < CHUNK_BYTES { Ok(()) } else { self.flush().await }
    }

    async fn end(mut self) -> anyhow::Result<Receipt> {
        self.buffer.extend_from_slice(b"]}\n");
        self.flush().await?;
        let sha256 = hex(&self.digest.finalize());
        let signature = match self.signing {
            Some(Signing { signer, header, digest }) => {
                Some(signer.sign(&header, digest.finalize().into()).await?)
            }
            None => None,
        };
        Ok(Receipt { size_bytes: self.size_bytes, sha256, signature })
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        self.digest.update(&self.buffer);
        if let Some(signing) = &mut self.signing {
            signing.digest.update(&self.buffer);
        }
        self.size_bytes += self.buffer.len() as u64;
        self.piece.push(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }
}
