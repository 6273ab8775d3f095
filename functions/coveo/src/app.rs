//! The clients and settings of this function, and how its requests carry a token.

use std::time::Duration;

use aws_config::SdkConfig;
use axum::http::request::Parts;
use cloud::env;
use service::FollowUp;
use web::{Api, AuthError, Authorized, Credential, Edit, Services, View};

use crate::{choices::Choices, error::ApiError};

/// A caller who may read exports.
pub(crate) type Viewer = Authorized<App, View>;
/// A caller who may create, change and delete exports.
pub(crate) type Editor = Authorized<App, Edit>;

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    /// What follows the end of an export.
    pub(crate) follow_up: FollowUp,
    /// The most rows of an export.
    pub(crate) row_limit: u64,
    /// How long a request waits for rows to be counted.
    pub(crate) wait: Duration,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let mut services = Services::from_env(aws).await?;
        services.catalogs =
            services.catalogs.checked_by(|catalog| Choices::of(catalog).map(drop))?;
        let exports = &services.exports;
        let (table, queue) = (exports.table.clone(), exports.queue.clone());
        Ok(Self {
            follow_up: FollowUp::from_env(aws, table, queue, exports.clock)?,
            services,
            row_limit: env::required("ROW_LIMIT")?,
            wait: Duration::from_secs(env::required("WAIT_SECONDS")?),
        })
    }
}

impl Api for App {
    const NAME: &'static str = "coveo";

    type Error = ApiError;

    fn services(&self) -> &Services {
        &self.services
    }

    /// The workspace is chosen by `org`.
    fn credential(request: &Parts) -> Result<Credential, AuthError> {
        let query = request.uri.query().unwrap_or_default();
        let org = form_urlencoded::parse(query.as_bytes())
            .find_map(|(name, value)| (name == "org" && !value.trim().is_empty()).then_some(value));
        Ok(Credential::bearer(&request.headers)?.in_workspace(org.as_deref()))
    }
}
