//! How often something may be done, and links that need no credential, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | slot: one of so many exports of a day | `W#workspace` | `C#what#number` |
//! | link: the export that a secret leads to | `L#SHA-256 of the secret` | `L` |

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use export::{Export, ExportId, Workspace, sha256_hex};
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    exports::{Item, number, pk, sk, text},
};

/// How many items DynamoDB reads in one call.
const MAX_KEYS: usize = 100;
/// How often what DynamoDB left out of an answer is asked for again.
const MAX_READS: u32 = 6;

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
        let stored = self.failed(workspace, &taken).await?;
        for slot in 0..most {
            let held = taken.iter().find(|held| held.slot == slot);
            if let Some(held) = held {
                // A slot is taken before its export is stored.
                let new = until.as_second() < held.until + STORED_WITHIN_SECONDS;
                // What failed was not its user's doing.
                if stored.get(&held.by).map_or(new, |failed| !failed) {
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
            // Else somebody was faster.
            if conditional("take slot", put.send().await)?.is_some() {
                return Ok(true);
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

    /// Tells of the exports that hold slots, as far as they are stored, whether they failed.
    async fn failed(
        &self,
        workspace: &Workspace,
        taken: &[Taken],
    ) -> Result<HashMap<ExportId, bool>> {
        let holders: BTreeSet<String> = taken.iter().map(|held| sk(held.by)).collect();
        let keys: Vec<Item> = holders
            .into_iter()
            .map(|sk| [("pk".to_owned(), text(pk(workspace))), ("sk".to_owned(), text(sk))].into())
            .collect();
        let mut failed = HashMap::new();
        for keys in keys.chunks(MAX_KEYS) {
            failed.extend(self.failed_of(keys.to_vec()).await?);
        }
        Ok(failed)
    }

    async fn failed_of(&self, keys: Vec<Item>) -> Result<HashMap<ExportId, bool>> {
        let asked = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .projection_expression("sk, #state.#status")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .build()
            .map_err(Error::aws("read holders of slots"))?;
        let mut left = Some(HashMap::from([(self.name.clone(), asked)]));
        let mut failed = HashMap::new();
        for read in 0..MAX_READS {
            let Some(asked) = left.take().filter(|asked| !asked.is_empty()) else {
                return Ok(failed);
            };
            if read > 0 {
                tokio::time::sleep(Duration::from_millis(25 << read)).await;
            }
            let output = self.client.batch_get_item().set_request_items(Some(asked)).send().await;
            let output = output.map_err(Error::aws("read holders of slots"))?;
            let items = output.responses.unwrap_or_default().into_values().flatten();
            failed.extend(items.filter_map(|item| {
                let id = item.get("sk")?.as_s().ok()?.strip_prefix("E#")?.parse().ok()?;
                let status = item.get("state")?.as_m().ok()?.get("status")?.as_s().ok()?;
                Some((id, status == "failed"))
            }));
            left = output.unprocessed_keys;
        }
        if left.is_none_or(|left| left.is_empty()) {
            return Ok(failed);
        }
        Err(Error::aws("read holders of slots")(std::io::Error::other("DynamoDB is too busy")))
    }

    /// Stores where a secret leads.
    pub async fn put_link(&self, secret: &str, export: &Export, until: Timestamp) -> Result<()> {
        self.client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(link_key(secret)))
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
        let get = self.get_item(link_key(secret), "L");
        let output = get.send().await.map_err(Error::aws("get link"))?;
        let of = |name: &str| output.item.as_ref()?.get(name)?.as_s().ok();
        let workspace: Option<Workspace> = of("workspace").and_then(|text| text.parse().ok());
        let id = of("export").and_then(|text| text.parse().ok());
        match (workspace, id) {
            (Some(workspace), Some(id)) => self.get(&workspace, id).await,
            _ => Ok(None),
        }
    }
}

/// Returns the key of a link. Whoever reads the table does not learn the secret from it.
fn link_key(secret: &str) -> String {
    format!("L#{}", sha256_hex(secret.as_bytes()))
}

#[cfg(test)]
mod tests;
