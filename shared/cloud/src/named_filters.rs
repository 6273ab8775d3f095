//! Named filters in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | named filter | `W#workspace` | `F#id` |

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use export::{NamedFilter, Workspace};
use serde_dynamo::{from_item, to_item};

use crate::{
    Error, ExportTable, NewEntry, Result,
    record_item::{Item, pk, text},
    transaction::transact_in_turn,
};

impl ExportTable {
    /// Reads the named filters of a workspace, by id.
    pub async fn named_filters(&self, workspace: &Workspace) -> Result<Vec<NamedFilter>> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :filters)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":filters", text("F#"))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut filters = Vec::new();
        while let Some(page) = pages.next().await {
            for item in page.map_err(Error::aws("list named filters"))?.items.unwrap_or_default() {
                filters.push(from_item(item).map_err(Error::aws("decode named filter"))?);
            }
        }
        Ok(filters)
    }

    /// Stores a named filter, a new one or in the place of one there is, and the entry that tells of it. Tells whether
    /// that holds.
    pub async fn put_named_filter(
        &self,
        workspace: &Workspace,
        filter: &NamedFilter,
        new: bool,
        entry: &NewEntry,
    ) -> Result<bool> {
        let mut item: Item = to_item(filter).map_err(Error::aws("encode named filter"))?;
        item.insert("pk".to_owned(), text(pk(workspace)));
        item.insert("sk".to_owned(), text(sk(&filter.id)));
        let condition = if new { "attribute_not_exists(pk)" } else { "attribute_exists(pk)" };
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        let put = put.condition_expression(condition).build();
        let put = put.map_err(Error::aws("put named filter"))?;
        let writes = vec![TransactWriteItem::builder().put(put).build(), entry.write()?];
        transact_in_turn(&self.client, "put named filter", writes).await
    }

    /// Removes a named filter, and stores the entry that tells of it. Tells whether there was one.
    pub async fn delete_named_filter(
        &self,
        workspace: &Workspace,
        id: &str,
        entry: &NewEntry,
    ) -> Result<bool> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .key("pk", text(pk(workspace)))
            .key("sk", text(sk(id)))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(Error::aws("delete named filter"))?;
        let writes = vec![TransactWriteItem::builder().delete(delete).build(), entry.write()?];
        transact_in_turn(&self.client, "delete named filter", writes).await
    }
}

fn sk(id: &str) -> String {
    format!("F#{id}")
}
