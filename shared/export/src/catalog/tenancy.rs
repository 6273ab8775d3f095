//! Whose rows a dataset has.

use std::collections::{BTreeMap, BTreeSet};

use super::FieldPath;
use crate::{PartitionPath, Workspace};

/// The most workspaces that a dataset has other names for.
pub const MAX_TENANT_NAMES: usize = 10_000;
/// The longest name of a tenant in a lake, in bytes.
pub const MAX_TENANT_NAME_BYTES: usize = 200;

/// Whose rows a dataset has. No request can say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenancy {
    source: TenantSource,
    /// What the lake calls workspaces. Without it, the lake has their own names.
    names: Option<BTreeMap<Workspace, String>>,
}

/// Where it stands whose rows they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantSource {
    /// In the path of an object.
    Path,
    /// Nowhere: all rows are those of this workspace.
    One(Workspace),
    /// In this field of each row.
    Field(FieldPath),
}

/// The reason why a dataset does not say whose rows it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenancyError {
    /// A name that is no workspace.
    #[error("{0}")]
    Workspace(#[from] crate::WorkspaceError),
    /// Two workspaces would have the same rows.
    #[error("{0:?} is the name of two workspaces")]
    Twice(String),
    /// A name that could not stand in a path.
    #[error("a name in the lake has 1 to {MAX_TENANT_NAME_BYTES} bytes and no slash; got {0:?}")]
    Name(String),
    /// Too many names.
    #[error("there are {MAX_TENANT_NAMES} names at most")]
    TooMany,
    /// The path does not say it, and nothing else does.
    #[error(
        "the path has no {{workspace}}, so workspace has to say whose rows these are: a name, or {{ field = \"...\" }}"
    )]
    Nobody,
    /// The path says it, and something else does, too.
    #[error("the path has {{workspace}}, so workspace is no name and has no field")]
    Both,
    /// The table says nothing.
    #[error("workspace has a field, names, or both")]
    Empty,
}

impl Tenancy {
    /// Returns the tenancy of objects whose path has the workspace's own name.
    pub fn of_path() -> Self {
        Self { source: TenantSource::Path, names: None }
    }

    /// Returns the tenancy of objects that all belong to one workspace.
    pub fn of_one(workspace: &str) -> Result<Self, TenancyError> {
        Ok(Self { source: TenantSource::One(workspace.parse()?), names: None })
    }

    /// Returns the tenancy of rows that name their tenant in a field, or in the path without one. `names` says what
    /// the lake calls each workspace; others have no rows then.
    pub fn named(
        field: Option<FieldPath>,
        names: Option<BTreeMap<String, String>>,
    ) -> Result<Self, TenancyError> {
        if field.is_none() && names.is_none() {
            return Err(TenancyError::Empty);
        }
        let source = field.map_or(TenantSource::Path, TenantSource::Field);
        let names = names.map(check_names).transpose()?;
        Ok(Self { source, names })
    }

    /// Checks that either the path or the tenancy says whose rows they are.
    pub fn check(&self, path: &PartitionPath) -> Result<(), TenancyError> {
        match (&self.source, path.has_workspace()) {
            (TenantSource::Path, true) | (TenantSource::One(_) | TenantSource::Field(_), false) => {
                Ok(())
            }
            (TenantSource::Path, false) => Err(TenancyError::Nobody),
            (TenantSource::One(_) | TenantSource::Field(_), true) => Err(TenancyError::Both),
        }
    }

    /// Returns what the lake calls a workspace; `None` if it has nothing of it.
    pub fn name_of<'a>(&'a self, workspace: &'a Workspace) -> Option<&'a str> {
        match (&self.source, &self.names) {
            (TenantSource::One(owner), _) if owner != workspace => None,
            (_, Some(names)) => names.get(workspace).map(String::as_str),
            (_, None) => Some(workspace.as_ref()),
        }
    }

    /// Returns the field in which rows name their tenant, if they do.
    pub fn field(&self) -> Option<&FieldPath> {
        match &self.source {
            TenantSource::Field(field) => Some(field),
            TenantSource::Path | TenantSource::One(_) => None,
        }
    }
}

fn check_names(
    names: BTreeMap<String, String>,
) -> Result<BTreeMap<Workspace, String>, TenancyError> {
    if names.len() > MAX_TENANT_NAMES {
        return Err(TenancyError::TooMany);
    }
    let mut seen = BTreeSet::new();
    for name in names.values() {
        if !(1..=MAX_TENANT_NAME_BYTES).contains(&name.len()) || name.contains('/') {
            return Err(TenancyError::Name(name.clone()));
        }
        if !seen.insert(name) {
            return Err(TenancyError::Twice(name.clone()));
        }
    }
    let workspace = |(workspace, name): (String, String)| Ok((workspace.parse()?, name));
    names.into_iter().map(workspace).collect()
}
