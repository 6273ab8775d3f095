//! What this function works with.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, LakeBucket, TokenTable, env};
use export::{Catalog, Limits};
use jiff::SignedDuration;
use web::Authenticator;

/// How long the link behind a download is good for. A new one is made at each click, so it only has
/// to outlast a slow redirect, not the 24 hours of the archive.
pub(crate) const LINK_LIFETIME: Duration = Duration::from_mins(5);

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    export_table: String,
    token_table: String,
    export_queue_url: String,
    export_bucket: String,
    lake_bucket: String,
    catalog_key: Option<String>,
    public_base_url: Option<String>,
    max_window_days: u32,
    deadline_hours: u16,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            export_table: env::required("EXPORT_TABLE")?,
            token_table: env::required("TOKEN_TABLE")?,
            export_queue_url: env::required("EXPORT_QUEUE_URL")?,
            export_bucket: env::required("EXPORT_BUCKET")?,
            lake_bucket: env::required("LAKE_BUCKET")?,
            catalog_key: env::optional("CATALOG_KEY")?,
            public_base_url: env::optional("PUBLIC_BASE_URL")?,
            max_window_days: env::required("MAX_WINDOW_DAYS")?,
            deadline_hours: env::required("DEADLINE_HOURS")?,
        })
    }
}

/// The clients and settings this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) exports: ExportTable,
    pub(crate) queue: ExportQueue,
    pub(crate) archives: ArchiveBucket,
    pub(crate) authenticator: Authenticator,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) limits: Limits,
    /// How long an export may take before it is given up.
    pub(crate) patience: SignedDuration,
    pub(crate) public_base_url: Option<String>,
}

impl App {
    pub(crate) async fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = aws_sdk_s3::Client::new(aws);
        let lake = LakeBucket::new(s3.clone(), settings.lake_bucket);
        let catalog =
            lake.catalog(settings.catalog_key.as_deref()).await.context("load the catalog")?;
        let sqs = aws_sdk_sqs::Client::new(aws);
        Ok(Self {
            exports: ExportTable::new(dynamodb.clone(), settings.export_table),
            queue: ExportQueue::new(sqs, settings.export_queue_url),
            archives: ArchiveBucket::new(s3, settings.export_bucket),
            authenticator: Authenticator::new(TokenTable::new(dynamodb, settings.token_table)),
            catalog: Arc::new(catalog),
            limits: Limits { window_days: settings.max_window_days, ..Limits::default() },
            patience: SignedDuration::from_hours(i64::from(settings.deadline_hours)),
            public_base_url: settings.public_base_url,
        })
    }
}
