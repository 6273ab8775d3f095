//! One attempt to post a callback, and when to make the next.

use std::time::Instant;

use cloud::Purpose;
use export::Delivery;
use inbox::Outcome;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::{error, info};
use outbox::Notice;

use crate::{app::App, sign::signatures};

/// How long to wait after each attempt that did not go well, in seconds. After the last it is given up.
const WAITS: [i32; 8] = [5, 60, 300, 1800, 3600, 7200, 14_400, 28_800];

/// Posts a notice that came for the `attempt`th time, and writes down what came of it.
pub(crate) async fn run(app: &App, notice: &Notice, attempt: u32) -> anyhow::Result<Outcome> {
    let (at, begun) = (Timestamp::now(), Instant::now());
    if notice.until < at {
        info!(export.id = %notice.export, "gave up posting the callback of export {}", notice.export);
        return Ok(Outcome::Done);
    }
    let mut secrets = Vec::new();
    for sealed in &notice.secrets {
        secrets.push(app.seal.open(sealed, Purpose::Callback(&notice.workspace)).await?);
    }
    let signatures = signatures(&notice.id, at, &notice.body, &secrets)?;
    let answer = app.poster.post(notice, at.as_second(), &signatures).await;
    let wait =
        next_wait(attempt, at, notice.until).filter(|_| answer.error.is_some() && answer.again);
    let delivery = Delivery {
        at,
        attempt,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        status: answer.status,
        answer: answer.text,
        error: answer.error,
        next_at: wait.map(|seconds| at + SignedDuration::from_secs(seconds.into())),
    };
    // It was posted: that this is not known is no reason to post it again.
    if let Err(e) = app.deliveries.add(&notice.workspace, notice.export, &delivery).await {
        error!(export.id = %notice.export, "failed to {:#}", anyhow::Error::new(e));
    }
    info!(
        export.id = %notice.export, attempt, status = delivery.status.unwrap_or_default(),
        "posted the callback of export {}", notice.export
    );
    Ok(wait
        .map_or(Outcome::Done, |seconds| Outcome::ComeBack { seconds, reason: "it was not taken" }))
}

/// Returns how long to wait after an attempt, if there is to be another.
fn next_wait(attempt: u32, at: Timestamp, until: Timestamp) -> Option<i32> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(index)?;
    (at + SignedDuration::from_secs(wait.into()) <= until).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_rarer_and_rarer_and_end_with_the_archive() {
        let (at, day) = (Timestamp::UNIX_EPOCH, SignedDuration::from_hours(24));
        assert_eq!(next_wait(1, at, at + day), Some(5));
        assert_eq!(next_wait(8, at, at + day), Some(28_800));
        assert_eq!(next_wait(9, at, at + day), None);
        assert_eq!(next_wait(8, at + day - SignedDuration::from_hours(7), at + day), None);
        assert!(
            WAITS.iter().all(|wait| *wait < 43_200),
            "SQS hides a message for 12 hours at most"
        );
    }
}
