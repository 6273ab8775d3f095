//! The datasets and tables of a deployment, from one TOML file.

use std::{collections::BTreeMap, fmt};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{PartitionPath, TimeFormat};

/// The datasets and tables of a deployment. Consistent once built.
#[derive(Clone, Debug)]
pub struct Catalog {
    datasets: BTreeMap<String, Dataset>,
    tables: BTreeMap<String, Table>,
    /// What can be read in two ways in the documents of the Coveo dialect.
    pub coveo: CoveoChoices,
}

/// How the Coveo dialect writes what its documents leave open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoveoChoices {
    /// What becomes of a backslash in the format `EXCEL`.
    #[serde(default)]
    pub excel_backslash: ExcelBackslash,
    /// What becomes of the end of a row in the format `NO_NEWLINE`.
    #[serde(default)]
    pub no_newline_rows: NoNewlineRows,
}

/// What becomes of a backslash in the format `EXCEL` of the Coveo dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcelBackslash {
    /// It stays as it is, as common readers expect.
    #[default]
    Plain,
    /// A quote is put before it, as the document says by the letter.
    Literal,
}

/// What becomes of the end of a row in the format `NO_NEWLINE` of the Coveo dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoNewlineRows {
    /// Rows end in LF.
    #[default]
    Keep,
    /// Rows follow each other without any end, as the document says by the letter.
    Drop,
}

/// One kind of record in the lake.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name in the catalog.
    pub name: String,
    /// Where its objects lie.
    pub path: PartitionPath,
    /// Which field is its time.
    pub time: FieldPath,
    /// How that field is written.
    pub time_format: TimeFormat,
    /// How long after its own time a row may have been filed.
    pub late: SignedDuration,
    /// How its objects are compressed.
    pub compression: Compression,
    /// When rows can be exported, if that is asked for.
    pub release: Option<Release>,
    /// How far back there is data; none goes back for ever.
    pub retention: Option<SignedDuration>,
    /// Bytes of source objects, as stored, that one export may read where the dialect has such a limit.
    pub max_export_bytes: u64,
}

/// When rows can be exported: at the next multiple of some hours, counted from 1970, from when they were
/// filed, and from some hours after they ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Hours between releases.
    pub every: SignedDuration,
    /// Hours after the end.
    pub after: SignedDuration,
    /// How long it took, in seconds from its time to its end.
    pub duration: FieldPath,
}

/// How objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As the key ends: `.gz` and `.gzip`, `.zst` and `.zstd`, anything else not at all.
    #[default]
    Auto,
    /// gzip (RFC 1952), one member or many.
    Gzip,
    /// Zstandard (RFC 8878), one frame or many.
    Zstd,
    /// Plain.
    None,
}

/// Rows and columns over a dataset.
#[derive(Clone, Debug)]
pub struct Table {
    /// What requests call it.
    pub name: String,
    /// What it holds, for people.
    pub description: String,
    /// The dataset its rows come from.
    pub dataset: String,
    /// The lists in which its rows are, from the outermost; without any, every record is a row.
    pub explode: Vec<Level>,
    /// The column that must not be null in its rows.
    pub require: Option<String>,
    /// The field whose being `true` keeps a record out of it.
    pub omit: Option<FieldPath>,
    /// Whether records lack columns that a dialect promises, and must be rewritten with `null` there.
    pub fill: bool,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// What its rows belong to, with those of other tables.
    pub relation: Option<Relation>,
}

/// A list of rows, or of what lists rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Where it stands in the record, or in an element of the level before.
    pub path: FieldPath,
    /// Whether it is an object, whose entries are listed with name and value.
    pub entries: bool,
}

/// What rows of several tables belong to: those that have the same value there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Its name, the same for all these tables.
    pub name: String,
    /// Where the value stands in the record.
    pub path: FieldPath,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// What requests and headers call it.
    pub name: String,
    /// What people call it.
    pub display: String,
    /// What filters call it, too.
    pub also: Vec<String>,
    /// What its values are.
    pub kind: ColumnType,
    /// Where it stands in the record.
    pub path: FieldPath,
    /// The level of whose elements it is, from 0; none is the record.
    pub level: Option<usize>,
    /// Whether it is the name of an entry.
    pub is_key: bool,
    /// What stands where there is no value, as JSON text.
    pub default: Option<String>,
    /// Whether CSV has its instants as `2026-03-01 10:20:30.400`, in UTC.
    pub sql_time: bool,
}

/// What a column's values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    #[default]
    String,
    /// A whole number, up to 64 bits and beyond: it passes through digit for digit.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An instant.
    Time,
    /// An object or a list.
    Json,
}

/// The names from the top of a record down to a field; none is the record or element itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub Vec<String>);

/// Why a catalog was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct CatalogError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Catalog {
    /// Reads a catalog. `file` is how errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        let fail = |at: usize, reason: String| {
            let line = text[..at.min(text.len())].matches('\n').count() + 1;
            CatalogError { file: file.to_owned(), line, reason }
        };
        let raw: RawCatalog = toml::from_str(text)
            .map_err(|e| fail(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;

        let mut datasets = BTreeMap::new();
        for raw in raw.dataset {
            let (at, name) = (raw.name.span().start, raw.name.get_ref().clone());
            check_name("dataset", &name).map_err(|reason| fail(at, reason))?;
            let dataset = Dataset {
                path: PartitionPath::parse(raw.path.get_ref())
                    .map_err(|e| fail(raw.path.span().start, e.to_string()))?,
                time: FieldPath::parse(raw.time.get_ref())
                    .map_err(|reason| fail(raw.time.span().start, reason))?,
                time_format: raw.time_format,
                late: SignedDuration::from_hours(i64::from(raw.late_hours)),
                compression: raw.compression,
                release: raw.release.map(release).transpose().map_err(|(at, why)| fail(at, why))?,
                max_export_bytes: raw.max_export_megabytes.unwrap_or(4000) * 1_000_000,
                retention: raw
                    .retention_days
                    .map(|days| SignedDuration::from_hours(24 * i64::from(days))),
                name: name.clone(),
            };
            if datasets.insert(name.clone(), dataset).is_some() {
                return Err(fail(at, format!("dataset {name:?} is defined twice")));
            }
        }
        let mut tables = BTreeMap::new();
        for raw in raw.table {
            let at = raw.name.span().start;
            if !datasets.contains_key(raw.dataset.get_ref()) {
                let names: Vec<_> = datasets.keys().map(String::as_str).collect();
                let reason = format!(
                    "there is no dataset {:?}; there are {}",
                    raw.dataset.get_ref(),
                    names.join(", ")
                );
                return Err(fail(raw.dataset.span().start, reason));
            }
            let table = raw.build().map_err(|(at, reason)| fail(at, reason))?;
            if let Some(twin) = tables.insert(table.name.to_ascii_lowercase(), table) {
                return Err(fail(at, format!("table {:?} is defined twice", twin.name)));
            }
        }
        let tables = tables.into_values().map(|t: Table| (t.name.clone(), t)).collect();
        Ok(Self { datasets, tables, coveo: raw.coveo })
    }

    /// Returns the catalog that ships with the code: the tables of the four dialects.
    pub fn built_in() -> Result<Self, CatalogError> {
        Self::parse("catalog.toml", include_str!("../catalog.toml"))
    }

    /// Returns a table by its name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Returns every table, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// Returns every dataset, by name.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values()
    }

    /// Returns the dataset under a table of this catalog.
    pub fn dataset_of(&self, table: &Table) -> &Dataset {
        &self.datasets[&table.dataset]
    }
}

impl Table {
    /// Returns a column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns a column by its name, in any case where there is no choice.
    pub fn find(&self, name: &str) -> Option<&Column> {
        let any_case = || self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        self.column(name).or_else(any_case)
    }

    /// Returns a column by what filters call it, too, in any case.
    pub fn also_called(&self, name: &str) -> Option<&Column> {
        let so = |column: &&Column| column.also.iter().any(|also| also.eq_ignore_ascii_case(name));
        self.columns.iter().find(so)
    }

    /// Returns where the value stands by which its rows belong to those of other tables.
    pub fn relation_path(&self) -> Option<&FieldPath> {
        self.relation.as_ref().map(|relation| &relation.path)
    }
}

impl FieldPath {
    fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) {
            return Err(format!("{text:?} is no field: names are joined by single dots"));
        }
        Ok(Self(names))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Names become file names and parts of URLs.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("a {what}'s name is 1 to 64 of letters, digits, '_' and '-'; got {name:?}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    #[serde(default)]
    dataset: Vec<RawDataset>,
    #[serde(default)]
    table: Vec<RawTable>,
    #[serde(default)]
    coveo: CoveoChoices,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDataset {
    name: Spanned<String>,
    path: Spanned<String>,
    time: Spanned<String>,
    #[serde(default)]
    time_format: TimeFormat,
    #[serde(default)]
    late_hours: u16,
    #[serde(default)]
    compression: Compression,
    release: Option<Spanned<RawRelease>>,
    retention_days: Option<u16>,
    max_export_megabytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelease {
    every_hours: u16,
    after_hours: u16,
    duration: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    dataset: Spanned<String>,
    explode: Option<Spanned<String>>,
    omit: Option<Spanned<String>>,
    require: Option<Spanned<String>>,
    #[serde(default)]
    fill: bool,
    relation: Option<Spanned<RawRelation>>,
    columns: Vec<Spanned<RawColumn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelation {
    name: String,
    column: String,
}

/// `"name"`, `"name:type"`, or a table with every detail.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a column is \"name\", \"name:type\" or { name, type, display, path, element, ... }"
)]
enum RawColumn {
    Short(String),
    Full(FullColumn),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullColumn {
    name: String,
    display: Option<String>,
    #[serde(default, rename = "type")]
    kind: ColumnType,
    path: Option<String>,
    element: Option<String>,
    /// The level of the element, as `explode` has it; the last without it.
    of: Option<String>,
    default: Option<serde_json::Value>,
    #[serde(default)]
    sql_time: bool,
    #[serde(default)]
    also: Vec<String>,
}

impl RawTable {
    fn build(self) -> Result<Table, (usize, String)> {
        let at = self.name.span().start;
        check_name("table", self.name.get_ref()).map_err(|reason| (at, reason))?;
        let field = |path: &Option<Spanned<String>>| match path {
            None => Ok(None),
            Some(path) => {
                let read = FieldPath::parse(path.get_ref());
                read.map(Some).map_err(|reason| (path.span().start, reason))
            }
        };
        let omit = field(&self.omit)?;
        let explode = match &self.explode {
            None => Vec::new(),
            Some(text) => {
                Level::parse(text.get_ref()).map_err(|reason| (text.span().start, reason))?
            }
        };
        let mut columns: Vec<Column> = Vec::new();
        for raw in self.columns {
            let at = raw.span().start;
            let column = raw.into_inner().build(&explode).map_err(|reason| (at, reason))?;
            if columns.iter().any(|other| other.name == column.name) {
                return Err((at, format!("column {:?} is defined twice", column.name)));
            }
            columns.push(column);
        }
        if columns.is_empty() {
            return Err((at, "a table has at least one column".to_owned()));
        }
        tell_apart(&mut columns);
        if let Some(require) = &self.require
            && !columns.iter().any(|column| column.name == *require.get_ref())
        {
            let reason = format!("{:?} is no column of this table", require.get_ref());
            return Err((require.span().start, reason));
        }
        let relation = self.relation.map(|raw| relation(&raw, &columns)).transpose()?;
        Ok(Table {
            name: self.name.into_inner(),
            description: self.description,
            dataset: self.dataset.into_inner(),
            explode,
            omit,
            require: self.require.map(Spanned::into_inner),
            fill: self.fill,
            columns,
            relation,
        })
    }
}

fn release(raw: Spanned<RawRelease>) -> Result<Release, (usize, String)> {
    let at = raw.span().start;
    let RawRelease { every_hours, after_hours, duration } = raw.into_inner();
    if every_hours == 0 {
        return Err((at, "rows are released every hour at most".to_owned()));
    }
    Ok(Release {
        every: SignedDuration::from_hours(i64::from(every_hours)),
        after: SignedDuration::from_hours(i64::from(after_hours)),
        duration: FieldPath::parse(&duration).map_err(|reason| (at, reason))?,
    })
}

/// Adds the names of columns to what people call them where that is the same for several.
fn tell_apart(columns: &mut [Column]) {
    let called: Vec<String> = columns.iter().map(|column| column.display.clone()).collect();
    for column in columns {
        if called.iter().filter(|display| **display == column.display).count() > 1 {
            column.display = format!("{} ({})", column.display, column.name);
        }
    }
}

fn relation(raw: &Spanned<RawRelation>, columns: &[Column]) -> Result<Relation, (usize, String)> {
    let RawRelation { name, column } = raw.get_ref();
    let found = columns.iter().find(|known| known.name == *column && known.level.is_none());
    let path = found.map(|column| column.path.clone()).ok_or_else(|| {
        (raw.span().start, format!("{column:?} is no column of the record that could relate rows"))
    })?;
    Ok(Relation { name: name.clone(), path })
}

impl RawColumn {
    fn build(self, explode: &[Level]) -> Result<Column, String> {
        let full = match self {
            Self::Full(full) => full,
            Self::Short(text) => {
                let (name, kind) = text.split_once(':').unwrap_or((&text, "string"));
                let kind = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(kind);
                let kind = ColumnType::deserialize(kind).map_err(|e| e.to_string())?;
                let (name, also) = (name.to_owned(), Vec::new());
                let (path, element, of, default) = (None, None, None, None);
                let (display, sql_time) = (None, false);
                FullColumn { name, display, kind, path, element, of, default, sql_time, also }
            }
        };
        if full.name.is_empty() || full.name.chars().any(char::is_control) {
            return Err(format!("{:?} is no name for a column", full.name));
        }
        let (path, level) = match (&full.path, &full.element) {
            (Some(_), Some(_)) => {
                return Err("a column has a path or an element, not both".to_owned());
            }
            (_, Some(_)) if explode.is_empty() => {
                return Err("a column with an element needs a table with explode".to_owned());
            }
            (_, Some(element)) => {
                let level = Level::position(explode, full.of.as_deref())?;
                let path = if element.is_empty() {
                    FieldPath(Vec::new())
                } else {
                    FieldPath::parse(element)?
                };
                (path, Some(level))
            }
            (Some(path), None) => (FieldPath::parse(path)?, None),
            (None, None) => (FieldPath(vec![full.name.clone()]), None),
        };
        let entries = level.is_some_and(|level| explode[level].entries);
        let (path, is_key) = match &path.0[..] {
            [only] if entries && only == "name" => (FieldPath(Vec::new()), true),
            [first, rest @ ..] if entries && first == "value" => (FieldPath(rest.to_vec()), false),
            _ if entries => {
                return Err("of an entry there are \"name\" and \"value\"".to_owned());
            }
            _ => (path, false),
        };
        let default = full.default.map(|value| value.to_string());
        let display = full.display.unwrap_or_else(|| full.name.clone());
        let FullColumn { name, also, kind, sql_time, .. } = full;
        Ok(Column { name, display, also, kind, path, level, is_key, default, sql_time })
    }
}

impl Level {
    /// Reads `states[].events[].parameters{}`: lists with `[]`, objects with `{}`. At the end, a list
    /// needs no brackets.
    fn parse(text: &str) -> Result<Vec<Self>, String> {
        let mut levels = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(['[', '{']).unwrap_or(rest.len());
            let (path, tail) = rest.split_at(end);
            let entries = tail.starts_with("{}");
            let after = tail.strip_prefix(if entries { "{}" } else { "[]" }).unwrap_or(tail);
            if !after.is_empty() && !after.starts_with('.') {
                return Err(format!("{text:?} is no way to rows, as \"states[].events[]\""));
            }
            levels.push(Self { path: FieldPath::parse(path)?, entries });
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        if levels.is_empty() { Err("explode names a list".to_owned()) } else { Ok(levels) }
    }

    /// Returns which of the levels `of` names: the last without it.
    fn position(levels: &[Self], of: Option<&str>) -> Result<usize, String> {
        let Some(of) = of else { return Ok(levels.len() - 1) };
        let named = Self::parse(of)?;
        match named.len() {
            len if levels.starts_with(&named) => Ok(len - 1),
            _ => Err(format!("{of:?} is no beginning of what the table explodes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_built_in_catalog_is_sound() {
        let catalog = Catalog::built_in().unwrap();

        let columns = |table: &str| catalog.table(table).unwrap().columns.len();
        assert_eq!((columns("amplitude_events"), columns("coveo_clicks")), (55, 41));
        assert_eq!(
            catalog.table("coveo_keywords").unwrap().explode,
            Level::parse("keywords").unwrap()
        );
    }

    #[test]
    fn people_can_tell_columns_apart() {
        let text = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                    [[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [{ name = \"a\", display = \"Name\" }, \
                    { name = \"b\", display = \"Name\" }, \"c\"]";
        let catalog = Catalog::parse("test", text).unwrap();
        let columns = &catalog.table("x").unwrap().columns;
        let shown: Vec<&str> = columns.iter().map(|column| column.display.as_str()).collect();
        assert_eq!(shown, ["Name (a)", "Name (b)", "c"]);
    }

    #[test]
    fn a_bad_catalog_is_refused_with_file_line_and_reason() {
        const DATASET: &str =
            "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n";
        let refused = |rest: &str| {
            Catalog::parse("my.toml", &format!("{DATASET}{rest}")).unwrap_err().to_string()
        };

        assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"e\"\ncolumns = [\"a\"]"),
            @r#"my.toml:7: there is no dataset "e"; there are d"#);
        assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\n\"a\",\n\"a\"]"),
            @r#"my.toml:10: column "a" is defined twice"#);
        assert_snapshot!(refused("[[table]]\nname = \"x/y\"\ndataset = \"d\"\ncolumns = [\"a\"]"),
            @r#"my.toml:6: a table's name is 1 to 64 of letters, digits, '_' and '-'; got "x/y""#);
        assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\"a:text\"]"),
            @"my.toml:8: unknown variant `text`, expected one of `string`, `integer`, `number`, `boolean`, `time`, `json`");
        assert_snapshot!(refused("[[table]]\nnmae = \"x\""), @"my.toml:6: unknown field `nmae`, expected one of `name`, `description`, `dataset`, `explode`, `omit`, `require`, `fill`, `relation`, `columns`");
        assert_snapshot!(refused("[[dataset]]\nname = \"z\"\npath = \"{workspace}/\"\ntime = \"t\""),
            @"my.toml:7: the path must contain {yyyy}");
        assert_snapshot!(refused("[[table"), @"my.toml:5: unclosed array table, expected `]]`");
    }
}
