//! Files that lie are refused: no panic gets out, and no more memory is taken than the bounds allow.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::{io::Read as _, sync::Arc};

use bytes::Bytes;
use columnar::{MAX_BATCH_VALUES, MAX_PAGE_BYTES, Rows, Wanted};
use parquet::{
    data_type::BoolType,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use crate::common::fixture;

/// Reads a file as far as it goes, at most so many bytes of text.
fn read(file: Vec<u8>) -> Result<u64, String> {
    let rows = Rows::open(Arc::new(Bytes::from(file)), Wanted::default());
    let mut rows = rows.map_err(|fault| fault.to_string())?.take(4 << 20);
    std::io::copy(&mut rows, &mut std::io::sink()).map_err(|error| error.to_string())
}

#[test]
fn whatever_bytes_are_changed_a_file_is_read_or_refused() {
    // Panics of the library are caught; they need not be shown.
    std::panic::set_hook(Box::new(|_| {}));
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut read_whole, mut refused) = (0, 0);
    for name in [
        "v1_snappy",
        "v2_zstd",
        "gzip_lists",
        "lz4_raw",
        "delta",
        "delta_v1",
        "int96",
        "duckdb",
        "polars",
    ] {
        let whole = fixture(&format!("{name}.parquet"));
        for _ in 0..400 {
            let mut file = whole.clone();
            for _ in 0..rng.usize(1..6) {
                // The last bytes say only where the footer is.
                let at = rng.usize(4..file.len() - 8);
                file[at] = match rng.u8(0..4) {
                    0 => 0xff,
                    1 => 0x7f,
                    2 => 0,
                    _ => rng.u8(..),
                };
            }
            match read(file) {
                Ok(_) => read_whole += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read_whole > 100 && refused > 100, "{read_whole} and {refused}");
}

/// Encodes Thrift's compact protocol.
#[derive(Default)]
struct Thrift(Vec<u8>);

impl Thrift {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap());
    }

    fn field(&mut self, step: u8, kind: u8) {
        self.0.push(step << 4 | kind);
    }

    fn int(&mut self, step: u8, value: u64) {
        self.field(step, 5);
        self.varint(value << 1);
    }

    fn name(&mut self, step: u8, name: &str) {
        self.field(step, 8);
        self.varint(name.len() as u64);
        self.0.extend(name.as_bytes());
    }

    fn list(&mut self, step: u8, len: u64) {
        self.field(step, 9);
        self.0.push(0xfc);
        self.varint(len);
    }

    fn stop(&mut self) {
        self.0.push(0);
    }
}

fn file(body: &[u8], footer: &Thrift) -> Vec<u8> {
    let len = u32::try_from(footer.0.len()).unwrap().to_le_bytes();
    [b"PAR1", body, &footer.0[..], &len[..], b"PAR1"].concat()
}

fn refused(file: Vec<u8>) -> String {
    read(file).expect_err("is refused")
}

#[test]
fn a_footer_that_claims_much_or_nests_deep_is_refused_by_name() {
    let mut many = Thrift::default();
    many.int(1, 1);
    many.list(1, 1 << 31);
    assert_eq!(refused(file(b"", &many)), "as Parquet, its footer ends early");

    let mut columns = Thrift::default();
    columns.int(1, 1);
    columns.list(1, 20_000);
    for _ in 0..20_000 {
        columns.stop();
    }
    columns.stop();
    assert_eq!(
        refused(file(b"", &columns)),
        "as Parquet, it has 20000 columns and groups, more than 10000"
    );

    let mut deep = Thrift::default();
    deep.int(1, 1);
    deep.list(1, 5000);
    for level in 0..5000 {
        deep.name(4, "g");
        if level < 4999 {
            deep.int(1, 1);
        }
        deep.stop();
    }
    deep.stop();
    assert_eq!(refused(file(b"", &deep)), "as Parquet, its columns nest more than 32 deep");

    let mut groups = Thrift::default();
    groups.int(1, 1);
    groups.list(1, 1);
    groups.name(4, "root");
    groups.stop();
    groups.field(2, 9);
    groups.0.push(0xfc);
    groups.varint(65_537);
    for _ in 0..65_537 {
        groups.stop();
    }
    groups.stop();
    assert_eq!(
        refused(file(b"", &groups)),
        "as Parquet, it has 65537 columns in all of its row groups, more than 65536"
    );

    let mut nothing = Thrift::default();
    nothing.stop();
    assert_eq!(refused(file(b"", &nothing)), "as Parquet, its footer has no schema");
}

/// A file of so many columns without any row.
fn columns_without_rows(count: u64) -> Vec<u8> {
    let mut footer = Thrift::default();
    footer.int(1, 1);
    footer.list(1, count + 1);
    footer.name(4, "root");
    footer.int(1, count);
    footer.stop();
    for column in 0..count {
        footer.int(1, 6);
        footer.int(2, 0);
        footer.name(1, &format!("c{column}"));
        footer.stop();
    }
    footer.field(1, 6);
    footer.varint(0);
    footer.list(1, 0);
    footer.stop();
    file(b"", &footer)
}

#[test]
fn a_file_has_2000_columns_that_are_read_and_no_more() {
    assert_eq!(read(columns_without_rows(2000)), Ok(0));
    assert_eq!(
        refused(columns_without_rows(2001)),
        "as Parquet, 2001 of its columns are read, more than 2000"
    );
}

/// A file of one column of texts that are never null, with one page that has this head: the sizes, raw and stored, how
/// many values there are, and their encoding. A list if `rep` says so.
fn one_page(head: (u64, u64, u64, u64), stored: &[u8], codec: u64, is_list: bool) -> Vec<u8> {
    let (raw_bytes, stored_bytes, values, encoding) = head;
    let mut page = Thrift::default();
    page.int(1, 0);
    page.int(1, raw_bytes);
    page.int(1, stored_bytes);
    page.field(2, 12);
    page.int(1, values);
    page.int(1, encoding);
    page.int(1, 3);
    page.int(1, 3);
    page.stop();
    page.stop();
    let body = [&page.0[..], stored].concat();

    let mut footer = Thrift::default();
    footer.int(1, 1);
    footer.list(1, 2);
    footer.name(4, "root");
    footer.int(1, 1);
    footer.stop();
    footer.int(1, 6);
    footer.int(2, if is_list { 2 } else { 0 });
    footer.name(1, "a");
    footer.stop();
    let long = |thrift: &mut Thrift, step: u8, value: u64| {
        thrift.field(step, 6);
        thrift.varint(value << 1);
    };
    let rows = if is_list { 1 } else { values };
    long(&mut footer, 1, rows);
    footer.list(1, 1);
    footer.list(1, 1);
    long(&mut footer, 2, 4);
    footer.field(1, 12);
    footer.int(1, 6);
    footer.0.extend([0x19, 0x15, 0]);
    footer.0.extend([0x19, 0x18, 1, b'a']);
    footer.int(1, codec);
    long(&mut footer, 1, values);
    long(&mut footer, 1, raw_bytes);
    long(&mut footer, 1, body.len() as u64);
    long(&mut footer, 2, 4);
    footer.stop();
    footer.stop();
    long(&mut footer, 1, raw_bytes);
    long(&mut footer, 1, rows);
    footer.stop();
    footer.stop();
    file(&body, &footer)
}

const PLAIN: u64 = 0;
const PREFIXES: u64 = 7;

#[test]
fn a_page_that_claims_much_is_refused_by_name() {
    let text = b"\x02\0\0\0ab";
    let size = text.len() as u64;
    let fine = one_page((size, size, 1, PLAIN), text, 0, false);
    assert_eq!(read(fine), Ok("{\"a\":\"ab\"}\n".len() as u64));

    let most = MAX_PAGE_BYTES as u64;
    for (head, codec, is_list, told) in [
        ((most + 1, size, 1, PLAIN), 1, false, "a page has 67108865 bytes, more than 67108864"),
        ((size, most + 1, 1, PLAIN), 1, false, "a page has 67108865 bytes, more than 67108864"),
        ((size, size + 90, 1, PLAIN), 0, false, "a page is longer than its column"),
        ((most, size, 1, PLAIN), 1, false, "a page has another size than it says"),
        ((most, size, 1, PLAIN), 2, false, "a page cannot be decompressed"),
        ((most, size, 1, PLAIN), 6, false, "a page cannot be decompressed"),
        ((most, size, 1, PLAIN), 7, false, "a page cannot be decompressed"),
        (
            (size, size, 1, PLAIN),
            4,
            false,
            "its columns are compressed with Brotli, which is not read",
        ),
        ((size, size, 1, 99), 0, false, "its values are in encoding 99, which is not read"),
        (
            (size, size, (2 << 20) + 1, PLAIN),
            0,
            true,
            "a page has 2097153 values, more than 2097152",
        ),
        (
            (size, size, (1 << 32) + 1, PLAIN),
            0,
            false,
            "it says that it has 4294967297 rows, more than 4294967296",
        ),
        ((size, size, 1, PREFIXES), 0, false, "the lengths of a page's values cannot be read"),
    ] {
        let found = refused(one_page(head, text, codec, is_list));
        assert_eq!(found, format!("as Parquet, {told}"));
    }
}

/// Packs numbers as differences that are all the same.
fn packed(first: u64, step: u64, count: u64) -> Thrift {
    let mut numbers = Thrift::default();
    for value in [1 << 20, 1, count, first << 1] {
        numbers.varint(value);
    }
    for _ in 0..count.div_ceil(1 << 20) {
        numbers.varint(step << 1);
        numbers.varint(0);
    }
    numbers
}

#[test]
fn differences_that_stand_for_far_more_text_are_refused_by_name() {
    // Each value has all of the one before it, and one byte more.
    let count = 1 << 20;
    let mut bytes = packed(0, 1, count).0;
    bytes.extend(packed(1, 0, count).0);
    bytes.extend(vec![b'a'; 1 << 20]);
    let len = bytes.len() as u64;
    let bomb = one_page((len, len, count, PREFIXES), &bytes, 0, false);
    assert_eq!(refused(bomb), "as Parquet, the values of a page have more than 67108864 bytes");
    // Lengths of which there are more than the page has values.
    let bytes = packed(0, 0, 1 << 40).0;
    let len = bytes.len() as u64;
    let lies = one_page((len, len, 5, PREFIXES), &bytes, 0, false);
    assert_eq!(refused(lies), "as Parquet, the lengths of a page's values cannot be read");
}

#[test]
fn a_bomb_is_not_inflated() {
    use std::io::Write as _;
    let zeros = vec![0; 200 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::bulk::compress(&zeros, 1).unwrap();
    for (codec, stored) in [(2, gzip), (6, zstd)] {
        let bomb = one_page((100, stored.len() as u64, 1, PLAIN), &stored, codec, false);
        let told = refused(bomb);
        assert!(
            told.ends_with("another size than it says") || told.ends_with("cannot be decompressed"),
            "{told}"
        );
    }
}

/// A file of two columns of lists of booleans, with the lengths of their lists row by row.
fn lists(columns: [&[usize]; 2]) -> Vec<u8> {
    let schema = "message root { repeated boolean a; repeated boolean b; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    // Each list has a page of its own.
    let properties = WriterProperties::builder().set_data_page_row_count_limit(1).build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    for lengths in columns {
        let mut column = group.next_column().unwrap().unwrap();
        for length in lengths {
            let (values, defs) = (vec![true; *length], vec![1; *length]);
            let reps: Vec<i16> = (0..*length).map(|at| i16::from(at > 0)).collect();
            let typed = column.typed::<BoolType>();
            typed.write_batch(&values, Some(&defs), Some(&reps)).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap()
}

#[test]
fn lists_of_a_few_rows_have_4194304_elements_and_no_more() {
    let half = MAX_BATCH_VALUES / 2;
    assert_eq!(read(lists([&[half, half - 2], &[1, 1]])), Ok(4 << 20));
    assert_eq!(
        refused(lists([&[half, half - 2], &[1, 2]])),
        "as Parquet, the lists of 2 rows have more than 4194304 elements"
    );
}
