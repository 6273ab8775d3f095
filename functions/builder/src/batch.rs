//! Some steps of an export, done by one of many builders.

use anyhow::Context as _;
use cloud::Claim;
use export::{BUILD_LEASE, Export, Failure, MAX_DEATHS, MAX_FAILURES, STEP_TIMEOUT, State};
use jiff::{SignedDuration, Timestamp};
use lake::Plan;
use lambda_runtime::tracing::{error, info};
use service::Outcome;
use tokio::time::Instant;

use crate::{
    app::App,
    failure::failure_of,
    message::{Message, seconds_until},
    plan,
    progress::do_step,
    watch::{Held, Lost, Watch, while_ours},
    work::Work,
};

/// What becomes of the message of steps that are no longer ours. If the export has ended or another builder has
/// them, it is done with when it comes back; if the table was out of reach for too long, nobody else has them.
const LOST: Outcome =
    Outcome::ComeBack { seconds: 5, reason: "the steps may be without a builder" };

/// What came of a batch.
#[derive(Debug)]
pub(crate) enum After {
    /// What is to become of the message.
    Settled(Outcome),
    /// It was the last of a pass over the steps: it is time to go on with the export, as it is now.
    GoOn(Box<Export>),
}

/// Claims a batch of steps under a name of its own.
async fn claim(app: &App, export: &Export, first: u32, now: Timestamp) -> anyhow::Result<Claim> {
    let holder = u128::from_be_bytes(app.random.bytes()?);
    Ok(app.exports.claim_batch(export, first, format!("{holder:032x}"), now).await?)
}

/// Does the steps from the first to the one before the last of `steps`.
pub(crate) async fn run(
    app: &App,
    export: &Export,
    steps: (u32, u32),
    message: &Message<'_>,
) -> anyhow::Result<After> {
    let done = || Ok(After::Settled(Outcome::Done));
    if !matches!(export.state, State::Running { .. }) {
        return done();
    }
    let (first, end) = steps;
    if export.is_built() || (first..end).all(|number| export.steps_done.contains(&number)) {
        let (plan, _) = plan::of(app, export).await.context("read the plan")?;
        return if ends_pass(&plan, first, export) { Ok(go_on(export)) } else { done() };
    }
    let now = app.clock.now();
    let since = Instant::now();
    let (deaths, failures, holder) = match claim(app, export, first, now).await? {
        Claim::Ours { deaths, failures, holder } => (deaths, failures, holder),
        // Its own message comes back, should its builder die.
        Claim::Held(_) => return done(),
    };
    if deaths >= MAX_DEATHS {
        error!(export.id = %export.id, "failed to build steps from {first} on: {deaths} builders died at them");
        return fail(app, export, Failure::builders_died()).await.map(After::Settled);
    }
    message.keep().await;
    let renew = async || {
        message.keep().await;
        let until = app.clock.now() + BUILD_LEASE;
        let is_ours = app.exports.renew_batch(export, first, &holder, until).await?;
        // The lease is renewed, whether or not the record can be read just now.
        Ok(is_ours && app.exports.is_wanted(export).await.unwrap_or(true))
    };
    let held = Held { since, lasts: BUILD_LEASE.unsigned_abs() };
    let work = async |watch| Box::pin(build(app, export, steps, watch)).await;
    let built = while_ours(app.pace, held, renew, work);
    match built.await {
        Ok((after, true)) => Ok(go_on(&after)),
        Ok((_, false)) => done(),
        Err(error) if error.is::<Lost>() => {
            info!(export.id = %export.id, "stopped building steps of export {}: they are no longer ours", export.id);
            Ok(After::Settled(LOST))
        }
        Err(error) => {
            let failures = failures + 1;
            give_up(app, export, (first, &holder), failures, error).await.map(After::Settled)
        }
    }
}

fn go_on(export: &Export) -> After {
    After::GoOn(Box::new(export.clone()))
}

/// Does what is missing of a batch. Returns the export as it is then, and whether that ends a pass.
async fn build(
    app: &App,
    export: &Export,
    (first, end): (u32, u32),
    watch: Watch,
) -> anyhow::Result<(Export, bool)> {
    let (plan, app) = &plan::of(app, export).await.context("read the plan")?;
    let mut work = Work::new(app, export, plan, watch);
    let mut after = export.clone();
    for number in first..end {
        if export.steps_done.contains(&number) {
            continue;
        }
        let step = plan.steps.get(number as usize).context("find a step of the plan")?;
        (_, after) = do_step(&mut work, number, step, STEP_TIMEOUT).await?;
    }
    let ends = ends_pass(plan, first, &after);
    Ok((after, ends))
}

/// Tells whether the pass is done to which the batch from `first` on belongs, and the next not begun.
fn ends_pass(plan: &Plan, first: u32, export: &Export) -> bool {
    let in_first = |number: &u32| plan.first_pass().contains(&(*number as usize));
    let done = export.steps_done.iter().filter(|number| in_first(number)).count();
    let all_done = done == plan.first_pass().len();
    export.is_built() || (in_first(&first) && all_done && done == export.steps_done.len())
}

/// Ends an export one of whose steps cannot be done, or gives the batch back for another attempt. `failures` is
/// how many attempts have ended with an error, this one included.
async fn give_up(
    app: &App,
    export: &Export,
    (first, holder): (u32, &str),
    failures: u32,
    error: anyhow::Error,
) -> anyhow::Result<Outcome> {
    error!(export.id = %export.id, "failed to {error:#}");
    let spent = (failures >= MAX_FAILURES).then(Failure::internal);
    if let Some(failure) = failure_of(&error).or(spent) {
        return fail(app, export, failure).await;
    }
    let now = app.clock.now();
    let again = now + SignedDuration::from_secs(10 << failures.min(8));
    // Another builder may have taken the steps over: its lease stays.
    app.exports.return_batch(export, first, holder, again).await?;
    Ok(Outcome::ComeBack {
        seconds: seconds_until(now, again),
        reason: "the attempt broke and is made again",
    })
}

/// Ends an export that is being built.
async fn fail(app: &App, export: &Export, failure: Failure) -> anyhow::Result<Outcome> {
    let now = app.clock.now();
    let failed =
        |e: &Export| matches!(e.state, State::Running { .. }).then(|| e.fail(now, failure.clone()));
    if let Some(after) = app.exports.change(&export.workspace, export.id, failed).await? {
        app.follow_up.run(&after).await;
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests;
