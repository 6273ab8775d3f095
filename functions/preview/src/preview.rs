//! The first rows of a request, as its export would have them.

use std::ops::ControlFlow;

use anyhow::Context as _;
use axum::{Json, extract::RawQuery};
use cloud::LoadedCatalog;
use export::{
    Action, Actor, Column, ColumnType, Dataset, ExportRequest, Fault, Faults, Format, Order,
    SourceObject, Subject, Table, TableSelection, Workspace,
};
use jiff::Timestamp;
use lake::Selection;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;
use web::{JsonBody, Problem, limit, parameters};

use crate::{
    app::{App, Viewer},
    read::{FirstRows, MAX_READING, first_rows},
    walk::{Next, Walk},
};

/// How many rows of each table are shown, unless the query says otherwise.
pub(crate) const DEFAULT_ROWS: usize = 20;
/// The most rows of each table.
const MAX_ROWS: usize = 100;
/// The most bytes of rows of all tables together. Each is in the answer twice, and an answer has 6 MB at most.
const MAX_BYTES: usize = 1 << 20;

/// The first rows of each table.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    pub(crate) tables: Vec<TablePreview>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TablePreview {
    pub(crate) table: String,
    /// `None` if rows are whole records, whatever fields they have.
    pub(crate) columns: Option<Vec<ColumnView>>,
    pub(crate) rows: Vec<Box<RawValue>>,
    /// How the file of the table begins; missing for Parquet, which is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// How many objects were opened.
    objects: usize,
    pub(crate) stopped: Stopped,
    /// What is wrong with an object, because of which the export would fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ColumnView {
    pub(crate) name: String,
    r#type: ColumnType,
}

/// Why no more rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stopped {
    /// There are no more.
    End,
    /// So many were asked for.
    Rows,
    /// The next one is too long to be shown.
    Bytes,
    /// Nothing was found in as many folders as are looked through.
    Folders,
    /// Time was up.
    Time,
    /// An object cannot be read.
    Fault,
}

/// `POST /v1/preview`: shows the first rows of the export of this body.
pub(crate) async fn preview(
    viewer: Viewer,
    RawQuery(query): RawQuery,
    JsonBody(body): JsonBody,
) -> Result<Json<Preview>, Problem> {
    let ends = Instant::now() + MAX_READING;
    let rows = rows(query.as_deref().unwrap_or_default())?;
    let (app, workspace, now) = (&*viewer, &viewer.workspace, viewer.now);
    let request = order(app, workspace, &body, now).await?.map_err(Problem::invalid)?;
    let preview = preview_of(app, workspace, &viewer.actor, &request, (rows, ends, now)).await?;
    Ok(Json(preview))
}

/// Reads the first rows of each table of a request.
pub(crate) async fn preview_of(
    app: &App,
    workspace: &Workspace,
    actor: &Actor,
    request: &ExportRequest,
    (rows, ends, now): (usize, Instant, Timestamp),
) -> Result<Preview, Problem> {
    let loaded = app.services.catalog().await;
    let names: Vec<&str> = request.tables.iter().map(|table| &*table.table).collect();
    let what = (Action::RowsPreviewed, Subject::other(names.join(", ")));
    app.services.exports.audit.record(workspace, actor, what, now).await?;
    let reader = Reader { app, loaded: &loaded, workspace, request, ends, now };
    let (mut tables, mut room) = (Vec::with_capacity(request.tables.len()), MAX_BYTES);
    for index in 0..request.tables.len() {
        let (table, left) = reader.table(index, rows, room).await?;
        tables.push(table);
        room = left;
    }
    Ok(Preview { tables })
}

/// Reads how many rows are asked for.
fn rows(query: &str) -> Result<usize, Problem> {
    let mut faults = Faults::default();
    let mut rows = DEFAULT_ROWS;
    for (_, value) in parameters(query, &["rows"], &mut faults) {
        rows = limit(("rows", &value), MAX_ROWS, "rows", &mut faults).unwrap_or(rows);
    }
    if faults.is_empty() { Ok(rows) } else { Err(Problem::invalid(faults)) }
}

/// Reads what a body asks for, or says what is wrong with it.
pub(crate) async fn order(
    app: &App,
    workspace: &Workspace,
    body: &Value,
    now: Timestamp,
) -> Result<Result<ExportRequest, Faults>, Problem> {
    let filter = body.get("filter").and_then(Value::as_str);
    let named = app.services.named_filters(workspace, filter).await?;
    let (catalog, limits) = (app.services.catalog().await, &app.services.limits);
    let request = match Order::from_json(body, &catalog, &named, limits, now) {
        Ok(order) => order.request,
        Err(faults) => return Ok(Err(faults)),
    };
    let is_related = |index| {
        let selection = Selection::new(&catalog, workspace, &request, index);
        selection.is_some_and(|selection| selection.is_related())
    };
    if (0..request.tables.len()).any(is_related) {
        let detail = "The filter names columns of another table, whose rows would have to be read first. Leave them out \
                      of the filter to see the first rows, or make the export.";
        return Ok(Err(Fault::new("filter_not_previewed", "filter", detail).into()));
    }
    Ok(Ok(request))
}

/// Who reads what.
struct Reader<'a> {
    app: &'a App,
    loaded: &'a LoadedCatalog,
    workspace: &'a Workspace,
    request: &'a ExportRequest,
    ends: Instant,
    now: Timestamp,
}

impl Reader<'_> {
    /// Reads the first rows of a table, of `room` bytes at most.
    async fn table(
        &self,
        index: usize,
        rows: usize,
        room: usize,
    ) -> Result<(TablePreview, usize), Problem> {
        let selected = &self.request.tables[index];
        let table = self.loaded.table(&selected.table).context("find the table")?;
        let columns = columns(table, selected, self.request.format);
        let as_json = as_json(self.request, index, columns.as_deref());
        let mut shown = Shown { rows, room, ..Shown::default() };
        let mut text = self.selection(self.request, index)?.head();
        let dataset = self.loaded.dataset_of(table);
        let mut walk = Walk::new(&self.loaded.lake, dataset, self.workspace, self.request.window);
        let stopped = loop {
            let spend = async |dataset: &Dataset, part| {
                let exports = &self.app.services.exports;
                exports.spend_lists(self.workspace, [dataset], part, self.now).await
            };
            let objects = match walk.next(spend).await? {
                Next::Objects(objects) => objects,
                Next::TooMuch => break Stopped::Folders,
                Next::End => break Stopped::End,
            };
            let read = self.read(&as_json, index, &objects, shown.limits()).await?;
            // CSV is read again, as it is written: up to the same record.
            let records = match self.request.format {
                Format::Csv => {
                    let limits = Limits { records: read.records.len(), ..Limits::NONE };
                    self.read(self.request, index, &objects, limits).await?.records
                }
                Format::Jsonl | Format::Parquet => read.records.clone(),
            };
            text.extend(records.into_iter().take(read.records.len()).flatten());
            if let Some(stopped) = shown.add(read) {
                break stopped;
            }
        };
        let is_text = self.request.format != Format::Parquet;
        let text = is_text.then(|| String::from_utf8_lossy(&text).into_owned());
        let (name, objects) = (table.name.clone(), shown.objects);
        let (fault, rows) = (shown.fault.take(), shown.values()?);
        let preview = TablePreview { table: name, columns, rows, text, objects, stopped, fault };
        Ok((preview, shown.room))
    }

    async fn read(
        &self,
        request: &ExportRequest,
        index: usize,
        objects: &[(Timestamp, SourceObject)],
        mut limits: Limits,
    ) -> anyhow::Result<FirstRows<Stopped>> {
        let (lake, selection) = (&self.loaded.lake, self.selection(request, index)?);
        first_rows(lake, selection, objects, self.ends, move |rows| limits.take(rows)).await
    }

    fn selection(&self, request: &ExportRequest, index: usize) -> anyhow::Result<Selection> {
        let selection = Selection::new(&self.loaded.catalog, self.workspace, request, index);
        selection.context("find the table and its columns in the catalog")
    }
}

/// How much more is read.
#[derive(Clone, Copy, Debug)]
struct Limits {
    records: usize,
    rows: usize,
    bytes: usize,
}

impl Limits {
    const NONE: Self = Self { records: usize::MAX, rows: usize::MAX, bytes: usize::MAX };

    /// Takes the rows of a record, if there is room.
    fn take(&mut self, rows: &[u8]) -> ControlFlow<Stopped> {
        if self.records == 0 || self.rows == 0 {
            return ControlFlow::Break(Stopped::Rows);
        }
        let Some(bytes) = self.bytes.checked_sub(rows.len()) else {
            return ControlFlow::Break(Stopped::Bytes);
        };
        let lines = line_count(rows);
        let (records, rows) = (self.records - 1, self.rows.saturating_sub(lines));
        *self = Self { records, rows, bytes };
        ControlFlow::Continue(())
    }
}

/// What is shown of a table so far.
#[derive(Debug, Default)]
struct Shown {
    /// The rows that are to be shown at most, and the bytes that are left for them.
    rows: usize,
    room: usize,
    lines: Vec<u8>,
    objects: usize,
    fault: Option<String>,
}

impl Shown {
    fn limits(&self) -> Limits {
        let lines = line_count(&self.lines);
        let rows = self.rows.saturating_sub(lines);
        Limits { rows, bytes: self.room, ..Limits::NONE }
    }

    /// Adds what was read, and says whether and why nothing more is to be read.
    fn add(&mut self, read: FirstRows<Stopped>) -> Option<Stopped> {
        let lines = read.records.concat();
        self.room -= lines.len().min(self.room);
        self.lines.extend(lines);
        self.objects += read.objects;
        let is_faulty = read.fault.is_some();
        self.fault = read.fault;
        let broke = read.broke.or(read.out_of_time.then_some(Stopped::Time));
        broke.or(is_faulty.then_some(Stopped::Fault))
    }

    /// Returns each row as JSON.
    fn values(&self) -> anyhow::Result<Vec<Box<RawValue>>> {
        let text = str::from_utf8(&self.lines).context("read rows as UTF-8")?;
        let rows = text.lines().take(self.rows);
        rows.map(|row| RawValue::from_string(row.to_owned()).context("read a row")).collect()
    }
}

/// Returns how many lines end in a text.
fn line_count(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').count() - 1
}

/// Returns the columns of a file; `None` if its rows are whole records.
fn columns(table: &Table, selected: &TableSelection, format: Format) -> Option<Vec<ColumnView>> {
    if selected.columns.is_none() && format == Format::Jsonl && table.explode.is_empty() {
        return None;
    }
    let all = || table.columns.iter().collect();
    let named = |names: &Vec<String>| names.iter().filter_map(|name| table.column(name)).collect();
    let columns: Vec<&Column> = selected.columns.as_ref().map_or_else(all, named);
    let view = |column: &&Column| ColumnView { name: column.name.clone(), r#type: column.kind };
    Some(columns.iter().map(view).collect())
}

/// Returns the same request with rows as JSON, and with these columns of its table number `index`.
fn as_json(request: &ExportRequest, index: usize, columns: Option<&[ColumnView]>) -> ExportRequest {
    let mut request = ExportRequest { format: Format::Jsonl, ..request.clone() };
    let names = columns.map(|columns| columns.iter().map(|column| column.name.clone()).collect());
    request.tables[index].columns = names;
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_taken_as_were_asked_for_and_all_of_the_last_record() {
        let mut limits = Limits { rows: 3, bytes: 20, ..Limits::NONE };
        assert!(limits.take(b"1\n").is_continue());
        assert!(limits.take(b"2\n3\n4\n").is_continue());
        assert_eq!(limits.take(b"5\n"), ControlFlow::Break(Stopped::Rows));
        let mut limits = Limits { bytes: 4, ..Limits::NONE };
        assert!(limits.take(b"123\n").is_continue());
        assert_eq!(limits.take(b"\n"), ControlFlow::Break(Stopped::Bytes));
    }

    #[test]
    fn a_preview_has_20_rows_or_as_many_as_are_asked_for_up_to_100() {
        assert_eq!(rows("").ok(), Some(20));
        assert_eq!(rows("rows=1").ok(), Some(1));
        assert_eq!(rows("rows=100").ok(), Some(100));
        for wrong in ["rows=0", "rows=101", "rows=x", "rows=1&rows=1", "row=1"] {
            assert!(rows(wrong).is_err(), "{wrong}");
        }
    }
}
