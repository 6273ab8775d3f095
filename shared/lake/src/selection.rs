//! Which rows of a record an export takes, and how they are written.

use std::{borrow::Cow, ops::RangeInclusive, sync::Arc};

use export::{
    Catalog, Column, ColumnType, Comparison, Compression, CsvStyle, ExportRequest, Filter, Format,
    Reach, Table, TimeFormat, Window, Workspace, parse_time,
};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cells::push_cell,
    csv,
    explode::{Element, Explode, Source},
    field_ref::{FieldRef, field_ref},
    fields::{FieldBuffer, fields},
    framing::Framing,
    key_set::KeySet,
    names::Names,
    needs::{Needs, ParquetUse},
    predicate::{Binder, Predicate, Row, id_at, lookups},
    release::Release,
    row_time::RowTime,
    separators::{has_separators, push_escaped},
    tenant::Tenant,
    text::text_of,
};

/// What becomes of a record that would go in as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes in; with its time.
    Taken(Timestamp),
    /// It is to be left out; with its time.
    Omitted(Timestamp),
    /// It is outside of the window; with its time.
    Outside(Timestamp),
    /// It is another tenant's.
    Foreign,
    /// It goes in, but not byte for byte.
    Altered,
    /// It cannot be exported, and why.
    Bad(String),
}

/// What becomes of a record that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is inside of the window.
    Taken(Taken),
    /// It is outside of the window; with its time.
    Outside(Timestamp),
    /// It is another tenant's.
    Foreign,
}

/// What is taken of a record that is inside of the window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) time: Timestamp,
    pub(crate) rows: u64,
    /// What of it is not in its rows, or not as it is in the record.
    pub(crate) flaw: Option<String>,
}

/// The most that the rows of one record may have, in bytes: a column of the record stands in each.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// What is wrong with one that has more.
const RECORD_TOO_LONG: &str =
    "its rows have more than 64 MiB together, the most that those of a record may have";

/// Raised whenever the same records give other bytes than before.
pub(crate) const ROWS: u32 = 4;

/// One table's part of an export, ready to be applied to records.
#[derive(Debug)]
pub struct Selection {
    pub(crate) table: String,
    pub(crate) compression: Compression,
    /// How much of an object's rows may be bad, in percent.
    pub(crate) max_bad_percent: u8,
    pub(crate) framing: Framing,
    parquet: ParquetUse,
    window: Window,
    format: Format,
    csv: CsvStyle,
    /// The fields of a record that are needed at all.
    names: Names,
    pub(crate) time: RowTime,
    /// Whose rows are taken, where objects have those of several tenants.
    tenant: Option<Tenant>,
    explode: Option<Explode>,
    omit: Option<FieldRef>,
    release: Option<Release>,
    /// The join key of rows, if a predicate needs it.
    relation: Option<FieldRef>,
    predicates: Vec<Predicate>,
    /// As they are written, which is the same for the same predicates.
    filters: Vec<String>,
    sets: Arc<[KeySet]>,
    /// The records of an object that are looked at.
    records: RangeInclusive<u64>,
    /// Whether characters are escaped at which some readers end a line.
    escapes: bool,
    /// What is written of a row; none passes records through as they are.
    cells: Option<Vec<Cell>>,
    /// The types of the cells, and how times are stored, where files have types.
    types: Option<(Vec<ColumnType>, TimeFormat)>,
}

#[derive(Debug)]
struct Cell {
    /// What the header calls it.
    header: String,
    /// The name as a JSON key with its colon.
    key: String,
    from: Source,
    default: Option<String>,
    /// How its instants are stored, if CSV has them otherwise.
    sql_time: Option<TimeFormat>,
}

impl Selection {
    /// Prepares what `request` takes of its table number `index`; none if the catalog lacks the table,
    /// or a column.
    pub fn new(
        catalog: &Catalog,
        workspace: &Workspace,
        request: &ExportRequest,
        index: usize,
    ) -> Option<Self> {
        let asked = request.tables.get(index)?;
        let table = catalog.table(&asked.table)?;
        let dataset = catalog.dataset_of(table);
        let mut names = Vec::new();
        let columns: Option<Vec<&Column>> = match &asked.columns {
            Some(asked) => {
                Some(asked.iter().map(|name| table.column(name)).collect::<Option<_>>()?)
            }
            None if request.format != Format::Jsonl || !table.explode.is_empty() => {
                Some(table.columns.iter().collect())
            }
            None => None,
        };
        let time = RowTime::of(catalog, table, &mut names);
        let tenant = Tenant::of(dataset, workspace, &mut names);
        let lookups = lookups(catalog, request);
        // What rows are chosen by and what tells this choice from others are made of the same.
        let required = table.require.as_deref().map(Filter::is_there);
        let filters: Vec<&Filter> = request.filters_of(&asked.table).chain(&required).collect();
        let mut binder = Binder { catalog, table, lookups: &lookups, names: &mut names };
        let predicates =
            filters.iter().map(|filter| binder.bind(filter)).collect::<Option<Vec<Predicate>>>()?;
        let related = predicates.iter().any(Predicate::is_related);
        let relation = table.relation_path().filter(|_| related);
        let cell = |names: &mut Vec<String>, column: &Column| Cell {
            header: if request.display_names { &column.display } else { &column.name }.clone(),
            key: format!("{}:", serde_json::Value::from(column.name.as_str())),
            from: Source::of(column, names),
            default: column.default.clone(),
            sql_time: (column.sql_time && request.format == Format::Csv)
                .then_some(dataset.time_format),
        };
        let types = || columns.iter().flatten().map(|column| column.kind).collect();
        Some(Self {
            types: (request.format == Format::Parquet).then(|| (types(), dataset.time_format)),
            table: table.name.clone(),
            compression: dataset.compression,
            max_bad_percent: dataset.max_bad_percent,
            framing: Framing::of(dataset),
            parquet: ParquetUse::of(dataset),
            window: request.window,
            format: request.format,
            csv: request.csv,
            time,
            tenant,
            explode: Explode::of(table, &mut names),
            omit: table.omit.as_ref().map(|path| field_ref(&mut names, path)),
            release: Release::of(dataset, request.released, &mut names),
            relation: relation.map(|path| field_ref(&mut names, path)),
            predicates,
            filters: filters.into_iter().map(|f| written(catalog, table, f)).collect(),
            sets: Arc::new([]),
            records: 1..=u64::MAX,
            escapes: false,
            cells: columns
                .map(|columns| columns.into_iter().map(|c| cell(&mut names, c)).collect()),
            names: Names::new(names),
        })
    }

    /// The same, knowing what was looked up, in the order of [`lookups`].
    #[must_use]
    pub fn with_sets(self, sets: Arc<[KeySet]>) -> Self {
        Self { sets, ..self }
    }

    /// The same, of these records of an object, counted from 1.
    #[must_use]
    pub fn with_records(self, records: RangeInclusive<u64>) -> Self {
        Self { records, ..self }
    }

    /// Which records of an object are looked at, counted from 1.
    pub(crate) fn wanted(&self) -> RangeInclusive<u64> {
        self.records.clone()
    }

    /// Returns what is needed of the objects of its dataset.
    pub fn needs(&self) -> Needs {
        // Records that go in as they are have all of their fields.
        let names = self.cells.as_ref().map(|_| &self.names);
        Needs::new(self.parquet, &self.framing, names, &self.time, self.window)
    }

    /// Whether something has to be looked up before rows can be chosen.
    pub fn is_related(&self) -> bool {
        self.relation.is_some()
    }

    /// The same, with escapes for the characters at which some readers end a line of JSON.
    #[must_use]
    pub fn escaping_separators(self) -> Self {
        Self { escapes: true, ..self }
    }

    /// Returns what stands at the head of the table's file.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        if let (Format::Csv, Some(cells)) = (self.format, &self.cells) {
            csv::push_header(&mut head, cells.iter().map(|cell| cell.header.as_str()), self.csv);
        }
        head
    }

    /// Returns the columns of a file that has types, by what its header calls them.
    pub fn typed_columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        let headers = self.cells.iter().flatten().map(|cell| &cell.header[..]);
        headers.zip(self.types.iter().flat_map(|(types, _)| types.iter().copied()))
    }

    /// Returns a text that differs where the same records would give other rows, but for the window and
    /// what is looked up.
    pub fn identity(&self) -> String {
        let written = (self.format, self.csv, self.escapes, &self.cells);
        let types = self.types.as_ref().map_or_else(String::new, |types| format!(" {types:?}"));
        format!("{} {written:?}{types}", self.row_identity())
    }

    /// Returns a text that differs where other rows of the same records would be taken, but for the window and
    /// what is looked up.
    pub fn row_identity(&self) -> String {
        let framing = format!("{:?}", self.framing);
        // As it was before there were others.
        let framing = if framing == "Plain" { "" } else { &framing };
        let read = (&self.table, self.compression, self.max_bad_percent, &self.names, &self.time);
        let taken = (&self.tenant, &self.explode, &self.omit, &self.release, &self.filters);
        format!("{ROWS} {read:?} {taken:?}{framing}")
    }

    /// Tells whether records that are taken go in as they are.
    pub(crate) fn passes_through(&self) -> bool {
        let whole = matches!(self.framing, Framing::Plain)
            && self.cells.is_none()
            && self.explode.is_none()
            && self.release.is_none();
        whole && self.format == Format::Jsonl && self.records == (1..=u64::MAX)
    }

    /// Whether rows are chosen by their columns.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.predicates.is_empty() || self.tenant.is_some()
    }

    /// Judges a record where those that are taken go in as they are.
    pub(crate) fn judge(&self, record: &[u8]) -> Verdict {
        let mut buffer = FieldBuffer::default();
        let (text, found) = match read_fields(record, &self.names, &mut buffer) {
            Ok(found) => found,
            Err(reason) => return Verdict::Bad(reason),
        };
        if !self.owns(found) {
            return Verdict::Foreign;
        }
        match self.time.read(found) {
            Err(reason) => Verdict::Bad(reason),
            Ok(time) if !self.window.contains(time) => Verdict::Outside(time),
            Ok(time) if self.omits(found) || !self.passes(found, &[]) => Verdict::Omitted(time),
            Ok(_) if self.escapes && has_separators(text) => Verdict::Altered,
            Ok(time) => Verdict::Taken(time),
        }
    }

    fn passes(&self, found: &[Option<&str>], elements: &[Element<'_>]) -> bool {
        if self.predicates.is_empty() {
            return true;
        }
        let row = Row { found, elements, id: id_at(self.relation.as_ref(), found) };
        self.predicates.iter().all(|predicate| predicate.passes(row, &self.sets))
    }

    /// Tells whether a row is the tenant's. Nothing is said of others, not even that they are bad.
    fn owns(&self, found: &[Option<&str>]) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| tenant.owns(found))
    }

    fn omits(&self, found: &[Option<&str>]) -> bool {
        let value = self.omit.as_ref().and_then(|field| field.find(found));
        value == Some("true")
    }

    /// Appends the rows that are taken of a record of the partition that begins at `partition`. Returns as an
    /// error why none of it can be exported.
    pub(crate) fn push_rows(
        &self,
        record: &[u8],
        partition: Option<Timestamp>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, String> {
        let (begin, mut flaw) = (out.len(), None);
        let pushed = self.each_row(record, partition, |text, found, elements| {
            flaw = flaw.take().or(self.push_row(text, found, elements, out));
            let too_long = out.len() - begin > MAX_RECORD_BYTES;
            if too_long { Err(RECORD_TOO_LONG.to_owned()) } else { Ok(()) }
        });
        Ok(match pushed.inspect_err(|_| out.truncate(begin))? {
            Outcome::Taken(taken) => Outcome::Taken(Taken { flaw: flaw.or(taken.flaw), ..taken }),
            other @ (Outcome::Outside(_) | Outcome::Foreign) => other,
        })
    }

    /// Counts the rows that [`Self::push_rows`] would append.
    pub(crate) fn count_rows(
        &self,
        record: &[u8],
        partition: Option<Timestamp>,
    ) -> Result<Outcome, String> {
        self.each_row(record, partition, |_, _, _| Ok(()))
    }

    /// Hands on the record, its fields and, where it is one of several, the element, for each row.
    fn each_row(
        &self,
        record: &[u8],
        partition: Option<Timestamp>,
        mut each: impl FnMut(&str, &[Option<&str>], &[Element<'_>]) -> Result<(), String>,
    ) -> Result<Outcome, String> {
        let taken = |time, rows, flaw| Ok(Outcome::Taken(Taken { time, rows, flaw }));
        let mut buffer = FieldBuffer::default();
        let (text, found) = read_fields(record, &self.names, &mut buffer)?;
        if !self.owns(found) {
            return Ok(Outcome::Foreign);
        }
        let time = self.time.read(found)?;
        if !self.window.contains(time) {
            return Ok(Outcome::Outside(time));
        }
        let arrived = || partition.map(|begin| self.time.filing.calendar.end_of(begin));
        let released = |release: &Release| release.has(time, arrived(), found);
        if self.omits(found) || !self.release.as_ref().is_none_or(released) {
            return taken(time, 0, None);
        }
        let Some(explode) = &self.explode else {
            if !self.passes(found, &[]) {
                return taken(time, 0, None);
            }
            each(text, found, &[])?;
            return taken(time, 1, None);
        };
        let mut rows = 0;
        let flaw = explode.each(found, &mut |elements| {
            if self.passes(found, elements) {
                each(text, found, elements)?;
                rows += 1;
            }
            Ok(())
        })?;
        taken(time, rows, flaw)
    }

    /// Appends a row. Returns what is not in it as it is in the record, if there is something.
    fn push_row(
        &self,
        record: &str,
        found: &[Option<&str>],
        elements: &[Element<'_>],
        out: &mut Vec<u8>,
    ) -> Option<String> {
        let Some(cells) = &self.cells else {
            self.push_json(record, out);
            out.push(b'\n');
            return None;
        };
        let mut flaw = None;
        let values = cells.iter().map(|cell| {
            let value = cell.value(found, elements);
            let may_be_missing = value.is_none() || cell.default.is_some();
            if may_be_missing && flaw.is_none() && cell.from.is_blocked(found, elements) {
                let header = &cell.header;
                flaw = Some(format!("{header} is not in an object: its value is missing"));
            }
            value
        });
        match self.format {
            Format::Csv => {
                let altered = csv::push_row(out, values, self.csv);
                let describe = |i: usize| {
                    format!("{} is not Unicode: it is written with U+FFFD", cells[i].header)
                };
                altered.map(describe).or(flaw)
            }
            Format::Jsonl => {
                for (i, (cell, value)) in cells.iter().zip(values).enumerate() {
                    out.push(if i == 0 { b'{' } else { b',' });
                    out.extend(cell.key.as_bytes());
                    self.push_json(value.as_deref().unwrap_or("null"), out);
                }
                out.extend(b"}\n");
                flaw
            }
            Format::Parquet => {
                let (mut wrong, types) = (
                    None,
                    self.types
                        .iter()
                        .flat_map(|(types, time)| types.iter().map(|kind| (*kind, *time))),
                );
                for ((cell, value), (kind, time)) in cells.iter().zip(values).zip(types) {
                    let what = push_cell(out, value.as_deref(), kind, time);
                    wrong = wrong.or_else(|| what.map(|what| format!("{} {what}", cell.header)));
                }
                wrong.or(flaw)
            }
        }
    }

    fn push_json(&self, json: &str, out: &mut Vec<u8>) {
        if self.escapes && has_separators(json) {
            push_escaped(json, out);
        } else {
            out.extend(json.as_bytes());
        }
    }
}

impl Cell {
    /// Returns the JSON text of the value.
    #[inline]
    fn value<'a>(
        &'a self,
        found: &[Option<&'a str>],
        elements: &[Element<'a>],
    ) -> Option<Cow<'a, str>> {
        let value = self.from.find(found, elements);
        let value = match &self.default {
            Some(default) => value.filter(|value| *value != "null").or(Some(default)),
            None => value,
        };
        match self.sql_time {
            None => value.map(Cow::Borrowed),
            Some(format) => value.map(|value| sql_time(value, format)),
        }
    }
}

/// Returns an instant as SQL databases read it; as it is, if it cannot be read.
fn sql_time(json: &str, format: TimeFormat) -> Cow<'_, str> {
    match parse_time(&text_of(json).text, format) {
        Some(at) => {
            let at = at.to_zoned(TimeZone::UTC);
            Cow::Owned(at.strftime("\"%Y-%m-%d %H:%M:%S.%3f\"").to_string())
        }
        None => Cow::Borrowed(json),
    }
}

/// Writes a filter with all that it depends on.
fn written(catalog: &Catalog, table: &Table, filter: &Filter) -> String {
    let column = |comparison: &Comparison| match catalog.reach(table, &comparison.dimension) {
        Some(Reach::Own(column) | Reach::Record(_, column)) => format!(" {column:?}"),
        Some(Reach::Related(_)) | None => String::new(),
    };
    let columns: String = filter.comparisons().into_iter().map(column).collect();
    format!("{filter}{columns}")
}

/// Returns a record as text, and the fields that are needed of it.
pub(crate) fn read_fields<'a, 'r>(
    record: &'a [u8],
    names: &Names,
    buffer: &'r mut FieldBuffer<'a>,
) -> Result<(&'a str, &'r [Option<&'a str>]), String> {
    let text = simdutf8::basic::from_utf8(record).map_err(|_| "it is not UTF-8".to_owned())?;
    let found = fields(text, names, buffer)?;
    Ok((text, found))
}
