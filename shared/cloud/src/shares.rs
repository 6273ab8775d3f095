//! Shares in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | share | `H#id` | `H` |
//! | place of a share in the list of its export's | `W#workspace` | `H#export#id` |
//!
//! Whoever opens a link knows the share's id and nothing else, so the share has a key of its own.

use aws_sdk_dynamodb::{
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Put, Select, TransactWriteItem, Update, builders::UpdateBuilder},
};
use export::{Export, ExportId, Share, ShareId, Workspace};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_dynamo::{from_item, to_item};

use crate::{
    Error, ExportTable, NewEntry, Result,
    record_item::{Item, RECORD_LIFETIME, number, pk, text},
    transaction::transact_in_turn,
};

/// How many shares of a list are read at the same time.
const READS_AT_ONCE: usize = 16;

impl ExportTable {
    /// Stores a new share of an export, and the entry that tells of it.
    pub async fn put_share(&self, share: &Share, export: &Export, entry: &NewEntry) -> Result<()> {
        // What the link answers when it has ended is known for as long as the record of the export may live.
        let lifetime = export::ARCHIVE_LIFETIME + RECORD_LIFETIME;
        let ttl = (export.deadline + lifetime).as_second();
        let mut item: Item = to_item(share).map_err(Error::aws("encode share"))?;
        item.insert("pk".to_owned(), text(share_pk(&share.id)));
        item.insert("sk".to_owned(), text("H"));
        item.insert("ttl".to_owned(), number(ttl));
        let place = Item::from([
            ("pk".to_owned(), text(pk(&share.workspace))),
            ("sk".to_owned(), text(place_sk(share.export, &share.id.to_string()))),
            ("ttl".to_owned(), number(ttl)),
        ]);
        let put = |item: Item| {
            let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
            Ok(TransactWriteItem::builder().put(put.map_err(Error::aws("put share"))?).build())
        };
        let writes = [put(item), put(place), entry.write()].into_iter().collect::<Result<_>>()?;
        transact_in_turn(&self.client, "put share", writes).await?;
        Ok(())
    }

    /// Reads a share, as of now: a revoked one is revoked at once.
    pub async fn share(&self, id: &ShareId) -> Result<Option<Share>> {
        let get = self.get_item(share_pk(id), "H").consistent_read(true);
        let item = get.send().await.map_err(Error::aws("get share"))?.item;
        item.map(share_of).transpose()
    }

    /// Reads the shares of an export, in no order, `most` of them at most.
    pub async fn shares(
        &self,
        workspace: &Workspace,
        export: ExportId,
        most: usize,
    ) -> Result<Vec<Share>> {
        let prefix = place_sk(export, "");
        let output = self.query_places(workspace, &prefix, most).send().await;
        let output = output.map_err(Error::aws("list shares"))?;
        let items = output.items.unwrap_or_default();
        let id = |item: &Item| item.get("sk")?.as_s().ok()?.strip_prefix(&prefix)?.parse().ok();
        let ids: Vec<ShareId> = items.iter().filter_map(id).collect();
        let reads = stream::iter(ids).map(async |id| self.share(&id).await);
        let shares: Vec<Option<Share>> = reads.buffered(READS_AT_ONCE).try_collect().await?;
        Ok(shares.into_iter().flatten().collect())
    }

    /// Counts the shares of an export, up to `most`.
    pub async fn share_count(
        &self,
        workspace: &Workspace,
        export: ExportId,
        most: usize,
    ) -> Result<usize> {
        let query = self.query_places(workspace, &place_sk(export, ""), most);
        let output = query.select(Select::Count).send().await;
        let count = output.map_err(Error::aws("count shares"))?.count;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn query_places(&self, workspace: &Workspace, prefix: &str, most: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :shares)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":shares", text(prefix))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .consistent_read(true)
    }

    /// Counts a use of a share, and stores the entry that tells of it, unless the share was revoked or its one use is
    /// over. Tells whether it was counted.
    pub async fn use_share(&self, id: &ShareId, entry: &NewEntry, now: Timestamp) -> Result<bool> {
        let used = self
            .update_share(id)
            .update_expression("ADD #uses :one SET last_used_at = :now")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(revoked_at) \
                 AND (#once = :false OR #uses = :zero)",
            )
            .expression_attribute_names("#uses", "uses")
            .expression_attribute_names("#once", "once")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":now", text(now));
        self.change_share("use share", used, entry).await
    }

    /// Revokes a share of an export, and stores the entry that tells of it. Tells whether there is one that was not
    /// revoked before.
    pub async fn revoke_share(
        &self,
        (workspace, export): (&Workspace, ExportId),
        id: &ShareId,
        entry: &NewEntry,
        now: Timestamp,
    ) -> Result<bool> {
        let revoked = self
            .update_share(id)
            .update_expression("SET revoked_at = :now")
            .condition_expression(
                "#workspace = :workspace AND #export = :export AND attribute_not_exists(revoked_at)",
            )
            .expression_attribute_names("#workspace", "workspace")
            .expression_attribute_names("#export", "export")
            .expression_attribute_values(":workspace", text(workspace))
            .expression_attribute_values(":export", text(export))
            .expression_attribute_values(":now", text(now));
        self.change_share("revoke share", revoked, entry).await
    }

    fn update_share(&self, id: &ShareId) -> UpdateBuilder {
        let update = Update::builder().table_name(&self.name);
        update.key("pk", text(share_pk(id))).key("sk", text("H"))
    }

    async fn change_share(
        &self,
        action: &'static str,
        update: UpdateBuilder,
        entry: &NewEntry,
    ) -> Result<bool> {
        let update = update.build().map_err(Error::aws(action))?;
        let writes = vec![TransactWriteItem::builder().update(update).build(), entry.write()?];
        transact_in_turn(&self.client, action, writes).await
    }
}

fn share_pk(id: &ShareId) -> String {
    format!("H#{id}")
}

fn place_sk(export: ExportId, id: &str) -> String {
    format!("H#{export}#{id}")
}

fn share_of(item: Item) -> Result<Share> {
    from_item(item).map_err(|e| Error::Unreadable(e.into()))
}
