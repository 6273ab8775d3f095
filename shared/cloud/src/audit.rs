//! The audit trail, in a table of its own: functions may add to it, and change nothing in it.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | entry | `W#workspace` | id, which sorts by time |

use aws_sdk_dynamodb::{
    Client,
    types::{Put, TransactWriteItem},
};
use export::{AuditEntry, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_items, to_item};
use uuid::Uuid;

use crate::{
    Error, Result,
    condition::conditional,
    env,
    record_item::{Item, number, pk, text},
};

/// The table of the audit trail.
#[derive(Clone, Debug)]
pub struct AuditTable {
    client: Client,
    name: String,
    /// How long entries are kept.
    lifetime: SignedDuration,
}

/// An entry that is about to be written, alone or together with what it tells of.
#[derive(Clone, Debug)]
pub struct NewEntry {
    client: Client,
    table: String,
    item: Item,
}

impl AuditTable {
    /// Returns the table called `name`, whose entries are kept for so long.
    pub fn new(client: Client, name: String, lifetime: SignedDuration) -> Self {
        Self { client, name, lifetime }
    }

    /// Returns the table that `AUDIT_TABLE` names, whose entries are kept for `AUDIT_DAYS`, or says which of the two is
    /// missing.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        let days: u16 = env::required("AUDIT_DAYS")?;
        let lifetime = SignedDuration::from_hours(24 * i64::from(days));
        Ok(Self::new(client, env::required("AUDIT_TABLE")?, lifetime))
    }

    /// Returns an entry that is about to be written.
    pub fn entry(&self, entry: &AuditEntry) -> Result<NewEntry> {
        let mut item: Item = to_item(entry).map_err(Error::aws("encode audit entry"))?;
        let ttl = entry.at.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX);
        item.insert("pk".to_owned(), text(pk(&entry.workspace)));
        item.insert("sk".to_owned(), text(entry.id));
        item.insert("ttl".to_owned(), number(ttl.as_second()));
        Ok(NewEntry { client: self.client.clone(), table: self.name.clone(), item })
    }

    /// Reads a page of entries of a workspace, newest first: `most` of those with ids in `[from, to)` and, of these,
    /// below `before`. Returns also the id below which the next page goes on; `None` if there may be no more.
    ///
    /// DynamoDB ends a page after 1 MB if that comes first.
    pub async fn list(
        &self,
        workspace: &Workspace,
        (from, to): (Uuid, Uuid),
        before: Option<Uuid>,
        most: usize,
    ) -> Result<(Vec<AuditEntry>, Option<Uuid>)> {
        // Both ends are inside, but no entry has the random bits of a bound, which are zeros. DynamoDB refuses a range that
        // ends before it begins, and a page that would begin outside of it.
        let below = before.map(|before| Uuid::from_u128(before.as_u128().saturating_sub(1)));
        let to = below.map_or(to, |below| below.min(to));
        if to < from {
            return Ok((Vec::new(), None));
        }
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
            .scan_index_forward(false)
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("list audit entries"))?;
        let last = output.last_evaluated_key.as_ref().and_then(|key| key.get("sk")?.as_s().ok());
        let next = last.and_then(|id| id.parse().ok());
        let entries = from_items(output.items.unwrap_or_default());
        Ok((entries.map_err(|e| Error::Unreadable(e.into()))?, next))
    }
}

impl NewEntry {
    /// Writes it alone. One of the same id is there already if a try before this one was not answered.
    pub async fn put(self) -> Result<()> {
        let put = self.client.put_item().table_name(self.table).set_item(Some(self.item));
        let sent = put.condition_expression("attribute_not_exists(pk)").send().await;
        conditional("put audit entry", sent)?;
        Ok(())
    }

    /// Returns the write of it as part of a transaction.
    pub(crate) fn write(&self) -> Result<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(self.item.clone()));
        let put = put.condition_expression("attribute_not_exists(pk)").build();
        let put = put.map_err(Error::aws("put audit entry"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
