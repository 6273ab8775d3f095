//! What users see of an export.

use std::collections::BTreeMap;

use export::{
    BucketCopy, CopyState, CsvStyle, Export, ExportRequest, Failure, Files, Filter, Format,
    Receipt, State, Status, Window,
};
use jiff::Timestamp;
use serde::Serialize;
use web::BaseUrl;

/// An export, as every answer of this API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    id: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    labels: BTreeMap<String, String>,
    tables: Vec<String>,
    /// Only tables that do not give whole records.
    columns: BTreeMap<String, Vec<String>>,
    window: Window,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    csv: Option<Csv>,
    layout: &'static str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    progress: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<Archive>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<Callback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<Copying>,
    links: Links,
}

/// Who is told.
#[derive(Debug, Serialize)]
struct Callback {
    url: String,
    sent: bool,
}

/// How far the copy of its files is.
#[derive(Debug, Serialize)]
struct Copying {
    bucket: String,
    prefix: String,
    gzip: bool,
    status: &'static str,
    files_done: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    failed_files: Vec<FailedFile>,
}

#[derive(Debug, Serialize)]
struct FailedFile {
    key: String,
    detail: String,
}

/// How CSV is written.
#[derive(Debug, Serialize)]
struct Csv {
    style: CsvStyle,
    display_names: bool,
}

#[derive(Debug, Serialize)]
struct Progress {
    steps_done: usize,
    /// Missing until the export is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_total: Option<u32>,
    rows: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Archive {
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    crc32: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_rows: Option<BTreeMap<String, u64>>,
    bad_rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bad_rows: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<String>,
    shares: String,
}

impl Copying {
    fn of(export: &Export, copy: &BucketCopy) -> Self {
        let status = match &copy.state {
            CopyState::Waiting { .. } => "waiting",
            CopyState::Running { .. } => "running",
            CopyState::Ended { failure: None, .. } if copy.failed.is_empty() => "succeeded",
            CopyState::Ended { .. } => "failed",
        };
        let files = export.files_to_copy();
        let failed = copy.failed.iter().filter_map(|failed| {
            let file = files.get(failed.file as usize)?;
            Some(FailedFile { key: copy.target.key(&file.name), detail: failed.detail.clone() })
        });
        Self {
            bucket: copy.target.bucket.to_string(),
            prefix: copy.target.prefix.to_string(),
            gzip: copy.target.gzip,
            status,
            files_done: copy.copied(),
            failure: copy.failure().map(str::to_owned),
            failed_files: failed.collect(),
        }
    }
}

impl Archive {
    fn of(request: &ExportRequest, archive: &export::Archive) -> Self {
        Self {
            size_bytes: archive.size_bytes,
            crc32: archive.table_files.is_none().then(|| format!("{:08x}", archive.crc32)),
            files: archive.table_files.as_ref().map(|files| files.iter().sum()),
            rows: archive.rows,
            table_rows: table_rows(request, archive),
            bad_rows: archive.bad_rows,
            receipt: archive.receipt.clone(),
        }
    }
}

impl Links {
    /// Returns what can be done with an export, whose archive is `ready` if it can be downloaded.
    fn of(
        export: &Export,
        ready: Option<&export::Archive>,
        base: &BaseUrl,
        status: Status,
    ) -> Self {
        let link = |rest: &str| base.join(&format!("{}{rest}", path(export)));
        let where_ready = |holds: fn(&export::Archive) -> bool, rest: &str| {
            ready.filter(|archive| holds(archive)).map(|_| link(rest))
        };
        Self {
            this: link(""),
            cancel: status.is_unfinished().then(|| link("/cancel")),
            download: where_ready(|archive| archive.table_files.is_none(), "/download"),
            files: where_ready(|archive| archive.table_files.is_some(), "/files"),
            bad_rows: where_ready(|archive| archive.bad_rows > 0, "/bad-rows"),
            receipt: where_ready(|archive| archive.receipt.is_some(), "/receipt"),
            deliveries: export.callback.as_ref().map(|_| link("/deliveries")),
            shares: link("/shares"),
        }
    }
}

impl View {
    /// Shows `export` as it is at `now`.
    pub(crate) fn of(export: &Export, base: &BaseUrl, now: Timestamp) -> Self {
        let status = export.status(now);
        let request = &export.request;
        let (finished_at, archive, failure) = match &export.state {
            State::Queued { .. } | State::Running { .. } => (None, None, None),
            State::Failed { finished_at, failure } => {
                (Some(*finished_at), None, Some(failure.clone()))
            }
            State::Cancelled { finished_at } => (Some(*finished_at), None, None),
            State::Succeeded { archive }
            | State::Expired { archive, .. }
            | State::Deleted { archive, .. } => (Some(archive.published_at), Some(archive), None),
        };
        Self {
            id: export.id.to_string(),
            status,
            name: request.name.clone(),
            description: request.description.clone(),
            labels: request.labels.clone(),
            tables: request.tables.iter().map(|t| t.table.clone()).collect(),
            columns: request
                .tables
                .iter()
                .filter_map(|t| Some((t.table.clone(), t.columns.clone()?)))
                .collect(),
            window: request.window,
            filter: Filter::all(request.filters.iter().map(|f| f.filter.clone()))
                .map(|filter| filter.to_string()),
            csv: (request.format == Format::Csv)
                .then_some(Csv { style: request.csv, display_names: request.display_names }),
            format: request.format,
            layout: if matches!(request.files, Files::Parts(_)) { "files" } else { "zip" },
            created_at: export.created_at,
            finished_at,
            expires_at: archive.map(|archive| archive.expires_at),
            progress: Progress {
                steps_done: export.steps_done.len(),
                steps_total: Some(export.steps_total).filter(|total| *total > 0),
                rows: export.rows,
                bytes: export.bytes,
            },
            archive: archive.map(|archive| Archive::of(request, archive)),
            failure,
            callback: export
                .callback
                .as_ref()
                .map(|callback| Callback { url: callback.url.to_string(), sent: callback.sent }),
            copy: export.copy.as_ref().map(|copy| Copying::of(export, copy)),
            links: Links::of(export, archive.filter(|_| status == Status::Succeeded), base, status),
        }
    }
}

fn table_rows(request: &ExportRequest, archive: &export::Archive) -> Option<BTreeMap<String, u64>> {
    let tables = request.tables.iter().map(|table| table.table.clone());
    archive.table_rows.as_ref().map(|rows| tables.zip(rows.iter().copied()).collect())
}

/// Returns the path of an export.
pub(crate) fn path(export: &Export) -> String {
    format!("/v1/exports/{}", export.id)
}

/// Returns the entity tag of what is shown at `now`: an archive expires without its record changing.
pub(crate) fn etag(export: &Export, now: Timestamp) -> String {
    let expired = if export.status(now) == Status::Expired { "-expired" } else { "" };
    format!("\"{}{expired}\"", export.version)
}
