//! What is posted to whom.

use std::fmt;

use cloud::SigningSecret;
use export::{CallbackUrl, Dialect, Export, ExportId, Workspace};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{leanplum, native};

/// How long it is tried to post it: as long as an archive lives.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// A callback, with all that is needed to post it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Whose export it tells of.
    pub workspace: Workspace,
    /// Which one.
    pub export: ExportId,
    /// The same however often it is posted, so that a receiver can tell.
    pub id: String,
    /// Where it is posted to.
    pub url: CallbackUrl,
    /// What is posted.
    pub body: String,
    /// What it is signed with, each sealed for the workspace's callbacks; none if it is not signed.
    pub secrets: Vec<String>,
    /// When it is given up.
    pub until: Timestamp,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the callback of export {}", self.export)
    }
}

impl Notice {
    /// Returns what tells of an export that has ended; none if nobody is to be told.
    pub fn of(export: &Export, secrets: &[SigningSecret], now: Timestamp) -> Option<Self> {
        let callback = export.callback.as_ref()?;
        let asked = export.asked.as_ref();
        let (body, secrets) = match asked.map(|asked| (asked.dialect, asked)) {
            // That API has no signatures.
            Some((Dialect::Leanplum, asked)) => {
                let results = leanplum::results(export, asked, &callback.base);
                (results.alone().to_json(), Vec::new())
            }
            Some((Dialect::Amplitude | Dialect::Coveo, _)) | None => {
                let secrets = secrets.iter().map(|secret| secret.sealed.clone()).collect();
                (native::body(export, &callback.base)?, secrets)
            }
        };
        Some(Self {
            workspace: export.workspace.clone(),
            export: export.id,
            id: format!("msg_{}", export.id),
            url: callback.url.clone(),
            body,
            secrets,
            until: now + PATIENCE,
        })
    }
}
