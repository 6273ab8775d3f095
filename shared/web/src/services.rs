//! What every HTTP function works with.

use std::sync::Arc;

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{ArchiveBucket, ExportQueue, ExportTable, LakeBucket, TokenTable, env};
use export::{Catalog, Export, Limits, Quota, Workspace};
use jiff::SignedDuration;
use tracing::{error, info};

use crate::Authenticator;

/// The clients and settings that an HTTP function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub struct Services {
    /// The records of exports.
    pub exports: ExportTable,
    /// The queue of exports to build.
    pub queue: ExportQueue,
    /// Where archives are.
    pub archives: ArchiveBucket,
    /// Where source objects are.
    pub lake: LakeBucket,
    /// Who calls.
    pub authenticator: Authenticator,
    /// What can be asked for.
    pub catalog: Arc<Catalog>,
    /// What a request may ask for at most, in every API.
    pub limits: Limits,
    /// What a workspace may use, unless its operator set something else.
    pub quota: Quota,
    /// How long an export may take before it is given up.
    pub time_limit: SignedDuration,
    /// The URL under which users reach the API, if it is not API Gateway's own.
    pub public_base_url: Option<String>,
}

impl Services {
    /// Reads the settings that `template.yaml` gives every HTTP function, or says which one is missing.
    pub async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let s3 = cloud::s3_client(aws);
        let sqs = aws_sdk_sqs::Client::new(aws);
        let lake = LakeBucket::new(s3.clone(), env::required("LAKE_BUCKET")?);
        let catalog_key: Option<String> = env::optional("CATALOG_KEY")?;
        let catalog = lake.catalog(catalog_key.as_deref()).await.context("load the catalog")?;
        let tokens = TokenTable::new(dynamodb.clone(), env::required("TOKEN_TABLE")?);
        let exports = ExportTable::new(dynamodb, env::required("EXPORT_TABLE")?);
        let quota = Quota {
            exports_at_once: env::required("EXPORTS_AT_ONCE")?,
            exports_a_day: env::required("EXPORTS_A_DAY")?,
            requests_a_second: env::required("REQUESTS_A_SECOND")?,
            request_burst: env::required("REQUEST_BURST")?,
        };
        Ok(Self {
            queue: ExportQueue::new(sqs, env::required("EXPORT_QUEUE_URL")?),
            archives: ArchiveBucket::new(s3, env::required("EXPORT_BUCKET")?),
            lake,
            authenticator: Authenticator::new(tokens, exports.clone(), quota),
            exports,
            quota,
            catalog: Arc::new(catalog),
            limits: Limits { window_days: env::required("MAX_WINDOW_DAYS")?, ..Limits::default() },
            time_limit: SignedDuration::from_hours(i64::from(env::required::<u16>(
                "DEADLINE_HOURS",
            )?)),
            public_base_url: env::optional("PUBLIC_BASE_URL")?,
        })
    }

    /// Reads the named filters of a workspace, ids and texts, if any of these filters names one.
    pub async fn named_filters<'a>(
        &self,
        workspace: &Workspace,
        filters: impl IntoIterator<Item = &'a str>,
    ) -> cloud::Result<Vec<(String, String)>> {
        if !filters.into_iter().any(|filter| filter.contains('$')) {
            return Ok(Vec::new());
        }
        let named = self.exports.named_filters(workspace).await?;
        Ok(named.into_iter().map(|filter| (filter.id, filter.value)).collect())
    }

    /// Asks for an export that was just stored to be built.
    ///
    /// If the message is lost, the janitor sends it again: the export exists all the same.
    pub async fn submit(&self, export: &Export) {
        info!(export.id = %export.id, workspace = %export.workspace, "created export {}", export.id);
        if let Err(e) = self.queue.send(export, 0).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }
}
