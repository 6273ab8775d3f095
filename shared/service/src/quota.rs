//! Admission: what a workspace may still do, within its quotas.
//!
//! An export is not uncounted when it ends: only when there may be no more is it looked up which of them have
//! ended. So the code that ends an export need not know of this, and cannot forget it.

use std::collections::BTreeSet;

use cloud::{BucketChange, Lake};
use export::{Dataset, Export, ExportId, Quota, RequestCost, Window, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tracing::error;

use crate::{Error, Exports, Result};

/// The most attempts to count while others count, too.
const MAX_ATTEMPTS: u32 = 5;
/// Exports that are looked up at the same time.
const MAX_CONCURRENT_GETS: usize = 16;
/// How long it may take until an export is stored that was counted.
const STORED_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// How many lists of the lake cost as much as a request.
const LISTS_A_REQUEST: usize = 10;

impl Exports {
    /// Counts the cost of a request, if its workspace may still send one.
    pub async fn spend(
        &self,
        workspace: &Workspace,
        cost: RequestCost,
        now: Timestamp,
    ) -> Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            let usage = self.table.request_usage(workspace).await?;
            let quota = self.quota.with(usage.quota.overrides());
            let next = quota.spend(usage.full_at, cost, now).map_err(Error::QuotaExceeded)?;
            let ((cost, whole), now) = (quota.cost(cost), now.as_microsecond());
            // In a bucket that is not full, requests at the same moment add up.
            let change = if usage.full_at < now {
                BucketChange::FromFull { now, next }
            } else {
                BucketChange::Add { now, cost, latest: now + whole - cost }
            };
            if self.table.change_bucket(workspace, change).await? {
                return Ok(());
            }
        }
        // Many at once: one of them uncounted does less harm than one refused.
        Ok(())
    }

    /// Counts the cost of listing what these datasets have of a window, beside the request itself. It is counted
    /// before they are listed.
    pub async fn spend_lists(
        &self,
        workspace: &Workspace,
        datasets: impl IntoIterator<Item = &Dataset>,
        window: Window,
        now: Timestamp,
    ) -> Result<()> {
        let mut lists = 0;
        for dataset in datasets {
            lists += Lake::count_lists(dataset, workspace, window)?;
        }
        let requests = u32::try_from(lists.div_ceil(LISTS_A_REQUEST)).unwrap_or(u32::MAX);
        self.spend(workspace, RequestCost::Beside(requests), now).await
    }

    /// Counts an export that is about to be stored, if its workspace may make it.
    pub(crate) async fn count_new(&self, export: &Export) -> Result<()> {
        let (workspace, now) = (&export.workspace, export.created_at);
        let day = Quota::day(now);
        for attempt in 0..MAX_ATTEMPTS {
            let usage = self.table.export_usage(workspace).await?;
            let quota = self.quota.with(usage.quota.overrides());
            let is_same_day = usage.day.as_ref() == Some(&day);
            let made = if is_same_day { u32::try_from(usage.made).unwrap_or(0) } else { 0 };
            // Once: what is left then is not finished.
            let is_full = usage.unfinished.len() >= quota.exports_at_once as usize;
            if is_full && attempt == 0 {
                let ended = self.ended_of(workspace, &usage.unfinished, now).await?;
                if !ended.is_empty() {
                    self.table.remove_from_unfinished(workspace, &ended).await?;
                    continue;
                }
            }
            quota.one_more(usage.unfinished.len(), made, now).map_err(Error::QuotaExceeded)?;
            if self.table.count_export(export, &day, usage.day.as_deref(), quota).await? {
                return Ok(());
            }
        }
        Err(cloud::Error::Stale(export.id).into())
    }

    /// Takes back that an export was counted, because it was not made. If that breaks, it is forgotten when
    /// there may be no more.
    pub(crate) async fn uncount(&self, export: &Export) {
        if let Err(e) = self.table.uncount_export(export).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }

    /// Returns which of these exports have ended, or were counted and never stored.
    async fn ended_of(
        &self,
        workspace: &Workspace,
        exports: &BTreeSet<ExportId>,
        now: Timestamp,
    ) -> Result<BTreeSet<ExportId>> {
        stream::iter(exports.iter().copied())
            .map(async |id| {
                let found = self.table.get(workspace, id).await?;
                let is_coming = now.duration_since(id.created_at()) < STORED_WITHIN;
                let ended = found.map_or(!is_coming, |export| !export.status(now).is_unfinished());
                Ok(ended.then_some(id))
            })
            .buffer_unordered(MAX_CONCURRENT_GETS)
            .try_filter_map(async |id| Ok(id))
            .try_collect()
            .await
    }
}

#[cfg(test)]
mod tests;
