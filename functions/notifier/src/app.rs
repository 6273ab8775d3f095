//! What this function works with.

use aws_config::SdkConfig;
use cloud::{DeliveryTable, ExportTable, KmsCipher, Queue, env};
use export::CallbackHosts;

use crate::post::Poster;

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    queue_url: String,
    deliveries: String,
    exports: String,
    hosts: CallbackHosts,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            queue_url: env::required("NOTICE_QUEUE_URL")?,
            deliveries: env::required("DELIVERY_TABLE")?,
            exports: env::required("EXPORT_TABLE")?,
            hosts: env::optional("CALLBACK_HOSTS")?.unwrap_or_default(),
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) queue: Queue,
    pub(crate) deliveries: DeliveryTable,
    /// Of these, only the secrets that callbacks are signed with.
    pub(crate) exports: ExportTable,
    pub(crate) seal: KmsCipher,
    pub(crate) poster: Poster,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        Ok(Self {
            queue: Queue::new(aws_sdk_sqs::Client::new(aws), settings.queue_url),
            deliveries: DeliveryTable::new(dynamodb.clone(), settings.deliveries),
            exports: ExportTable::new(dynamodb, settings.exports),
            seal: KmsCipher::from_env(aws)?,
            poster: Poster::new(settings.hosts)?,
        })
    }
}
