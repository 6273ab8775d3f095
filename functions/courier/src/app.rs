//! The settings of this function.

use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, KmsCipher, Queue, env};
use service::{Clock, Copier, FollowUp};

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

impl Settings {
    /// Returns what copies.
    pub(crate) fn copier(self, aws: SdkConfig) -> anyhow::Result<Copier> {
        let (sqs, clock) = (aws_sdk_sqs::Client::new(&aws), Clock::system());
        let exports = ExportTable::new(cloud::dynamodb_client(&aws), self.table);
        let builds = ExportQueue::new(sqs.clone(), self.export_queue_url);
        Ok(Copier {
            follow_up: FollowUp::from_env(&aws, exports.clone(), builds, clock)?,
            exports,
            archives: ArchiveBucket::new(cloud::s3_client(&cloud::bulk_config(&aws)), self.bucket),
            queue: Queue::new(sqs, self.queue_url),
            seal: KmsCipher::from_env(&aws)?,
            aws,
            clock,
        })
    }
}
