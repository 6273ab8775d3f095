//! The secrets that a workspace's callbacks are signed with, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | signing secret | `W#workspace` | `K#id` |

use aws_sdk_dynamodb::types::{Delete, Put, Select, TransactWriteItem};
use export::Workspace;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Error, ExportTable, NewEntry, Result,
    record_item::{Item, pk, text},
    transaction::transact_in_turn,
};

/// How many secrets are in use at the same time, so that a receiver can change from one to the next.
pub const SIGNING_SECRETS: usize = 2;

/// A signing secret, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningSecret {
    /// Which one. Sorts by creation time.
    pub id: Uuid,
    /// The secret, sealed.
    pub sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ExportTable {
    /// Reads the signing secrets of a workspace, newest first.
    pub async fn signing_secrets(&self, workspace: &Workspace) -> Result<Vec<SigningSecret>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :secrets)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":secrets", text("K#"))
            .scan_index_forward(false)
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("list signing secrets"))?;
        let read = |item: &Item| {
            let of = |name: &str| item.get(name)?.as_s().ok();
            Some(SigningSecret {
                id: of("sk")?.strip_prefix("K#")?.parse().ok()?,
                sealed: of("sealed")?.clone(),
                created_at: of("created_at")?.parse().ok()?,
            })
        };
        Ok(output.items.unwrap_or_default().iter().filter_map(read).collect())
    }

    /// Reads the secrets that callbacks are signed with now, as they are stored, newest first.
    ///
    /// Asks for these attributes only: whoever posts callbacks may read no others of this table.
    pub async fn sealed_secrets(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :secrets)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":secrets", text("K#"))
            .select(Select::SpecificAttributes)
            .projection_expression("sealed")
            .scan_index_forward(false)
            .limit(i32::try_from(SIGNING_SECRETS).unwrap_or(1))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("read signing secrets"))?;
        let sealed = |item: &Item| item.get("sealed")?.as_s().ok().cloned();
        Ok(output.items.unwrap_or_default().iter().filter_map(sealed).collect())
    }

    /// Stores a signing secret, and the entry that tells of it.
    pub async fn put_signing_secret(
        &self,
        workspace: &Workspace,
        secret: &SigningSecret,
        entry: &NewEntry,
    ) -> Result<()> {
        let put = Put::builder()
            .table_name(&self.name)
            .item("pk", text(pk(workspace)))
            .item("sk", text(sk(secret.id)))
            .item("sealed", text(&secret.sealed))
            .item("created_at", text(secret.created_at))
            .build()
            .map_err(Error::aws("put signing secret"))?;
        let writes = vec![TransactWriteItem::builder().put(put).build(), entry.write()?];
        transact_in_turn(&self.client, "put signing secret", writes).await?;
        Ok(())
    }

    /// Forgets a signing secret, and stores the entry that tells of it. Tells whether there was one.
    pub async fn remove_signing_secret(
        &self,
        workspace: &Workspace,
        id: Uuid,
        entry: &NewEntry,
    ) -> Result<bool> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .key("pk", text(pk(workspace)))
            .key("sk", text(sk(id)))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(Error::aws("remove signing secret"))?;
        let writes = vec![TransactWriteItem::builder().delete(delete).build(), entry.write()?];
        transact_in_turn(&self.client, "remove signing secret", writes).await
    }
}

fn sk(id: Uuid) -> String {
    format!("K#{id}")
}
