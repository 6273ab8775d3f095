//! Building one export, safe to do any number of times and to stop at any point.

use std::collections::BTreeMap;

use anyhow::Context as _;
use cloud::Job;
use export::{
    Archive, BUILD_LEASE, ClaimError, Export, Failure, FailureCode, Lease, State, WorkKey,
};
use jiff::{SignedDuration, Timestamp};
use lake::{ObjectError, Step};
use lambda_runtime::tracing::{error, info, warn};
use service::{Outcome, first_in_lane};
use tokio::time::Instant;

use crate::{
    app::App,
    archive::{self, FileTooLarge},
    batch::{self, After},
    message::Message,
    parts::TooManyFiles,
    plan::{self, TooManyObjects},
    report::Report,
    step::{self, Work},
    watch::{Held, Lost, Watch, is_ours, while_ours},
};

/// The longest that SQS hides a message: 12 hours.
const MAX_HIDDEN_SECONDS: i64 = 43_200;

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
    let work = async |watch| build(app, &claimed, lease, watch).await;
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
    let plan = plan::of(app, export).await.context("plan the export")?;
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
        let mut work = Work::new(app, &export, &plan, watch);
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
        archive::assemble(app, &export, &plan, reports).await.context("assemble the archive")?,
    ))
}

/// Does a step and records it; the next is expected within `timeout`. Returns the export as it is then.
pub(crate) async fn do_step(
    work: &mut Work<'_>,
    number: u32,
    step: &Step,
    timeout: SignedDuration,
) -> anyhow::Result<(Report, Export)> {
    let report = step::done(work, number, step).await?;
    let (exports, progress) = (&work.app.exports, report.progress(step));
    let after =
        exports.step_done(work.export, number, progress, work.app.clock.now() + timeout).await?;
    let after = after.ok_or(Lost)?;
    match work.export.request.max_rows {
        Some(most) if after.rows > most => Err(TooManyRows(most).into()),
        _ => Ok((report, after)),
    }
}

/// An export has more rows than it may.
#[derive(Debug, thiserror::Error)]
#[error("the export has more than {0} rows")]
pub(crate) struct TooManyRows(u64);

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

/// Why an export fails for good, if the error is such a reason.
pub(crate) fn failure_of(error: &anyhow::Error) -> Option<Failure> {
    if let Some(cloud::Error::SourceChanged(key)) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} was changed or removed while the export was built. Create the \
             export again to read it as it is now."
        );
        return Some(Failure { code: FailureCode::SourceChanged, detail });
    }
    if let Some(failure) = error.downcast_ref().and_then(refused) {
        return Some(failure);
    }
    if let Some(FileTooLarge { bytes, most }) = error.downcast_ref() {
        let detail = format!(
            "The file would have {bytes} bytes, more than the {most} that one can have. Choose a shorter window \
             or fewer columns, and create the export again."
        );
        return Some(Failure { code: FailureCode::FileTooLarge, detail });
    }
    if let Some(TooManyObjects(most)) = error.downcast_ref() {
        let detail = format!(
            "The export reads more than {most} source objects, the most that a builder can keep track of. \
             Choose a shorter window or fewer tables and create it again, or ask your operator for builders \
             with more memory."
        );
        return Some(Failure { code: FailureCode::TooManyObjects, detail });
    }
    if let Some(ObjectError::Corrupt { key, source }) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} is damaged: {source}. Repair or remove it, or choose a window \
             without it, and create the export again."
        );
        return Some(Failure { code: FailureCode::SourceCorrupt, detail });
    }
    if let Some(ObjectError::Foreign { key, what }) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} is not JSON Lines: it seems to be {what}. Write it as JSON Lines, one \
             record a line in UTF-8, plain or compressed with gzip or Zstandard, or remove it, or choose a \
             window without it, and create the export again."
        );
        return Some(Failure { code: FailureCode::SourceUnsupported, detail });
    }
    if let Some(ObjectError::MostlyBad { key, rows, bad, line, reason }) = error.downcast_ref() {
        let detail = format!(
            "Of the {rows} rows of the source object {key}, {bad} cannot be read; the first is on line {line}: \
             {reason}. Write it as JSON Lines, or remove it, or choose a window without it, and create the export \
             again. Your operator can have such objects exported without these rows: max_bad_percent of the \
             dataset."
        );
        return Some(Failure { code: FailureCode::SourceUnsupported, detail });
    }
    if let Some(TooManyRows(most)) = error.downcast_ref() {
        let detail = format!(
            "The export has more than {most} rows, the most there may be. Choose a shorter window, fewer \
             tables or a filter, and create it again."
        );
        return Some(Failure { code: FailureCode::TooManyRows, detail });
    }
    if let Some(TooManyFiles(files)) = error.downcast_ref() {
        let detail = format!(
            "The export would have {files} files, more than there may be. Choose larger files or a shorter \
             window, and create it again."
        );
        return Some(Failure { code: FailureCode::TooManyFiles, detail });
    }
    None
}

/// Returns what S3 says without the ARNs in it, which name the operator's roles, keys, and buckets. The log
/// has them.
fn without_arns(reason: &str) -> String {
    let mut rest = reason;
    let mut shown = String::new();
    while let Some(start) = rest.find("arn:") {
        shown.push_str(&rest[..start]);
        shown.push_str("(an ARN)");
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')' | ']' | '<');
        rest = rest[start..].find(ends).map_or("", |len| &rest[start + len..]);
    }
    shown + rest
}

/// What S3 refuses, and no other attempt would change.
fn refused(error: &cloud::Error) -> Option<Failure> {
    let (code, detail) = match error {
        cloud::Error::Archived { key, reason } => (
            FailureCode::SourceArchived,
            format!(
                "The source object {key} is in an archive class of S3, which says: {}. Ask your operator \
                 to restore it, or choose a window without it, and create the export again.",
                without_arns(reason)
            ),
        ),
        cloud::Error::Denied { action, key, reason } => {
            let object = key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            let reason = without_arns(reason);
            let detail = format!(
                "S3 does not let us {action}{object}, and says: {reason}. Ask your operator, naming this \
                 export's id, and create it again once that is changed."
            );
            (FailureCode::AccessDenied, detail)
        }
        cloud::Error::TooLarge(_) => (
            FailureCode::FileTooLarge,
            "What is made of one source object, or the export's file as a whole, would be larger than an \
             object of S3 can be. Choose a shorter window or fewer tables, or let the lake be written in \
             smaller objects, and create the export again."
                .to_owned(),
        ),
        cloud::Error::Stale(_)
        | cloud::Error::SourceChanged(_)
        | cloud::Error::TooManyObjects
        | cloud::Error::Exists(_)
        | cloud::Error::Conflict(_)
        | cloud::Error::Unreadable(_)
        | cloud::Error::Aws { .. } => return None,
    };
    Some(Failure { code, detail })
}

pub(crate) fn seconds_until(now: Timestamp, then: Timestamp) -> i32 {
    let seconds = then.duration_since(now).as_secs().clamp(0, MAX_HIDDEN_SECONDS - 1) + 1;
    i32::try_from(seconds).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_not_json_lines_fails_an_export_by_what_it_is() {
        let error = ObjectError::Foreign { key: "a/b".to_owned(), what: "Parquet" };
        let failure = failure_of(&anyhow::Error::from(error).context("pour")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        assert!(failure.detail.contains("a/b is not JSON Lines: it seems to be Parquet"));
    }

    #[test]
    fn an_object_of_bad_rows_fails_an_export_by_its_first() {
        let (key, reason) = ("a/b".to_owned(), "it is not UTF-8".to_owned());
        let error = ObjectError::MostlyBad { key, rows: 200, bad: 199, line: 2, reason };
        let failure = failure_of(&anyhow::Error::from(error).context("pour")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        let told = "Of the 200 rows of the source object a/b, 199 cannot be read; the first is on line 2: it is \
                    not UTF-8. ";
        assert!(failure.detail.starts_with(told), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_too_many_objects_fails_with_what_to_do() {
        let error = anyhow::Error::from(TooManyObjects(7)).context("plan the export");
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code, FailureCode::TooManyObjects);
        assert!(failure.detail.contains("more than 7 source objects"), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_a_file_that_is_too_large_fails_with_what_to_do() {
        let whole = anyhow::Error::from(FileTooLarge { bytes: 94, most: 93 });
        let piece = anyhow::Error::from(cloud::Error::TooLarge("work/acme/1/0".to_owned()));
        for (error, said) in [(whole, "94 bytes, more than the 93"), (piece, "an object of S3")] {
            let failure = failure_of(&error.context("assemble the archive")).unwrap();
            assert_eq!(failure.code, FailureCode::FileTooLarge);
            let detail = failure.detail;
            assert!(detail.contains(said) && detail.contains("shorter window"), "{detail}");
            assert!(!detail.contains("work/"), "{detail}");
        }
    }

    #[test]
    fn a_failure_names_no_arn_of_the_operator() {
        let reason = "AccessDenied: User: arn:aws:sts::123456789012:assumed-role/decant-builder/x is not \
                      authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::lake/a\" because no \
                      identity-based policy allows it";
        for (reason, shown) in [
            (
                reason,
                "AccessDenied: User: (an ARN) is not authorized to perform: s3:GetObject on resource: \
                 \"(an ARN)\" because no identity-based policy allows it",
            ),
            ("KMS.DisabledException: arn:aws-cn:kms:x:1:key/2", "KMS.DisabledException: (an ARN)"),
            ("AccessDenied: no kms:Decrypt", "AccessDenied: no kms:Decrypt"),
        ] {
            let reason = reason.to_owned();
            let archived = cloud::Error::Archived { key: "a".to_owned(), reason: reason.clone() };
            let denied = cloud::Error::Denied { action: "read", key: None, reason };
            for error in [archived, denied] {
                let detail = refused(&error).unwrap().detail;
                assert!(detail.contains(&format!("says: {shown}. Ask")), "{detail}");
            }
        }
    }

    #[test]
    fn what_no_retry_mends_fails_at_once_with_s3s_reason() {
        let key = || "lake/a.json.gz".to_owned();
        let archived =
            cloud::Error::Archived { key: key(), reason: "InvalidObjectState: cold".into() };
        let reason = "AccessDenied: no kms:Decrypt".to_owned();
        let denied =
            cloud::Error::Denied { action: "read source object", key: Some(key()), reason };
        for (error, code, said) in [
            (archived, FailureCode::SourceArchived, "InvalidObjectState: cold"),
            (denied, FailureCode::AccessDenied, "AccessDenied: no kms:Decrypt"),
        ] {
            let failure = failure_of(&anyhow::Error::from(error).context("do a step")).unwrap();
            assert_eq!(failure.code, code);
            assert!(failure.detail.contains(said) && failure.detail.contains("a.json.gz"));
        }
        let aws = cloud::Error::Stale(export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]));
        assert!(failure_of(&aws.into()).is_none());
    }
}
