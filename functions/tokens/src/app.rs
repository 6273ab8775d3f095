//! The clients and settings of this function. It has no lake, no archives and no queues.

use std::collections::HashSet;

use aws_config::SdkConfig;
use cloud::{AuditTable, ExportTable, TokenTable, env};
use jiff::SignedDuration;
use service::{Audit, Clock, Random, SignIn};
use web::Site;

use crate::{provider::Provider, rules::Rules};

/// The clients and settings that this function holds for as long as it is warm.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) sign_in: SignIn,
    /// The provider; `None` if the operator has set none.
    pub(crate) provider: Option<Provider>,
    /// Whom its tokens have to be for.
    pub(crate) audiences: HashSet<String>,
    pub(crate) rules: Rules,
    clock: Clock,
    public_base_url: Option<String>,
}

impl App {
    /// Reads every setting, or says which one is missing or wrong.
    pub(crate) fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let dynamodb = cloud::dynamodb_client(aws);
        let issuer: Option<String> = env::optional("OIDC_ISSUER")?;
        let audiences: Option<String> = env::optional("OIDC_AUDIENCES")?;
        let rules: Option<String> = env::optional("SIGN_IN_RULES")?;
        let hours: u8 = env::required("SIGN_IN_HOURS")?;
        let random = Random::system();
        let sign_in = SignIn {
            tokens: TokenTable::new(dynamodb.clone(), env::required("TOKEN_TABLE")?),
            exports: ExportTable::new(dynamodb.clone(), env::required("EXPORT_TABLE")?),
            audit: Audit { table: AuditTable::from_env(dynamodb)?, random: random.clone() },
            random,
            lifetime: SignedDuration::from_hours(hours.into()),
        };
        let names = audiences.iter().flat_map(|list| list.split(',')).map(str::trim);
        Ok(Self {
            sign_in,
            provider: issuer.map(Provider::new).transpose()?,
            audiences: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            rules: rules.map(|text| Rules::parse(&text)).transpose()?.unwrap_or_default(),
            clock: Clock::system(),
            public_base_url: env::optional("PUBLIC_BASE_URL")?,
        })
    }
}

impl Site for App {
    fn name(&self) -> &'static str {
        "native"
    }

    fn public_base_url(&self) -> Option<&str> {
        self.public_base_url.as_deref()
    }

    fn clock(&self) -> Clock {
        self.clock
    }
}
