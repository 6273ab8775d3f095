//! What the steps of an export share: what a builder works with, what it selects, and the reports that it reads.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use anyhow::Context as _;
use export::{Export, Files, WorkKey};
use lake::{KeySet, Plan, Selection};
use service::LeaseWatch;

use crate::{app::App, report::Report};

/// What a builder works with while it does steps of an export.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) app: &'a App,
    pub(crate) export: &'a Export,
    pub(crate) plan: &'a Plan,
    /// Says when the lease is lost.
    pub(crate) watch: LeaseWatch,
    /// The reports on the steps that this builder did, by the number of the step.
    pub(crate) reports: BTreeMap<u32, Report>,
    /// Where the join keys of the first pass are, once they were needed.
    pub(crate) found: Option<Arc<[FoundKeys]>>,
    /// All of these keys, if they fit into memory.
    pub(crate) all_keys: Option<Arc<[KeySet]>>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(app: &'a App, export: &'a Export, plan: &'a Plan, watch: LeaseWatch) -> Self {
        let reports = BTreeMap::new();
        Self { app, export, plan, watch, reports, found: None, all_keys: None }
    }
}

/// Where the join keys are that a step found for one lookup.
#[derive(Debug)]
pub(crate) struct FoundKeys {
    pub(crate) lookup: usize,
    pub(crate) piece: WorkKey,
    pub(crate) bytes: Range<u64>,
}

/// Reads the report of a step; `None` if there is none yet.
pub(crate) async fn read_report(app: &App, key: &WorkKey) -> anyhow::Result<Option<Report>> {
    let Some(bytes) = app.archives.read_work(key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).context("decode step report")
}

/// Returns what an export takes of one of its tables.
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
