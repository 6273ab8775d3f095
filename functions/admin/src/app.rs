//! What this function works with.

use aws_config::SdkConfig;
use cloud::{ExportTable, LakeBucket, TokenTable, env};
use export::Catalog;
use service::{Clock, Random};

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    token_table: String,
    export_table: String,
    catalog_key: Option<String>,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            token_table: env::required("TOKEN_TABLE")?,
            export_table: env::required("EXPORT_TABLE")?,
            catalog_key: env::optional("CATALOG_KEY")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) tokens: TokenTable,
    pub(crate) exports: ExportTable,
    lake: LakeBucket,
    /// What clients of other buckets of a catalog are made from.
    aws: SdkConfig,
    catalog_key: Option<String>,
    /// The time.
    pub(crate) clock: Clock,
    /// Where tokens come from.
    pub(crate) random: Random,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        Ok(Self {
            tokens: TokenTable::new(dynamodb.clone(), settings.token_table),
            exports: ExportTable::new(dynamodb, settings.export_table),
            lake: LakeBucket::from_env(aws)?,
            aws: aws.clone(),
            catalog_key: settings.catalog_key,
            clock: Clock::system(),
            random: Random::system(),
        })
    }

    /// Reads the catalog as it is now, and opens its buckets.
    pub(crate) async fn open_catalog(&self) -> anyhow::Result<(Catalog, LakeBucket)> {
        let catalog = self.lake.catalog(self.catalog_key.as_deref()).await?;
        let lake = self.lake.clone().with_others(&self.aws, catalog.buckets()).await;
        Ok((catalog, lake))
    }
}
