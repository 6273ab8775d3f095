//! The clients and settings of this function.

use std::time::Duration;

use aws_config::SdkConfig;
use axum::http::request::Parts;
use cloud::{KmsCipher, env};
use export::CallbackHosts;
use web::{Api, AuthError, Credential, Services};

use crate::error::ApiError;

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    /// How long a call waits until it is known whether there is any data.
    pub(crate) wait: Duration,
    /// The URL to which the names of files are appended, if it is not one of ours.
    pub(crate) files_url: Option<String>,
    /// What seals users' secrets.
    pub(crate) seal: KmsCipher,
    /// The hosts that callbacks may be posted to.
    pub(crate) callback_hosts: CallbackHosts,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self {
            services: Services::from_env(aws).await?,
            wait: Duration::from_secs(env::required("WAIT_SECONDS")?),
            files_url: env::optional("FILES_URL")?,
            seal: KmsCipher::from_env(aws)?,
            callback_hosts: env::optional("CALLBACK_HOSTS")?.unwrap_or_default(),
        })
    }
}

impl Api for App {
    const NAME: &'static str = "leanplum";

    type Error = ApiError;

    fn services(&self) -> &Services {
        &self.services
    }

    /// A request has no token of its own: each call in it has one among its arguments.
    fn credential(_: &Parts) -> Result<Credential, AuthError> {
        Err(AuthError::Missing)
    }
}
