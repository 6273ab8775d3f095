//! DynamoDB: the tables of the template in an embedded engine.

use dynoxide::{Database, DynoxideError};
use serde_json::{Value, json};

use crate::{AUDIT_TABLE, DELIVERY_TABLE, EXPORT_TABLE, Reply, TOKEN_TABLE};

/// Returns the tables that `template.yaml` describes.
pub(crate) fn tables() -> Database {
    let text = |name| json!({ "AttributeName": name, "AttributeType": "S" });
    let number = |name| json!({ "AttributeName": name, "AttributeType": "N" });
    let key = |name, kind| json!({ "AttributeName": name, "KeyType": kind });
    let keys = json!([key("pk", "HASH"), key("sk", "RANGE")]);
    let due = json!({
        "IndexName": "due",
        "KeySchema": [key("due_shard", "HASH"), key("due_at", "RANGE")],
        "Projection": { "ProjectionType": "KEYS_ONLY" },
    });
    let tables = [
        json!({
            "TableName": EXPORT_TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": keys,
            "AttributeDefinitions":
                [text("pk"), text("sk"), number("due_shard"), number("due_at")],
            "GlobalSecondaryIndexes": [due],
        }),
        json!({
            "TableName": DELIVERY_TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": keys,
            "AttributeDefinitions": [text("pk"), text("sk")],
        }),
        json!({
            "TableName": AUDIT_TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": keys,
            "AttributeDefinitions": [text("pk"), text("sk")],
        }),
        json!({
            "TableName": TOKEN_TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [key("id", "HASH")],
            "AttributeDefinitions": [text("id")],
        }),
    ];
    let database = Database::memory().expect("an engine in memory needs nothing");
    for table in tables {
        let request = serde_json::from_value(table).expect("the engine reads this description");
        database.create_table(request).expect("the table is new");
    }
    database
}

/// Answers a call. The engine runs it at once, so calls are answered one after the other.
pub(crate) fn call(database: &Database, operation: &str, body: &str) -> Reply {
    macro_rules! run {
        ($method:ident) => {
            serde_json::from_str(body)
                .map_err(|e| DynoxideError::SerializationException(e.to_string()))
                .and_then(|request| database.$method(request))
                .map(|response| serde_json::to_value(response).unwrap_or(Value::Null))
        };
    }
    let answered = match operation {
        "GetItem" => run!(get_item),
        "PutItem" => run!(put_item),
        "UpdateItem" => run!(update_item),
        "DeleteItem" => run!(delete_item),
        "Query" => run!(query),
        "Scan" => run!(scan),
        "BatchGetItem" => run!(batch_get_item),
        "TransactWriteItems" => run!(transact_write_items),
        _ => return Reply::unknown(),
    };
    match answered {
        Ok(answer) => Reply::new(200, answer.to_string()),
        Err(error) => Reply::new(error.status_code(), error.to_json()),
    }
}
