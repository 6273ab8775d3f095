//! One step of an export, done and recorded.

use export::Export;
use jiff::SignedDuration;
use lake::Step;

use crate::{report::Report, step, watch::Lost, work::Work};

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
pub(crate) struct TooManyRows(pub(crate) u64);
