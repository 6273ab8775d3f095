//! Resolves the names in a filter, and checks which comparisons make sense.

use jiff::Timestamp;

use crate::{Catalog, Column, ColumnType, Table, TimeFormat, parse_time};

use super::{Comparison, Dimension, Literal, Operator, Test};

/// The tables that a filter is for, and the names that it can use.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    catalog: &'a Catalog,
    /// The tables whose rows are filtered.
    tables: Vec<&'a Table>,
    /// The prefix of table names in the catalog that filters leave out.
    prefix: &'a str,
    /// Named filters: the id and text of each.
    named: &'a [(String, String)],
}

/// Where the values of a dimension are, as seen from the rows of a table.
#[derive(Clone, Debug)]
pub enum Reach<'a> {
    /// A column of the table.
    Own(&'a Column),
    /// A column of another table over the same records.
    Record(&'a Table, &'a Column),
    /// Columns of related tables, as clicks are related to a search: one of the related rows has to pass (a
    /// semi-join).
    Related(Vec<(&'a Table, &'a Column)>),
}

impl<'a> Scope<'a> {
    /// Returns the scope of filters on these tables, in which others are called without `prefix`.
    pub fn new(
        catalog: &'a Catalog,
        tables: impl IntoIterator<Item = &'a str>,
        prefix: &'a str,
        named: &'a [(String, String)],
    ) -> Self {
        let tables = tables.into_iter().filter_map(|name| catalog.table(name)).collect();
        Self { catalog, tables, prefix, named }
    }

    /// Returns the id and text of a named filter. The case of its id matters only if several ids match.
    pub(super) fn named(&self, id: &str) -> Option<(String, String)> {
        let exact = self.named.iter().find(|(known, _)| known == id);
        let any_case = || self.named.iter().find(|(known, _)| known.eq_ignore_ascii_case(id));
        exact.or_else(any_case).cloned()
    }

    /// Returns the comparison with the names of the catalog, or the reason why it makes no sense.
    pub(super) fn check(&self, comparison: Comparison) -> Result<Comparison, String> {
        let Comparison { dimension, test } = comparison;
        let written = dimension.to_string();
        let dimension = self.in_catalog(dimension)?;
        for table in &self.tables {
            let Some(reach) = self.catalog.reach(table, &dimension) else {
                return Err(self.unknown(table, &written));
            };
            let columns = match &reach {
                Reach::Own(column) | Reach::Record(_, column) => vec![*column],
                Reach::Related(columns) => columns.iter().map(|(_, column)| *column).collect(),
            };
            for column in columns {
                fits(column.kind, &test).map_err(|reason| format!("{written} {reason}"))?;
            }
        }
        Ok(Comparison { dimension, test })
    }

    /// Resolves tables and columns to the names of the catalog. A further name of a column resolves only within
    /// one table.
    fn in_catalog(&self, dimension: Dimension) -> Result<Dimension, String> {
        if let Some(name) = &dimension.table {
            let known = |table: &&Table| {
                let short = table.name.strip_prefix(self.prefix).unwrap_or(&table.name);
                short.eq_ignore_ascii_case(name) || table.name.eq_ignore_ascii_case(name)
            };
            let tables = self.tables.iter().flat_map(|table| self.catalog.related(table));
            let table = tables.into_iter().find(known);
            let table = table.ok_or_else(|| format!("there is no table {name:?} here"))?;
            return Ok(Dimension { table: Some(table.name.clone()), name: dimension.name });
        }
        let related = || self.tables.iter().flat_map(|table| self.catalog.related(table));
        if related().any(|table| table.find(&dimension.name).is_some()) {
            return Ok(dimension);
        }
        let also = related().find_map(|table| Some((table, table.also_called(&dimension.name)?)));
        Ok(match also {
            Some((table, column)) => {
                Dimension { table: Some(table.name.clone()), name: column.name.clone() }
            }
            None => dimension,
        })
    }

    fn unknown(&self, table: &Table, written: &str) -> String {
        let short = table.name.strip_prefix(self.prefix).unwrap_or(&table.name);
        let known = self.catalog.related(table);
        let names = known.iter().flat_map(|table| &table.columns).map(|c| c.name.as_str());
        let bare = written.rsplit('.').next().unwrap_or(written);
        let meant = crate::fault::closest(bare, names);
        let hint = meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        format!("{written} is no column of {short} or of what belongs to its rows{hint}")
    }
}

impl Catalog {
    /// Returns the tables whose rows are related to those of `table`, itself included.
    pub fn related<'a>(&'a self, table: &'a Table) -> Vec<&'a Table> {
        let Some(relation) = &table.relation else { return vec![table] };
        let same = |other: &&Table| {
            other.relation.as_ref().is_some_and(|other| other.name == relation.name)
        };
        self.tables().filter(same).collect()
    }

    /// Returns the nearest place of a dimension's values, as seen from the rows of `table`.
    pub fn reach<'a>(&'a self, table: &'a Table, dimension: &Dimension) -> Option<Reach<'a>> {
        let named = |other: &&Table| {
            dimension.table.as_ref().is_none_or(|name| other.name.eq_ignore_ascii_case(name))
        };
        let related = self.related(table).into_iter().filter(named);
        let found: Vec<(&Table, &Column)> =
            related.filter_map(|other| Some((other, other.find(&dimension.name)?))).collect();
        if let Some((_, column)) = found.iter().find(|(other, _)| other.name == table.name) {
            return Some(Reach::Own(column));
        }
        let same = |(other, _): &&(&Table, &Column)| {
            other.dataset == table.dataset && other.relation_path() == table.relation_path()
        };
        // Records themselves come before what is listed in them.
        let mut here: Vec<_> = found.iter().filter(same).collect();
        here.sort_by_key(|(other, _)| !other.explode.is_empty());
        if let Some((other, column)) = here.first() {
            return Some(Reach::Record(other, column));
        }
        (!found.is_empty()).then_some(Reach::Related(found))
    }
}

/// Returns the reason why a column of this type cannot be tested in this way. `None` if it can.
fn fits(kind: ColumnType, test: &Test) -> Result<(), String> {
    match test {
        Test::Is(operator, literal) => operand(kind, *operator, literal),
        Test::In(list) | Test::NotIn(list) => {
            list.iter().try_for_each(|literal| operand(kind, Operator::Equal, literal))
        }
    }
}

fn operand(kind: ColumnType, operator: Operator, literal: &Literal) -> Result<(), String> {
    let equality = matches!(
        operator,
        Operator::Equal | Operator::NotEqual | Operator::EqualFolded | Operator::NotEqualFolded
    );
    let within = matches!(operator, Operator::Contains | Operator::Lacks);
    let symbol = operator.symbol();
    match (kind, literal) {
        (_, Literal::Null) if equality => Ok(()),
        (_, Literal::Null) => {
            Err(format!("cannot be compared with null by {symbol}; use == or !="))
        }
        _ if within => Ok(()),
        (ColumnType::Boolean, _) if !equality => {
            Err(format!("is true or false, which {symbol} cannot put in order; use == or !="))
        }
        (ColumnType::Boolean, _) if literal.boolean().is_none() => {
            Err(format!("is true or false, not {literal}"))
        }
        (ColumnType::Integer | ColumnType::Number, _) if literal.number().is_none() => {
            Err(format!("is a number, not {literal}"))
        }
        (ColumnType::Time, _) if literal.instant().is_none() => Err(format!(
            "is a time, as '2026-03-01T00:00:00Z' or milliseconds since 1970, not {literal}"
        )),
        (ColumnType::String | ColumnType::Json, Literal::Boolean(_)) if !equality => {
            Err(format!("is a text, not {literal}"))
        }
        _ => Ok(()),
    }
}

impl Literal {
    /// Returns the literal as a boolean.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Self::Text(_) | Self::Number(_) | Self::Null => None,
        }
    }

    /// Returns the literal as a number, as it is written.
    pub fn number(&self) -> Option<&str> {
        let (Self::Number(text) | Self::Text(text)) = self else { return None };
        let text = text.trim();
        let bare = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = bare.split_once('.').unwrap_or((bare, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (digits(whole) && digits(fraction)).then_some(text)
    }

    /// Returns the literal as an instant: ISO 8601, or milliseconds since 1970.
    pub fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => parse_time(text, TimeFormat::Text)
                .or_else(|| parse_time(text, TimeFormat::Milliseconds)),
            Self::Number(text) => parse_time(text, TimeFormat::Milliseconds),
            Self::Boolean(_) | Self::Null => None,
        }
    }
}
