//! What this function works with.

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, LakeBucket, env};
use export::Catalog;
use lake::KEY_BYTES;
use service::{Clock, FollowUp, Random};

use crate::watch::{PACE, Pace};

/// Which part of a builder's memory may hold ids. They are held several times while they are put in
/// order and found by each other.
const LOOKUP_PART: u64 = 8;

/// How much of a builder's memory a source object may take, in bytes: half of it is for the plan and for
/// the list of what is in the archive, which hold some 1,200 an object.
const OBJECT_BYTES: u64 = 2400;

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    export_table: String,
    export_queue_url: String,
    export_bucket: String,
    catalog_key: Option<String>,
    compression_level: u32,
    step_bytes: u64,
    lookup_bytes: u64,
    most_objects: usize,
    keep_days: i32,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        let memory: Option<u64> = env::optional("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?;
        let memory_bytes = memory.map_or(u64::MAX, |megabytes| megabytes << 20);
        let settings = Self {
            export_table: env::required("EXPORT_TABLE")?,
            export_queue_url: env::required("EXPORT_QUEUE_URL")?,
            export_bucket: env::required("EXPORT_BUCKET")?,
            catalog_key: env::optional("CATALOG_KEY")?,
            compression_level: env::required("COMPRESSION_LEVEL")?,
            step_bytes: env::required("STEP_BYTES")?,
            lookup_bytes: env::required::<u64>("LOOKUP_BYTES")?.min(memory_bytes / LOOKUP_PART),
            most_objects: usize::try_from(memory_bytes / OBJECT_BYTES).unwrap_or(usize::MAX),
            keep_days: env::required("SEGMENT_DAYS")?,
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
    pub(crate) follow_up: FollowUp,
    /// The time.
    pub(crate) clock: Clock,
    /// What names the holders of batches.
    pub(crate) random: Random,
    pub(crate) archives: ArchiveBucket,
    pub(crate) lake: LakeBucket,
    pub(crate) catalog: Catalog,
    /// 1 (fast) to 12 (small).
    pub(crate) compression_level: u32,
    /// How many threads pour.
    pub(crate) workers: usize,
    /// Stored bytes of source objects that one builder takes on, at most, but for a single one.
    pub(crate) step_bytes: u64,
    /// How much of what was looked up in other tables is held at a time, in bytes.
    pub(crate) lookup_bytes: u64,
    /// How many source objects an export may read.
    pub(crate) most_objects: usize,
    /// For how many days segments are kept for other exports; 0 if they are not.
    pub(crate) keep_days: i32,
    /// How often a builder looks whether its work is still its own.
    pub(crate) pace: Pace,
}

impl App {
    pub(crate) async fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let s3 = cloud::s3_client(aws);
        let lake = LakeBucket::from_env(aws)?;
        let catalog =
            lake.catalog(settings.catalog_key.as_deref()).await.context("load the catalog")?;
        let lake = lake.with_others(aws, catalog.buckets()).await;
        let sqs = aws_sdk_sqs::Client::new(aws);
        let queue = ExportQueue::new(sqs, settings.export_queue_url);
        let exports = ExportTable::new(aws_sdk_dynamodb::Client::new(aws), settings.export_table);
        let clock = Clock::system();
        Ok(Self {
            follow_up: FollowUp::from_env(aws, exports.clone(), queue.clone(), clock)?,
            clock,
            random: Random::system(),
            exports,
            queue,
            archives: ArchiveBucket::new(s3, settings.export_bucket),
            lake,
            catalog,
            compression_level: settings.compression_level,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            step_bytes: settings.step_bytes,
            lookup_bytes: settings.lookup_bytes,
            most_objects: settings.most_objects,
            keep_days: settings.keep_days,
            pace: PACE,
        })
    }

    /// How many ids are gathered at a time, at most.
    pub(crate) fn most_ids(&self) -> usize {
        usize::try_from(self.lookup_bytes).unwrap_or(usize::MAX) / KEY_BYTES
    }
}
