//! An export as a whole: claimed, done or left to many builders, and published.

use anyhow::Context as _;
use export::{Archive, BUILD_LEASE, ClaimError, Export, Lease, State, WorkKey};
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info, warn};

use super::{
    Builder, Engine, Work as _,
    builder::failure_of,
    lease::{LeaseLost, LeaseTerm, LeaseWatch, is_ours, work_under_lease},
    message::{Message, seconds_until},
};
use crate::Outcome;

/// What came of an attempt.
enum Built {
    /// The archive is in the bucket.
    Whole(Archive),
    /// These batches of steps are for other builders.
    Batches(Vec<(u32, u32)>),
}

/// Claims the export, sees to it that its steps are done, and publishes its archive.
pub(super) async fn run(
    builder: &Builder,
    engine: &impl Engine,
    export: &Export,
    message: &Message<'_>,
) -> anyhow::Result<Outcome> {
    let come_back = |seconds, reason| Ok(Outcome::ComeBack { seconds, reason });
    let now = builder.clock.now();
    let export = &count_death(builder, export, now).await?;
    let claimed = match export.claim(now) {
        Ok(claimed) => claimed,
        Err(ClaimError::Finished) => return Ok(Outcome::Done),
        // The message of whoever gives it back comes back. Of one that dies, the janitor knows.
        Err(ClaimError::Held { .. }) if is_held(export) => return Ok(Outcome::Done),
        Err(ClaimError::Held { until }) => {
            return come_back(seconds_until(now, until), "the export is to be built later");
        }
    };
    let term = LeaseTerm::starting_now();
    let lease = match (builder.exports.put(&claimed).await, &claimed.state) {
        (Ok(()), State::Running { lease, .. }) => *lease,
        (Err(cloud::Error::Stale(_)), _) => return come_back(1, "the export was just changed"),
        (Err(e), _) => return Err(e.into()),
        (Ok(()), _) => return Ok(Outcome::Done),
    };
    message.keep().await;
    let renew = async || {
        message.keep().await;
        let until = builder.clock.now() + BUILD_LEASE;
        builder.exports.renew(&claimed, lease.number, until).await
    };
    let work = async |watch| Box::pin(build(builder, engine, &claimed, lease, watch)).await;
    match work_under_lease((builder.pace, &builder.random), term, renew, work).await {
        Ok(Built::Whole(archive)) => publish(builder, &claimed, lease, archive).await,
        Ok(Built::Batches(batches)) => dispatch(builder, &claimed, lease, &batches).await,
        Err(error) if error.is::<LeaseLost>() => {
            info!(export.id = %claimed.id, "stopped building export {}: it is no longer ours", claimed.id);
            Ok(Outcome::Done)
        }
        Err(error) => give_up(builder, engine, &claimed, lease, error).await,
    }
}

/// Counts the death of the export's builder, if it died. Returns the export as it is then.
async fn count_death(builder: &Builder, export: &Export, now: Timestamp) -> anyhow::Result<Export> {
    let dead = |e: &Export| e.is_abandoned(now).then(|| e.after_death(now));
    if !export.is_abandoned(now) {
        return Ok(export.clone());
    }
    let after = builder.exports.change(&export.workspace, export.id, dead).await?;
    let after = after.unwrap_or_else(|| export.clone());
    if !matches!(after.state, State::Running { .. }) {
        builder.follow_up.run(&after).await;
    }
    Ok(after)
}

/// Tells whether a builder is at work on an export, or was when it died.
fn is_held(export: &Export) -> bool {
    matches!(&export.state, State::Running { lease, .. } if !lease.released)
}

/// Does the missing steps and puts the archive together, or finds which steps are for other builders.
async fn build(
    builder: &Builder,
    engine: &impl Engine,
    export: &Export,
    lease: Lease,
    watch: LeaseWatch,
) -> anyhow::Result<Built> {
    let plan = engine.plan(export).await.context("plan the export")?;
    let schedule = engine.schedule(&plan)?;
    let planned = |e: &Export| {
        let next = is_ours(e, lease).then(|| e.planned(schedule.steps));
        next.filter(|next| next.steps_total != e.steps_total)
    };
    let export = builder.exports.change(&export.workspace, export.id, planned).await?;
    let export = export.ok_or(LeaseLost)?;
    anyhow::ensure!(is_ours(&export, lease), LeaseLost);

    let batches = schedule.missing_batches(&export.steps_done);
    if !batches.is_empty() {
        return Ok(Built::Batches(batches));
    }
    let mut work = engine.work(&export, &plan, watch);
    for number in (0..schedule.steps).filter(|number| !export.steps_done.contains(number)) {
        builder.do_step(&mut work, &export, number, BUILD_LEASE).await?;
    }
    Ok(Built::Whole(work.assemble().await.context("assemble the archive")?))
}

/// Leaves steps to as many builders as there are. The last of them goes on.
async fn dispatch(
    builder: &Builder,
    export: &Export,
    lease: Lease,
    batches: &[(u32, u32)],
) -> anyhow::Result<Outcome> {
    let free = |e: &Export| is_ours(e, lease).then(|| e.dispatched(builder.clock.now()));
    builder.exports.change(&export.workspace, export.id, free).await?;
    builder.queue.send_batches(export, batches).await?;
    info!(export.id = %export.id, "asked for {} batches of steps of export {}", batches.len(), export.id);
    Ok(Outcome::Done)
}

/// Makes the archive downloadable: the object is there, now the record says so.
async fn publish(
    builder: &Builder,
    export: &Export,
    lease: Lease,
    archive: Archive,
) -> anyhow::Result<Outcome> {
    let ready = |e: &Export| is_ours(e, lease).then(|| e.succeed(builder.clock.now(), &archive));
    let stored = builder.exports.change(&export.workspace, export.id, ready).await?;
    let stored = stored.ok_or_else(|| anyhow::anyhow!("find export {}", export.id))?;
    match &stored.state {
        State::Succeeded { archive } => {
            remove_work(builder, &stored).await;
            info!(
                export.id = %export.id, size_bytes = archive.size_bytes, rows = archive.rows.unwrap_or_default(),
                bad_rows = archive.bad_rows, "published export {}", export.id
            );
        }
        // Whoever holds it now writes the same archive, and may have.
        State::Running { .. } => {}
        _ => {
            // As if it had been published: so it is known what there is.
            builder.archives.remove(&stored.succeed(builder.clock.now(), &archive)).await?;
            info!(
                export.id = %export.id,
                "removed the archive of export {}, which nobody wants any more", export.id
            );
        }
    }
    builder.follow_up.run(&stored).await;
    Ok(Outcome::Done)
}

/// Removes the pieces that the archive was made of. What is left behind, the bucket's lifecycle removes.
async fn remove_work(builder: &Builder, export: &Export) {
    let (workspace, id) = (&export.workspace, export.id);
    let of_step = |n| [WorkKey::report(workspace, id, n), WorkKey::piece(workspace, id, n)];
    let steps = (0..export.steps_total).flat_map(of_step);
    let keys: Vec<WorkKey> = std::iter::once(WorkKey::plan(workspace, id)).chain(steps).collect();
    if let Err(e) = builder.archives.remove_work(&keys).await {
        warn!(export.id = %id, "failed to {:#}", anyhow::Error::new(e));
    }
}

/// Ends an export that cannot be built, or frees it for another attempt.
async fn give_up(
    builder: &Builder,
    engine: &impl Engine,
    export: &Export,
    lease: Lease,
    error: anyhow::Error,
) -> anyhow::Result<Outcome> {
    error!(export.id = %export.id, "failed to {error:#}");
    let failure = failure_of(engine, &error);
    let now = builder.clock.now();
    let wait = SignedDuration::from_secs(20 << export.failures.min(8));
    let next = |e: &Export| {
        is_ours(e, lease).then(|| match &failure {
            Some(failure) => e.fail(now, failure.clone()),
            None => e.retry_or_fail(now, now + wait),
        })
    };
    let Some(after) = builder.exports.change(&export.workspace, export.id, next).await? else {
        return Ok(Outcome::Done);
    };
    if let State::Running { lease, .. } = &after.state {
        return Ok(Outcome::ComeBack {
            seconds: seconds_until(now, lease.until),
            reason: "the attempt failed and is made again",
        });
    }
    builder.follow_up.run(&after).await;
    Ok(Outcome::Done)
}
