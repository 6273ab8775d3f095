//! Reads a catalog from TOML, or says what is wrong in which line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Catalog, CatalogError, DialectTable, MAX_SOURCE_BUCKETS, Table, bucket::RawBucket,
    raw_dataset::RawDataset, table::RawTable,
};

/// Where in the file something is wrong, as an offset in bytes, and what.
pub(super) type Fault = (usize, String);

impl Catalog {
    /// Reads a catalog. `file` is the name of the file in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, CatalogError> {
        let fail = |at: usize, reason: String| {
            let line = text[..at.min(text.len())].matches('\n').count() + 1;
            CatalogError { file: file.to_owned(), line, reason }
        };
        let raw: RawCatalog = toml::from_str(text)
            .map_err(|e| fail(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;

        let mut buckets = BTreeMap::new();
        for raw in raw.bucket {
            let (at, name) = (raw.name.span().start, raw.name.get_ref().clone());
            let bucket = raw.build().map_err(|(at, reason)| fail(at, reason))?;
            if buckets.insert(name.clone(), bucket).is_some() {
                return Err(fail(at, format!("bucket {name:?} is defined twice")));
            }
            if buckets.len() > MAX_SOURCE_BUCKETS {
                let reason = format!("a catalog has {MAX_SOURCE_BUCKETS} buckets at most");
                return Err(fail(at, reason));
            }
        }
        let mut datasets = BTreeMap::new();
        for raw in raw.dataset {
            let (at, name) = (raw.name.span().start, raw.name.get_ref().clone());
            check_name("dataset", &name).map_err(|reason| fail(at, reason))?;
            let dataset = raw.build(&buckets).map_err(|(at, reason)| fail(at, reason))?;
            if datasets.insert(name.clone(), dataset).is_some() {
                return Err(fail(at, format!("dataset {name:?} is defined twice")));
            }
        }
        let mut tables = BTreeMap::new();
        for raw in raw.table {
            let at = raw.name.span().start;
            if !datasets.contains_key(raw.dataset.get_ref()) {
                let names: Vec<_> = datasets.keys().map(String::as_str).collect();
                let reason = format!(
                    "there is no dataset {:?}; there are {}",
                    raw.dataset.get_ref(),
                    names.join(", ")
                );
                return Err(fail(raw.dataset.span().start, reason));
            }
            let table = raw.build().map_err(|(at, reason)| fail(at, reason))?;
            if let Some(twin) = tables.insert(table.name.to_ascii_lowercase(), table) {
                return Err(fail(at, format!("table {:?} is defined twice", twin.name)));
            }
        }
        let tables = tables.into_values().map(|t: Table| (t.name.clone(), t)).collect();
        let dialects = raw.dialect.into_iter().map(|(name, table)| {
            let place = fail(table.span().start, String::new());
            (name, DialectTable { settings: table.into_inner(), place })
        });
        Ok(Self { buckets, datasets, tables, dialects: dialects.collect() })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    #[serde(default)]
    bucket: Vec<RawBucket>,
    #[serde(default)]
    dataset: Vec<RawDataset>,
    #[serde(default)]
    table: Vec<RawTable>,
    #[serde(default)]
    dialect: BTreeMap<String, Spanned<toml::Table>>,
}

/// Names become file names and parts of URLs.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("a {what}'s name is 1 to 64 of letters, digits, '_' and '-'; got {name:?}"))
}

#[cfg(test)]
mod tests;
