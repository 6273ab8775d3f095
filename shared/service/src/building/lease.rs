//! The lease under which a builder works: it is renewed while the work goes on, and the work stops when it is
//! lost.

use std::time::Duration;

use export::{BUILD_LEASE, Export, Lease, State};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tracing::warn;

use crate::Random;

/// How often a lease is renewed.
#[derive(Clone, Copy, Debug)]
pub struct RenewalPace {
    /// How far renewals are apart, at least: a lease lasts for a few of them.
    pub apart: Duration,
    /// How much later each may be, so that many builders do not renew at the same moment.
    pub jitter: Duration,
    /// How long work whose lease is lost may take to clean up.
    pub max_clean_up: Duration,
}

impl RenewalPace {
    /// The pace of builders.
    pub const BUILDERS: Self = Self {
        apart: Duration::from_secs(12),
        jitter: Duration::from_secs(6),
        max_clean_up: Duration::from_secs(10),
    };
}

const _: () = assert!(
    3 * (RenewalPace::BUILDERS.apart.as_secs() + RenewalPace::BUILDERS.jitter.as_secs())
        < BUILD_LEASE.unsigned_abs().as_secs()
);

/// A builder's lease is lost: the export was cancelled, has ended, or was taken over, or the lease could not be
/// renewed in time.
#[derive(Debug, thiserror::Error)]
#[error("the export is no longer ours to build")]
pub struct LeaseLost;

/// Tells work when its lease is lost.
#[derive(Clone, Debug)]
pub struct LeaseWatch(watch::Receiver<bool>);

impl LeaseWatch {
    /// Waits until the lease is lost, and returns [`LeaseLost`].
    pub async fn lost(&mut self) -> anyhow::Error {
        // The other end lives as long as the work.
        _ = self.0.wait_for(|lost| *lost).await;
        LeaseLost.into()
    }
}

/// Since when and for how long a lease is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTerm {
    /// When it was last renewed.
    pub(super) since: Instant,
    /// How long it lasts from then.
    pub(super) lasts: Duration,
}

impl LeaseTerm {
    /// Returns the term of a builder's lease that is being asked for now.
    pub(super) fn starting_now() -> Self {
        Self { since: Instant::now(), lasts: BUILD_LEASE.unsigned_abs() }
    }
}

/// Works as long as `renew` says that the lease is ours, and for some moments more, to clean up. A renewal that
/// fails says nothing, unless the lease lapses before the next one succeeds. Returns [`LeaseLost`] if it was lost.
pub(super) async fn work_under_lease<T>(
    (pace, random): (RenewalPace, &Random),
    term: LeaseTerm,
    renew: impl AsyncFnMut() -> cloud::Result<bool>,
    work: impl AsyncFnOnce(LeaseWatch) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (say, lost) = watch::channel(false);
    let mut work = Box::pin(work(LeaseWatch(lost)));
    tokio::select! {
        done = &mut work => return done,
        () = until_lost((pace, random), term, renew) => {}
    }
    say.send_replace(true);
    timeout(pace.max_clean_up, work).await.unwrap_or_else(|_| Err(LeaseLost.into()))
}

async fn until_lost(
    (pace, random): (RenewalPace, &Random),
    term: LeaseTerm,
    mut renew: impl AsyncFnMut() -> cloud::Result<bool>,
) {
    let mut lapses_at = term.since + term.lasts;
    loop {
        let next = Instant::now() + pace.apart + pace.jitter.mul_f64(random.fraction());
        sleep_until(lapses_at.min(next)).await;
        let begun = Instant::now();
        if lapses_at <= begun {
            return;
        }
        let Ok(renewed) = timeout_at(lapses_at, renew()).await else { return };
        match renewed {
            Ok(true) => lapses_at = begun + term.lasts,
            Ok(false) => return,
            Err(e) => warn!("failed to {:#}", anyhow::Error::new(e)),
        }
    }
}

/// Tells whether `lease` is the one under which the export is being built.
pub(super) fn is_ours(export: &Export, lease: Lease) -> bool {
    matches!(&export.state, State::Running { lease: latest, .. } if latest.number == lease.number)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use tokio::time::sleep;

    use super::*;

    const PACE: RenewalPace = RenewalPace::BUILDERS;

    fn failed() -> cloud::Result<bool> {
        Err(cloud::Error::TooManyObjects)
    }

    async fn work_for<T>(
        seconds: u64,
        renew: impl AsyncFnMut() -> cloud::Result<bool>,
        work: impl AsyncFnOnce(LeaseWatch) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let term = LeaseTerm { since: Instant::now(), lasts: Duration::from_secs(seconds) };
        work_under_lease((PACE, &Random::seeded(1)), term, renew, work).await
    }

    #[tokio::test(start_paused = true)]
    async fn renewals_that_fail_do_not_end_work_before_the_lease_lapses() {
        let renewals = Cell::new(0);
        let renew = async || {
            renewals.set(renewals.get() + 1);
            failed()
        };
        let work = async |_: LeaseWatch| {
            sleep(Duration::from_secs(55)).await;
            Ok(7)
        };

        assert_eq!(work_for(60, renew, work).await.unwrap(), 7);
        assert!(renewals.get() > 1, "{}", renewals.get());
    }

    #[tokio::test(start_paused = true)]
    async fn a_builder_that_cannot_renew_its_lease_stops_when_it_lapses() {
        for hangs in [true, false] {
            let begun = Instant::now();
            let renew = async || if hangs { pending().await } else { failed() };
            let until_told = async |mut watch: LeaseWatch| Err::<(), _>(watch.lost().await);

            let ended = work_for(60, renew, until_told).await;

            assert!(ended.unwrap_err().is::<LeaseLost>());
            assert_eq!(begun.elapsed().as_secs(), 60);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_as_long_as_the_work_takes() {
        let renewals = Cell::new(0);
        let renew = async || {
            renewals.set(renewals.get() + 1);
            // One of three fails.
            if renewals.get() % 3 == 0 { failed() } else { Ok(true) }
        };
        let work = async |_: LeaseWatch| {
            sleep(Duration::from_mins(10)).await;
            Ok(())
        };

        work_for(60, renew, work).await.unwrap();

        assert!(renewals.get() > 30, "{}", renewals.get());
    }

    #[tokio::test(start_paused = true)]
    async fn work_whose_lease_is_lost_ends_even_if_it_does_not_listen() {
        let deaf = async |_: LeaseWatch| -> anyhow::Result<()> { pending().await };

        let ended = work_for(60, async || Ok(false), deaf).await;

        assert!(ended.unwrap_err().is::<LeaseLost>());
    }
}
