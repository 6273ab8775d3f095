//! Whether an export is still wanted, and ours to build.

use std::time::{Duration, Instant};

use export::{Export, Lease, State};

use crate::app::App;

/// How often the record is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// The export is not ours any more: it was cancelled, ended, or taken over.
#[derive(Debug, thiserror::Error)]
#[error("the export is no longer ours to build")]
pub(crate) struct Lost;

/// Looks at the record now and then while steps are built.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    app: &'a App,
    export: &'a Export,
    /// The lease that must be the latest; none for those who only build steps.
    lease: Option<Lease>,
    looked: Instant,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(app: &'a App, export: &'a Export, lease: Option<Lease>) -> Self {
        Self { app, export, lease, looked: Instant::now() }
    }

    /// Waits until the export is no longer ours.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(lost) = self.check().await {
                return lost;
            }
        }
    }

    /// Fails if the export is no longer ours, as far as a look within the last seconds tells.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        if self.looked.elapsed() < EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        let found = self.app.exports.get(&self.export.workspace, self.export.id).await?;
        let ours = found.is_some_and(|export| match self.lease {
            Some(lease) => is_ours(&export, lease),
            None => matches!(export.state, State::Running { .. }),
        });
        anyhow::ensure!(ours, Lost);
        Ok(())
    }
}

/// Tells whether `lease` is the one under which the export is being built.
pub(crate) fn is_ours(export: &Export, lease: Lease) -> bool {
    matches!(&export.state, State::Running { lease: latest, .. } if latest.number == lease.number)
}
