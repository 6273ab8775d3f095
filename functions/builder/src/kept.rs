//! What a step wrote, kept for later exports over the same data.

use export::{Export, Files, WorkKey, sha256_hex};
use jiff::SignedDuration;
use lake::{Selection, Step};

use crate::{
    app::App,
    encoding::encoding,
    report::{Output, Report},
    work::{Work, read_report},
};

/// The version of what reports mean. It is raised whenever a report says something else than before, so that no
/// older one is taken for one of now. Since 2, objects that go in as they are were read to their end; since 3,
/// none of them has a line that readers of JSON Lines fail at; since 4, none has several records on a line.
const REPORT_VERSION: u32 = 4;

/// A day, as lifecycle rules count.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Where what a step writes is kept, under hashes of all that it follows from.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The report on it.
    report: WorkKey,
    /// The bytes.
    pub(crate) piece: WorkKey,
    /// How many rows that are.
    count: WorkKey,
}

impl Kept {
    /// Returns where the rows of a step are kept.
    pub(crate) fn new(work: &Work<'_>, step: &Step, selection: &Selection) -> anyhow::Result<Self> {
        let (workspace, request) = (&work.export.workspace, &work.export.request);
        let objects: Vec<_> = step
            .objects
            .iter()
            .map(|p| (&p.object.bucket, &p.object.key, &p.object.etag))
            .collect();
        let ways: Vec<_> = step.objects.iter().map(|p| (p.way, p.refer)).collect();
        let is_file_each = matches!(request.files, Files::Hourly(_));
        let encoding = format!("{:?}", encoding(work.app, work.export, selection)?);
        let identity = selection.identity();
        let written = (REPORT_VERSION, encoding, is_file_each, identity, &objects, ways);
        let hash = sha256_hex(&serde_json::to_vec(&written)?);
        let rows = sha256_hex(&serde_json::to_vec(&(selection.row_identity(), &objects))?);
        Ok(Self {
            report: WorkKey::kept_report(workspace, &hash),
            piece: WorkKey::kept_piece(workspace, &hash, request.window),
            count: WorkKey::kept_count(workspace, &rows),
        })
    }

    /// Finds what another export kept, if it serves this one and lives until its deadline.
    pub(crate) async fn find(&self, app: &App, export: &Export) -> anyhow::Result<Option<Report>> {
        let counts = matches!(export.request.files, Files::Counts);
        let kept = read_report(app, if counts { &self.count } else { &self.report }).await?;
        Ok(kept.filter(|kept| {
            kept.serves(export.request.window)
                && export.deadline < kept.made_at + DAY * app.keep_days
        }))
    }

    /// Keeps a report on what was written to [`Self::piece`], if it serves other windows.
    pub(crate) async fn add(
        &self,
        app: &App,
        export: &Export,
        report: &Report,
    ) -> anyhow::Result<()> {
        if report.outside > 0 {
            return Ok(());
        }
        if !matches!(export.request.files, Files::Counts) {
            app.archives.write_work(&self.report, serde_json::to_vec(report)?).await?;
        }
        // Where objects were copied, nobody counted.
        let is_counted = |output: &Output| matches!(output, Output::Rows(..) | Output::Group(..));
        if report.outputs.iter().all(is_counted) {
            app.archives.write_work(&self.count, serde_json::to_vec(&report.counts())?).await?;
        }
        Ok(())
    }
}
