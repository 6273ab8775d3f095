//! Decant's engine over local files: `decant FOLDER OUT jsonl|csv|gzip FROM TO [LEVEL [WORKERS [FILTER]]]`.
//!
//! The same planner, engine and archive layout as the builder's; only where bytes come from and go to
//! is different. `jsonl` and `csv` make one file of the rows of the window, `gzip` puts the files in as
//! they are.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use anyhow::Context as _;
use archive::{Extent, Layout, Member, Method, Segment, SegmentEncoder, layout};
use export::{
    Catalog, ExportRequest, Files, Filter, Format, Scope, SourceObject, TableFilter,
    TableSelection, Window, parse_time,
};
use jiff::{SignedDuration, Timestamp};
use lake::{Encoding, InputObject, Pipeline, Plan, PlannedObject, Selection, group_runs};

const CATALOG: &str = r#"
[[dataset]]
name = "events"
path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
time = "time"
early_hours = 0
compression = "gzip"

[[table]]
name = "events"
dataset = "events"
columns = ["time:time", "uuid", "user", "country", "city", "os", "device", "n:integer", "amount:number", "ok:boolean", "path", "props:json"]
"#;

/// The length of a local header with the name `events` and without zip64.
const HEADER_BYTES: u64 = 30 + 6;

/// Where the bytes of an archive lie.
#[derive(Clone, Debug)]
enum Source {
    /// In the file that the engine writes to.
    Work,
    /// In this source object.
    Object(String),
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out, format, from, to, rest @ ..] = &arguments[..] else {
        anyhow::bail!("decant FOLDER OUT jsonl|csv|gzip FROM TO [LEVEL [WORKERS [FILTER]]]")
    };
    let number = |at: usize, default: usize| -> anyhow::Result<usize> {
        rest.get(at).map_or(Ok(default), |text| text.parse().context("read a number"))
    };
    let time = |text: &str| parse_time(text, export::TimeFormat::Text).context("read a time");
    let catalog = Catalog::parse("bench", CATALOG)?;
    let filter = rest.get(2).map_or("", String::as_str);
    let filter = Filter::read(filter, &Scope::new(&catalog, ["events"], "", &[]))?;
    let tables = vec!["events".to_owned()];
    let request = ExportRequest {
        filters: filter.map(|filter| TableFilter { tables, filter }).into_iter().collect(),
        files: if format == "gzip" { Files::Hourly("1".to_owned()) } else { Files::Tables },
        ..ExportRequest::new(
            vec![TableSelection::whole("events")],
            Window::new(time(from)?, time(to)?)?,
            if format == "csv" { Format::Csv } else { Format::Jsonl },
        )
    };
    let mut plan = Plan::default();
    plan.add_table(&catalog, &request, 0, filed(folder, request.window)?, u64::MAX);
    plan.mark_referred();
    let objects: Vec<PlannedObject> =
        plan.steps.into_iter().flat_map(|step| step.objects).collect();

    let work = format!("{out}.work");
    let layout = if format == "gzip" {
        copied(&objects)?
    } else {
        let selection =
            Selection::new(&catalog, &"acme".parse()?, &request, 0).context("select")?;
        poured(&selection, &objects, &work, number(0, 6)?, number(1, 2)?)?
    };
    write(&layout, &work, out)?;
    if Path::new(&work).exists() {
        std::fs::remove_file(work)?;
    }
    Ok(())
}

/// The files of the hours that the window touches.
fn filed(folder: &str, window: Window) -> anyhow::Result<Vec<(Timestamp, Vec<SourceObject>)>> {
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    let day: Timestamp = "2026-03-01T00:00:00Z".parse()?;
    let hour = SignedDuration::from_hours(1);
    let mut filed = Vec::new();
    for (number, key) in (0..).zip(names) {
        let at = day + hour * number;
        if at < window.to() && at + hour > window.from() {
            let size_bytes = std::fs::metadata(&key)?.len();
            filed.push((
                at,
                vec![SourceObject { bucket: None, key, etag: String::new(), size_bytes }],
            ));
        }
    }
    Ok(filed)
}

/// Pours the rows into one member.
fn poured(
    selection: &Selection,
    planned: &[PlannedObject],
    work: &str,
    level: usize,
    workers: usize,
) -> anyhow::Result<Layout<Source>> {
    let listed: Vec<InputObject> = planned.iter().map(PlannedObject::to_input).collect();
    let level = u32::try_from(level)?;
    let objects = &listed[..];
    let encoding = Encoding::Deflate(level);
    let pour =
        Pipeline { selection, objects, runs: group_runs(objects, &encoding), encoding, workers };
    let mut head = Vec::new();
    let mut whole = SegmentEncoder::new(level).encode(&selection.head(), 0, &mut head);
    // The rows go where they stay: after the archive's first header, which is written at the end.
    let (mut file, mut offset) = (File::create(work)?, HEADER_BYTES + head.len() as u64);
    file.seek(SeekFrom::Start(offset))?;
    let mut content = vec![Extent::Bytes(head)];
    let runs = pour.run(
        |index| File::open(&objects[index].key),
        |_, stretch| {
            content.push(match stretch {
                Extent::Bytes(bytes) => {
                    file.write_all(&bytes)?;
                    let len = bytes.len() as u64;
                    offset += len;
                    Extent::Range { source: Source::Work, offset: offset - len, len }
                }
                Extent::Range { source: object, offset, len } => {
                    let source = Source::Object(objects[object].key.clone());
                    Extent::Range { source, offset, len }
                }
            });
            Ok(())
        },
    )?;
    whole = runs.iter().fold(whole, |whole: Segment, run| whole.join(run.segment));
    let spliced: u64 = runs.iter().map(|run| run.stats.spliced).sum();
    eprintln!("{} rows of {} objects, {spliced} of them spliced", whole.rows, objects.len());
    Ok(layout(vec![Member {
        name: "events".parse()?,
        method: Method::Deflate,
        crc32: whole.crc32,
        raw_bytes: whole.raw_bytes,
        content,
        stored_crc32: whole.stored_crc32,
    }]))
}

/// Writes what stands between the rows, which are in their place.
fn complete(layout: &Layout<Source>, work: &str, out: &str) -> anyhow::Result<()> {
    let (mut file, mut at) = (File::options().write(true).open(work)?, 0);
    for extent in &layout.extents {
        if let Extent::Bytes(bytes) = extent {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)?;
        }
        at += extent.len();
    }
    Ok(std::fs::rename(work, out)?)
}

/// Puts the files in as they are.
fn copied(objects: &[PlannedObject]) -> anyhow::Result<Layout<Source>> {
    let mut members = Vec::new();
    for planned in objects {
        let (mut file, mut hasher) = (File::open(&planned.object.key)?, crc32fast::Hasher::new());
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                len => hasher.update(&buffer[..len]),
            }
        }
        let (crc32, len) = (hasher.finalize(), planned.object.size_bytes);
        let source = Source::Object(planned.object.key.clone());
        members.push(Member {
            name: planned.file.as_deref().context("name a file")?.parse()?,
            method: Method::Stored,
            crc32,
            raw_bytes: len,
            content: vec![Extent::Range { source, offset: 0, len }],
            stored_crc32: crc32,
        });
    }
    Ok(layout(members))
}

fn write(layout: &Layout<Source>, work: &str, out: &str) -> anyhow::Result<()> {
    let mut at = 0;
    let in_place = layout.extents.iter().all(|extent| {
        let here = match extent {
            Extent::Range { source: Source::Work, offset, .. } => *offset == at,
            Extent::Range { source: Source::Object(_), .. } => false,
            Extent::Bytes(_) => true,
        };
        at += extent.len();
        here
    });
    if in_place && Path::new(work).exists() {
        return complete(layout, work, out);
    }
    let mut out = BufWriter::with_capacity(256 * 1024, File::create(out)?);
    for extent in &layout.extents {
        match extent {
            Extent::Bytes(bytes) => out.write_all(bytes)?,
            Extent::Range { source, offset, len } => {
                let path = match source {
                    Source::Work => work,
                    Source::Object(path) => path,
                };
                out.flush()?;
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                io::copy(&mut file.take(*len), out.get_mut())?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
