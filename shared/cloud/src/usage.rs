//! What a workspace uses, and what its operator allows it, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | requests: when the token bucket is full again | `W#workspace` | `U#requests` |
//! | exports: how many were made on a day, and which may not be finished | `W#workspace` | `U#exports` |
//!
//! Each item also has what the operator set for the workspace. An export is not taken out when it ends: only
//! when there may be no more is it looked up which of them have ended. So nothing that ends an export has to
//! know of this, and nothing can be forgotten.

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder, types::AttributeValue,
};
use export::{Export, ExportId, Quota, QuotaExceeded, QuotaOverride, RequestCost, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    exports::{Item, number, pk, text},
};

const REQUESTS: &str = "U#requests";
const EXPORTS: &str = "U#exports";
/// The most attempts to change an item while others change it.
const MAX_ATTEMPTS: u32 = 5;
/// Exports that are looked up at the same time.
const MAX_CONCURRENT_GETS: usize = 16;
/// How long it may take until an export is stored that was counted.
const STORED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// Whether something may be done.
pub type Admission = std::result::Result<(), QuotaExceeded>;

impl ExportTable {
    /// Counts what a request of a workspace costs, if it may send it.
    pub async fn spend_requests(
        &self,
        workspace: &Workspace,
        default: Quota,
        cost: RequestCost,
        now: Timestamp,
    ) -> Result<Admission> {
        for _ in 0..MAX_ATTEMPTS {
            let item = self.usage(workspace, REQUESTS).await?;
            let full_at = item.as_ref().and_then(|item| integer(item, "full_at")).unwrap_or(0);
            let quota = default.with(item.as_ref().map(own_quota).unwrap_or_default());
            let next = match quota.spend(full_at, cost, now) {
                Ok(next) => next,
                Err(over) => return Ok(Err(over)),
            };
            let ((cost, whole), now) = (quota.cost(cost), now.as_microsecond());
            let update = self
                .update_usage(workspace, REQUESTS)
                .expression_attribute_values(":now", number(now));
            // In a bucket that is not full, requests at the same moment add up.
            let update = if full_at < now {
                update
                    .update_expression("SET full_at = :next")
                    .condition_expression("attribute_not_exists(full_at) OR full_at < :now")
                    .expression_attribute_values(":next", number(next))
            } else {
                update
                    .update_expression("SET full_at = full_at + :cost")
                    .condition_expression("full_at BETWEEN :now AND :latest")
                    .expression_attribute_values(":cost", number(cost))
                    .expression_attribute_values(":latest", number(now + whole - cost))
            };
            if was_done(update).await? {
                return Ok(Ok(()));
            }
        }
        // Many at once: one of them uncounted does less harm than one refused.
        Ok(Ok(()))
    }

    /// Counts an export that is about to be stored, if its workspace may make it.
    pub async fn admit_export(&self, export: &Export, default: Quota) -> Result<Admission> {
        let (workspace, now) = (&export.workspace, export.created_at);
        let day = Quota::day(now);
        for attempt in 0..MAX_ATTEMPTS {
            let item = self.usage(workspace, EXPORTS).await?.unwrap_or_default();
            let quota = default.with(own_quota(&item));
            let same_day = item.get("day").and_then(|day| day.as_s().ok()) == Some(&day);
            let made = if same_day { integer(&item, "made").unwrap_or(0) } else { 0 };
            let made = u32::try_from(made).unwrap_or(0);
            let open = open_exports(&item);
            // Those that have ended are forgotten first. Once: what is left is not finished.
            let full = open.len() >= quota.exports_at_once as usize;
            if full && attempt == 0 && self.forget_ended(workspace, &open, now).await? {
                continue;
            }
            if let Err(over) = quota.one_more(open.len(), made, now) {
                return Ok(Err(over));
            }
            let id = AttributeValue::Ss(vec![export.id.to_string()]);
            let update = self
                .update_usage(workspace, EXPORTS)
                .expression_attribute_names("#day", "day")
                .expression_attribute_values(":day", text(&day))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":export", id)
                .expression_attribute_values(":at_once", number(quota.exports_at_once));
            let room = "(attribute_not_exists(unfinished) OR size(unfinished) < :at_once)";
            let update = if same_day {
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
            if was_done(update).await? {
                return Ok(Ok(()));
            }
        }
        Err(Error::Stale(export.id))
    }

    /// Takes back that an export was counted, because it was not made.
    pub async fn dismiss_export(&self, export: &Export) -> Result<()> {
        let id = AttributeValue::Ss(vec![export.id.to_string()]);
        let update = self
            .update_usage(&export.workspace, EXPORTS)
            .update_expression("DELETE unfinished :export ADD made :less")
            .condition_expression("contains(unfinished, :id)")
            .expression_attribute_values(":export", id)
            .expression_attribute_values(":id", text(export.id))
            .expression_attribute_values(":less", number(-1));
        was_done(update).await.map(|_| ())
    }

    /// Reads what an operator set for a workspace.
    pub async fn own_quota(&self, workspace: &Workspace) -> Result<QuotaOverride> {
        let of = |item: Option<Item>| item.as_ref().map(own_quota).unwrap_or_default();
        let requests = of(self.usage(workspace, REQUESTS).await?);
        let exports = of(self.usage(workspace, EXPORTS).await?);
        Ok(QuotaOverride {
            exports_at_once: exports.exports_at_once,
            exports_a_day: exports.exports_a_day,
            ..requests
        })
    }

    /// Sets what a workspace may use. The default holds for what is None.
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

    /// Takes exports that have ended out of those that may not be finished. Tells whether there were any.
    async fn forget_ended(
        &self,
        workspace: &Workspace,
        open: &[ExportId],
        now: Timestamp,
    ) -> Result<bool> {
        let ended = stream::iter(open.iter().copied())
            .map(async |id| {
                let found = self.get(workspace, id).await?;
                // One that is counted and not stored yet.
                let coming = now.duration_since(id.created_at()) < STORED_WITHIN;
                let ended = found.map_or(!coming, |export| !export.status(now).is_unfinished());
                Result::Ok(ended.then(|| id.to_string()))
            })
            .buffer_unordered(MAX_CONCURRENT_GETS)
            .try_filter_map(async |id| Ok(id))
            .try_collect::<Vec<String>>()
            .await?;
        if ended.is_empty() {
            return Ok(false);
        }
        let update = self
            .update_usage(workspace, EXPORTS)
            .update_expression("DELETE unfinished :ended")
            .expression_attribute_values(":ended", AttributeValue::Ss(ended));
        update.send().await.map_err(Error::aws("count exports"))?;
        Ok(true)
    }

    async fn usage(&self, workspace: &Workspace, item: &str) -> Result<Option<Item>> {
        let get = self.get_item(pk(workspace), item).consistent_read(true);
        Ok(get.send().await.map_err(Error::aws("read usage"))?.item)
    }

    fn update_usage(&self, workspace: &Workspace, item: &str) -> UpdateItemFluentBuilder {
        self.update_item(pk(workspace), item)
    }
}

/// Sends a conditional update. Returns true if its condition held.
async fn was_done(update: UpdateItemFluentBuilder) -> Result<bool> {
    Ok(conditional("count usage", update.send().await)?.is_some())
}

fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn own_quota(item: &Item) -> QuotaOverride {
    let of = |name| integer(item, name).and_then(|value| u32::try_from(value).ok());
    QuotaOverride {
        exports_at_once: of("exports_at_once"),
        exports_a_day: of("exports_a_day"),
        requests_a_second: of("requests_a_second"),
        request_burst: of("request_burst"),
    }
}

fn open_exports(item: &Item) -> Vec<ExportId> {
    let ids = item.get("unfinished").and_then(|ids| ids.as_ss().ok());
    ids.into_iter().flatten().filter_map(|id| id.parse().ok()).collect()
}
