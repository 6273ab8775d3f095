//! The log of attempts to post callbacks, in a table of its own: the notifier writes nothing else.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | attempt | `workspace#id of the export` | when it was made |

use aws_sdk_dynamodb::Client;
use export::{Delivery, ExportId, Workspace};
use serde_dynamo::{from_items, to_item};

use crate::{
    Error, Result,
    record_item::{Item, RECORD_LIFETIME, number, text},
};

/// The most attempts that are read of an export.
const MAX_LISTED: i32 = 100;

/// The table of deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryTable {
    client: Client,
    name: String,
}

impl DeliveryTable {
    /// Returns the table called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Writes down an attempt.
    pub async fn add(
        &self,
        workspace: &Workspace,
        export: ExportId,
        delivery: &Delivery,
    ) -> Result<()> {
        let mut item: Item = to_item(delivery).map_err(Error::aws("encode delivery"))?;
        item.insert("pk".to_owned(), text(pk(workspace, export)));
        item.insert("sk".to_owned(), text(format!("{:.6}", delivery.at)));
        item.insert("ttl".to_owned(), number((delivery.at + RECORD_LIFETIME).as_second()));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        put.send().await.map_err(Error::aws("put delivery"))?;
        Ok(())
    }

    /// Reads the latest attempts to tell of an export, newest first.
    pub async fn of(&self, workspace: &Workspace, export: ExportId) -> Result<Vec<Delivery>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk(workspace, export)))
            .scan_index_forward(false)
            .limit(MAX_LISTED)
            .send()
            .await
            .map_err(Error::aws("list deliveries"))?;
        from_items(output.items.unwrap_or_default()).map_err(Error::aws("decode deliveries"))
    }
}

fn pk(workspace: &Workspace, export: ExportId) -> String {
    format!("{workspace}#{export}")
}

#[cfg(test)]
mod tests {
    use fake_aws::{FakeAws, Reply};

    use super::*;

    #[tokio::test]
    async fn the_latest_hundred_attempts_are_listed() {
        let aws = FakeAws::start(|_| Some(Reply::ok("{\"Items\":[]}"))).await.unwrap();
        let client = Client::new(&aws.config().await);
        let table = DeliveryTable::new(client, "deliveries".to_owned());
        let id = ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        assert!(table.of(&"acme".parse().unwrap(), id).await.unwrap().is_empty());
        let asked: serde_json::Value = serde_json::from_str(&aws.bodies("Query")[0]).unwrap();
        assert_eq!((&asked["Limit"], &asked["ScanIndexForward"]), (&100.into(), &false.into()));
    }
}
