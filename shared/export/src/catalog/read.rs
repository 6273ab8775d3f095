//! Reads a catalog from TOML, or says what is wrong in which line.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::{
    Catalog, CatalogError, Column, ColumnType, Compression, Dataset, DialectTable, FieldPath,
    Level, MAX_BAD_PERCENT, Relation, Release, Table,
};
use crate::{PartitionPath, TimeFormat};

impl Catalog {
    /// Reads a catalog. `file` is the name of the file in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        let fail = |at: usize, reason: String| {
            let line = text[..at.min(text.len())].matches('\n').count() + 1;
            CatalogError { file: file.to_owned(), line, reason }
        };
        let raw: RawCatalog = toml::from_str(text)
            .map_err(|e| fail(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;

        let percent = |percent: Spanned<u8>| match *percent.get_ref() {
            percent @ 0..=100 => Ok(percent),
            other => {
                let reason = format!("max_bad_percent is 0 to 100; got {other}");
                Err(fail(percent.span().start, reason))
            }
        };
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
                early: SignedDuration::from_hours(i64::from(raw.early_hours.unwrap_or(1))),
                late: SignedDuration::from_hours(i64::from(raw.late_hours)),
                compression: raw.compression,
                max_bad_percent: raw.max_bad_percent.map_or(Ok(MAX_BAD_PERCENT), percent)?,
                release: raw.release.map(release).transpose().map_err(|(at, why)| fail(at, why))?,
                max_export_bytes: u64::from(raw.max_export_megabytes.unwrap_or(4000)) * 1_000_000,
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
        let dialects = raw.dialect.into_iter().map(|(name, table)| {
            let place = fail(table.span().start, String::new());
            (name, DialectTable { settings: table.into_inner(), place })
        });
        Ok(Self { datasets, tables, dialects: dialects.collect() })
    }
}

impl FieldPath {
    /// Reads names that are joined by dots. A name with a dot in it stands in quotes.
    fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let quoted = text.strip_prefix('"').and_then(|text| text.split_once('"'));
            let (name, after) =
                quoted.unwrap_or_else(|| text.split_at(text.find('.').unwrap_or(text.len())));
            names.push(name.to_owned());
            rest = after.strip_prefix('.');
            if rest.is_none() && !after.is_empty() {
                return Err(format!("{text:?} is no field: after a name in quotes there is a dot"));
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(format!("{text:?} is no field: names are joined by single dots"));
        }
        Ok(Self(names))
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
    dialect: BTreeMap<String, Spanned<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDataset {
    name: Spanned<String>,
    path: Spanned<String>,
    time: Spanned<String>,
    #[serde(default)]
    time_format: TimeFormat,
    early_hours: Option<u16>,
    #[serde(default)]
    late_hours: u16,
    #[serde(default)]
    compression: Compression,
    release: Option<Spanned<RawRelease>>,
    retention_days: Option<u16>,
    max_export_megabytes: Option<u32>,
    max_bad_percent: Option<Spanned<u8>>,
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
        assert_eq!((columns("amplitude_events"), columns("coveo_clicks")), (55, 42));
        assert_eq!(
            catalog.table("coveo_keywords").unwrap().explode,
            Level::parse("keywords").unwrap()
        );
    }

    #[test]
    fn a_dialect_reads_its_own_table_and_an_error_in_it_names_the_line() {
        #[derive(Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            depth: u8,
        }
        let catalog = Catalog::parse("test", "\n[dialect.diving]\ndepth = 3").unwrap();
        assert_eq!(catalog.dialect("diving"), Ok(Settings { depth: 3 }));
        assert_eq!(catalog.dialect("flying"), Ok(Settings::default()));

        let catalog = Catalog::parse("test", "\n[dialect.diving]\ndeep = 3").unwrap();
        let error = catalog.dialect::<Settings>("diving").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("test", 2));
        assert!(error.reason.contains("deep"), "{error}");
    }

    #[test]
    fn a_name_with_a_dot_stands_in_quotes() {
        let path = |text: &str| FieldPath::parse(text).map(|path| path.0);
        let names = |names: &[&str]| Ok(names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(path("event.time"), names(&["event", "time"]));
        assert_eq!(path(r#""event.time""#), names(&["event.time"]));
        assert_eq!(path(r#"meta."event.time".at"#), names(&["meta", "event.time", "at"]));
        for text in ["", ".", "a.", r#""a"b"#, r#""a"."#] {
            assert!(path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_in_another_case_is_found_where_there_is_no_choice() {
        let text = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                    [[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\"userId\", \"userid\", \"Page\"]";
        let catalog = Catalog::parse("test", text).unwrap();
        let find = |name| catalog.table("x").unwrap().find(name).map(|column| &column.name[..]);
        assert_eq!(
            (find("userId"), find("userid"), find("PAGE")),
            (Some("userId"), Some("userid"), Some("Page"))
        );
        assert_eq!(find("USERID"), None, "either could be meant");
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
        assert_snapshot!(refused("max_export_megabytes = 18446744073709"),
            @"my.toml:5: invalid value: integer `18446744073709`, expected u32");
        assert_snapshot!(refused("max_bad_percent = 101"),
            @"my.toml:5: max_bad_percent is 0 to 100; got 101");
        assert_snapshot!(refused("[[table"), @"my.toml:5: unclosed array table, expected `]]`");
    }

    const DATASET: &str =
        "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n";

    #[test]
    fn a_dataset_has_its_bounds_in_days_and_megabytes() {
        let read = |rest: &str| {
            let catalog = Catalog::parse("test", &format!("{DATASET}{rest}")).unwrap();
            let dataset = catalog.datasets().next().unwrap();
            (dataset.retention.map(|time| time.as_hours()), dataset.max_export_bytes)
        };
        assert_eq!(read(""), (None, 4_000_000_000));
        let bounds = "retention_days = 30\nmax_export_megabytes = 2";
        assert_eq!(read(bounds), (Some(720), 2_000_000));
    }

    /// Reads the only table of a catalog.
    fn table(rest: &str) -> Result<Table, String> {
        let text = format!("{DATASET}[[table]]\nname = \"x\"\ndataset = \"d\"\n{rest}");
        let catalog = Catalog::parse("test", &text).map_err(|error| error.reason)?;
        Ok(catalog.table("x").unwrap().clone())
    }

    #[test]
    fn what_a_table_requires_or_relates_by_is_one_of_its_columns() {
        let columns =
            "columns = [\"a\", { name = \"b\", path = \"c.d\" }, { name = \"e\", element = \"\" }]";
        let read = |rest: &str| table(&format!("explode = \"list\"\n{columns}\n{rest}"));
        assert_eq!(read("require = \"b\"").unwrap().require.as_deref(), Some("b"));
        assert!(read("require = \"c\"").is_err());

        let related = |column: &str| {
            let table = read(&format!("relation = {{ name = \"r\", column = \"{column}\" }}"))?;
            Ok::<_, String>(table.relation_path().map(|path| path.0.join("/")))
        };
        assert_eq!(related("a"), Ok(Some("a".to_owned())));
        assert_eq!(related("b"), Ok(Some("c/d".to_owned())));
        assert!(related("c").is_err(), "there is no such column");
        assert!(related("e").is_err(), "a record has several of it");
    }

    #[test]
    fn a_columns_name_is_a_text_that_fits_a_header() {
        for bad in ["", "a\\nb"] {
            let refused = table(&format!("columns = [\"{bad}\"]")).unwrap_err();
            assert!(refused.contains("is no name for a column"), "{refused}");
        }
    }

    #[test]
    fn an_element_is_of_the_level_that_its_column_names() {
        let column = |column: &str| {
            let explode = "explode = \"states[].events[].parameters{}\"";
            let table = table(&format!("{explode}\ncolumns = [{{ name = \"a\", {column} }}]"))?;
            let Column { path, level, is_key, .. } = table.columns[0].clone();
            Ok::<_, String>((path.0.join("/"), level, is_key))
        };
        let of = |path: &str, level, is_key| Ok((path.to_owned(), level, is_key));
        assert_eq!(column("path = \"name\""), of("name", None, false));
        assert_eq!(column("element = \"name\", of = \"states[]\""), of("name", Some(0), false));
        assert_eq!(column("element = \"\", of = \"states[]\""), of("", Some(0), false));
        let second = "element = \"value.x\", of = \"states[].events[]\"";
        assert_eq!(column(second), of("value/x", Some(1), false));
        // The last level is one of entries, which have a name and a value.
        assert_eq!(column("element = \"name\""), of("", Some(2), true));
        assert_eq!(column("element = \"value\""), of("", Some(2), false));
        assert_eq!(column("element = \"value.x\""), of("x", Some(2), false));
        for refused in ["element = \"other\"", "element = \"name.x\"", "element = \"\""] {
            assert!(column(refused).is_err(), "{refused}");
        }
        assert!(column("element = \"x\", of = \"events[]\"").is_err(), "no beginning of it");
        assert!(column("element = \"x\", path = \"y\"").is_err(), "one or the other");
        assert!(table("columns = [{ name = \"a\", element = \"x\" }]").is_err(), "of no list");
    }
}
