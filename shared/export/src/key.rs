//! The keys of objects in the export bucket.
//!
//! This is the only place that spells them. Lifecycle rules and policies in `template.yaml` name the
//! prefixes `exports/`, `work/` and `segments/`, too.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ExportId, Window, Workspace};

/// The key of an export's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveKey(String);

impl ArchiveKey {
    /// The media type of the object.
    pub const CONTENT_TYPE: &str = "application/zip";

    /// Returns the key of the archive of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.zip"))
    }
}

/// The key of an export's only file, for downloads without the ZIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainKey(String);

impl PlainKey {
    /// The media type of the object.
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
    /// The media type of the files.
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

/// The key of the list of an export's bad rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRowsKey(String);

impl BadRowsKey {
    /// The media type of the object.
    pub const CONTENT_TYPE: &str = "application/x-ndjson";

    /// Returns the key of the bad rows of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.bad-rows.jsonl"))
    }
}

/// The key of an export's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptKey(String);

impl ReceiptKey {
    /// The media type of the object.
    pub const CONTENT_TYPE: &str = "application/json";

    /// Returns the key of the receipt of `export`.
    pub fn of(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("exports/{workspace}/{export}.receipt.json"))
    }
}

/// The key of an intermediate object: below `work/` for one export, or below `segments/` where later
/// exports can find it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkKey(String);

impl WorkKey {
    /// Returns the key of the plan of `export`.
    pub fn plan(workspace: &Workspace, export: ExportId) -> Self {
        Self(format!("work/{workspace}/{export}/plan.json"))
    }

    /// Returns the key of a version of the catalog. No workspace has such a name.
    pub fn catalog(version: &str) -> Self {
        Self(format!("work/_catalogs/{version}.toml"))
    }

    /// Returns the key of the report of a step.
    pub fn report(workspace: &Workspace, export: ExportId, step: u32) -> Self {
        Self(format!("work/{workspace}/{export}/{step:05}.json"))
    }

    /// Returns the key of the segments of a step.
    pub fn piece(workspace: &Workspace, export: ExportId, step: u32) -> Self {
        Self(format!("work/{workspace}/{export}/{step:05}.deflate"))
    }

    /// Returns the key of the report on kept segments, by the hash of the inputs that they depend on.
    pub fn kept_report(workspace: &Workspace, hash: &str) -> Self {
        Self(format!("segments/{workspace}/{hash}.json"))
    }

    /// Returns the key of a kept row count, by the hash of the request that it depends on.
    pub fn kept_count(workspace: &Workspace, hash: &str) -> Self {
        Self(format!("segments/{workspace}/{hash}.rows.json"))
    }

    /// Returns the key of kept segments. Segments of another window have another one.
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

impl fmt::Display for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WorkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_workspace_its_hash_and_its_window() {
        let (acme, begin) = ("acme".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        let window = Window::new(begin, begin + jiff::SignedDuration::from_secs(1)).unwrap();
        let piece = WorkKey::kept_piece(&acme, "ab12", window).to_string();
        assert_eq!(piece, "segments/acme/ab12-0-1000000.deflate");
        assert_eq!(WorkKey::kept_count(&acme, "ab12").to_string(), "segments/acme/ab12.rows.json");
    }
}
