//! Token records in DynamoDB, keyed by `id`. Secrets are not among them.

use aws_sdk_dynamodb::{
    Client, error::SdkError, operation::update_item::UpdateItemError, types::AttributeValue,
};
use export::TokenRecord;
use jiff::Timestamp;
use serde_dynamo::{from_item, to_item};

use crate::{Error, Result};

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

    /// Stores a new token.
    pub async fn put(&self, token: &TokenRecord) -> Result<()> {
        let item = to_item(token).map_err(Error::aws("encode token"))?;
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)")
            .send()
            .await
            .map_err(Error::aws("put token"))?;
        Ok(())
    }

    /// Reads all tokens, the oldest first.
    pub async fn list(&self) -> Result<Vec<TokenRecord>> {
        let mut tokens: Vec<TokenRecord> = Vec::new();
        let mut pages = self.client.scan().table_name(&self.name).into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.map_err(Error::aws("list tokens"))?.items.unwrap_or_default() {
                tokens.push(from_item(item).map_err(Error::aws("decode token"))?);
            }
        }
        tokens.sort_by_key(|token| token.created_at);
        Ok(tokens)
    }

    /// Revokes a token. Tells whether there is one.
    pub async fn revoke(&self, id: &str, now: Timestamp) -> Result<bool> {
        let result = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("id", AttributeValue::S(id.to_owned()))
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .condition_expression("attribute_exists(id)")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(e))
                if matches!(e.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(false)
            }
            Err(e) => Err(Error::aws("revoke token")(e)),
        }
    }
}
