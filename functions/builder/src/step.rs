//! One step of an export, done once however often it is begun.

use std::io;

use anyhow::Context as _;
use archive::Segment;
use cloud::PieceWriter;
use export::{Export, Files, SourceObject, Window, WorkKey, sha256_hex};
use jiff::{SignedDuration, Timestamp};
use lake::{Account, BadRow, ObjectError, Planned, Selection, Step, Stretch, Way, runs_of};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    pouring::{Task, pour},
    watch::Watch,
};

/// A day, as lifecycle rules count.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a step that is done made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Where the segments are that it made.
    pub(crate) piece: WorkKey,
    /// When it made them.
    made_at: Timestamp,
    /// Its stretch of the table's file, or what became of each object that is a file of its own.
    pub(crate) made: Vec<Made>,
    /// Rows that could not be exported.
    pub(crate) bad_rows: u64,
    /// The first of them.
    pub(crate) listed: Vec<BadRow>,
    /// Records that were left out because their time is outside of the window.
    outside: u64,
    /// The earliest and the latest time of the others.
    times: Option<(Timestamp, Timestamp)>,
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

    /// Tells whether the same step of another window would make the same.
    fn serves(&self, window: Window) -> bool {
        let inside = |(first, last)| window.contains(first) && window.contains(last);
        self.outside == 0 && self.times.is_none_or(inside)
    }
}

/// Does a step, or finds that it was done, for this export or for another.
pub(crate) async fn done(
    app: &App,
    export: &Export,
    number: u32,
    step: &Step,
    watch: &mut Watch<'_>,
) -> anyhow::Result<Report> {
    let key = WorkKey::report(&export.workspace, export.id, number);
    if let Some(report) = read(app, &key).await? {
        return Ok(report);
    }
    let hash = if step.inside && app.keep_days > 0 { Some(hash(app, export, step)?) } else { None };
    let kept_key = hash.as_ref().map(|hash| WorkKey::kept_report(&export.workspace, hash));
    if let Some(kept_key) = &kept_key
        && let Some(kept) = read(app, kept_key).await?
        && kept.serves(export.request.window)
        && export.deadline < kept.made_at + DAY * app.keep_days
    {
        app.archives.write_work(&key, serde_json::to_vec(&kept)?).await?;
        return Ok(kept);
    }
    let piece_key = match &hash {
        Some(hash) => WorkKey::kept_piece(&export.workspace, hash, export.request.window),
        None => WorkKey::piece(&export.workspace, export.id, number),
    };
    let mut piece = app.archives.write_piece(&piece_key);
    let report = match build(app, export, step, piece_key, &mut piece, watch).await {
        Ok(report) => report,
        Err(error) => {
            piece.abort().await;
            return Err(error);
        }
    };
    piece.finish().await?;
    let bytes = serde_json::to_vec(&report)?;
    if let Some(kept_key) = kept_key.filter(|_| report.outside == 0) {
        app.archives.write_work(&kept_key, bytes.clone()).await?;
    }
    app.archives.write_work(&key, bytes).await?;
    Ok(report)
}

async fn read(app: &App, key: &WorkKey) -> anyhow::Result<Option<Report>> {
    let Some(bytes) = app.archives.read_work(key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).context("decode step report")
}

/// Returns a name for what a step is made of: the objects as they are now, the rows that are taken of
/// them, and how they are written.
fn hash(app: &App, export: &Export, step: &Step) -> anyhow::Result<String> {
    let objects: Vec<_> =
        step.objects.iter().map(|p| (&p.object.key, &p.object.etag, p.way, p.refer)).collect();
    let alone = matches!(export.request.files, Files::Hourly(_));
    let rows = selection(app, export, step.table)?.identity();
    let identity = serde_json::to_vec(&(app.compression_level, alone, rows, objects))?;
    Ok(sha256_hex(&identity))
}

async fn build(
    app: &App,
    export: &Export,
    step: &Step,
    piece_key: WorkKey,
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
    let selection = selection(app, export, step.table)?;
    let task = Task { selection, objects: step.objects.clone(), runs };
    let runs = Box::pin(pour(app, task, piece, watch)).await?;
    let (mut account, mut poured) = (Account::default(), Vec::new());
    for (run, contents) in runs {
        account.add(run.account);
        poured.push((run.segment, contents));
    }
    let mut report = Report {
        piece: piece_key,
        made_at: Timestamp::now(),
        made: Vec::new(),
        bad_rows: account.bad_rows,
        listed: account.listed,
        outside: account.outside,
        times: account.times,
    };
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

/// What an export takes of one of its tables.
pub(crate) fn selection(app: &App, export: &Export, table: usize) -> anyhow::Result<Selection> {
    let request = &export.request;
    let table = &request.tables[table];
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
