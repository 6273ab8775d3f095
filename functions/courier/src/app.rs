//! What this function works with.

use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, KmsCipher, Queue, env};
use service::{Clock, FollowUp};

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    table: String,
    bucket: String,
    export_queue_url: String,
    queue_url: String,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            table: env::required("EXPORT_TABLE")?,
            bucket: env::required("EXPORT_BUCKET")?,
            export_queue_url: env::required("EXPORT_QUEUE_URL")?,
            queue_url: env::required("COPY_QUEUE_URL")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) exports: ExportTable,
    pub(crate) archives: ArchiveBucket,
    pub(crate) queue: Queue,
    pub(crate) follow_up: FollowUp,
    /// The time.
    pub(crate) clock: Clock,
    pub(crate) seal: KmsCipher,
    /// What clients of users' buckets are made from.
    pub(crate) aws: SdkConfig,
}

impl App {
    pub(crate) fn new(aws: SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let exports = ExportTable::new(aws_sdk_dynamodb::Client::new(&aws), settings.table);
        let builds = ExportQueue::new(sqs.clone(), settings.export_queue_url);
        let clock = Clock::system();
        Ok(Self {
            follow_up: FollowUp::from_env(&aws, exports.clone(), builds, clock)?,
            clock,
            exports,
            archives: ArchiveBucket::new(cloud::s3_client(&aws), settings.bucket),
            queue: Queue::new(sqs, settings.queue_url),
            seal: KmsCipher::from_env(&aws)?,
            aws,
        })
    }
}
