//! Links that need no credential, in the table of exports.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | link: the export that a secret leads to | `L#SHA-256 of the secret` | `L` |

use export::{Export, Workspace, sha256_hex};
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    record_item::{number, text},
};

impl ExportTable {
    /// Stores where a secret leads until a time.
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
mod tests {
    use super::*;

    #[test]
    fn a_links_key_does_not_have_its_secret() {
        let secret = "6d1aeb86-6a02-4d3c-b3a3-5d1d3ac5a9be";
        let key = link_key(secret);
        assert_eq!(key, link_key(secret));
        assert!(!key.contains("6d1aeb86") && key.len() == 2 + 64, "{key}");
    }
}
