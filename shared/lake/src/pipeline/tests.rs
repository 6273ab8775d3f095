//! Objects of every kind are converted and read back as a user would.

use std::{
    io::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use archive::END_OF_MEMBER;
use export::{Catalog, ExportRequest, Format, TableSelection, Window};
use flate2::{Compression, read::DeflateDecoder, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::ObjectCounts;

mod counts;
mod failures;
mod formats;
mod golden;
mod lost;
mod lost_lines;
mod misfiled;
mod producers;
mod rows;
mod splices;
mod tenants;
mod threads;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "meta.at"
    max_bad_percent = 100

    [[table]]
    name = "visits"
    dataset = "visits"
    omit = "hidden"
    columns = ["page", { name = "at", path = "meta.at", type = "time" }, "n:integer", "tags:json"]

    [[table]]
    name = "tags"
    dataset = "visits"
    explode = "tags"
    columns = ["page", { name = "tag", element = "name" }]
"#;

const ROWS: &str = concat!(
    r#"{"page":"/a","meta":{"at":"2026-03-01T00:30:00Z"},"n":12345678901234567890,"tags":[{"name":"x"},{"name":"y"}]}"#,
    "\n",
    r#"{"page":"/late","meta":{"at":"2026-03-01T01:00:00Z"}}"#,
    "\n",
    "\n",
    r#"{"page":"","meta":{"at":"2026-03-01 00:59:59.999999"},"n":null}"#,
    "\n",
);

fn selection(table: &str, columns: Option<&[&str]>, format: Format) -> Selection {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let hour = Window::new(
        "2026-03-01T00:00:00Z".parse().unwrap(),
        "2026-03-01T01:00:00Z".parse().unwrap(),
    );
    let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let table = TableSelection { columns, ..TableSelection::whole(table) };
    let request = ExportRequest::new(vec![table], hour.unwrap(), format);
    Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap()
}

pub(crate) fn jsonl() -> Selection {
    selection("visits", None, Format::Jsonl)
}

pub(crate) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A text compressed in each way that a library reads, with a key that names it.
fn by_libraries(text: impl AsRef<[u8]>) -> Vec<(&'static str, Vec<u8>)> {
    let text = text.as_ref();
    let zlib = || {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let snappy = || {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.into_inner().unwrap()
    };
    let hadoop = || {
        let mut blocks = Vec::new();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        // Blocks of some hundred bytes, of two chunks each.
        for block in text.chunks(300) {
            blocks.extend(length(block));
            for chunk in block.chunks(block.len().div_ceil(2)) {
                let stored = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
                blocks.extend(length(&stored));
                blocks.extend(stored);
            }
        }
        blocks
    };
    let bzip2 = || {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let lz4 = || {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(text, 3).unwrap();
    vec![
        ("a.json.zz", zlib()),
        ("a.json.sz", snappy()),
        ("a.json.snappy", hadoop()),
        ("a.json.bz2", bzip2()),
        ("a.json.lz4", lz4()),
        ("a.json.zst", zstd),
    ]
}

/// How an object is treated, whatever its size is.
#[derive(Clone, Copy, Debug)]
enum Claimed {
    /// Held as a whole.
    Small,
    /// Read twice.
    Large,
    /// Read once and referred to.
    Referred,
    /// Held, and at the edge of the window.
    Edge,
}

/// What a reader of the member sees, and what is said of it.
fn try_convert(
    selection: &Selection,
    objects: &[(&str, Vec<u8>)],
    workers: usize,
    claimed: Claimed,
) -> Result<(String, RunOutput), ObjectError> {
    let (claimed_bytes, refer) = match claimed {
        Claimed::Small | Claimed::Edge => (0, false),
        Claimed::Large => (1 << 30, false),
        Claimed::Referred => (1 << 30, true),
    };
    let listed: Vec<InputObject> = objects
        .iter()
        .map(|(key, data)| InputObject {
            key: (*key).to_owned(),
            size_bytes: claimed_bytes.max(data.len() as u64),
            likely_whole: !matches!(claimed, Claimed::Edge),
            refer,
            partition: None,
        })
        .collect();
    convert_listed(selection, &listed, objects, workers)
}

/// As [`try_convert`], with all that is known of each object.
fn convert_listed(
    selection: &Selection,
    listed: &[InputObject],
    objects: &[(&str, Vec<u8>)],
    workers: usize,
) -> Result<(String, RunOutput), ObjectError> {
    let runs = group_runs(listed, &Encoding::Deflate(5));
    let pipeline =
        Pipeline { selection, objects: listed, runs, encoding: Encoding::Deflate(5), workers };
    let mut stored = Vec::new();
    let head = SegmentEncoder::new(5).encode(&selection.head(), 0, &mut stored);
    let output = pipeline.run(
        |index| Ok(&objects[index].1[..]),
        |_, extent| {
            match extent {
                Extent::Bytes(bytes) => stored.extend(bytes),
                Extent::Range { source: object, offset, len } => {
                    let [begin, end] =
                        [offset, offset + len].map(|at| usize::try_from(at).unwrap());
                    stored.extend(&objects[object].1[begin..end]);
                }
            }
            Ok(())
        },
    )?;
    let begun = RunOutput { segment: head, ..RunOutput::default() };
    let whole = output.into_iter().fold(begun, |mut whole, next| {
        whole.add(next);
        whole
    });
    let counted = &whole.stats.objects;
    assert!(counted.iter().map(|counts| counts.object).eq(0..listed.len()), "{counted:?}");
    let sum = |of: fn(&ObjectCounts) -> u64| counted.iter().map(of).sum::<u64>();
    assert_eq!(sum(|counts| counts.rows), whole.segment.rows);
    assert_eq!(sum(|counts| counts.outside), whole.stats.outside);
    assert_eq!(sum(|counts| counts.bad_rows), whole.stats.bad_rows);
    assert_eq!(whole.segment.stored_bytes, stored.len() as u64);
    assert_eq!(whole.segment.stored_crc32, crc32fast::hash(&stored));
    stored.extend(END_OF_MEMBER);
    let mut text = String::new();
    DeflateDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
    assert_eq!(whole.segment.crc32, crc32fast::hash(text.as_bytes()));
    assert_eq!(whole.segment.raw_bytes, text.len() as u64);
    Ok((text, whole))
}

fn converted(selection: &Selection, key: &str, object: &[u8]) -> (String, RunOutput) {
    try_convert(selection, &[(key, object.to_vec())], 2, Claimed::Small).unwrap()
}

/// An object whose size is not known.
fn an_object(key: &str) -> InputObject {
    InputObject {
        key: key.to_owned(),
        size_bytes: 100,
        likely_whole: false,
        refer: false,
        partition: None,
    }
}

/// A row of about `size` bytes, inside of the window or not.
fn row((size, wanted): (usize, bool)) -> String {
    let hour = if wanted { "00" } else { "05" };
    let mut rng = fastrand::Rng::with_seed(size as u64);
    let page: String = (0..size).map(|_| rng.lowercase()).collect();
    format!("{{\"page\":\"{page}\",\"meta\":{{\"at\":\"2026-03-01T{hour}:30:00Z\"}}}}\n")
}

/// A gzip object of members, levels and flushes as others may write it.
pub(crate) fn written(texts: &[String], level: u32, flush_every: usize) -> Vec<u8> {
    let mut object = Vec::new();
    for text in texts {
        let mut encoder = GzEncoder::new(&mut object, Compression::new(level));
        for piece in text.as_bytes().chunks(flush_every) {
            encoder.write_all(piece).unwrap();
            if flush_every < text.len() {
                encoder.flush().unwrap();
            }
        }
        encoder.finish().unwrap();
    }
    object
}

/// How rows of a extent are filed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Filed {
    Wanted,
    Late,
    /// Wanted, with a carriage return.
    Returned,
    /// Wanted, and a blank line after each.
    Spaced,
}

impl Filed {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            6 => Just(Self::Wanted),
            3 => Just(Self::Late),
            1 => Just(Self::Returned),
            1 => Just(Self::Spaced)
        ]
    }

    pub(crate) fn row(self, size: usize) -> String {
        let row = row((size, !matches!(self, Self::Late)));
        match self {
            Self::Wanted | Self::Late => row,
            Self::Returned => row.replace('\n', "\r\n"),
            Self::Spaced => row + "\n",
        }
    }
}

const WAYS: [Claimed; 4] = [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge];
