//! What the steps of an export share: what a builder works with, what it selects, and reports that it reads.

use std::{ops::Range, sync::Arc};

use anyhow::Context as _;
use export::{Export, Files, WorkKey};
use lake::{KeySet, Plan, Selection};

use crate::{app::App, report::Report, watch::Watch};

/// What a builder works with while it does steps of an export.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) app: &'a App,
    pub(crate) export: &'a Export,
    pub(crate) plan: &'a Plan,
    pub(crate) watch: Watch,
    /// What the first pass found, once it was asked for.
    pub(crate) found: Option<Arc<[Found]>>,
    /// All of it, if that is little.
    pub(crate) held: Option<Arc<[KeySet]>>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(app: &'a App, export: &'a Export, plan: &'a Plan, watch: Watch) -> Self {
        Self { app, export, plan, watch, found: None, held: None }
    }
}

/// The ids that a step found for one lookup.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) lookup: usize,
    pub(crate) piece: WorkKey,
    pub(crate) bytes: Range<u64>,
}

/// Reads the report of a step; `None` if there is none yet.
pub(crate) async fn read(app: &App, key: &WorkKey) -> anyhow::Result<Option<Report>> {
    let Some(bytes) = app.archives.read_work(key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).context("decode step report")
}

/// What an export takes of one of its tables.
pub(crate) fn selection(app: &App, export: &Export, table: usize) -> anyhow::Result<Selection> {
    let request = &export.request;
    let selection = Selection::new(&app.catalog, &export.workspace, request, table)
        .context("find the table and its columns in the catalog")?;
    Ok(match request.files {
        // Readers of these are known that split lines at more than line feeds.
        Files::Hourly(_) => selection.escaping_separators(),
        Files::Tables | Files::Single(_) | Files::Parts(_) | Files::Counts => selection,
    })
}
