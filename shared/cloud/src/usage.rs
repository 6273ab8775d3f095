//! What a workspace uses, and what its operator allows it, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | requests: when the token bucket is full again | `W#workspace` | `U#requests` |
//! | exports: how many were made on a day, and which may not be finished | `W#workspace` | `U#exports` |
//!
//! Each item also has what the operator set for the workspace.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder, types::AttributeValue,
};
use export::{Export, ExportId, Quota, QuotaOverride, Workspace};
use serde::{Deserialize, de::DeserializeOwned};
use serde_dynamo::from_item;

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    record_item::{number, pk, text},
};

const REQUESTS: &str = "U#requests";
const EXPORTS: &str = "U#exports";

/// The requests of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RequestUsage {
    /// When the token bucket is full again, in microseconds since 1970; 0 if it always was.
    #[serde(default)]
    pub full_at: i64,
    /// What the operator set.
    #[serde(flatten)]
    pub quota: QuotaItem,
}

/// The exports of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ExportUsage {
    /// The day (UTC) that was counted last, as `2026-03-01`.
    #[serde(default)]
    pub day: Option<String>,
    /// How many exports were made on that day.
    #[serde(default)]
    pub made: i64,
    /// The exports that may not be finished. Those that have ended stay until they are removed.
    #[serde(default)]
    pub unfinished: BTreeSet<ExportId>,
    /// What the operator set.
    #[serde(flatten)]
    pub quota: QuotaItem,
}

/// What the operator set for a workspace, as far as one item has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct QuotaItem {
    #[serde(default)]
    exports_at_once: Option<u32>,
    #[serde(default)]
    exports_a_day: Option<u32>,
    #[serde(default)]
    requests_a_second: Option<u32>,
    #[serde(default)]
    request_burst: Option<u32>,
}

/// How the token bucket of a workspace changes. All times and costs are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketChange {
    /// It was full, and is full again at `next`, unless somebody took from it in the meantime.
    FromFull {
        /// Now.
        now: i64,
        /// When it is full again.
        next: i64,
    },
    /// It was not full: `cost` is added to what others add at the same moment, as long as it is full again by
    /// `latest`.
    Add {
        /// Now.
        now: i64,
        /// What is added.
        cost: i64,
        /// The latest `full_at` before that.
        latest: i64,
    },
}

impl QuotaItem {
    /// Returns what the operator set.
    pub fn overrides(self) -> QuotaOverride {
        QuotaOverride {
            exports_at_once: self.exports_at_once,
            exports_a_day: self.exports_a_day,
            requests_a_second: self.requests_a_second,
            request_burst: self.request_burst,
        }
    }
}

impl ExportTable {
    /// Reads the requests of a workspace.
    pub async fn request_usage(&self, workspace: &Workspace) -> Result<RequestUsage> {
        self.usage(workspace, REQUESTS).await
    }

    /// Reads the exports of a workspace.
    pub async fn export_usage(&self, workspace: &Workspace) -> Result<ExportUsage> {
        self.usage(workspace, EXPORTS).await
    }

    /// Changes the token bucket of a workspace. Returns false if it is not any more as the change says.
    pub async fn change_bucket(&self, workspace: &Workspace, change: BucketChange) -> Result<bool> {
        let update = self.update_usage(workspace, REQUESTS);
        let update = match change {
            BucketChange::FromFull { now, next } => update
                .update_expression("SET full_at = :next")
                .condition_expression("attribute_not_exists(full_at) OR full_at < :now")
                .expression_attribute_values(":now", number(now))
                .expression_attribute_values(":next", number(next)),
            BucketChange::Add { now, cost, latest } => update
                .update_expression("SET full_at = full_at + :cost")
                .condition_expression("full_at BETWEEN :now AND :latest")
                .expression_attribute_values(":now", number(now))
                .expression_attribute_values(":cost", number(cost))
                .expression_attribute_values(":latest", number(latest)),
        };
        is_done(update).await
    }

    /// Counts an export on a day, if `quota` still has room for it. `seen` is the day that was counted last.
    /// Returns false if there is no room, or if another day is counted by now.
    pub async fn count_export(
        &self,
        export: &Export,
        day: &str,
        seen: Option<&str>,
        quota: Quota,
    ) -> Result<bool> {
        let id = AttributeValue::Ss(vec![export.id.to_string()]);
        let update = self
            .update_usage(&export.workspace, EXPORTS)
            .expression_attribute_names("#day", "day")
            .expression_attribute_values(":day", text(day))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":export", id)
            .expression_attribute_values(":at_once", number(quota.exports_at_once));
        let room = "(attribute_not_exists(unfinished) OR size(unfinished) < :at_once)";
        let update = if seen == Some(day) {
            update
                .update_expression("ADD made :one, unfinished :export")
                .condition_expression(format!("#day = :day AND made < :a_day AND {room}"))
                .expression_attribute_values(":a_day", number(quota.exports_a_day))
        } else {
            let other = "(attribute_not_exists(#day) OR #day <> :day)";
            update
                .update_expression("SET #day = :day, made = :one ADD unfinished :export")
                .condition_expression(format!("{other} AND {room}"))
        };
        is_done(update).await
    }

    /// Takes back that an export was counted, because it was not made.
    pub async fn uncount_export(&self, export: &Export) -> Result<()> {
        let id = AttributeValue::Ss(vec![export.id.to_string()]);
        let update = self
            .update_usage(&export.workspace, EXPORTS)
            .update_expression("DELETE unfinished :export ADD made :less")
            .condition_expression("contains(unfinished, :id)")
            .expression_attribute_values(":export", id)
            .expression_attribute_values(":id", text(export.id))
            .expression_attribute_values(":less", number(-1));
        is_done(update).await.map(drop)
    }

    /// Takes exports out of those that may not be finished.
    pub async fn remove_from_unfinished(
        &self,
        workspace: &Workspace,
        ended: &BTreeSet<ExportId>,
    ) -> Result<()> {
        let ended = AttributeValue::Ss(ended.iter().map(ToString::to_string).collect());
        let update = self
            .update_usage(workspace, EXPORTS)
            .update_expression("DELETE unfinished :ended")
            .expression_attribute_values(":ended", ended);
        update.send().await.map_err(Error::aws("count exports")).map(drop)
    }

    /// Reads what an operator set for a workspace.
    pub async fn own_quota(&self, workspace: &Workspace) -> Result<QuotaOverride> {
        let requests = self.request_usage(workspace).await?.quota.overrides();
        let exports = self.export_usage(workspace).await?.quota.overrides();
        Ok(QuotaOverride {
            exports_at_once: exports.exports_at_once,
            exports_a_day: exports.exports_a_day,
            ..requests
        })
    }

    /// Sets what a workspace may use. The default holds for what is `None`.
    pub async fn set_own_quota(&self, workspace: &Workspace, own: QuotaOverride) -> Result<()> {
        let requests =
            [("requests_a_second", own.requests_a_second), ("request_burst", own.request_burst)];
        let exports =
            [("exports_at_once", own.exports_at_once), ("exports_a_day", own.exports_a_day)];
        for (item, values) in [(REQUESTS, requests), (EXPORTS, exports)] {
            let (mut set, mut remove) = (Vec::new(), Vec::new());
            let mut update = self.update_usage(workspace, item);
            for (name, value) in values {
                match value {
                    Some(value) => {
                        set.push(format!("{name} = :{name}"));
                        update =
                            update.expression_attribute_values(format!(":{name}"), number(value));
                    }
                    None => remove.push(name),
                }
            }
            let clause = |word: &str, parts: String| {
                if parts.is_empty() { String::new() } else { format!("{word} {parts} ") }
            };
            let expression = clause("SET", set.join(", ")) + &clause("REMOVE", remove.join(", "));
            update.update_expression(expression).send().await.map_err(Error::aws("set quota"))?;
        }
        Ok(())
    }

    async fn usage<T: Default + DeserializeOwned>(
        &self,
        workspace: &Workspace,
        item: &str,
    ) -> Result<T> {
        let get = self.get_item(pk(workspace), item).consistent_read(true);
        let found = get.send().await.map_err(Error::aws("read usage"))?.item;
        let read = found.map(from_item).transpose().map_err(|e| Error::Unreadable(e.into()))?;
        Ok(read.unwrap_or_default())
    }

    fn update_usage(&self, workspace: &Workspace, item: &str) -> UpdateItemFluentBuilder {
        self.update_item(pk(workspace), item)
    }
}

/// Sends a conditional update. Returns true if its condition held.
async fn is_done(update: UpdateItemFluentBuilder) -> Result<bool> {
    Ok(conditional("count usage", update.send().await)?.is_some())
}
