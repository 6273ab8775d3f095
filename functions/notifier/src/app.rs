//! What this function works with.

use aws_config::SdkConfig;
use cloud::{DeliveryTable, ExportTable, KmsCipher, Queue, env};
use export::CallbackHosts;
use outbox::WebhookMessage;
use service::{Clock, Deliverer, Outcome};

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

/// What this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) deliverer: Deliverer,
    pub(crate) poster: Poster,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let dynamodb = cloud::dynamodb_client(aws);
        let deliverer = Deliverer {
            queue: Queue::new(aws_sdk_sqs::Client::new(aws), settings.queue_url),
            deliveries: DeliveryTable::new(dynamodb.clone(), settings.deliveries),
            exports: ExportTable::new(dynamodb, settings.exports),
            seal: KmsCipher::from_env(aws)?,
            clock: Clock::system(),
        };
        Ok(Self { deliverer, poster: Poster::new(settings.hosts)? })
    }

    /// Delivers a callback, whose message came so often.
    pub(crate) async fn deliver(
        &self,
        message: &WebhookMessage,
        received: u32,
    ) -> anyhow::Result<Outcome> {
        let post = async |seconds, signatures: &str| {
            self.poster.post(message, seconds, signatures, self.deliverer.clock).await
        };
        self.deliverer.deliver(message, received, post).await
    }
}
