//! The clients and settings of every HTTP function.

use std::sync::Arc;

use anyhow::Context as _;
use aws_config::SdkConfig;
use cloud::{
    ArchiveBucket, AuditTable, CatalogSource, ExportQueue, ExportTable, LoadedCatalog, TokenTable,
    env,
};
use export::{Limits, Quota, Workspace};
use jiff::SignedDuration;
use service::{Audit, Clock, Exports, Links, Random};

use crate::Authenticator;

/// The clients and settings that an HTTP function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub struct Services {
    /// The exports.
    pub exports: Exports,
    /// Links to archives.
    pub links: Links,
    /// The holders of tokens.
    pub authenticator: Authenticator,
    /// Where the catalog is.
    pub catalogs: CatalogSource,
    /// What a request may ask for at most, in every API.
    pub limits: Limits,
    /// The URL under which users reach the API, if it is not API Gateway's own.
    pub public_base_url: Option<String>,
}

impl Services {
    /// Reads the settings that `template.yaml` gives every HTTP function, or says which one is missing.
    pub async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = cloud::dynamodb_client(aws);
        let s3 = cloud::s3_client(aws);
        let sqs = aws_sdk_sqs::Client::new(aws);
        let clock = Clock::system();
        let catalogs =
            CatalogSource::from_env(aws, clock.now()).await.context("load the catalog")?;
        let tokens = TokenTable::new(dynamodb.clone(), env::required("TOKEN_TABLE")?);
        let quota = Quota {
            exports_at_once: env::required("EXPORTS_AT_ONCE")?,
            exports_a_day: env::required("EXPORTS_A_DAY")?,
            requests_a_second: env::required("REQUESTS_A_SECOND")?,
            request_burst: env::required("REQUEST_BURST")?,
        };
        let hours: u16 = env::required("DEADLINE_HOURS")?;
        let random = Random::system();
        let exports = Exports {
            table: ExportTable::new(dynamodb.clone(), env::required("EXPORT_TABLE")?),
            queue: ExportQueue::new(sqs, env::required("EXPORT_QUEUE_URL")?),
            clock,
            audit: Audit { table: AuditTable::from_env(dynamodb)?, random: random.clone() },
            random,
            quota,
            time_limit: SignedDuration::from_hours(hours.into()),
        };
        let archives = ArchiveBucket::new(s3, env::required("EXPORT_BUCKET")?);
        Ok(Self {
            authenticator: Authenticator::new(tokens, exports.clone()),
            links: Links { archives, audit: exports.audit.clone() },
            exports,
            catalogs,
            limits: Limits { window_days: env::required("MAX_WINDOW_DAYS")?, ..Limits::default() },
            public_base_url: env::optional("PUBLIC_BASE_URL")?,
        })
    }

    /// Returns the tables that can be exported, and the lake they are in, as they are now or were half a minute ago.
    pub async fn catalog(&self) -> Arc<LoadedCatalog> {
        self.catalogs.current(self.exports.clock.now()).await
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
        let named = self.exports.table.named_filters(workspace).await?;
        Ok(named.into_iter().map(|filter| (filter.id, filter.value)).collect())
    }
}
