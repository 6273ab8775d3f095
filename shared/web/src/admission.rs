//! Making exports, within what a workspace may use.

use std::time::Duration;

use cloud::{Created, IdempotencyKey, Joined, LakeBucket};
use export::{Dataset, Export, RequestCost, Window, Workspace};
use jiff::Timestamp;
use tracing::error;

use crate::{AuthError, Services};

/// How often a natural key is looked up again while others make its export.
const MAX_LOOKS: u32 = 4;
/// The pause before it is.
const PAUSE: Duration = Duration::from_millis(150);
/// How many lists of the lake cost as much as a request.
const LISTS_A_REQUEST: usize = 10;

impl Services {
    /// Stores a new export, if its workspace may make it; under an idempotency key, at most one.
    pub async fn create(
        &self,
        export: &Export,
        key: Option<&IdempotencyKey>,
    ) -> Result<Created, AuthError> {
        self.exports.admit_export(export, self.quota).await??;
        let created = self.exports.create(export, key).await?;
        if !matches!(created, Created::New) {
            self.dismiss(export).await;
        }
        Ok(created)
    }

    /// Stores a new export as the newest of its natural key, if its workspace may make it and the newest so
    /// far is not to be kept.
    pub async fn join(
        &self,
        export: &Export,
        key: &str,
        keep: impl Fn(&Export) -> bool,
    ) -> Result<Joined, AuthError> {
        let mut looks = 0;
        loop {
            let newest = self.exports.newest(&export.workspace, key).await?;
            if let Some(kept) = newest.filter(|newest| keep(newest)) {
                return Ok(Joined::Kept(Box::new(kept)));
            }
            looks += 1;
            match self.exports.admit_export(export, self.quota).await? {
                Ok(()) => break,
                // Others who ask for the same may be counted, of whom one makes it.
                Err(_) if looks < MAX_LOOKS => tokio::time::sleep(PAUSE).await,
                Err(over) => return Err(over.into()),
            }
        }
        let joined = self.exports.join(export, key, keep).await?;
        if matches!(joined, Joined::Kept(_)) {
            self.dismiss(export).await;
        }
        Ok(joined)
    }

    /// Counts what it costs beside the request itself to list what these datasets have of a window. It is
    /// counted before they are listed.
    pub async fn spend_lists(
        &self,
        workspace: &Workspace,
        datasets: impl IntoIterator<Item = &Dataset>,
        window: Window,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let mut lists = 0;
        for dataset in datasets {
            lists += LakeBucket::count_lists(dataset, workspace, window)?;
        }
        let requests = u32::try_from(lists.div_ceil(LISTS_A_REQUEST)).unwrap_or(u32::MAX);
        self.authenticator.spend(workspace, RequestCost::Beside(requests), now).await
    }

    /// Should this be left undone, the export is forgotten when there may be no more.
    async fn dismiss(&self, export: &Export) {
        if let Err(e) = self.exports.dismiss_export(export).await {
            error!(export.id = %export.id, "failed to {:#}", anyhow::Error::new(e));
        }
    }
}
