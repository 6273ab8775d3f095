//! What a request may ask for at most, and how long answers hold.

use std::time::Duration;

use serde::Serialize;

/// How long the link behind a download is good for. A new one is made at each click, so it only has
/// to outlast a slow redirect, not the 24 hours of the archive.
pub const LINK_LIFETIME: Duration = Duration::from_mins(5);

/// What a request may ask for at most. Settings of the deployment, shown to its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The longest window, in days of 24 hours.
    pub window_days: u32,
    /// Tables in one export.
    pub tables: usize,
    /// Characters of a name.
    pub name_chars: usize,
    /// Characters of a description.
    pub description_chars: usize,
    /// Labels of one export.
    pub labels: usize,
    /// Characters of a label's key or value.
    pub label_chars: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How deep objects and lists of a body may nest.
    pub body_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_days: 366,
            tables: 20,
            name_chars: 100,
            description_chars: 1000,
            labels: 20,
            label_chars: 100,
            body_bytes: 256 * 1024,
            body_depth: 8,
        }
    }
}
