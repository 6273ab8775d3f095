//! Making exports, at most one of an identity: an idempotency key, or the natural key behind a URL.

use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, builders::PutBuilder};
use export::{Export, ExportId, Workspace};
use jiff::SignedDuration;

use crate::{
    Error, ExportTable, Result,
    exports::{Item, RECORD_LIFETIME, item_of, number, pk, text},
    lanes::lane_prefix,
};

/// How long an idempotency key is remembered.
const IDENTITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What came of creating an export.
#[derive(Clone, Debug)]
pub enum Created {
    /// It is new.
    New,
    /// The same request under the same key made this one before.
    Before(Box<Export>),
    /// Another request was made under the same key.
    OtherRequest,
}

/// What came of asking for the export of a natural key.
#[derive(Clone, Debug)]
pub enum Joined {
    /// It is new.
    New {
        /// The newest until now.
        before: Option<Box<Export>>,
    },
    /// The newest there is stays the newest.
    Kept(Box<Export>),
}

impl ExportTable {
    /// Stores a new export; under an idempotency key, at most one. `key` is the key's hash and the
    /// request's.
    pub async fn create(&self, export: &Export, key: Option<(&str, &str)>) -> Result<Created> {
        let Some((key, request)) = key else {
            let stored = self.store(export, None).await?;
            return stored.then_some(Created::New).ok_or(Error::Stale(export.id));
        };
        let pk = pk(&export.workspace);
        let identity = self.identity(&pk, key).await?;
        if let Some(made) = self.made_before(export, identity, request).await? {
            return Ok(made);
        }
        let item = Item::from([
            ("pk".to_owned(), text(&pk)),
            ("sk".to_owned(), text(format!("I#{key}"))),
            ("export".to_owned(), text(export.id)),
            ("request".to_owned(), text(request)),
            ("ttl".to_owned(), number((export.created_at + IDENTITY_LIFETIME).as_second())),
        ]);
        // DynamoDB removes items some time after their ttl, so an identity past it may be replaced.
        let identity = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(export.created_at.as_second()));
        if self.store(export, Some(identity)).await? {
            return Ok(Created::New);
        }
        // Someone was faster with the same key.
        let identity = self.identity(&pk, key).await?;
        self.made_before(export, identity, request).await?.ok_or(Error::Stale(export.id))
    }

    /// Reads the newest export of a natural key; `key` is the key's hash.
    pub async fn newest(&self, workspace: &Workspace, key: &str) -> Result<Option<Export>> {
        let identity = self.identity(&pk(workspace), key).await?;
        match identity.as_ref().and_then(identified) {
            Some(id) => self.get(workspace, id).await,
            None => Ok(None),
        }
    }

    /// Stores a new export as the newest of its natural key, unless the newest so far is to be kept.
    /// Of many at once, one is stored.
    pub async fn join(
        &self,
        export: &Export,
        key: &str,
        keep: impl Fn(&Export) -> bool,
    ) -> Result<Joined> {
        const MOST: u32 = 20;
        let pk = pk(&export.workspace);
        for attempt in 0..MOST {
            let identity = self.identity(&pk, key).await?;
            let before = identity.as_ref().and_then(identified);
            let newest = match before {
                Some(id) => self.get(&export.workspace, id).await?,
                None => None,
            };
            if let Some(kept) = newest.as_ref().filter(|newest| keep(newest)) {
                return Ok(Joined::Kept(Box::new(kept.clone())));
            }
            let item = Item::from([
                ("pk".to_owned(), text(&pk)),
                ("sk".to_owned(), text(format!("I#{key}"))),
                ("export".to_owned(), text(export.id)),
                ("ttl".to_owned(), number((export.created_at + RECORD_LIFETIME).as_second())),
            ]);
            let identity = Put::builder().table_name(&self.name).set_item(Some(item));
            let identity = match before {
                None => identity.condition_expression("attribute_not_exists(pk)"),
                Some(before) => identity
                    .condition_expression("#export = :before")
                    .expression_attribute_names("#export", "export")
                    .expression_attribute_values(":before", text(before)),
            };
            if self.store(export, Some(identity)).await? {
                return Ok(Joined::New { before: newest.map(Box::new) });
            }
            tokio::time::sleep(Duration::from_millis(u64::from(10 * attempt))).await;
        }
        Err(Error::Stale(export.id))
    }

    /// Stores a new export with all that belongs to it, or tells that a condition does not hold.
    async fn store(&self, export: &Export, identity: Option<PutBuilder>) -> Result<bool> {
        let record = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item_of(export)?))
            .condition_expression("attribute_not_exists(pk)");
        let place = export.lane.map(|lane| {
            let ttl = number((export.deadline + RECORD_LIFETIME).as_second());
            Put::builder()
                .table_name(&self.name)
                .item("pk", text(pk(&export.workspace)))
                .item("sk", text(format!("{}{}", lane_prefix(lane), export.id)))
                .item("ttl", ttl)
        });
        let mut write = self.client.transact_write_items();
        for put in [Some(record), place, identity].into_iter().flatten() {
            let put = put.build().map_err(Error::aws("create export"))?;
            write = write.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match write.send().await {
            Ok(_) => Ok(true),
            Err(e)
                if e.as_service_error().is_some_and(aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::is_transaction_canceled_exception) =>
            {
                Ok(false)
            }
            Err(e) => Err(Error::aws("create export")(e)),
        }
    }

    async fn identity(&self, pk: &str, key: &str) -> Result<Option<Item>> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(format!("I#{key}")))
            .consistent_read(true)
            .send()
            .await
            .map_err(Error::aws("get identity"))?;
        Ok(output.item)
    }

    async fn made_before(
        &self,
        new: &Export,
        identity: Option<Item>,
        request: &str,
    ) -> Result<Option<Created>> {
        let Some(identity) = identity else { return Ok(None) };
        let of = |name: &str| identity.get(name).and_then(|value| value.as_s().ok());
        let ttl = identity.get("ttl").and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
        if ttl.is_none_or(|ttl| ttl <= new.created_at.as_second()) {
            return Ok(None);
        }
        if of("request").map(String::as_str) != Some(request) {
            return Ok(Some(Created::OtherRequest));
        }
        let Some(id) = identified(&identity) else { return Ok(None) };
        Ok(self.get(&new.workspace, id).await?.map(|export| Created::Before(Box::new(export))))
    }
}

/// The export that an identity names.
fn identified(identity: &Item) -> Option<ExportId> {
    identity.get("export")?.as_s().ok()?.parse().ok()
}
