//! What this function works with.

use aws_config::SdkConfig;
use cloud::{ExportTable, LakeBucket, TokenTable, env};
use service::{Clock, Random};

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    token_table: String,
    export_table: String,
    lake_bucket: String,
    catalog_key: Option<String>,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            token_table: env::required("TOKEN_TABLE")?,
            export_table: env::required("EXPORT_TABLE")?,
            lake_bucket: env::required("LAKE_BUCKET")?,
            catalog_key: env::optional("CATALOG_KEY")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) tokens: TokenTable,
    pub(crate) exports: ExportTable,
    pub(crate) lake: LakeBucket,
    pub(crate) catalog_key: Option<String>,
    /// The time.
    pub(crate) clock: Clock,
    /// Where tokens come from.
    pub(crate) random: Random,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        Self {
            tokens: TokenTable::new(dynamodb.clone(), settings.token_table),
            exports: ExportTable::new(dynamodb, settings.export_table),
            lake: LakeBucket::new(cloud::s3_client(aws), settings.lake_bucket),
            catalog_key: settings.catalog_key,
            clock: Clock::system(),
            random: Random::system(),
        }
    }
}
