//! Building one export, safe to do any number of times and to stop at any point.

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context as _;
use cloud::{Job, call_next};
use export::{Archive, Export, Failure, FailureCode, Lease, Refusal, State, WorkKey};
use jiff::{SignedDuration, Timestamp};
use lake::ObjectError;
use lambda_runtime::tracing::{error, info, warn};

use crate::{
    app::App,
    archive, plan, step,
    watch::{Lost, Watch, is_ours},
};

/// The longest that SQS hides a message: 12 hours.
const LONGEST_HIDDEN_SECONDS: i64 = 43_200;

/// What is to become of the message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is not needed any more.
    Done,
    /// It has to come back.
    ComeBack {
        /// In how many seconds.
        seconds: i32,
        /// Why.
        reason: &'static str,
    },
}

/// What came of an attempt.
enum Built {
    /// The archive is in the bucket.
    Whole(Archive),
    /// Time ran out before the last step.
    Part,
}

/// Claims the export, builds it and publishes its archive.
pub(crate) async fn run(app: &App, job: &Job, until: Instant) -> anyhow::Result<Outcome> {
    let come_back = |seconds, reason| Ok(Outcome::ComeBack { seconds, reason });
    let Some(export) = app.exports.get(&job.workspace, job.export).await? else {
        return come_back(5, "there is no such export, or not yet");
    };
    if let Some(lane) = export.lane {
        let first = app.exports.first_in_lane(&export.workspace, lane).await?;
        if first.is_some_and(|first| first.id != export.id) {
            // Whoever ends the export before it sends a message for it.
            return Ok(Outcome::Done);
        }
    }
    let now = Timestamp::now();
    let claimed = match export.claim(now) {
        Ok(claimed) => claimed,
        Err(Refusal::Finished) => return Ok(Outcome::Done),
        Err(Refusal::Held { until }) => {
            return come_back(seconds_until(now, until), "another builder holds the export");
        }
    };
    let lease = match (app.exports.put(&claimed).await, &claimed.state) {
        (Ok(()), State::Running { lease, .. }) => *lease,
        (Err(cloud::Error::Stale(_)), _) => return come_back(1, "the export was just changed"),
        (Err(e), _) => return Err(e.into()),
        (Ok(()), _) => return Ok(Outcome::Done),
    };
    match build(app, &claimed, lease, until).await {
        Ok(Built::Whole(archive)) => publish(app, &claimed, lease, archive).await,
        Ok(Built::Part) => hand_over(app, &claimed, lease).await,
        Err(error) if error.is::<Lost>() => {
            info!(export.id = %claimed.id, "stopped building export {}: it is no longer ours", claimed.id);
            Ok(Outcome::Done)
        }
        Err(error) => give_up(app, &claimed, lease, error).await,
    }
}

async fn build(app: &App, export: &Export, lease: Lease, until: Instant) -> anyhow::Result<Built> {
    let plan = plan::of(app, export).await.context("plan the export")?;
    let total = u32::try_from(plan.steps.len()).context("count steps")?;
    let known = |e: &Export| {
        is_ours(e, lease).then(|| e.planned(total)).filter(|next| next.steps_total != e.steps_total)
    };
    let export = app.exports.change(&export.workspace, export.id, known).await?.ok_or(Lost)?;
    anyhow::ensure!(is_ours(&export, lease), Lost);

    let mut watch = Watch::new(app, &export, lease);
    let mut reports = BTreeMap::new();
    for (number, step) in (0..).zip(&plan.steps) {
        if export.steps_done.contains(&number) {
            continue;
        }
        // At least one step an invocation, or a slow start would hand over for ever.
        if Instant::now() >= until && !reports.is_empty() {
            return Ok(Built::Part);
        }
        let report = step::done(app, &export, number, step, &mut watch).await?;
        let (rows, bytes) = report.progress(step);
        anyhow::ensure!(app.exports.step_done(&export, lease, number, rows, bytes).await?, Lost);
        reports.insert(number, report);
    }
    Ok(Built::Whole(
        archive::assemble(app, &export, &plan, reports).await.context("assemble the archive")?,
    ))
}

/// Makes the archive downloadable: the object is there, now the record says so.
async fn publish(
    app: &App,
    export: &Export,
    lease: Lease,
    archive: Archive,
) -> anyhow::Result<Outcome> {
    let ready = |e: &Export| is_ours(e, lease).then(|| e.succeed(Timestamp::now(), &archive));
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
            app.archives.remove(&export.workspace, export.id).await?;
            info!(
                export.id = %export.id,
                "removed the archive of export {}, which nobody wants any more", export.id
            );
        }
    }
    call_next(&app.exports, &app.queue, export).await?;
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

/// Leaves the rest of the steps to the next invocation.
async fn hand_over(app: &App, export: &Export, lease: Lease) -> anyhow::Result<Outcome> {
    let free = |e: &Export| is_ours(e, lease).then(|| e.release(Timestamp::now()));
    app.exports.change(&export.workspace, export.id, free).await?;
    app.queue.send(export, 0).await?;
    info!(export.id = %export.id, "handed over export {}, whose build goes on in another invocation", export.id);
    Ok(Outcome::Done)
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
    let now = Timestamp::now();
    let wait = SignedDuration::from_secs(20 << export.failures.min(8));
    let next = |e: &Export| {
        is_ours(e, lease).then(|| match &failure {
            Some(failure) => e.fail(now, failure.clone()),
            None => e.broken(now, now + wait),
        })
    };
    if let Some(State::Running { lease, .. }) =
        app.exports.change(&export.workspace, export.id, next).await?.map(|e| e.state)
    {
        Ok(Outcome::ComeBack {
            seconds: seconds_until(now, lease.until),
            reason: "the attempt broke and is made again",
        })
    } else {
        call_next(&app.exports, &app.queue, export).await?;
        Ok(Outcome::Done)
    }
}

/// Why an export fails for good, if the error is such a reason.
fn failure_of(error: &anyhow::Error) -> Option<Failure> {
    if let Some(cloud::Error::SourceChanged(key)) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} was changed or removed while the export was built. Create the \
             export again to read it as it is now."
        );
        return Some(Failure { code: FailureCode::SourceChanged, detail });
    }
    if let Some(ObjectError::Corrupt { key, source }) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} is damaged: {source}. Repair or remove it, or choose a window \
             without it, and create the export again."
        );
        return Some(Failure { code: FailureCode::SourceCorrupt, detail });
    }
    None
}

fn seconds_until(now: Timestamp, then: Timestamp) -> i32 {
    let seconds = then.duration_since(now).as_secs().clamp(0, LONGEST_HIDDEN_SECONDS - 1) + 1;
    i32::try_from(seconds).unwrap_or(1)
}
