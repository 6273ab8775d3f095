//! The tables of this dialect, and what its users call their columns.

use export::{Catalog, Column, Table};

/// What the catalog puts before the names of this dialect's tables.
pub(crate) const PREFIX: &str = "coveo_";

/// The tables, as users call them, in the order in which the documents show all of them.
pub(crate) const TABLES: [&str; 5] = ["searches", "custom_events", "keywords", "groups", "clicks"];

/// The tables that hold events. The others list what searches have.
pub(crate) const EVENTS: [&str; 3] = ["searches", "clicks", "custom_events"];

/// The table that holds custom events: filters for it are others than for the rest.
pub(crate) const CUSTOM_EVENTS: &str = "custom_events";

/// Returns what the catalog calls a table.
pub(crate) fn in_catalog(table: &str) -> String {
    format!("{PREFIX}{table}")
}

/// Returns the tables of this dialect that the catalog has.
pub(crate) fn all(catalog: &Catalog) -> Vec<(&'static str, &Table)> {
    TABLES.iter().filter_map(|name| Some((*name, catalog.table(&in_catalog(name))?))).collect()
}

/// Finds what `name` means in a table: a column, `table.column`, or what filters call it, in any case.
pub(crate) fn column<'a>(called: &str, table: &'a Table, name: &str) -> Option<&'a Column> {
    let bare = match name.split_once('.') {
        Some((of, bare)) if of.eq_ignore_ascii_case(called) => bare,
        Some(_) => return None,
        None => name,
    };
    table.find(bare).or_else(|| table.also_called(bare))
}
