//! Filters, bound to where the values stand in the records of a table.

use std::sync::Arc;

use export::{
    Catalog, Column, Comparison, Dimension, ExportRequest, Filter, Reach, Table, Test, TimeFormat,
};
use serde_json::value::RawValue;

use crate::{
    fields::descend,
    filter::Check,
    ids::{Ids, id_of},
    place::{Place, place, single},
    scan::Names,
};

/// A condition on a row.
#[derive(Debug)]
pub(crate) enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Value(At, Check),
    /// What the row belongs to is in one of these sets.
    Related(Vec<usize>),
}

/// Where a value stands.
#[derive(Debug)]
pub(crate) enum At {
    Record(Place),
    Element(Vec<Names>),
    /// In each element of a list: one that passes is enough.
    Each(Place, Vec<Names>),
}

/// A row, as far as a rule looks at it.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r, 'a> {
    pub(crate) found: &'r [Option<&'a str>],
    pub(crate) element: Option<&'a str>,
    /// What the row belongs to.
    pub(crate) id: Option<u128>,
}

/// Rows of another table that are looked for, because a filter names one of its columns: what the rows
/// belong to that pass is what its rows have to belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The table.
    pub table: String,
    /// What its rows have to be like.
    pub comparison: Comparison,
}

/// Returns what has to be looked up for a request, always in the same order.
pub fn lookups(catalog: &Catalog, request: &ExportRequest) -> Vec<Lookup> {
    let mut lookups: Vec<Lookup> = Vec::new();
    for selection in &request.tables {
        let Some(table) = catalog.table(&selection.table) else { continue };
        let filters = request.filters_of(&selection.table);
        for comparison in filters.flat_map(Filter::comparisons) {
            for lookup in lookups_of(catalog, table, comparison) {
                if !lookups.contains(&lookup) {
                    lookups.push(lookup);
                }
            }
        }
    }
    lookups
}

/// Returns what has to be looked up for rows of `table`.
fn lookups_of(catalog: &Catalog, table: &Table, comparison: &Comparison) -> Vec<Lookup> {
    let Some(Reach::Related(columns)) = catalog.reach(table, &comparison.dimension) else {
        return Vec::new();
    };
    let lookup = |(table, column): (&Table, &Column)| {
        let dimension = Dimension { table: Some(table.name.clone()), name: column.name.clone() };
        let comparison = Comparison { dimension, test: comparison.test.clone() };
        Lookup { table: table.name.clone(), comparison }
    };
    columns.into_iter().map(lookup).collect()
}

/// Binds filters to the records of a table.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) table: &'a Table,
    pub(crate) lookups: &'a [Lookup],
    /// The fields that are needed of records.
    pub(crate) names: &'a mut Vec<String>,
}

impl Binder<'_> {
    /// Binds a filter; none if the catalog does not know one of its columns.
    pub(crate) fn bind(&mut self, filter: &Filter) -> Option<Rule> {
        Some(match filter {
            Filter::All(filters) => Rule::All(self.bind_each(filters)?),
            Filter::Any(filters) => Rule::Any(self.bind_each(filters)?),
            Filter::One(comparison) => self.bind_one(comparison)?,
        })
    }

    fn bind_each(&mut self, filters: &[Filter]) -> Option<Vec<Rule>> {
        filters.iter().map(|filter| self.bind(filter)).collect()
    }

    fn bind_one(&mut self, comparison: &Comparison) -> Option<Rule> {
        match self.catalog.reach(self.table, &comparison.dimension)? {
            Reach::Own(column) => self.value(self.table, column, &comparison.test),
            Reach::Record(table, column) => self.value(table, column, &comparison.test),
            Reach::Related(_) => {
                let wanted = lookups_of(self.catalog, self.table, comparison);
                let place = |lookup| self.lookups.iter().position(|known| known == lookup);
                wanted.iter().map(place).collect::<Option<_>>().map(Rule::Related)
            }
        }
    }

    /// Binds the test of a column of `table`, which has the same records.
    fn value(&mut self, table: &Table, column: &Column, test: &Test) -> Option<Rule> {
        let at = match &table.explode {
            _ if !column.of_element => At::Record(place(self.names, &column.path)),
            Some(_) if table.name == self.table.name => At::Element(single(&column.path.0)),
            list => At::Each(place(self.names, list.as_ref()?), single(&column.path.0)),
        };
        Some(Rule::Value(at, self.check(table, column, test)?))
    }

    /// Binds what is looked for in records of its table, of which one row has to pass.
    pub(crate) fn lookup(&mut self, lookup: &Lookup) -> Option<Rule> {
        let column = self.table.find(&lookup.comparison.dimension.name)?;
        let at = match &self.table.explode {
            Some(list) if column.of_element => {
                At::Each(place(self.names, list), single(&column.path.0))
            }
            _ => At::Record(place(self.names, &column.path)),
        };
        Some(Rule::Value(at, self.check(self.table, column, &lookup.comparison.test)?))
    }

    fn check(&self, table: &Table, column: &Column, test: &Test) -> Option<Check> {
        let format: TimeFormat = self.catalog.dataset_of(table).time_format;
        Check::new(column.kind, format, test)
    }
}

impl Rule {
    /// Tells whether a row passes, given the sets of what was looked up.
    pub(crate) fn passes(&self, row: Row<'_, '_>, sets: &Arc<[Ids]>) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.passes(row, sets)),
            Self::Any(rules) => rules.iter().any(|rule| rule.passes(row, sets)),
            Self::Value(At::Record(place), check) => check.passes(place.find(row.found)),
            Self::Value(At::Element(path), check) => {
                check.passes(row.element.and_then(|element| descend(element, path)))
            }
            Self::Value(At::Each(list, path), check) => each(list.find(row.found), path, check),
            Self::Related(of) => row.id.is_some_and(|id| {
                of.iter().any(|set| sets.get(*set).is_some_and(|set| set.has(id)))
            }),
        }
    }

    /// Whether rows have to be looked up in other tables for it.
    pub(crate) fn is_related(&self) -> bool {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().any(Self::is_related),
            Self::Value(..) => false,
            Self::Related(_) => true,
        }
    }
}

/// Tells whether one of the values in a list passes. A list without any value is null as a whole.
fn each(list: Option<&str>, path: &[Names], check: &Check) -> bool {
    let list = list.filter(|list| *list != "null").unwrap_or("[]");
    let elements: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
    let mut values = elements.iter().map(|element| descend(element.get(), path));
    if check.is_for_null() {
        return values.all(|value| check.passes(value));
    }
    values.any(|value| check.passes(value))
}

/// Returns what a row belongs to.
pub(crate) fn id_at(place: Option<&Place>, found: &[Option<&str>]) -> Option<u128> {
    place?.find(found).and_then(id_of)
}

#[cfg(test)]
mod tests;
