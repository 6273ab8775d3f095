//! Checks which tables, columns and rows a request names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Check,
    fields::{allowed_once, escape, shorten},
};
use crate::{Fault, Filter, Scope, Table};

impl<'a> Check<'a> {
    pub(super) fn tables(&mut self, value: Option<&Value>) -> Vec<&'a Table> {
        let names: Vec<&str> = self.catalog.tables().map(|t| t.name.as_str()).collect();
        let Some(Value::Array(list)) = value else {
            self.faults.push(match value {
                None => {
                    Fault::new("required", "/tables", "Say which tables to export.").allowed(names)
                }
                Some(other) => Fault::new(
                    "wrong_type",
                    "/tables",
                    "The tables are a list of names, as [\"page\"].",
                )
                .value(other)
                .allowed(names),
            });
            return Vec::new();
        };
        if list.is_empty() || list.len() > self.limits.tables {
            let most = self.limits.tables;
            let detail = format!("An export has 1 to {most} tables; this one has {}.", list.len());
            self.faults.push(Fault::new("wrong_count", "/tables", detail).allowed(names.clone()));
            return Vec::new();
        }
        let (mut tables, mut allowed): (Vec<&Table>, _) = (Vec::new(), Some(&names[..]));
        for (i, value) in list.iter().enumerate() {
            let at = format!("/tables/{i}");
            let Some(name) = value.as_str() else {
                let detail = "A table is given by its name, a string.";
                let fault = Fault::new("wrong_type", at, detail).value(value);
                self.faults.push(allowed_once(fault, &mut allowed));
                continue;
            };
            match self.catalog.table(name) {
                Some(table) if tables.iter().any(|t| t.name == table.name) => self.faults.push(
                    Fault::new("duplicate", at, format!("Table {name:?} is asked for twice."))
                        .value(value),
                ),
                Some(table) => tables.push(table),
                None => {
                    let detail = format!("There is no table {:?}.", shorten(name));
                    let fault = Fault::new("unknown_table", at, detail).value(value);
                    let fault = fault.suggest(name, names.iter().copied());
                    self.faults.push(allowed_once(fault, &mut allowed));
                }
            }
        }
        tables
    }

    /// Reads `{"table": ["column", ...]}`. A table that is left out is exported with all of its columns.
    pub(super) fn columns(
        &mut self,
        value: Option<&Value>,
        tables: &[&Table],
    ) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let object = match value {
            None | Some(Value::Null) => return found,
            Some(Value::Object(object)) => object,
            Some(other) => {
                let detail = "The columns are given by table, as {\"page\": [\"title\", \"url\"]}.";
                self.faults.push(Fault::new("wrong_type", "/columns", detail).value(other));
                return found;
            }
        };
        let asked: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
        let mut allowed = Some(&asked[..]);
        for (name, value) in object {
            let at = format!("/columns/{}", escape(name));
            let Some(table) = tables.iter().find(|table| table.name == *name) else {
                self.faults.push_with(|| {
                    let name = shorten(name);
                    let detail = format!("Table {name:?} is not among the tables of this export.");
                    let fault = Fault::new("unknown_table", at, detail);
                    allowed_once(fault.suggest(&name, asked.iter().copied()), &mut allowed)
                });
                continue;
            };
            if let Some(columns) = self.columns_of(table, value, &at) {
                found.insert(name.clone(), columns);
            }
        }
        found
    }

    fn columns_of(&mut self, table: &Table, value: &Value, at: &str) -> Option<Vec<String>> {
        let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            let detail =
                "Columns are a list of at least one name; leave the table out for all of them.";
            self.faults.push(Fault::new("wrong_type", at, detail).value(value).allowed(known));
            return None;
        };
        let mut columns: Vec<String> = Vec::new();
        let (before, mut allowed) = (self.faults.count(), Some(&known[..]));
        for (i, value) in list.iter().enumerate() {
            let name = value.as_str();
            let twice = name.is_some_and(|name| columns.iter().any(|c| c == name));
            if let Some(name) = name.filter(|name| !twice && known.contains(name)) {
                columns.push(name.to_owned());
                continue;
            }
            self.faults.push_with(|| {
                let at = format!("{at}/{i}");
                let Some(name) = name else {
                    let detail = "A column is given by its name, a string.";
                    return Fault::new("wrong_type", at, detail).value(value);
                };
                let name = shorten(name);
                if twice {
                    let detail = format!("Column {name:?} is asked for twice.");
                    return Fault::new("duplicate", at, detail).value(value);
                }
                let detail = format!("Table {:?} has no column {name:?}.", table.name);
                let fault = Fault::new("unknown_column", at, detail).value(value);
                allowed_once(fault.suggest(&name, known.iter().copied()), &mut allowed)
            });
        }
        (self.faults.count() == before).then_some(columns)
    }

    /// Reads the filter, which applies to every table.
    pub(super) fn filter(
        &mut self,
        value: Option<&Value>,
        tables: &[&Table],
        named: &[(String, String)],
    ) -> Option<Filter> {
        const AT: &str = "/filter";
        let text = match value {
            None | Some(Value::Null) => return None,
            Some(Value::String(text)) => text,
            Some(other) => {
                let detail = "A filter is a text, as \"city == 'Berlin' AND clicks > 2\".";
                self.faults.push(Fault::new("wrong_type", AT, detail).value(other));
                return None;
            }
        };
        let tables = tables.iter().map(|table| table.name.as_str());
        match Filter::read(text, &Scope::new(self.catalog, tables, "", named)) {
            Ok(filter) => filter,
            Err(error) => {
                let detail = format!("The filter cannot be used: {error}.");
                let fault = Fault::new("wrong_filter", AT, detail);
                self.faults.push(fault.value(&Value::from(text.as_str())));
                None
            }
        }
    }
}
