//! What this function works with.

use aws_config::SdkConfig;
use cloud::{ArchiveBucket, DeliveryTable, ExportQueue, ExportTable, env};
use outbox::Outbox;

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    table: String,
    queue_url: String,
    bucket: String,
    deliveries: String,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            table: env::required("EXPORT_TABLE")?,
            queue_url: env::required("EXPORT_QUEUE_URL")?,
            bucket: env::required("EXPORT_BUCKET")?,
            deliveries: env::required("DELIVERY_TABLE")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) exports: ExportTable,
    pub(crate) queue: ExportQueue,
    pub(crate) archives: ArchiveBucket,
    pub(crate) outbox: Outbox,
    pub(crate) deliveries: DeliveryTable,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let exports = ExportTable::new(dynamodb.clone(), settings.table);
        let queue = ExportQueue::new(aws_sdk_sqs::Client::new(aws), settings.queue_url);
        Ok(Self {
            outbox: Outbox::from_env(aws, exports.clone(), queue.clone())?,
            exports,
            queue,
            deliveries: DeliveryTable::new(dynamodb, settings.deliveries),
            archives: ArchiveBucket::new(cloud::s3_client(aws), settings.bucket),
        })
    }
}
