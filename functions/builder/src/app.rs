//! What this function works with.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{
    ArchiveBucket, CatalogSource, ExportQueue, ExportTable, LoadedCatalog, ReceiptSigner, env,
};
use export::WorkKey;
use jiff::{SignedDuration, Timestamp};
use lake::KEY_BYTES;
use service::{Builder, Clock, FollowUp, Random, RenewalPace};

/// One part in so many of a builder's memory may hold join keys. They are held several times while they are
/// sorted and compared.
const LOOKUP_PART: u64 = 8;

/// How much of a builder's memory a source object may take, in bytes: half of it is for the plan and for
/// the list of what is in the archive, which hold some 1,200 an object.
const OBJECT_BYTES: u64 = 2400;

/// How long a version of the catalog counts as kept. Objects of the work in progress live for two days, which is an
/// hour longer than an export may take.
const CATALOG_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    export_table: String,
    export_queue_url: String,
    export_bucket: String,
    compression_level: u32,
    step_bytes: u64,
    lookup_bytes: u64,
    max_objects: usize,
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
            compression_level: env::required("COMPRESSION_LEVEL")?,
            step_bytes: env::required("STEP_BYTES")?,
            lookup_bytes: env::required::<u64>("LOOKUP_BYTES")?.min(memory_bytes / LOOKUP_PART),
            max_objects: usize::try_from(memory_bytes / OBJECT_BYTES).unwrap_or(usize::MAX),
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

/// The clients and settings that the engine works with for as long as the function is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// The time.
    pub(crate) clock: Clock,
    pub(crate) archives: ArchiveBucket,
    /// Signs receipts; `None` if they are not signed.
    pub(crate) signer: Option<ReceiptSigner>,
    /// Where the catalog is.
    pub(crate) catalogs: CatalogSource,
    /// The catalog that exports are built with, and the lake.
    pub(crate) catalog: Arc<LoadedCatalog>,
    /// The version of the catalog that was kept last for those who follow a plan, and when.
    pub(crate) kept_catalog: Arc<Mutex<Option<(String, Timestamp)>>>,
    /// 1 (fast) to 12 (small).
    pub(crate) compression_level: u32,
    /// How many threads convert.
    pub(crate) workers: usize,
    /// Stored bytes of source objects that one builder takes on, at most, but for a single one.
    pub(crate) step_bytes: u64,
    /// How many bytes of join keys of other tables are held at a time.
    pub(crate) lookup_bytes: u64,
    /// How many source objects an export may read.
    pub(crate) max_objects: usize,
    /// For how many days segments are kept for other exports; 0 if they are not.
    pub(crate) keep_days: i32,
}

impl App {
    /// Makes the clients and loads the catalog. Returns what decides about exports, and what their files are made
    /// with.
    pub(crate) async fn start(
        aws: &SdkConfig,
        settings: Settings,
    ) -> anyhow::Result<(Builder, Self)> {
        let bulk = cloud::bulk_config(aws);
        let s3 = cloud::s3_client(&bulk);
        let clock = Clock::system();
        let catalogs =
            CatalogSource::from_env(&bulk, clock.now()).await.context("load the catalog")?;
        let sqs = aws_sdk_sqs::Client::new(aws);
        let queue = ExportQueue::new(sqs, settings.export_queue_url);
        let exports = ExportTable::new(cloud::dynamodb_client(aws), settings.export_table);
        let archives = ArchiveBucket::new(s3, settings.export_bucket);
        let builder = Builder {
            follow_up: FollowUp::from_env(aws, exports.clone(), queue.clone(), clock)?,
            exports,
            queue,
            archives: archives.clone(),
            clock,
            random: Random::system(),
            pace: RenewalPace::BUILDERS,
        };
        let app = Self {
            clock,
            archives,
            signer: ReceiptSigner::from_env(aws)?,
            catalog: catalogs.loaded(),
            catalogs,
            kept_catalog: Arc::default(),
            compression_level: settings.compression_level,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            step_bytes: settings.step_bytes,
            lookup_bytes: settings.lookup_bytes,
            max_objects: settings.max_objects,
            keep_days: settings.keep_days,
        };
        Ok((builder, app))
    }

    /// Returns this with the catalog as it is now or was at some time after `since`.
    pub(crate) async fn with_catalog_since(&self, since: Timestamp) -> Self {
        let catalog = self.catalogs.newer_than(since, self.clock.now()).await;
        Self { catalog, ..self.clone() }
    }

    /// Returns this with an earlier version of the catalog, which the maker of a plan kept.
    pub(crate) async fn with_catalog(&self, version: &str) -> anyhow::Result<Self> {
        if self.catalog.version == version {
            return Ok(self.clone());
        }
        let bytes = self.archives.read_work(&WorkKey::catalog(version)).await?;
        let text = bytes.context("find the catalog of the plan")?.to_vec();
        let text = String::from_utf8(text).context("read the catalog of the plan")?;
        let catalog = Arc::new(self.catalogs.of_text(text).await?);
        Ok(Self { catalog, ..self.clone() })
    }

    /// Keeps the catalog for those who follow a plan that is made with it.
    pub(crate) async fn keep_catalog(&self) -> anyhow::Result<()> {
        let (now, version) = (self.clock.now(), &self.catalog.version);
        let is_kept = |kept: &(String, Timestamp)| {
            kept.0 == *version && now.duration_since(kept.1) < CATALOG_KEPT
        };
        let lock = || self.kept_catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().as_ref().is_some_and(is_kept) {
            return Ok(());
        }
        let text = self.catalog.text.clone().into_bytes();
        self.archives.write_work(&WorkKey::catalog(version), text).await?;
        *lock() = Some((version.clone(), now));
        Ok(())
    }

    /// Returns how many join keys are held at a time, at most.
    pub(crate) fn max_keys(&self) -> usize {
        usize::try_from(self.lookup_bytes).unwrap_or(usize::MAX) / KEY_BYTES
    }
}
