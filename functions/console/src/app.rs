//! What this function works with.

use aws_config::SdkConfig;
use axum::http::request::Parts;
use cloud::{KmsCipher, env};
use console_kit::Refusal;
use service::FollowUp;
use web::{Api, AuthError, Authorized, Credential, Edit, Services, View};

/// Somebody who has signed in and may read exports.
pub(crate) type Viewer = Authorized<App, View>;
/// Somebody who has signed in and may create, change and delete exports.
pub(crate) type Editor = Authorized<App, Edit>;

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    /// What follows the end of an export.
    pub(crate) follow_up: FollowUp,
    /// What seals users' secrets.
    pub(crate) seal: KmsCipher,
    /// The role by which the courier takes on users' roles.
    pub(crate) courier_role: String,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let services = Services::from_env(aws).await?;
        let exports = &services.exports;
        let (table, queue) = (exports.table.clone(), exports.queue.clone());
        let follow_up = FollowUp::from_env(aws, table, queue, exports.clock)?;
        let courier_role = env::required("COURIER_ROLE_ARN")?;
        Ok(Self { follow_up, seal: KmsCipher::from_env(aws)?, courier_role, services })
    }
}

impl Api for App {
    const NAME: &'static str = "console";

    type Error = Refusal;

    fn services(&self) -> &Services {
        &self.services
    }

    fn credential(request: &Parts) -> Result<Credential, AuthError> {
        console_kit::credential(&request.headers)
    }
}
