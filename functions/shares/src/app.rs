//! The clients and settings of this function. It has no lake, no tokens and no queues.

use aws_config::SdkConfig;
use cloud::{ArchiveBucket, AuditTable, ExportTable, env};
use service::{Audit, Clock, Links, Random, ShareLinks};
use web::Site;

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) shares: ShareLinks,
    clock: Clock,
    public_base_url: Option<String>,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = cloud::dynamodb_client(aws);
        let table = ExportTable::new(dynamodb.clone(), env::required("EXPORT_TABLE")?);
        let audit = Audit { table: AuditTable::from_env(dynamodb)?, random: Random::system() };
        let archives = ArchiveBucket::new(cloud::s3_client(aws), env::required("EXPORT_BUCKET")?);
        Ok(Self {
            shares: ShareLinks { table, links: Links { archives, audit } },
            clock: Clock::system(),
            public_base_url: env::optional("PUBLIC_BASE_URL")?,
        })
    }
}

impl Site for App {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn public_base_url(&self) -> Option<&str> {
        self.public_base_url.as_deref()
    }

    fn clock(&self) -> Clock {
        self.clock
    }
}
