//! What this function works with.

use aws_config::SdkConfig;
use cloud::env;
use export::Limits;
use web::Services;

/// The clients and settings this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) services: Services,
    pub(crate) limits: Limits,
    /// Stored bytes of source objects that one builder takes on, at most, but for a single one.
    pub(crate) step_bytes: u64,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let limits = Limits { window_days: env::required("MAX_WINDOW_DAYS")?, ..Limits::default() };
        let step_bytes = env::required("STEP_BYTES")?;
        Ok(Self { services: Services::from_env(aws).await?, limits, step_bytes })
    }
}
