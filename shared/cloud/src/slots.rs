//! Slots that exports take, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | slot: one of so many exports of a day | `W#workspace` | `C#name#number` |

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use export::{ExportId, Workspace};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::{from_items, to_item};

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    pause::Pauses,
    record_item::{Item, pk, sk, text},
};

/// How many items DynamoDB reads in one call.
const MAX_KEYS: usize = 100;
/// How often what DynamoDB left out of an answer is asked for again.
const MAX_READS: u32 = 6;
/// How long these reads are apart.
const READ_PAUSES: Pauses =
    Pauses { first: Duration::from_millis(50), max: Duration::from_secs(1) };

/// A slot that an export took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its number, from 0.
    #[serde(rename = "slot")]
    pub number: u32,
    /// The export that took it.
    pub export: ExportId,
    /// When it is forgotten, in seconds since 1970.
    #[serde(rename = "ttl")]
    pub until: i64,
}

impl ExportTable {
    /// Reads the slots called `name` that are taken.
    pub async fn slots(&self, workspace: &Workspace, name: &str) -> Result<Vec<Slot>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :slots)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":slots", text(format!("C#{name}#")))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("list slots"))?;
        from_items(output.items.unwrap_or_default()).map_err(|e| Error::Unreadable(e.into()))
    }

    /// Takes a slot called `name`, if `from` still has it, or nobody if that is `None`. Returns false if
    /// somebody was faster.
    pub async fn take_slot(
        &self,
        workspace: &Workspace,
        name: &str,
        slot: Slot,
        from: Option<ExportId>,
    ) -> Result<bool> {
        let mut item: Item = to_item(slot).map_err(Error::aws("encode slot"))?;
        item.insert("pk".to_owned(), text(pk(workspace)));
        item.insert("sk".to_owned(), text(format!("C#{name}#{}", slot.number)));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let put = match from {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(holder) => put
                .condition_expression("#export = :holder")
                .expression_attribute_names("#export", "export")
                .expression_attribute_values(":holder", text(holder)),
        };
        Ok(conditional("take slot", put.send().await)?.is_some())
    }

    /// Reads the names of the stored states of exports, as `failed`. Those that are not stored are left out.
    pub async fn stored_states(
        &self,
        workspace: &Workspace,
        exports: impl IntoIterator<Item = ExportId>,
    ) -> Result<HashMap<ExportId, String>> {
        let mut keys: Vec<String> = exports.into_iter().map(sk).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut found = HashMap::new();
        for keys in keys.chunks(MAX_KEYS) {
            let key = |sk: &String| {
                [("pk".to_owned(), text(pk(workspace))), ("sk".to_owned(), text(sk))].into()
            };
            found.extend(self.read_states(keys.iter().map(key).collect()).await?);
        }
        Ok(found)
    }

    async fn read_states(&self, keys: Vec<Item>) -> Result<HashMap<ExportId, String>> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true)
            .projection_expression("sk, #state.#status")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .build()
            .map_err(Error::aws("read states"))?;
        let mut left = Some(HashMap::from([(self.name.clone(), keys)]));
        let mut found = HashMap::new();
        for read in 0..MAX_READS {
            let Some(keys) = left.take().filter(|keys| !keys.is_empty()) else {
                return Ok(found);
            };
            if read > 0 {
                READ_PAUSES.after(read).await;
            }
            let output = self.client.batch_get_item().set_request_items(Some(keys)).send().await;
            let output = output.map_err(Error::aws("read states"))?;
            let items = output.responses.unwrap_or_default().into_values().flatten();
            found.extend(items.filter_map(|item| {
                let id = item.get("sk")?.as_s().ok()?.strip_prefix("E#")?.parse().ok()?;
                let status = item.get("state")?.as_m().ok()?.get("status")?.as_s().ok()?;
                Some((id, status.clone()))
            }));
            left = output.unprocessed_keys;
        }
        if left.is_none_or(|left| left.is_empty()) {
            return Ok(found);
        }
        Err(Error::aws("read states")(std::io::Error::other("DynamoDB is too busy")))
    }
}

impl Slot {
    /// Returns a slot that an export takes until a time.
    pub fn new(number: u32, export: ExportId, until: Timestamp) -> Self {
        Self { number, export, until: until.as_second() }
    }
}
