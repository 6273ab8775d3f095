//! Where an export's objects live in the export bucket.
//!
//! The only place a key is spelled. Lifecycle rules and policies in `template.yaml` name the same
//! two prefixes, `exports/` and `work/`.

use std::fmt;

use crate::{ExportId, Workspace};

/// The key of an export's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveKey(String);

impl ArchiveKey {
    /// What the object is stored as.
    pub const CONTENT_TYPE: &str = "application/zip";

    /// Returns the key of the archive of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.zip"))
    }
}

/// The key of an archive's only file as it is, without a ZIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainKey(String);

impl PlainKey {
    /// What the object is stored as.
    pub const CONTENT_TYPE: &str = "application/x-ndjson";

    /// Returns the key of the only file of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.ndjson"))
    }
}

/// The key of the list of rows that could not be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRowsKey(String);

impl BadRowsKey {
    /// What the object is stored as.
    pub const CONTENT_TYPE: &str = "application/x-ndjson";

    /// Returns the key of the bad rows of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.bad-rows.jsonl"))
    }
}

/// The key of something a builder needs until the archive is published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkKey(String);

impl WorkKey {
    /// Returns the key of the plan of `export`.
    pub fn plan(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("work/{workspace}/{export}/plan.json"))
    }

    /// Returns the key of what a step reports once it is done.
    pub fn report(workspace: &Workspace, export: ExportId, step: u32) -> Self {
        Self(format!("work/{workspace}/{export}/{step:05}.json"))
    }

    /// Returns the key of the segments a step made.
    pub fn piece(workspace: &Workspace, export: ExportId, step: u32) -> Self {
        Self(format!("work/{workspace}/{export}/{step:05}.deflate"))
    }
}

impl fmt::Display for ArchiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadRowsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WorkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
