//! Building one export, safe to do any number of times and to stop at any point.

use std::collections::BTreeMap;

use anyhow::Context as _;
use cloud::Job;
use export::{Archive, BUILD_LEASE, ClaimError, Export, Lease, State, WorkKey};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::{error, info, warn};
use service::{Outcome, first_in_lane};
use tokio::time::Instant;

use crate::{
    app::App,
    archive,
    batch::{self, After},
    failure::failure_of,
    message::{Message, seconds_until},
    plan,
    progress::do_step,
    watch::{Held, Lost, Watch, is_ours, while_ours},
    work::Work,
};

/// What came of an attempt.
enum Built {
    /// The archive is in the bucket.
    Whole(Archive),
    /// Others build these batches of steps.
    Dispatched(Vec<(u32, u32)>),
}

/// Claims the export, sees to it that its steps are done, and publishes its archive.
pub(crate) async fn run(app: &App, job: &Job, message: &Message<'_>) -> anyhow::Result<Outcome> {
    let come_back = |seconds, reason| Ok(Outcome::ComeBack { seconds, reason });
    let Some(export) = app.exports.get(&job.workspace, job.export).await? else {
        return come_back(5, "there is no such export, or not yet");
    };
    if let Some(steps) = job.steps {
        return match batch::run(app, &export, steps, message).await? {
            After::Settled(outcome) => Ok(outcome),
            After::GoOn(export) => take(app, &export, message).await,
        };
    }
    if let Some(lane) = &export.lane {
        let first = first_in_lane(&app.exports, &export.workspace, lane).await?;
        if first.is_some_and(|first| first.id != export.id) {
            // Whoever ends the export before it sends a message for it.
            return Ok(Outcome::Done);
        }
    }
    take(app, &export, message).await
}

async fn take(app: &App, export: &Export, message: &Message<'_>) -> anyhow::Result<Outcome> {
    let come_back = |seconds, reason| Ok(Outcome::ComeBack { seconds, reason });
    let now = app.clock.now();
    let export = &counting_death(app, export, now).await?;
    let claimed = match export.claim(now) {
        Ok(claimed) => claimed,
        Err(ClaimError::Finished) => return Ok(Outcome::Done),
        // It comes back to whoever gave it back. Of one that dies, the janitor knows.
        Err(ClaimError::Held { .. }) if is_held(export) => return Ok(Outcome::Done),
        Err(ClaimError::Held { until }) => {
            return come_back(seconds_until(now, until), "the export is to be built later");
        }
    };
    let since = Instant::now();
    let lease = match (app.exports.put(&claimed).await, &claimed.state) {
        (Ok(()), State::Running { lease, .. }) => *lease,
        (Err(cloud::Error::Stale(_)), _) => return come_back(1, "the export was just changed"),
        (Err(e), _) => return Err(e.into()),
        (Ok(()), _) => return Ok(Outcome::Done),
    };
    message.keep().await;
    let renew = async || {
        message.keep().await;
        app.exports.renew(&claimed, lease.number, app.clock.now() + BUILD_LEASE).await
    };
    let held = Held { since, lasts: BUILD_LEASE.unsigned_abs() };
    let work = async |watch| Box::pin(build(app, &claimed, lease, watch)).await;
    match while_ours(app.pace, held, renew, work).await {
        Ok(Built::Whole(archive)) => publish(app, &claimed, lease, archive).await,
        Ok(Built::Dispatched(batches)) => dispatch(app, &claimed, lease, &batches).await,
        Err(error) if error.is::<Lost>() => {
            info!(export.id = %claimed.id, "stopped building export {}: it is no longer ours", claimed.id);
            Ok(Outcome::Done)
        }
        Err(error) => give_up(app, &claimed, lease, error).await,
    }
}

/// Counts the death of the export's builder, if it died. Returns the export as it is then.
async fn counting_death(app: &App, export: &Export, now: Timestamp) -> anyhow::Result<Export> {
    let dead = |e: &Export| e.is_abandoned(now).then(|| e.after_death(now));
    if !export.is_abandoned(now) {
        return Ok(export.clone());
    }
    let after = app.exports.change(&export.workspace, export.id, dead).await?;
    let after = after.unwrap_or_else(|| export.clone());
    if !matches!(after.state, State::Running { .. }) {
        app.follow_up.run(&after).await;
    }
    Ok(after)
}

/// Tells whether a builder is at work on an export, or was when it died.
fn is_held(export: &Export) -> bool {
    matches!(&export.state, State::Running { lease, .. } if !lease.released)
}

async fn build(app: &App, export: &Export, lease: Lease, watch: Watch) -> anyhow::Result<Built> {
    let (plan, app) = &plan::of(app, export).await.context("plan the export")?;
    let total = u32::try_from(plan.steps.len()).context("count steps")?;
    let known = |e: &Export| {
        is_ours(e, lease).then(|| e.planned(total)).filter(|next| next.steps_total != e.steps_total)
    };
    let export = app.exports.change(&export.workspace, export.id, known).await?.ok_or(Lost)?;
    anyhow::ensure!(is_ours(&export, lease), Lost);

    let batches: Vec<(u32, u32)> = plan
        .batches(app.step_bytes)
        .into_iter()
        .filter_map(|steps| Some((steps.start.try_into().ok()?, steps.end.try_into().ok()?)))
        .collect();
    let missing =
        |&(first, end): &(u32, u32)| (first..end).any(|n| !export.steps_done.contains(&n));
    let mut reports = BTreeMap::new();
    if plan.is_small(app.step_bytes) {
        let mut work = Work::new(app, &export, plan, watch);
        for (number, step) in (0..).zip(&plan.steps) {
            if !export.steps_done.contains(&number) {
                reports.insert(number, do_step(&mut work, number, step, BUILD_LEASE).await?.0);
            }
        }
    } else {
        let mut missing: Vec<(u32, u32)> = batches.into_iter().filter(missing).collect();
        let first_pass = u32::try_from(plan.first_pass().end).context("count steps")?;
        if missing.first().is_some_and(|(begin, _)| *begin < first_pass) {
            missing.retain(|(begin, _)| *begin < first_pass);
        }
        if !missing.is_empty() {
            return Ok(Built::Dispatched(missing));
        }
    }
    Ok(Built::Whole(
        archive::assemble(app, &export, plan, reports).await.context("assemble the archive")?,
    ))
}

/// Leaves steps to as many builders as there are. The last of them goes on.
async fn dispatch(
    app: &App,
    export: &Export,
    lease: Lease,
    batches: &[(u32, u32)],
) -> anyhow::Result<Outcome> {
    let free = |e: &Export| is_ours(e, lease).then(|| e.dispatched(app.clock.now()));
    app.exports.change(&export.workspace, export.id, free).await?;
    app.queue.send_batches(export, batches).await?;
    info!(export.id = %export.id, "asked for {} batches of steps of export {}", batches.len(), export.id);
    Ok(Outcome::Done)
}

/// Makes the archive downloadable: the object is there, now the record says so.
async fn publish(
    app: &App,
    export: &Export,
    lease: Lease,
    archive: Archive,
) -> anyhow::Result<Outcome> {
    let ready = |e: &Export| is_ours(e, lease).then(|| e.succeed(app.clock.now(), &archive));
    let stored = app.exports.change(&export.workspace, export.id, ready).await?;
    let stored = stored.ok_or_else(|| anyhow::anyhow!("find export {}", export.id))?;
    match &stored.state {
        State::Succeeded { archive } => {
            clear(app, &stored).await;
            info!(
                export.id = %export.id, size_bytes = archive.size_bytes, rows = archive.rows.unwrap_or_default(),
                bad_rows = archive.bad_rows, "published export {}", export.id
            );
        }
        // Whoever holds it now writes the same archive, and may have.
        State::Running { .. } => {}
        _ => {
            // As if it had been published: so it is known what there is.
            app.archives.remove(&stored.succeed(app.clock.now(), &archive)).await?;
            info!(
                export.id = %export.id,
                "removed the archive of export {}, which nobody wants any more", export.id
            );
        }
    }
    app.follow_up.run(&stored).await;
    Ok(Outcome::Done)
}

/// Removes the pieces that the archive was made of. What is left behind, the bucket's lifecycle removes.
async fn clear(app: &App, export: &Export) {
    let (workspace, id) = (&export.workspace, export.id);
    let of_step = |n| [WorkKey::report(workspace, id, n), WorkKey::piece(workspace, id, n)];
    let steps = (0..export.steps_total).flat_map(of_step);
    let keys: Vec<WorkKey> = std::iter::once(WorkKey::plan(workspace, id)).chain(steps).collect();
    if let Err(e) = app.archives.remove_work(&keys).await {
        warn!(export.id = %id, "failed to {:#}", anyhow::Error::new(e));
    }
}

/// Ends an export that cannot be built, or frees it for another attempt.
async fn give_up(
    app: &App,
    export: &Export,
    lease: Lease,
    error: anyhow::Error,
) -> anyhow::Result<Outcome> {
    error!(export.id = %export.id, "failed to {error:#}");
    let failure = failure_of(&error);
    let now = app.clock.now();
    let wait = SignedDuration::from_secs(20 << export.failures.min(8));
    let next = |e: &Export| {
        is_ours(e, lease).then(|| match &failure {
            Some(failure) => e.fail(now, failure.clone()),
            None => e.retry_or_fail(now, now + wait),
        })
    };
    let Some(after) = app.exports.change(&export.workspace, export.id, next).await? else {
        return Ok(Outcome::Done);
    };
    if let State::Running { lease, .. } = &after.state {
        return Ok(Outcome::ComeBack {
            seconds: seconds_until(now, lease.until),
            reason: "the attempt broke and is made again",
        });
    }
    app.follow_up.run(&after).await;
    Ok(Outcome::Done)
}
