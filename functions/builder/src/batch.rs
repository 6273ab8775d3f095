//! Some steps of an export, done by one of many builders.

use anyhow::Context as _;
use cloud::{Claim, call_next};
use export::{Export, Failure, MAX_FAILURES, State};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::{error, info};

use crate::{
    app::App,
    build::{Outcome, do_step, failure_of, seconds_until},
    plan,
    watch::{Lost, Watch},
};

/// Does the steps from the first to the one before the last of `steps`. Returns what is to become of
/// the message; none if all steps of the export are done and it is time to assemble.
pub(crate) async fn run(
    app: &App,
    export: &Export,
    steps: (u32, u32),
) -> anyhow::Result<Option<Outcome>> {
    if !matches!(export.state, State::Running { .. }) {
        return Ok(Some(Outcome::Done));
    }
    if export.is_built() {
        return Ok(None);
    }
    let (first, end) = steps;
    if (first..end).all(|number| export.steps_done.contains(&number)) {
        return Ok(Some(Outcome::Done));
    }
    let now = Timestamp::now();
    let attempts = match app.exports.claim_batch(export, first, now).await? {
        Claim::Ours(attempts) => attempts,
        Claim::Held(until) => {
            let (seconds, reason) = (seconds_until(now, until), "another builder holds the steps");
            return Ok(Some(Outcome::ComeBack { seconds, reason }));
        }
    };
    match build(app, export, steps).await {
        Ok(after) if after.is_built() => Ok(None),
        Ok(_) => Ok(Some(Outcome::Done)),
        Err(error) if error.is::<Lost>() => {
            info!(export.id = %export.id, "stopped building steps of export {}: it has ended", export.id);
            Ok(Some(Outcome::Done))
        }
        Err(error) => give_up(app, export, first, attempts, error).await.map(Some),
    }
}

/// Does what is missing of a batch. Returns the export as it is then.
async fn build(app: &App, export: &Export, (first, end): (u32, u32)) -> anyhow::Result<Export> {
    let plan = plan::of(app, export).await.context("read the plan")?;
    let mut watch = Watch::new(app, export, None);
    let mut after = export.clone();
    for number in first..end {
        if export.steps_done.contains(&number) {
            continue;
        }
        let step = plan.steps.get(number as usize).context("find a step of the plan")?;
        (_, after) = do_step(app, export, number, step, &mut watch).await?;
    }
    Ok(after)
}

/// Ends an export one of whose steps cannot be done, or frees the batch for another attempt.
async fn give_up(
    app: &App,
    export: &Export,
    first: u32,
    attempts: u32,
    error: anyhow::Error,
) -> anyhow::Result<Outcome> {
    error!(export.id = %export.id, "failed to {error:#}");
    let now = Timestamp::now();
    let spent = (attempts >= MAX_FAILURES).then(Failure::internal);
    if let Some(failure) = failure_of(&error).or(spent) {
        let fail = |e: &Export| {
            matches!(e.state, State::Running { .. }).then(|| e.fail(now, failure.clone()))
        };
        app.exports.change(&export.workspace, export.id, fail).await?;
        call_next(&app.exports, &app.queue, export).await?;
        return Ok(Outcome::Done);
    }
    let again = now + SignedDuration::from_secs(10 << attempts.min(8));
    app.exports.free_batch(export, first, again).await?;
    Ok(Outcome::ComeBack {
        seconds: seconds_until(now, again),
        reason: "the attempt broke and is made again",
    })
}
