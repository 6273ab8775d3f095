//! Token records in DynamoDB, keyed by `id`. Secrets are not among them.

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Put, TransactWriteItem, Update},
};
use export::TokenRecord;
use jiff::{SignedDuration, Timestamp};
use serde_dynamo::{from_item, to_item};

use crate::{
    Error, NewEntry, Result,
    record_item::{Item, number},
    transaction::transact_in_turn,
};

/// The most tokens of a page.
const MAX_PAGE: i32 = 1000;

/// How long a token is listed after its end.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The table of tokens.
#[derive(Clone, Debug)]
pub struct TokenTable {
    client: Client,
    name: String,
}

impl TokenTable {
    /// Returns the table called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Reads what is known of a token, as of now: a revoked one is revoked at once.
    pub async fn get(&self, id: &str) -> Result<Option<TokenRecord>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("id", AttributeValue::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("get token"))?;
        output.item.map(|item| from_item(item).map_err(Error::aws("decode token"))).transpose()
    }

    /// Stores a new token, and the entries that tell of it.
    pub async fn put(&self, token: &TokenRecord, entries: &[NewEntry]) -> Result<()> {
        let mut item: Item = to_item(token).map_err(Error::aws("encode token"))?;
        if let Some(ttl) = token.expires_at.and_then(|end| end.saturating_add(KEPT).ok()) {
            item.insert("ttl".to_owned(), number(ttl.as_second()));
        }
        let put = Put::builder().table_name(&self.name).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(id)").build();
        let put = put.map_err(Error::aws("put token"))?;
        let writes = [Ok(TransactWriteItem::builder().put(put).build())].into_iter();
        let writes = writes.chain(entries.iter().map(NewEntry::write)).collect::<Result<_>>()?;
        transact_in_turn(&self.client, "put token", writes).await?;
        Ok(())
    }

    /// Reads a page of tokens, in no order, and the id after which the next begins; none on the last page.
    pub async fn list(&self, after: Option<&str>) -> Result<(Vec<TokenRecord>, Option<String>)> {
        // DynamoDB ends a page after 1 MB if that comes first.
        let scan = self.client.scan().table_name(&self.name).limit(MAX_PAGE);
        let start = after.map(|id| [("id".to_owned(), AttributeValue::S(id.to_owned()))].into());
        let page = scan.set_exclusive_start_key(start).send().await;
        let page = page.map_err(Error::aws("list tokens"))?;
        let items = page.items.unwrap_or_default().into_iter();
        let tokens = items.map(|item| from_item(item).map_err(Error::aws("decode token")));
        let next = page.last_evaluated_key.and_then(|key| key.get("id")?.as_s().ok().cloned());
        Ok((tokens.collect::<Result<_>>()?, next))
    }

    /// Revokes a token, and stores the entries that tell of it. Tells whether there is one.
    pub async fn revoke(&self, id: &str, entries: &[NewEntry], now: Timestamp) -> Result<bool> {
        let update = Update::builder()
            .table_name(&self.name)
            .key("id", AttributeValue::S(id.to_owned()))
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .condition_expression("attribute_exists(id)")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
            .build()
            .map_err(Error::aws("revoke token"))?;
        let writes = [Ok(TransactWriteItem::builder().update(update).build())].into_iter();
        let writes = writes.chain(entries.iter().map(NewEntry::write)).collect::<Result<_>>()?;
        transact_in_turn(&self.client, "revoke token", writes).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{Fake, reply};

    #[tokio::test]
    async fn a_list_of_tokens_is_read_by_pages() {
        let fake = Fake::new(|_| {
            let body = json!({ "Items": [], "LastEvaluatedKey": { "id": { "S": "b" } } });
            let body = body.to_string();
            let headers = [("Content-Type", "application/x-amz-json-1.0")];
            reply("200 OK", &headers, body.len(), body.as_bytes())
        });
        let tokens = TokenTable::new(Client::new(&fake.aws().await), "t".to_owned());

        let (page, next) = tokens.list(Some("a")).await.unwrap();

        assert_eq!((page.len(), next.as_deref()), (0, Some("b")));
        let [asked] = &fake.requests()[..] else { panic!("{:?}", fake.requests()) };
        assert!(asked.contains(r#""Limit":1000"#), "{asked}");
        assert!(asked.contains(r#""ExclusiveStartKey":{"id":{"S":"a"}}"#), "{asked}");
    }
}
