//! Where an export's objects live in the export bucket.
//!
//! The only place a key is spelled. Lifecycle rules and policies in `template.yaml` name the same
//! prefixes: `exports/`, `work/` and `segments/`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ExportId, Window, Workspace};

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

/// The key of one of the plain files of an export, or of the list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileKey(String);

impl FileKey {
    /// What a file is stored as.
    pub const CONTENT_TYPE: &str = "application/octet-stream";

    /// Returns the key of a file of `export`.
    pub fn of(workspace: &Workspace, export: ExportId, name: &str) -> Self {
        Self(format!("exports/{workspace}/{export}/{name}"))
    }

    /// Returns the key of the list of the files of `export`.
    pub fn list(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}/files.json"))
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

/// The key of something archives are made of, below `work/` until this one is published, below
/// `segments/` for some days, so that others find it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
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

    /// Returns the key of the report on segments that have this hash of what they are made of.
    pub fn kept_report(workspace: &Workspace, hash: &str) -> Self {
        Self(format!("segments/{workspace}/{hash}.json"))
    }

    /// Returns the key of the report on how many rows there are of what has this hash.
    pub fn kept_count(workspace: &Workspace, hash: &str) -> Self {
        Self(format!("segments/{workspace}/{hash}.rows.json"))
    }

    /// Returns the key of such segments. Those of another window may be others.
    pub fn kept_piece(workspace: &Workspace, hash: &str, window: Window) -> Self {
        let (from, to) = (window.from().as_microsecond(), window.to().as_microsecond());
        Self(format!("segments/{workspace}/{hash}-{from}-{to}.deflate"))
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

impl fmt::Display for FileKey {
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
