//! Whether an export is still wanted, and ours to build.

use std::time::Duration;

use export::{BUILD_LEASE, Export, Lease, State};
use lambda_runtime::tracing::warn;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// How often it is looked whether work is still ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How far looks are apart, at least: a lease lasts for a few of them.
    look_every: Duration,
    /// How much later each may be, so that many builders do not look at the same moment.
    jitter: Duration,
    /// How long work that is not ours any more may take to clean up behind it.
    max_clean_up: Duration,
}

/// That of builders.
pub(crate) const PACE: Pace = Pace {
    look_every: Duration::from_secs(12),
    jitter: Duration::from_secs(6),
    max_clean_up: Duration::from_secs(10),
};
const _: () = assert!(
    3 * (PACE.look_every.as_secs() + PACE.jitter.as_secs()) < BUILD_LEASE.unsigned_abs().as_secs()
);

/// The export is not ours any more: it was cancelled, ended, or taken over, or nobody could be told that we
/// still work on it.
#[derive(Debug, thiserror::Error)]
#[error("the export is no longer ours to build")]
pub(crate) struct Lost;

/// Knows whether the export was lost.
#[derive(Clone, Debug)]
pub(crate) struct Watch(watch::Receiver<bool>);

impl Watch {
    /// Waits until the export is no longer ours.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        // The other end lives as long as the work.
        _ = self.0.wait_for(|lost| *lost).await;
        Lost.into()
    }
}

/// A lease that lapses if it is not renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// When it was last renewed.
    pub(crate) since: Instant,
    /// How long it lasts from then.
    pub(crate) lasts: Duration,
}

/// Works as long as `look` finds that the export is ours, and for some moments more, to clean up. A look that
/// fails says nothing, unless the lease lapses meanwhile.
pub(crate) async fn while_ours<T>(
    pace: Pace,
    held: Held,
    look: impl AsyncFnMut() -> cloud::Result<bool>,
    work: impl AsyncFnOnce(Watch) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (say, lost) = watch::channel(false);
    let mut work = Box::pin(work(Watch(lost)));
    tokio::select! {
        done = &mut work => return done,
        () = until_lost(pace, held, look) => {}
    }
    say.send_replace(true);
    timeout(pace.max_clean_up, work).await.unwrap_or_else(|_| Err(Lost.into()))
}

async fn until_lost(pace: Pace, held: Held, mut look: impl AsyncFnMut() -> cloud::Result<bool>) {
    let mut lapses_at = held.since + held.lasts;
    loop {
        let apart = pace.look_every + pace.jitter.mul_f64(fastrand::f64());
        let next = Instant::now() + apart;
        sleep_until(lapses_at.min(next)).await;
        let begun = Instant::now();
        if lapses_at <= begun {
            return;
        }
        let Ok(looked) = timeout_at(lapses_at, look()).await else { return };
        match looked {
            Ok(true) => lapses_at = begun + held.lasts,
            Ok(false) => return,
            Err(e) => warn!("failed to {:#}", anyhow::Error::new(e)),
        }
    }
}

/// Tells whether `lease` is the one under which the export is being built.
pub(crate) fn is_ours(export: &Export, lease: Lease) -> bool {
    matches!(&export.state, State::Running { lease: latest, .. } if latest.number == lease.number)
}

/// A pace that no test has to wait for.
#[cfg(test)]
pub(crate) const FAST: Pace = Pace {
    look_every: Duration::from_millis(20),
    jitter: Duration::from_millis(5),
    max_clean_up: Duration::from_millis(200),
};

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use tokio::time::sleep;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn failed() -> cloud::Result<bool> {
        Err(cloud::Error::TooManyObjects)
    }

    fn held(lasts: Duration) -> Held {
        Held { since: Instant::now(), lasts }
    }

    /// Works until it is told to stop.
    async fn until_told(mut watch: Watch) -> anyhow::Result<()> {
        Err(watch.lost().await)
    }

    #[tokio::test]
    async fn looks_that_fail_do_not_end_work() {
        let looks = Cell::new(0);
        let look = async || {
            looks.set(looks.get() + 1);
            failed()
        };
        let work = async |_: Watch| {
            sleep(400 * MILLI).await;
            Ok(7)
        };

        assert_eq!(while_ours(FAST, held(5000 * MILLI), look, work).await.unwrap(), 7);
        assert!(looks.get() > 1, "{}", looks.get());
    }

    #[tokio::test]
    async fn a_builder_that_cannot_renew_its_lease_stops_when_it_lapses() {
        let lasts = 500 * MILLI;
        for hangs in [true, false] {
            let begun = Instant::now();
            let look = async || if hangs { pending().await } else { failed() };

            let ended = while_ours(FAST, held(lasts), look, until_told).await;

            assert!(ended.unwrap_err().is::<Lost>());
            assert!(begun.elapsed() >= lasts, "{:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn a_lease_is_renewed_as_long_as_the_work_takes() {
        let renewed = Cell::new(0);
        let renew = async || {
            renewed.set(renewed.get() + 1);
            // One of three breaks.
            if renewed.get() % 3 == 0 { failed() } else { Ok(true) }
        };
        let work = async |_: Watch| {
            sleep(3000 * MILLI).await;
            Ok(())
        };

        while_ours(FAST, held(1000 * MILLI), renew, work).await.unwrap();

        assert!(renewed.get() > 3, "{}", renewed.get());
    }

    #[tokio::test]
    async fn work_that_is_lost_is_ended_even_if_it_does_not_listen() {
        let deaf = async |_: Watch| -> anyhow::Result<()> { pending().await };

        let ended = while_ours(FAST, held(5000 * MILLI), async || Ok(false), deaf).await;

        assert!(ended.unwrap_err().is::<Lost>());
    }
}
