//! What this function works with.

use aws_config::SdkConfig;
use axum::http::request::Parts;
use web::{Api, AuthError, Authorized, Credential, Problem, Services, View};

/// A caller who may read exports.
pub(crate) type Viewer = Authorized<App, View>;

/// The clients and settings this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self { services: Services::from_env(aws).await? })
    }
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
