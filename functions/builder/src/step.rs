//! One step of an export, done once however often it is begun.

use std::io;

use anyhow::Context as _;
use archive::Segment;
use cloud::{PieceWriter, SourceObject};
use export::{Export, Files, WorkKey};
use lake::{Account, BadRow, MAX_LISTED_BAD_ROWS, ObjectError, Selection, Stretch, runs_of};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    plan::{Planned, Step, Way},
    pouring::{Task, pour},
    watch::Watch,
};

/// What a step that is done made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Its stretch of the table's file, or what became of each object that is a file of its own.
    pub(crate) made: Vec<Made>,
    /// Rows that could not be exported.
    pub(crate) bad_rows: u64,
    /// The first of them.
    pub(crate) listed: Vec<BadRow>,
}

/// What source objects became.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// One that goes in as it is; with its CRC-32.
    Copied(u32),
    /// Compressed rows, and where they are.
    Poured(Segment, Vec<Content>),
}

/// A stretch of compressed rows. Those of the step's piece follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// That many bytes of the step's piece.
    Piece(u64),
    /// Bytes of one of the step's source objects.
    Object { object: usize, offset: u64, len: u64 },
}

impl Content {
    /// Appends a stretch that was made.
    pub(crate) fn push(contents: &mut Vec<Self>, stretch: &Stretch) {
        match (stretch, contents.last_mut()) {
            (Stretch::Bytes(bytes), Some(Self::Piece(len))) => *len += bytes.len() as u64,
            (Stretch::Bytes(bytes), _) => contents.push(Self::Piece(bytes.len() as u64)),
            (Stretch::Object { object, offset, len }, _) => {
                contents.push(Self::Object { object: *object, offset: *offset, len: *len });
            }
        }
    }
}

impl Report {
    /// Rows that were written, and bytes of them; of copied objects as stored.
    pub(crate) fn progress(&self, step: &Step) -> (u64, u64) {
        let objects = step.objects.iter().map(Some).chain(std::iter::repeat(None));
        self.made.iter().zip(objects).fold((0, 0), |(rows, bytes), (made, planned)| match made {
            Made::Copied(_) => (rows, bytes + planned.map_or(0, |p| p.object.size_bytes)),
            Made::Poured(segment, _) => (rows + segment.rows, bytes + segment.raw_bytes),
        })
    }

    fn add(&mut self, account: Account) {
        self.bad_rows += account.bad_rows;
        let room = MAX_LISTED_BAD_ROWS.saturating_sub(self.listed.len());
        self.listed.extend(account.listed.into_iter().take(room));
    }
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
    let built = build(app, export, step, &mut piece, watch).await;
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

async fn build(
    app: &App,
    export: &Export,
    step: &Step,
    piece: &mut PieceWriter,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Report> {
    let alone = matches!(export.request.files, Files::Hourly(_));
    let runs = if alone {
        let poured = (0..).zip(&step.objects).filter(|(_, planned)| planned.way != Way::Copy);
        poured.map(|(index, _)| index..index + 1).collect()
    } else {
        runs_of(&step.objects.iter().map(Planned::to_pour).collect::<Vec<_>>())
    };
    let task = Task {
        selection: selection(app, export, step)?,
        objects: step.objects.clone(),
        runs,
        head: step.head && !alone,
    };
    let runs = Box::pin(pour(app, task, piece, watch)).await?;
    let mut report = Report::default();
    let mut poured = Vec::new();
    for (run, contents) in runs {
        report.add(run.account);
        poured.push((run.segment, contents));
    }
    if alone {
        let mut poured = poured.into_iter();
        for planned in &step.objects {
            let made = match planned.way {
                Way::Copy => Made::Copied(crc32_of_gzip(app, &planned.object, watch).await?),
                Way::Splice | Way::Transcode => {
                    let (segment, contents) = poured.next().context("find what was poured")?;
                    Made::Poured(segment, contents)
                }
            };
            report.made.push(made);
        }
    } else {
        let whole = poured.iter().fold(Segment::default(), |whole, (next, _)| whole.join(*next));
        let contents = poured.into_iter().flat_map(|(_, contents)| contents);
        report.made.push(Made::Poured(whole, contents.collect()));
    }
    Ok(report)
}

fn selection(app: &App, export: &Export, step: &Step) -> anyhow::Result<Selection> {
    let request = &export.request;
    let table = &request.tables[step.table];
    let selection = Selection::new(&app.catalog, table, request.window, request.format)
        .context("find the table and its columns in the catalog")?;
    Ok(match request.files {
        // Readers of these are known that split lines at more than line feeds.
        Files::Hourly(_) => selection.escaping_separators(),
        Files::Tables | Files::Single(_) => selection,
    })
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
