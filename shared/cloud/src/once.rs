//! What may happen once, such as the exchange of a token: `pk` is `X#` and a hash, `sk` is `X`.

use export::sha256_hex;
use jiff::Timestamp;

use crate::{
    ExportTable, Result,
    condition::conditional,
    record_item::{number, text},
};

impl ExportTable {
    /// Remembers until `until` that something happened, of which only the SHA-256 is stored. Tells whether this was the
    /// first time.
    pub async fn remember_once(&self, what: &str, until: Timestamp) -> Result<bool> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(format!("X#{}", sha256_hex(what.as_bytes()))))
            .item("sk", text("X"))
            .item("ttl", number(until.as_second()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        Ok(conditional("remember what happens once", put)?.is_some())
    }
}
