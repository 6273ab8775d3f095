//! Some steps of an export, done by one of many builders.

use anyhow::Context as _;
use cloud::Claim;
use export::{BUILD_LEASE, Export, Failure, MAX_DEATHS, MAX_FAILURES, STEP_TIMEOUT, State};
use jiff::SignedDuration;
use tracing::{error, info};

use super::{
    Builder, Engine,
    builder::failure_of,
    lease::{LeaseLost, LeaseTerm, LeaseWatch, work_under_lease},
    message::{Message, seconds_until},
};
use crate::Outcome;

/// What becomes of the message of steps whose lease is lost. If the export has ended or another builder has
/// them, the message is not needed when it comes back; if the table was out of reach for too long, nobody else
/// has them.
const LEASE_LOST: Outcome =
    Outcome::ComeBack { seconds: 5, reason: "the steps may be without a builder" };

/// What came of a batch.
#[derive(Debug)]
pub(super) enum Batch {
    /// What is to become of the message.
    Settled(Outcome),
    /// It was the last of a pass over the steps: it is time to go on with the export, as it is now.
    PassDone(Box<Export>),
}

/// Does the steps from the first to the one before the second of `steps`.
pub(super) async fn run(
    builder: &Builder,
    engine: &impl Engine,
    export: &Export,
    steps: (u32, u32),
    message: &Message<'_>,
) -> anyhow::Result<Batch> {
    let done = || Ok(Batch::Settled(Outcome::Done));
    if !matches!(export.state, State::Running { .. }) {
        return done();
    }
    let (first, end) = steps;
    if export.is_built() || (first..end).all(|number| export.steps_done.contains(&number)) {
        let plan = engine.plan(export).await.context("read the plan")?;
        let ends_pass = engine.schedule(&plan)?.ends_pass(first, export);
        return if ends_pass { Ok(pass_done(export)) } else { done() };
    }
    let term = LeaseTerm::starting_now();
    let (deaths, failures, holder) = match claim(builder, export, first).await? {
        Claim::Ours { deaths, failures, holder } => (deaths, failures, holder),
        // The message of its builder comes back, should that die.
        Claim::Held(_) => return done(),
    };
    if deaths >= MAX_DEATHS {
        error!(export.id = %export.id, "failed to build steps from {first} on: {deaths} builders died at them");
        return fail(builder, export, Failure::builders_died()).await.map(Batch::Settled);
    }
    message.keep().await;
    let renew = async || {
        message.keep().await;
        let until = builder.clock.now() + BUILD_LEASE;
        let is_ours = builder.exports.renew_batch(export, first, &holder, until).await?;
        // The lease is renewed, whether or not the record can be read just now.
        Ok(is_ours && builder.exports.is_wanted(export).await.unwrap_or(true))
    };
    let work = async |watch| Box::pin(do_missing(builder, engine, export, steps, watch)).await;
    let worked = work_under_lease((builder.pace, &builder.random), term, renew, work);
    match worked.await {
        Ok((after, true)) => Ok(pass_done(&after)),
        Ok((_, false)) => done(),
        Err(error) if error.is::<LeaseLost>() => {
            info!(export.id = %export.id, "stopped building steps of export {}: they are no longer ours", export.id);
            Ok(Batch::Settled(LEASE_LOST))
        }
        Err(error) => {
            error!(export.id = %export.id, "failed to {error:#}");
            let failures = failures + 1;
            let spent = (failures >= MAX_FAILURES).then(Failure::internal);
            match failure_of(engine, &error).or(spent) {
                Some(failure) => fail(builder, export, failure).await,
                None => give_back(builder, export, (first, &holder), failures).await,
            }
            .map(Batch::Settled)
        }
    }
}

fn pass_done(export: &Export) -> Batch {
    Batch::PassDone(Box::new(export.clone()))
}

/// Claims a batch of steps under a name that no other builder has.
async fn claim(builder: &Builder, export: &Export, first: u32) -> anyhow::Result<Claim> {
    let holder = u128::from_be_bytes(builder.random.bytes()?);
    let now = builder.clock.now();
    Ok(builder.exports.claim_batch(export, first, format!("{holder:032x}"), now).await?)
}

/// Does what is missing of a batch. Returns the export as it is then, and whether that ends a pass.
async fn do_missing(
    builder: &Builder,
    engine: &impl Engine,
    export: &Export,
    (first, end): (u32, u32),
    watch: LeaseWatch,
) -> anyhow::Result<(Export, bool)> {
    let plan = engine.plan(export).await.context("read the plan")?;
    let schedule = engine.schedule(&plan)?;
    let mut work = engine.work(export, &plan, watch);
    let mut after = export.clone();
    for number in (first..end).filter(|number| !export.steps_done.contains(number)) {
        after = builder.do_step(&mut work, export, number, STEP_TIMEOUT).await?;
    }
    let ends_pass = schedule.ends_pass(first, &after);
    Ok((after, ends_pass))
}

/// Gives a batch back for another attempt, of which `failures` have ended with an error.
async fn give_back(
    builder: &Builder,
    export: &Export,
    (first, holder): (u32, &str),
    failures: u32,
) -> anyhow::Result<Outcome> {
    let now = builder.clock.now();
    let again = now + SignedDuration::from_secs(10 << failures.min(8));
    // Another builder may have taken the steps over: its lease stays.
    builder.exports.return_batch(export, first, holder, again).await?;
    Ok(Outcome::ComeBack {
        seconds: seconds_until(now, again),
        reason: "the attempt failed and is made again",
    })
}

/// Ends an export that is being built.
async fn fail(builder: &Builder, export: &Export, failure: Failure) -> anyhow::Result<Outcome> {
    let now = builder.clock.now();
    let failed =
        |e: &Export| matches!(e.state, State::Running { .. }).then(|| e.fail(now, failure.clone()));
    if let Some(after) = builder.exports.change(&export.workspace, export.id, failed).await? {
        builder.follow_up.run(&after).await;
    }
    Ok(Outcome::Done)
}
