//! How often something may be done, and links that need no credential, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | slot: one of so many exports of a day | `W#workspace` | `C#what#number` |
//! | link: the export that a secret leads to | `L#secret` | `L` |

use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError};
use export::{Export, ExportId, State, Workspace};
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    exports::{Item, number, pk, text},
};

/// How long it may take until the export is stored that took a slot.
const STORED_WITHIN_SECONDS: i64 = 60;

/// A slot that was taken.
struct Taken {
    slot: u32,
    by: ExportId,
    /// When it is forgotten, in seconds since 1970: always as long after it was taken.
    until: i64,
}

impl ExportTable {
    /// Takes one of `most` slots called `what` for an export. An export that failed gives its slot back.
    /// Tells whether there was one.
    pub async fn take_slot(
        &self,
        workspace: &Workspace,
        what: &str,
        most: u32,
        export: ExportId,
        until: Timestamp,
    ) -> Result<bool> {
        let taken = self.slots(workspace, what).await?;
        for slot in 0..most {
            let held = taken.iter().find(|held| held.slot == slot);
            if let Some(held) = held {
                // A slot is taken before its export is stored.
                let new = until.as_second() < held.until + STORED_WITHIN_SECONDS;
                if self.get(workspace, held.by).await?.map_or(new, |export| counts(&export)) {
                    continue;
                }
            }
            let holder = held.map(|held| held.by);
            let item = Item::from([
                ("pk".to_owned(), text(pk(workspace))),
                ("sk".to_owned(), text(format!("C#{what}#{slot}"))),
                ("slot".to_owned(), number(slot)),
                ("export".to_owned(), text(export)),
                ("ttl".to_owned(), number(until.as_second())),
            ]);
            let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
            let put = match holder {
                None => put.condition_expression("attribute_not_exists(pk)"),
                Some(holder) => put
                    .condition_expression("#export = :holder")
                    .expression_attribute_names("#export", "export")
                    .expression_attribute_values(":holder", text(holder)),
            };
            match put.send().await {
                Ok(_) => return Ok(true),
                // Somebody was faster.
                Err(SdkError::ServiceError(e))
                    if matches!(e.err(), PutItemError::ConditionalCheckFailedException(_)) => {}
                Err(e) => return Err(Error::aws("take slot")(e)),
            }
        }
        Ok(false)
    }

    async fn slots(&self, workspace: &Workspace, what: &str) -> Result<Vec<Taken>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :slots)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":slots", text(format!("C#{what}#")))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("list slots"))?;
        let slot = |item: &Item| {
            let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
            let by = item.get("export")?.as_s().ok()?.parse().ok()?;
            Some(Taken { slot: number("slot")?.try_into().ok()?, by, until: number("ttl")? })
        };
        Ok(output.items.unwrap_or_default().iter().filter_map(slot).collect())
    }

    /// Stores where a secret leads.
    pub async fn put_link(&self, secret: &str, export: &Export, until: Timestamp) -> Result<()> {
        self.client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(format!("L#{secret}")))
            .item("sk", text("L"))
            .item("workspace", text(&export.workspace))
            .item("export", text(export.id))
            .item("ttl", number(until.as_second()))
            .send()
            .await
            .map_err(Error::aws("put link"))?;
        Ok(())
    }

    /// Reads the export that a secret leads to.
    pub async fn linked(&self, secret: &str) -> Result<Option<Export>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(format!("L#{secret}")))
            .key("sk", text("L"))
            .send()
            .await
            .map_err(Error::aws("get link"))?;
        let of = |name: &str| output.item.as_ref()?.get(name)?.as_s().ok();
        let workspace: Option<Workspace> = of("workspace").and_then(|text| text.parse().ok());
        let id = of("export").and_then(|text| text.parse().ok());
        match (workspace, id) {
            (Some(workspace), Some(id)) => self.get(&workspace, id).await,
            _ => Ok(None),
        }
    }
}

/// Whether an export uses its slot up: what failed was not its user's doing.
fn counts(export: &Export) -> bool {
    !matches!(export.state, State::Failed { .. })
}
