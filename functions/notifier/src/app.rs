//! What this function works with.

use aws_config::SdkConfig;
use cloud::{DeliveryTable, Queue, Seal, env};

use crate::{address::Allowed, post::Poster};

/// The settings `template.yaml` gives this function.
#[derive(Debug)]
pub(crate) struct Settings {
    queue_url: String,
    table: String,
    hosts: Option<String>,
}

impl Settings {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            queue_url: env::required("NOTICE_QUEUE_URL")?,
            table: env::required("DELIVERY_TABLE")?,
            hosts: env::optional("CALLBACK_HOSTS")?,
        })
    }
}

/// The clients this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) queue: Queue,
    pub(crate) deliveries: DeliveryTable,
    pub(crate) seal: Seal,
    pub(crate) poster: Poster,
}

impl App {
    pub(crate) fn new(aws: &SdkConfig, settings: Settings) -> anyhow::Result<Self> {
        let allowed = match settings.hosts {
            None => Allowed::Public,
            Some(hosts) => {
                Allowed::Hosts(hosts.split(',').map(|host| host.trim().to_owned()).collect())
            }
        };
        Ok(Self {
            queue: Queue::new(aws_sdk_sqs::Client::new(aws), settings.queue_url),
            deliveries: DeliveryTable::new(aws_sdk_dynamodb::Client::new(aws), settings.table),
            seal: Seal::from_env(aws)?,
            poster: Poster::new(allowed)?,
        })
    }
}
