//! What this function works with.

use aws_config::SdkConfig;
use axum::http::request::Parts;
use cloud::{DeliveryTable, KmsCipher, ReceiptSigner, env};
use service::FollowUp;
use web::{Api, AuthError, Authorized, Credential, Edit, Problem, Services, View};

use crate::{forbidden::Forbidden, receipt_keys::ReceiptKeys};

/// A caller who may read exports.
pub(crate) type Viewer = Authorized<App, View>;
/// A caller who may create, change and delete exports.
pub(crate) type Editor = Authorized<App, Edit>;

/// The clients and settings this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    pub(crate) forbidden: Forbidden,
    /// Stored bytes of source objects that one builder takes on, at most, but for a single one.
    pub(crate) step_bytes: u64,
    /// What follows the end of an export.
    pub(crate) follow_up: FollowUp,
    /// What came of callbacks.
    pub(crate) deliveries: DeliveryTable,
    /// What seals users' secrets.
    pub(crate) seal: KmsCipher,
    /// What receipts are signed with.
    pub(crate) receipt_keys: ReceiptKeys,
}

impl Api for App {
    const NAME: &'static str = "native";

    type Error = Problem;

    fn services(&self) -> &Services {
        &self.services
    }

    fn credential(request: &Parts) -> Result<Credential, AuthError> {
        Credential::bearer(&request.headers)
    }
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let step_bytes = env::required("STEP_BYTES")?;
        let forbidden = Forbidden {
            own_account: env::required("ACCOUNT_ID")?,
            callback_hosts: env::optional("CALLBACK_HOSTS")?.unwrap_or_default(),
        };
        let services = Services::from_env(aws).await?;
        let deliveries = env::required("DELIVERY_TABLE")?;
        Ok(Self {
            forbidden,
            step_bytes,
            follow_up: FollowUp::from_env(
                aws,
                services.exports.table.clone(),
                services.exports.queue.clone(),
                services.exports.clock,
            )?,
            deliveries: DeliveryTable::new(cloud::dynamodb_client(aws), deliveries),
            seal: KmsCipher::from_env(aws)?,
            receipt_keys: ReceiptKeys::new(ReceiptSigner::from_env(aws)?),
            services,
        })
    }
}
