//! One step of an export, done once however often it is begun.

use std::io;

use anyhow::Context as _;
use archive::Segment;
use cloud::{PieceWriter, SourceObject};
use export::{Export, WorkKey};
use lake::{BadRow, MAX_LISTED_BAD_ROWS, ObjectError, Pour, Selection};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    plan::{Step, Way},
    pouring::pour,
    watch::Watch,
};

/// What a step that is done made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// All segments of its piece, joined.
    pub(crate) segment: Segment,
    /// What became of each object, where each is a file of its own.
    #[serde(default)]
    pub(crate) files: Vec<ObjectFile>,
    /// Rows that could not be exported.
    pub(crate) bad_rows: u64,
    /// The first of them.
    pub(crate) listed: Vec<BadRow>,
}

/// What became of a source object that is a file of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ObjectFile {
    /// It goes in as it is; with its CRC-32.
    Copied(u32),
    /// Its rows are in the step's piece, from that byte on.
    Poured(u64, Segment),
}

/// Does a step, or finds that it was done.
pub(crate) async fn done(
    app: &App,
    export: &Export,
    number: u32,
    step: &Step,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Report> {
    let key = WorkKey::report(&export.workspace, export.id, number);
    if let Some(bytes) = app.archives.read_work(&key).await? {
        return serde_json::from_slice(&bytes).context("decode step report");
    }
    let mut piece = app.archives.write_piece(&WorkKey::piece(&export.workspace, export.id, number));
    let built = if step.files.is_empty() {
        joined(app, export, step, &mut piece, watch).await
    } else {
        one_by_one(app, export, step, &mut piece, watch).await
    };
    let report = match built {
        Ok(report) => report,
        Err(error) => {
            piece.abort().await;
            return Err(error);
        }
    };
    piece.finish().await?;
    app.archives.write_work(&key, serde_json::to_vec(&report)?).await?;
    Ok(report)
}

/// Pours all objects of a step into one stretch of its table's file.
async fn joined(
    app: &App,
    export: &Export,
    step: &Step,
    piece: &mut PieceWriter,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Report> {
    let begun = Pour::new(selection(app, export, step)?, app.compression_level, step.head);
    let poured = Box::pin(pour(app, &step.objects, begun, piece, watch)).await?;
    Ok(Report {
        segment: poured.segment,
        files: Vec::new(),
        bad_rows: poured.bad_rows,
        listed: poured.listed,
    })
}

/// Makes a file of each object of a step, the cheapest way that the plan allows.
async fn one_by_one(
    app: &App,
    export: &Export,
    step: &Step,
    piece: &mut PieceWriter,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for (object, file) in step.objects.iter().zip(&step.files) {
        watch.check().await?;
        report.files.push(match file.way {
            Way::Copy => ObjectFile::Copied(crc32_of_gzip(app, object, watch).await?),
            Way::Transcode => {
                let begun = Pour::new(selection(app, export, step)?, app.compression_level, false);
                let poured =
                    Box::pin(pour(app, std::slice::from_ref(object), begun, piece, watch)).await?;
                let offset = report.segment.stored_bytes;
                report.segment = report.segment.join(poured.segment);
                report.bad_rows += poured.bad_rows;
                let room = MAX_LISTED_BAD_ROWS.saturating_sub(report.listed.len());
                report.listed.extend(poured.listed.into_iter().take(room));
                ObjectFile::Poured(offset, poured.segment)
            }
        });
    }
    Ok(report)
}

fn selection(app: &App, export: &Export, step: &Step) -> anyhow::Result<Selection> {
    let request = &export.request;
    Selection::new(&app.catalog, &request.tables[step.table], request.window, request.format)
        .context("find the table and its columns in the catalog")
}

/// Returns the CRC-32 of an object that goes in as it is: S3's if it knows it, else our own. What
/// only calls itself gzip is refused.
async fn crc32_of_gzip(
    app: &App,
    object: &SourceObject,
    watch: &mut Watch<'_>,
) -> anyhow::Result<u32> {
    let magic = app.lake.read(object, 0, 2).await?.collect().await.context("read source object")?;
    if magic.into_bytes()[..] != [0x1f, 0x8b] {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not gzip");
        return Err(ObjectError::Corrupt { key: object.key.clone(), source }.into());
    }
    if let Some(known) = app.lake.crc32(object).await? {
        return Ok(known);
    }
    let (mut body, mut hasher) = (app.lake.open(object).await?, crc32fast::Hasher::new());
    while let Some(chunk) = body.next().await {
        watch.check().await?;
        hasher.update(&chunk.context("read source object")?);
    }
    Ok(hasher.finalize())
}
