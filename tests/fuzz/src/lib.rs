//! Pours one object and reads back what came out, for the fuzz targets.

use std::{collections::HashMap, io::Read as _};

use archive::{
    END_OF_MEMBER, Extent,
    deflate::{BitReader, DeflateError, Inflater, Receiver},
};
use export::{Catalog, ExportRequest, Format, TableSelection, TimeFormat, Window, parse_time};
use flate2::bufread::DeflateDecoder;
use lake::{Encoding, InputObject, ObjectError, Pipeline, Selection, group_runs};
use serde_json::value::RawValue;

/// The columns of the table that is poured.
pub const COLUMNS: [&str; 3] = ["a", "b", "t"];

const CATALOG: &str = r#"
[[dataset]]
name = "rows"
path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
time = "t"
time_format = "seconds"
max_bad_percent = 100

[[table]]
name = "rows"
dataset = "rows"
columns = ["a", "b", "t:time"]
"#;

/// What came out of an object.
pub struct Out {
    /// The file's content.
    pub content: Vec<u8>,
    /// Rows in it.
    pub rows: u64,
    /// Rows that could not be exported.
    pub bad_rows: u64,
    /// Whether the object's compressed stream was taken over.
    pub spliced: bool,
}

/// Pours rows whose `t` is from 0 to 999, and checks what is said of the output against it. `refer` has
/// the object treated as one too large to be held.
pub fn pour(key: &str, object: &[u8], format: Format, refer: bool) -> Result<Out, ObjectError> {
    let catalog = Catalog::parse("fuzz", CATALOG).unwrap();
    let time = |text: &str| text.parse().unwrap();
    let window = Window::new(time("1970-01-01T00:00:00Z"), time("1970-01-01T00:16:40Z")).unwrap();
    let request = ExportRequest::new(vec![TableSelection::whole("rows")], window, format);
    let selection = &Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
    let size_bytes = if refer { 1 << 30 } else { object.len() as u64 };
    let objects = &[InputObject {
        key: key.to_owned(),
        size_bytes,
        likely_whole: true,
        refer,
        partition: None,
    }];
    let pour = Pipeline {
        selection,
        objects,
        runs: group_runs(objects, &Encoding::Deflate(1)),
        encoding: Encoding::Deflate(1),
        workers: 1,
    };
    let mut stored = Vec::new();
    let poured = pour.run(
        |_| Ok(object),
        |_, stretch| {
            match stretch {
                Extent::Bytes(bytes) => stored.extend(bytes),
                Extent::Range { offset, len, .. } => {
                    stored.extend(&object[offset as usize..(offset + len) as usize]);
                }
            }
            Ok(())
        },
    )?;
    let run = &poured[0];
    assert_eq!(run.segment.stored_bytes, stored.len() as u64);
    stored.extend(END_OF_MEMBER);
    let (mut decoder, mut content) = (DeflateDecoder::new(&stored[..]), Vec::new());
    decoder.read_to_end(&mut content).unwrap();
    assert_eq!(decoder.total_in(), stored.len() as u64);
    assert_eq!(run.segment.raw_bytes, content.len() as u64);
    let content = [selection.head(), content].concat();
    let (rows, bad_rows) = (run.segment.rows, run.stats.bad_rows);
    Ok(Out { content, rows, bad_rows, spliced: run.stats.spliced > 0 })
}

/// Checks what came out of lines. Where a line is not one record, it may be several: then rows are added.
pub fn check(out: &Out, lines: &[u8]) {
    let (rows, bad) = wanted(lines);
    if bad == 0 {
        assert_eq!(String::from_utf8_lossy(&out.content), String::from_utf8_lossy(&rows));
        assert_eq!(out.bad_rows, 0);
        return;
    }
    let mut rows = rows.split_inclusive(|byte| *byte == b'\n').peekable();
    for row in out.content.split_inclusive(|byte| *byte == b'\n') {
        if rows.next_if_eq(&row).is_none() {
            let text = &row[..row.len() - 1];
            assert!(lines.windows(text.len()).any(|window| window == text));
        }
    }
    assert!(rows.next().is_none(), "rows are missing");
}

/// The rows of decoded lines that are wanted, found the slow, obvious way, and how many are bad.
pub fn wanted(lines: &[u8]) -> (Vec<u8>, u64) {
    let lines = lines.strip_prefix(b"\xef\xbb\xbf").unwrap_or(lines);
    let (mut rows, mut bad) = (Vec::new(), 0);
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record: Option<HashMap<String, Box<RawValue>>> = serde_json::from_slice(line).ok();
        let time = record.as_ref().and_then(|record| {
            parse_time(record.get("t")?.get().trim_matches('"'), TimeFormat::Seconds)
        });
        match time.map(|time| time.as_microsecond()) {
            Some(0..1_000_000_000) => rows.extend([line, b"\n"].concat()),
            Some(_) => {}
            None => bad += 1,
        }
    }
    (rows, bad)
}

/// Keeps the content of a stream.
#[derive(Default)]
struct Content(Vec<u8>);

impl Receiver for Content {
    type Error = DeflateError;

    fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn stored(&mut self, _: &[u8], _: Option<u64>) {}
}

/// Reads the deflate stream at the beginning of `data` by zlib-rs and by our decoder.
pub fn compare_with_zlib(data: &[u8]) {
    let (mut bits, mut ours) = (BitReader::new(data), Content::default());
    let result = Inflater::default().inflate(&mut bits, &mut ours);
    let theirs = streams::zlib_reads(data);
    assert_eq!(result.is_ok(), theirs.is_some(), "{result:?}");
    if let Some((content, len)) = theirs {
        assert!(ours.0 == content);
        assert_eq!(bits.position(), len as u64);
    }
}
