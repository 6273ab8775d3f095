//! The clients and settings of this function, and how its requests carry a token.

use aws_config::SdkConfig;
use axum::http::request::Parts;
use web::{Api, AuthError, Authorized, Credential, Edit, Services};

use crate::error::ApiError;

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
}

/// A caller who may create exports.
pub(crate) type Editor = Authorized<App, Edit>;

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self { services: Services::from_env(aws).await? })
    }
}

impl Api for App {
    const NAME: &'static str = "liferay";

    type Error = ApiError;

    fn services(&self) -> &Services {
        &self.services
    }

    fn credential(request: &Parts) -> Result<Credential, AuthError> {
        Credential::bearer(&request.headers)
    }
}
