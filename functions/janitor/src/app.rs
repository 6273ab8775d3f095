//! The settings of this function.

use aws_config::SdkConfig;
use cloud::{ArchiveBucket, DeliveryTable, ExportQueue, ExportTable, env};
use service::{Clock, FollowUp, Sweeper};

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

impl Settings {
    /// Returns what sweeps.
    pub(crate) fn sweeper(self, aws: &SdkConfig, clock: Clock) -> anyhow::Result<Sweeper> {
        let dynamodb = cloud::dynamodb_client(aws);
        let exports = ExportTable::new(dynamodb.clone(), self.table);
        let queue = ExportQueue::new(aws_sdk_sqs::Client::new(aws), self.queue_url);
        Ok(Sweeper {
            follow_up: FollowUp::from_env(aws, exports.clone(), queue.clone(), clock)?,
            exports,
            queue,
            deliveries: DeliveryTable::new(dynamodb, self.deliveries),
            archives: ArchiveBucket::new(cloud::s3_client(aws), self.bucket),
        })
    }
}
