//! Reads a table of the catalog.

use serde::Deserialize;
use toml::Spanned;

use super::{
    Column, ColumnType, FieldPath, FieldStep, Level, Relation, Table,
    read::{Fault, check_name},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    description: String,
    pub(super) dataset: Spanned<String>,
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
    pub(super) fn build(self) -> Result<Table, Fault> {
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

/// Reads `name` or `name:type`.
pub(super) fn named_type(text: &str) -> Result<(&str, ColumnType), String> {
    let (name, kind) = text.split_once(':').unwrap_or((text, "string"));
    let kind = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(kind);
    Ok((name, ColumnType::deserialize(kind).map_err(|e| e.to_string())?))
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

fn relation(raw: &Spanned<RawRelation>, columns: &[Column]) -> Result<Relation, Fault> {
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
                let (name, kind) = named_type(&text)?;
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
            (None, None) => (FieldPath::of_name(&full.name), None),
        };
        let entries = level.is_some_and(|level| explode[level].entries);
        let (path, is_key) = match &path.0[..] {
            [FieldStep::Name(only)] if entries && only == "name" => (FieldPath(Vec::new()), true),
            [FieldStep::Name(first), rest @ ..] if entries && first == "value" => {
                (FieldPath(rest.to_vec()), false)
            }
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
