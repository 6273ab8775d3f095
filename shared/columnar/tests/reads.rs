//! What common writers write is read as the rows that it has.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::{
    io::{self, Read as _},
    ops::Range,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use columnar::{ParquetFault, Ranges, Rows, Wanted, WantedTimes};
use serde_json::Value;

use crate::common::fixture;

fn read(file: Arc<dyn Ranges>, wanted: Wanted) -> io::Result<String> {
    let mut text = String::new();
    Rows::open(file, wanted)?.read_to_string(&mut text)?;
    Ok(text)
}

const WRITERS: [&str; 10] = [
    "v1_snappy",
    "v2_zstd",
    "gzip_lists",
    "lz4_raw",
    "delta",
    "delta_v1",
    "int96",
    "hours",
    "duckdb",
    "polars",
];

/// The rows of a fixture: as JSON, with each number as it is written.
fn parsed(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

#[test]
fn every_row_of_every_writer_is_read_as_it_is() {
    for name in WRITERS {
        let found =
            read(Arc::new(Bytes::from(fixture(&format!("{name}.parquet")))), Wanted::default())
                .unwrap();
        let want = String::from_utf8(fixture(&format!("{name}.jsonl"))).unwrap();
        let (found_rows, want_rows) = (parsed(&found), parsed(&want));
        assert_eq!(found_rows.len(), want_rows.len(), "{name}");
        for (found, want) in found_rows.iter().zip(&want_rows) {
            let (Value::Object(found), Value::Object(want)) = (found, want) else { panic!() };
            for (key, value) in want {
                assert_eq!(found.get(key), Some(value), "{name}: {key}");
            }
            assert_eq!(found.len(), want.len(), "{name}");
        }
    }
    // As texts, since a parser would round them.
    let text = read(Arc::new(Bytes::from(fixture("v2_zstd.parquet"))), Wanted::default()).unwrap();
    for exact in [
        r#""dec":123456789012345678901234567890123.45678,"#,
        r#""dec":-0.00001,"#,
        r#""u64":18446744073709551615,"#,
        r#""dec_wide":-10000000000000000000000000000000000000000000000000,"#,
    ] {
        assert!(text.contains(exact), "{exact}");
    }
}

/// A file that notes which of its ranges are read.
struct Noted(Bytes, Mutex<Vec<Range<u64>>>);

impl Ranges for Noted {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, len: u64) -> io::Result<Bytes> {
        self.1.lock().unwrap().push(offset..offset + len);
        Ranges::read(&self.0, offset, len)
    }
}

#[test]
fn only_wanted_fields_are_read() {
    let wanted = |names: &[&str]| Wanted {
        fields: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Wanted::default()
    };
    let file = || Arc::new(Bytes::from(fixture("v2_zstd.parquet")));
    let text = read(file(), wanted(&["map", "i8", "gone"])).unwrap();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            r#"{"i8":-128,"map":{"k":1,"l":null}}"#,
            r#"{"i8":null,"map":null}"#,
            r#"{"i8":127,"map":{}}"#,
            r#"{"i8":0,"map":{"m":2}}"#,
        ]
    );
    assert_eq!(read(file(), wanted(&["gone"])).unwrap(), "{}\n{}\n{}\n{}\n");
}

#[test]
fn row_groups_outside_of_the_window_are_empty_lines_and_misfiled_ones_are_read() {
    let at = |hour: i128| (1_772_323_200 + hour * 3600) * 1_000_000_000;
    let rows = |wanted: Range<i128>, expected: Range<i128>| {
        let times = WantedTimes {
            path: vec!["at".to_owned()],
            unit: None,
            wanted: at(wanted.start)..at(wanted.end),
            expected: at(expected.start)..at(expected.end),
        };
        let wanted = Wanted { times: Some(times), ..Wanted::default() };
        let text = read(Arc::new(Bytes::from(fixture("hours.parquet"))), wanted).unwrap();
        text.lines().map(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let hours = |read: &[bool]| read.iter().flat_map(|read| [*read; 100]).collect::<Vec<_>>();
    let (yes, no) = (true, false);
    assert_eq!(rows(2..3, 0..24), hours(&[no, no, yes, no, no, no]));
    assert_eq!(rows(2..3, 2..24), hours(&[yes, yes, yes, no, no, no]));
    assert_eq!(rows(7..9, 0..24), hours(&[no; 6]));
    assert_eq!(rows(2..3, 2..3), hours(&[yes; 6]));
}

#[test]
fn a_large_file_is_read_by_its_footer_and_the_columns_that_are_wanted() {
    let whole = Bytes::from(fixture("hours.parquet"));
    let noted = |file: Bytes| Arc::new(Noted(file, Mutex::default()));
    let small = noted(whole.clone());
    let text = read(Arc::clone(&small) as Arc<dyn Ranges>, Wanted::default()).unwrap();
    assert_eq!(small.1.lock().unwrap().len(), 1, "a small file takes one request");

    // The same with 8 MiB between its columns and its footer.
    let footer = whole.len() - 8;
    let len = u32::from_le_bytes(whole[footer..footer + 4].try_into().unwrap()) as usize;
    let (columns, end) = whole.split_at(footer - len);
    let large = noted([columns, &vec![0; 8 << 20], end].concat().into());
    let found = read(Arc::clone(&large) as Arc<dyn Ranges>, Wanted::default()).unwrap();
    assert_eq!(found, text);
    let ranges = large.1.lock().unwrap();
    assert_eq!(ranges.len(), 1 + 6, "the end, and the columns of each row group together");
    let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    assert!(bytes < (64 << 10) + whole.len() as u64, "{bytes}");
}

#[test]
fn what_is_no_parquet_is_told() {
    let told = |bytes: &[u8]| {
        let opened = Rows::open(Arc::new(Bytes::copy_from_slice(bytes)), Wanted::default());
        opened.map(drop).unwrap_err().to_string()
    };
    let whole = Bytes::from(fixture("hours.parquet"));
    assert_eq!(told(b""), "as Parquet, it is shorter than a footer");
    assert_eq!(told(b"{\"a\":1}\n{\"a\":2}"), "as Parquet, it does not end with PAR1");
    assert_eq!(told(&whole[..whole.len() - 1]), "as Parquet, it does not end with PAR1");
    assert_eq!(told(b"PAR1\x09\0\0\0PAR1"), "as Parquet, its footer is longer than the file");
    assert_eq!(told(b"PAR1\0\0\0\0PARE"), "as Parquet, it is encrypted");
    assert_eq!(
        told(b"PAR1\xff\xff\xff\xffPAR1"),
        "as Parquet, its footer has 4294967295 bytes, more than 16777216"
    );
    let unreadable = Rows::open(Arc::new(Failing), Wanted::default());
    assert!(matches!(unreadable, Err(ParquetFault::Unreadable(_))));
}

/// A file that cannot be read.
struct Failing;

impl Ranges for Failing {
    fn size(&self) -> u64 {
        100
    }

    fn read(&self, _: u64, _: u64) -> io::Result<Bytes> {
        Err(io::Error::other("S3 is away"))
    }
}
