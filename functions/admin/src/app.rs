//! What this function works with.

use std::sync::Arc;

use aws_config::SdkConfig;
use cloud::{AuditTable, CatalogSource, ExportTable, Lake, LoadedCatalog, TokenTable, env};
use service::{Audit, Clock, Random};

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    token_table: String,
    export_table: String,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            token_table: env::required("TOKEN_TABLE")?,
            export_table: env::required("EXPORT_TABLE")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) tokens: TokenTable,
    pub(crate) exports: ExportTable,
    /// The audit trail.
    pub(crate) audit: Audit,
    /// What clients of the lake are made from.
    aws: SdkConfig,
    /// The time.
    pub(crate) clock: Clock,
    /// Where tokens come from.
    pub(crate) random: Random,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = cloud::dynamodb_client(aws);
        let table = AuditTable::from_env(dynamodb.clone())?;
        Ok(Self {
            audit: Audit { table, random: Random::system() },
            tokens: TokenTable::new(dynamodb.clone(), settings.token_table),
            exports: ExportTable::new(dynamodb, settings.export_table),
            aws: aws.clone(),
            clock: Clock::system(),
            random: Random::system(),
        })
    }

    /// Reads the catalog as it is now, and opens its buckets.
    pub(crate) async fn open_catalog(&self) -> anyhow::Result<Arc<LoadedCatalog>> {
        let catalogs = CatalogSource::from_env(&self.aws, self.clock.now()).await;
        Ok(catalogs?.loaded())
    }

    /// Reads a catalog that is not the deployment's yet, and opens its buckets.
    pub(crate) async fn open_text(&self, text: String) -> anyhow::Result<Arc<LoadedCatalog>> {
        let loaded = LoadedCatalog::parse(&self.aws, &self.open_lake()?, "catalog", text).await;
        Ok(Arc::new(loaded?))
    }

    /// Returns the lake with its own bucket alone.
    pub(crate) fn open_lake(&self) -> anyhow::Result<Lake> {
        Ok(Lake::from_env(&self.aws)?)
    }
}
