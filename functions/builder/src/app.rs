//! What this function works with.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, LakeBucket, env};
use export::Catalog;
use jiff::Timestamp;

/// What is left of an invocation's time for ending it well.
const RESERVE: Duration = Duration::from_mins(1);

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    export_table: String,
    export_queue_url: String,
    export_bucket: String,
    lake_bucket: String,
    catalog_key: Option<String>,
    compression_level: u32,
    step_bytes: u64,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        let settings = Self {
            export_table: env::required("EXPORT_TABLE")?,
            export_queue_url: env::required("EXPORT_QUEUE_URL")?,
            export_bucket: env::required("EXPORT_BUCKET")?,
            lake_bucket: env::required("LAKE_BUCKET")?,
            catalog_key: env::optional("CATALOG_KEY")?,
            compression_level: env::required("COMPRESSION_LEVEL")?,
            step_bytes: env::required("STEP_BYTES")?,
        };
        let level = settings.compression_level;
        anyhow::ensure!(
            (1..=12).contains(&level),
            "use COMPRESSION_LEVEL {level}: it must be 1 to 12"
        );
        Ok(settings)
    }
}

/// The clients and settings this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) exports: ExportTable,
    pub(crate) queue: ExportQueue,
    pub(crate) archives: ArchiveBucket,
    pub(crate) lake: LakeBucket,
    pub(crate) catalog: Catalog,
    /// 1 (fast) to 12 (small).
    pub(crate) compression_level: u32,
    /// How many threads pour.
    pub(crate) workers: usize,
    /// Stored bytes of source objects in one step, at least.
    pub(crate) step_bytes: u64,
}

impl App {
    pub(crate) async fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let s3 = aws_sdk_s3::Client::new(aws);
        let lake = LakeBucket::new(s3.clone(), settings.lake_bucket);
        let catalog =
            lake.catalog(settings.catalog_key.as_deref()).await.context("load the catalog")?;
        let sqs = aws_sdk_sqs::Client::new(aws);
        Ok(Self {
            exports: ExportTable::new(aws_sdk_dynamodb::Client::new(aws), settings.export_table),
            queue: ExportQueue::new(sqs, settings.export_queue_url),
            archives: ArchiveBucket::new(s3, settings.export_bucket),
            lake,
            catalog,
            compression_level: settings.compression_level,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            step_bytes: settings.step_bytes,
        })
    }
}

/// When an invocation has to hand over what it has not done.
pub(crate) fn end_of(context: &lambda_runtime::Context) -> Instant {
    let left = Duration::from_millis(context.deadline).saturating_sub(since_epoch());
    Instant::now() + left.saturating_sub(RESERVE)
}

fn since_epoch() -> Duration {
    Duration::from_millis(Timestamp::now().as_millisecond().try_into().unwrap_or_default())
}
