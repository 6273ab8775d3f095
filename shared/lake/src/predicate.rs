//! Predicates: filters, bound to the fields of the records of a table.

use export::{
    Catalog, Column, Comparison, Dimension, ExportRequest, Filter, Reach, Table, Test, TimeFormat,
};

use crate::{
    explode::{Element, Explode, Source},
    field_ref::FieldRef,
    filter::ValueTest,
    key_set::{KeySet, key_of},
};

/// A condition on a row.
#[derive(Debug)]
pub(crate) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Value(At, ValueTest),
    /// The join key of the row is in one of these sets of keys (a semi-join).
    Related(Vec<usize>),
}

/// Where a value stands.
#[derive(Debug)]
pub(crate) enum At {
    /// In the record, or in the row's own elements.
    Here(Source),
    /// In each of the rows of another table in the record: one that passes is enough.
    Each(Explode, Source),
}

/// What a predicate reads of a row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r, 'a> {
    pub(crate) found: &'r [Option<&'a str>],
    pub(crate) elements: &'r [Element<'a>],
    /// The join key of the row.
    pub(crate) id: Option<u128>,
}

/// A semi-join: a filter names a column of another table, so only rows pass whose join key is that of a row of the
/// other table that passes.
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

/// Returns the tables in which something has to be looked up, each with the number of its first lookup.
pub fn lookup_tables(catalog: &Catalog, request: &ExportRequest) -> Vec<(usize, String)> {
    let mut tables: Vec<(usize, String)> = Vec::new();
    for (number, Lookup { table, .. }) in lookups(catalog, request).into_iter().enumerate() {
        if tables.iter().all(|(_, known)| *known != table) {
            tables.push((number, table));
        }
    }
    tables
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
    pub(crate) fn bind(&mut self, filter: &Filter) -> Option<Predicate> {
        Some(match filter {
            Filter::All(filters) => Predicate::All(self.bind_each(filters)?),
            Filter::Any(filters) => Predicate::Any(self.bind_each(filters)?),
            Filter::One(comparison) => self.bind_one(comparison)?,
        })
    }

    fn bind_each(&mut self, filters: &[Filter]) -> Option<Vec<Predicate>> {
        filters.iter().map(|filter| self.bind(filter)).collect()
    }

    fn bind_one(&mut self, comparison: &Comparison) -> Option<Predicate> {
        match self.catalog.reach(self.table, &comparison.dimension)? {
            Reach::Own(column) => self.value(self.table, column, &comparison.test),
            Reach::Record(table, column) => self.value(table, column, &comparison.test),
            Reach::Related(_) => {
                let wanted = lookups_of(self.catalog, self.table, comparison);
                let field = |lookup| self.lookups.iter().position(|known| known == lookup);
                wanted.iter().map(field).collect::<Option<_>>().map(Predicate::Related)
            }
        }
    }

    /// Binds the test of a column of `table`, which has the same records.
    fn value(&mut self, table: &Table, column: &Column, test: &Test) -> Option<Predicate> {
        let at = self.at(table, column, table.name != self.table.name)?;
        Some(Predicate::Value(at, self.check(table, column, test)?))
    }

    /// Binds what is looked for in records of its table, of which one row has to pass.
    pub(crate) fn lookup(&mut self, lookup: &Lookup) -> Option<Predicate> {
        let column = self.table.find(&lookup.comparison.dimension.name)?;
        let at = self.at(self.table, column, true)?;
        Some(Predicate::Value(at, self.check(self.table, column, &lookup.comparison.test)?))
    }

    /// Binds a column of a table with the same records, `seen_from_outside` if rows of another are tested.
    fn at(&mut self, table: &Table, column: &Column, seen_from_outside: bool) -> Option<At> {
        let source = Source::of(column, self.names);
        if column.level.is_some() && seen_from_outside {
            return Some(At::Each(Explode::of(table, self.names)?, source));
        }
        Some(At::Here(source))
    }

    fn check(&self, table: &Table, column: &Column, test: &Test) -> Option<ValueTest> {
        let format: TimeFormat = self.catalog.dataset_of(table).time_format;
        ValueTest::new(column.kind, format, test)
    }
}

impl Predicate {
    /// Tells whether a row passes, given the sets of what was looked up.
    pub(crate) fn passes(&self, row: Row<'_, '_>, sets: &[KeySet]) -> bool {
        match self {
            Self::All(predicates) => predicates.iter().all(|predicate| predicate.passes(row, sets)),
            Self::Any(predicates) => predicates.iter().any(|predicate| predicate.passes(row, sets)),
            Self::Value(At::Here(source), check) => {
                check.passes(source.find(row.found, row.elements))
            }
            Self::Value(At::Each(explode, source), check) => {
                each(row.found, explode, source, check)
            }
            Self::Related(of) => row.id.is_some_and(|id| {
                of.iter().any(|set| sets.get(*set).is_some_and(|set| set.has(id)))
            }),
        }
    }

    /// Whether rows have to be looked up in other tables for it.
    pub(crate) fn is_related(&self) -> bool {
        match self {
            Self::All(predicates) | Self::Any(predicates) => {
                predicates.iter().any(Self::is_related)
            }
            Self::Value(..) => false,
            Self::Related(_) => true,
        }
    }
}

/// Tells whether one of the values in a list passes. A list without any value is null as a whole.
fn each(found: &[Option<&str>], explode: &Explode, source: &Source, check: &ValueTest) -> bool {
    let (mut some, mut all) = (false, true);
    let mut see = |elements: &[Element<'_>]| {
        let passes = check.passes(source.find(found, elements));
        (some, all) = (some || passes, all && passes);
        Ok(())
    };
    // What is not a list has no values, and is null to a filter.
    _ = explode.each(found, &mut see);
    if check.is_for_null() { all } else { some }
}

/// Returns the join key of a row.
pub(crate) fn id_at(field: Option<&FieldRef>, found: &[Option<&str>]) -> Option<u128> {
    field?.find(found).and_then(key_of)
}

#[cfg(test)]
mod tests;
