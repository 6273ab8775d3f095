//! Names in keys that vary: of tenants, of datasets, or of nothing that matters.

use std::collections::{BTreeMap, BTreeSet};

use export::Workspace;

use crate::{content::Content, layout::Layout, reading::Name};

/// What a name in a key is, where it says no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is the same in all keys.
    Constant,
    /// It is the tenant's.
    Workspace,
    /// It does not matter.
    Wildcard,
}

/// What was read of objects, by key.
pub(crate) type Contents = BTreeMap<String, Result<Content, String>>;

/// A layout whose objects are one dataset.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) layout: Layout,
    /// What each name of its keys is.
    pub(crate) roles: Vec<Role>,
    /// Why, in plain words.
    pub(crate) notes: Vec<String>,
}

const TENANTS: [&str; 24] = [
    "tenant",
    "tenantid",
    "workspace",
    "workspaceid",
    "customer",
    "customerid",
    "client",
    "clientid",
    "org",
    "orgid",
    "organization",
    "organizationid",
    "organisation",
    "account",
    "accountid",
    "company",
    "companyid",
    "site",
    "siteid",
    "project",
    "projectid",
    "appid",
    "team",
    "source",
];
const KINDS: [&str; 18] = [
    "event",
    "eventtype",
    "eventname",
    "type",
    "t",
    "table",
    "topic",
    "stream",
    "dataset",
    "segmenttype",
    "kind",
    "entity",
    "schema",
    "collection",
    "category",
    "model",
    "log",
    "logtype",
];

/// Whether a field or a folder of this name is likely to say whose a row is.
pub(crate) fn names_tenant(name: &str) -> bool {
    TENANTS.contains(&&plain(name)[..])
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Splits a layout into datasets, and says what its varying names are.
pub(crate) fn datasets(layout: Layout, contents: &Contents) -> Vec<Dataset> {
    let names = layout.first().map_or(0, |reading| reading.names.len());
    let start = Dataset { layout, roles: Vec::new(), notes: Vec::new() };
    let mut open = vec![start];
    for at in 0..names {
        open = open.into_iter().flat_map(|dataset| decide(dataset, at, contents)).collect();
    }
    open
}

fn decide(mut dataset: Dataset, at: usize, contents: &Contents) -> Vec<Dataset> {
    let values: BTreeSet<String> =
        dataset.layout.values(at).into_iter().map(str::to_owned).collect();
    let key = values.first().and_then(|value| value.split_once('=')).map(|(key, _)| key.to_owned());
    let bare: Vec<&str> = values
        .iter()
        .map(|value| value.split_once('=').map_or(&value[..], |(_, bare)| bare))
        .collect();
    let has_tenant = dataset.roles.contains(&Role::Workspace);
    let said = key.as_deref().map(plain).unwrap_or_default();
    let is_tenant =
        TENANTS.contains(&&said[..]) || !bare.is_empty() && bare.iter().all(|value| is_id(value));
    let role = if values.is_empty() || KINDS.contains(&&said[..]) && values.len() == 1 {
        Role::Constant
    } else if is_tenant && !has_tenant {
        let name = listed(&values);
        dataset.notes.push(format!("The tenant is taken from the folder of {name}, which looks like the name or the id of one."));
        Role::Workspace
    } else if values.len() == 1 {
        Role::Constant
    } else if bare.iter().all(|value| is_number(value) || is_region(value)) || is_tenant {
        dataset.notes.push(format!("The folder of {} is passed over by {{*}}.", listed(&values)));
        Role::Wildcard
    } else if KINDS.contains(&&said[..]) || !are_alike(&dataset.layout, at, contents) {
        let parts = dataset.layout.split(at).into_iter();
        let mut roles = dataset.roles;
        roles.push(Role::Constant);
        let part = |layout| Dataset { layout, roles: roles.clone(), notes: dataset.notes.clone() };
        return parts.map(part).collect();
    } else if has_tenant {
        dataset.notes.push(format!(
            "The folder of {} is passed over by {{*}}, since rows have the same fields whatever its name.",
            listed(&values)
        ));
        Role::Wildcard
    } else {
        dataset.notes.push(format!(
            "The folder of {} may be the tenant: its name varies, and rows have the same fields whatever it is. If it \
             is not, write {{*}} in its place and say with workspace whose rows these are.",
            listed(&values)
        ));
        Role::Workspace
    };
    dataset.roles.push(role);
    vec![dataset]
}

fn listed(values: &BTreeSet<String>) -> String {
    let some: Vec<String> = values.iter().take(3).map(|value| format!("{value:?}")).collect();
    let more = if values.len() > 3 { ", ..." } else { "" };
    format!("{}{more}", some.join(", "))
}

/// Whether a name is an id that a program made.
fn is_id(name: &str) -> bool {
    let has = |fits: fn(&char) -> bool| name.chars().any(|c| fits(&c));
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let is_hex = name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    let digits = name.len() >= 5 && name.bytes().all(|byte| byte.is_ascii_digit());
    let letters = is_plain && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    digits || letters && name.len() >= 8 && (is_mixed || is_hex && name.len() >= 16)
}

fn is_number(name: &str) -> bool {
    (1..=4).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name is that of a region of AWS, as us-east-1.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    parts.len() >= 3
        && parts[0].len() == 2
        && parts[..parts.len() - 1].iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase()))
        && parts
            .last()
            .is_some_and(|last| last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether rows have mostly the same fields, whatever the name at place `at`.
fn are_alike(layout: &Layout, at: usize, contents: &Contents) -> bool {
    let mut fields: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (object, reading) in &layout.objects {
        let (Some(Name::Other(name)), Some(Ok(content))) =
            (reading.names.get(at), contents.get(&object.key))
        else {
            continue;
        };
        let known = fields.entry(name).or_default();
        known.extend(content.records.iter().flat_map(|record| record.names()));
    }
    let mut sets = fields.values();
    let Some(first) = sets.next() else { return false };
    fields.len() > 1
        && sets.all(|set| {
            let shared = first.intersection(set).count();
            2 * shared >= first.union(set).count()
        })
}

/// Returns what workspaces are called, by their names in the lake; none if these are names of workspaces. `only` is the
/// workspace of the only name there is.
pub(crate) fn names(
    values: &BTreeSet<String>,
    only: Option<&Workspace>,
) -> Option<BTreeMap<String, String>> {
    let are_workspaces = values.iter().all(|value| value.parse::<Workspace>().is_ok());
    let is_given = only.is_some_and(|only| values.len() == 1 && !values.contains(only.as_ref()));
    if are_workspaces && !is_given {
        return None;
    }
    let mut names = BTreeMap::new();
    for value in values {
        let given = only.filter(|_| values.len() == 1).map(ToString::to_string);
        let name = given.unwrap_or_else(|| workspace(value));
        let taken = |name: &String| names.contains_key(name);
        let free = (2..=values.len() + 1).map(|n| format!("{name}-{n}")).find(|name| !taken(name));
        let name = if taken(&name) { free.unwrap_or(name) } else { name };
        names.insert(name, value.clone());
    }
    Some(names)
}

/// Returns the name of a workspace that is like `value`.
fn workspace(value: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = value.chars().map(fits).take(50).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "tenant".to_owned() } else { name.to_owned() }
}
