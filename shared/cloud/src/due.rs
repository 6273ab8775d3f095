//! The index of exports that the janitor has to look at.
//!
//! It has a few partitions, so that none is hot, for each kind of work: many of one kind do not stand before
//! the other.

use export::{DueKind, ExportId, Workspace};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    record_item::{DUE_SHARDS, Item, first_shard, number, pk, sk},
};

const DUE_INDEX: &str = "due";

/// Exports that the janitor has to look at.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which ones.
    pub exports: Vec<(Workspace, ExportId)>,
    /// Whether there are others.
    pub more: bool,
}

impl ExportTable {
    /// Reads which exports of a kind the janitor has to look at by `now`, the longest due first in each
    /// shard.
    pub async fn due(&self, kind: DueKind, now: Timestamp, limit_per_shard: i32) -> Result<Due> {
        let shards = (0..DUE_SHARDS).map(async |shard| {
            self.client
                .query()
                .table_name(&self.name)
                .index_name(DUE_INDEX)
                .key_condition_expression("due_shard = :shard AND due_at <= :now")
                .expression_attribute_values(":shard", number(shard + first_shard(kind)))
                .expression_attribute_values(":now", number(now.as_second()))
                .limit(limit_per_shard)
                .send()
                .await
                .map_err(Error::aws("list due exports"))
        });
        let mut due = Due { exports: Vec::new(), more: false };
        for output in try_join_all(shards).await? {
            due.more |= output.last_evaluated_key.is_some();
            due.exports.extend(output.items.unwrap_or_default().iter().filter_map(keys_of));
        }
        Ok(due)
    }

    /// Has the janitor look at an export only at `later`, whose record this version cannot read.
    pub async fn put_off_unreadable(
        &self,
        workspace: &Workspace,
        id: ExportId,
        later: Timestamp,
    ) -> Result<()> {
        let sent = self
            .update_item(pk(workspace), sk(id))
            .update_expression("SET due_at = :later")
            // Whoever can read it may have been there in the meantime.
            .condition_expression("due_at < :later")
            .expression_attribute_values(":later", number(later.as_second()))
            .send()
            .await;
        conditional("put off an export", sent).map(drop)
    }
}

fn keys_of(item: &Item) -> Option<(Workspace, ExportId)> {
    let of = |name: &str, prefix: &str| item.get(name)?.as_s().ok()?.strip_prefix(prefix);
    Some((of("pk", "W#")?.parse().ok()?, of("sk", "E#")?.parse().ok()?))
}
