//! Whose rows a dataset has, and why that is thought.

use std::collections::{BTreeMap, BTreeSet};

use export::Workspace;
use serde_json::Value;

use crate::{
    content::Record,
    folders::{Dataset, Role, names, names_tenant},
    reading::{Name, Reading},
    survey::Options,
    time::written,
};

/// The most names of tenants that are written.
const MAX_NAMES: usize = 200;

/// Whose rows a dataset has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// The path says it, in the names of workspaces or in these.
    Path(Option<BTreeMap<String, String>>),
    /// They are this workspace's.
    One(String),
    /// A field says it, likewise.
    Field(String, Option<BTreeMap<String, String>>),
}

/// What the lake calls the tenant of an object; nothing if its key does not say it.
pub(crate) fn tenant<'k>(roles: &[Role], reading: &'k Reading) -> &'k str {
    let name = reading.names.iter().zip(roles).find_map(|(name, role)| match (name, role) {
        (Name::Other(name), Role::Workspace) => Some(&name[..]),
        _ => None,
    });
    name.map_or("", |name| name.split_once('=').map_or(name, |(_, value)| value))
}

/// Returns whose rows a dataset has. Notes say why.
pub(crate) fn tenancy(
    dataset: &Dataset,
    records: &[&Record],
    options: &Options,
    notes: &mut Vec<String>,
) -> Tenancy {
    let only = options.workspace.as_ref();
    if dataset.roles.contains(&Role::Workspace) {
        let values =
            dataset.layout.objects.iter().map(|(_, reading)| tenant(&dataset.roles, reading));
        let values: BTreeSet<String> = values.map(str::to_owned).take(10_000).collect();
        return Tenancy::Path(named(values, only, notes));
    }
    let fields = tenant_fields(records);
    if let Some((path, values)) = fields.iter().find(|(_, values)| values.len() > 1) {
        notes.push(format!(
            "Rows say in {path} whose they are, it seems; a row that has no such name there is nobody's. If they do \
             not, write workspace = \"...\" with the name of the workspace that all of them belong to."
        ));
        return Tenancy::Field(path.clone(), named(values.clone(), None, notes));
    }
    let name = only.map_or("main", |workspace| workspace.as_ref());
    let field = match fields.first() {
        Some((path, _)) => {
            format!("If the field {path} says it, write workspace = {{ field = '{path}' }}.")
        }
        None => "If a field of them says it, write workspace = { field = \"...\" }.".to_owned(),
    };
    notes.push(format!(
        "Everything belongs to the workspace {name}, since neither a folder nor a field seems to say whose rows these \
         are. Write the name of yours. {field}"
    ));
    Tenancy::One(name.to_owned())
}

fn named(
    mut values: BTreeSet<String>,
    only: Option<&Workspace>,
    notes: &mut Vec<String>,
) -> Option<BTreeMap<String, String>> {
    if values.len() > MAX_NAMES {
        notes.push(format!(
            "There are more tenants than {MAX_NAMES}: names has so many. Add the others if it is there."
        ));
        values = values.into_iter().take(MAX_NAMES).collect();
    }
    let names = names(&values, only);
    if names.is_some() {
        notes.push(
            "Under names, each name of the lake stands behind that of its workspace: write your workspaces there. \
             Tenants that are not among them have no rows, those of folders too that were not looked at."
                .to_owned(),
        );
    }
    names
}

/// Returns the fields whose names are those of tenants, with their values.
fn tenant_fields(records: &[&Record]) -> Vec<(String, BTreeSet<String>)> {
    let mut found: Vec<(String, BTreeSet<String>, usize)> = Vec::new();
    let mut add = |path: &[String], value: &Value| {
        let text = match value {
            Value::String(text) if (1..=200).contains(&text.len()) && !text.contains('/') => {
                text.clone()
            }
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => return,
        };
        let Some(path) = written(path) else { return };
        match found.iter_mut().find(|(known, ..)| *known == path) {
            Some((_, values, count)) => {
                values.insert(text);
                *count += 1;
            }
            None => found.push((path, [text].into(), 1)),
        }
    };
    for (name, value) in records.iter().flat_map(|record| &record.0) {
        // What a source or a site is to one, is a tenant to another: only a folder of that name tells.
        if !names_tenant(name)
            || ["source", "site", "project", "team", "client"].contains(&&name[..])
        {
            continue;
        }
        match value {
            Value::Object(fields) => {
                for (inner, value) in
                    fields.iter().filter(|(inner, _)| ["id", "name"].contains(&&inner[..]))
                {
                    add(&[name.clone(), inner.clone()], value);
                }
            }
            value => add(std::slice::from_ref(name), value),
        }
    }
    // Nearly all rows have it.
    let all = found.into_iter().filter(|(.., count)| count * 10 >= records.len() * 9);
    all.map(|(path, values, _)| (path, values)).collect()
}
