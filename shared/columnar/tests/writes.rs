//! What is written is read back, by the library's own reader and by ours, however rows are shared among row groups.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::{io::Read as _, sync::Arc};

use bytes::Bytes;
use columnar::{
    ColumnKind, FooterError, FooterOf, MAX_COLUMN_CHUNKS, RowGroup, Rows, Value, Wanted, Writer,
};
use parquet::{
    file::{
        metadata::ParquetMetaData, reader::FileReader as _, serialized_reader::SerializedFileReader,
    },
    record::Field,
};

const COLUMNS: [(&str, ColumnKind); 6] = [
    ("text", ColumnKind::Text),
    ("a.b", ColumnKind::Json),
    ("whole", ColumnKind::Integer),
    ("number", ColumnKind::Number),
    ("truth", ColumnKind::Boolean),
    ("at", ColumnKind::Time),
];

/// A row, as values and as the reference has them.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::Text(text),
            Self::Integer(value) => Value::Integer(*value),
            Self::Number(value) => Value::Number(*value),
            Self::Boolean(value) => Value::Boolean(*value),
        }
    }
}

fn writer() -> Writer {
    Writer::new(COLUMNS).unwrap()
}

fn any_row(rng: &mut fastrand::Rng) -> Vec<Cell> {
    COLUMNS.iter().map(|(_, kind)| any_cell(rng, *kind)).collect()
}

fn any_cell(rng: &mut fastrand::Rng, kind: ColumnKind) -> Cell {
    if rng.u8(..) < 60 {
        return Cell::Null;
    }
    match kind {
        ColumnKind::Text => {
            let len = if rng.u8(..) == 0 { 2_000_000 } else { rng.usize(..80) };
            Cell::Text(std::iter::repeat_with(|| rng.char('a'..='ü')).take(len).collect())
        }
        ColumnKind::Json => Cell::Text(format!("[{}]", rng.u8(..4))),
        ColumnKind::Integer | ColumnKind::Time => {
            let other = rng.i64(..);
            Cell::Integer(*rng.choice(&[i64::MIN, i64::MAX, 0, -1, other]).unwrap())
        }
        ColumnKind::Number => {
            let other = rng.f64();
            Cell::Number(*rng.choice(&[f64::MIN, f64::INFINITY, -0.0, f64::NAN, other]).unwrap())
        }
        ColumnKind::Boolean => Cell::Boolean(rng.bool()),
    }
}

fn group(writer: &Writer, rows: &[Vec<Cell>]) -> RowGroup {
    let mut columns = writer.columns();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell.value()).unwrap();
        }
    }
    writer.row_group(columns).unwrap()
}

/// Puts a file together as one is put together of objects.
fn file(writer: &Writer, groups: &[RowGroup]) -> Bytes {
    let footers = groups
        .iter()
        .map(|group| FooterOf { footer: &group.footer, bytes: group.bytes.len() as u64 });
    let footer = writer.footer(footers).unwrap();
    let parts = groups.iter().map(|group| &group.bytes[..]);
    Bytes::from([&[Writer::HEAD][..], &parts.collect::<Vec<_>>(), &[&footer]].concat().concat())
}

/// Reads a file back with the library.
fn read(file: Bytes) -> (ParquetMetaData, Vec<Vec<Cell>>) {
    let reader = SerializedFileReader::new(file).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let cell = |(_, field): (&String, &Field)| match field {
            Field::Null => Cell::Null,
            Field::Str(text) => Cell::Text(text.clone()),
            Field::Long(value) | Field::TimestampMicros(value) => Cell::Integer(*value),
            Field::Double(value) => Cell::Number(*value),
            Field::Bool(value) => Cell::Boolean(*value),
            other => panic!("{other:?}"),
        };
        row.get_column_iter().map(cell).collect()
    });
    let rows = rows.collect();
    (reader.metadata().clone(), rows)
}

#[test]
fn row_groups_of_any_number_of_writers_are_one_file_with_their_rows() {
    let mut rng = fastrand::Rng::with_seed(7);
    for round in 0..12 {
        let writer = writer();
        let most = if round == 0 { 0 } else { 6000 };
        let count = rng.usize(..=most);
        let rows: Vec<Vec<Cell>> =
            std::iter::repeat_with(|| any_row(&mut rng)).take(count).collect();
        let mut rest = &rows[..];
        let mut groups = Vec::new();
        while !rest.is_empty() {
            let (here, later) = rest.split_at(rng.usize(1..=rest.len()));
            // By another builder each.
            groups.push(group(&self::writer(), here));
            rest = later;
        }
        let file = file(&writer, &groups);

        let (metadata, found) = read(file.clone());
        // NaN is not equal to itself.
        assert_eq!(format!("{found:?}"), format!("{rows:?}"));
        assert_eq!(metadata.num_row_groups(), groups.len());
        assert_eq!(usize::try_from(metadata.file_metadata().num_rows()).unwrap(), rows.len());
        assert_eq!(ours(file), rows.len(), "our own reader");
        let mut at = 4;
        for (number, row_group) in metadata.row_groups().iter().enumerate() {
            assert_eq!(row_group.ordinal(), i32::try_from(number).ok());
            for column in row_group.columns() {
                let (begin, len) = column.byte_range();
                assert_eq!(begin, at, "columns stand one behind the other");
                at += len;
                assert!(
                    column.column_index_offset().is_none()
                        && column.offset_index_offset().is_none()
                );
                assert!(column.bloom_filter_offset().is_none());
                assert_eq!(format!("{}", column.compression_codec()), "ZSTD");
            }
        }
    }
}

/// Counts the rows that our own reader makes lines of.
fn ours(file: Bytes) -> usize {
    let wanted = Wanted { fields: None, times: None };
    let mut text = String::new();
    Rows::open(Arc::new(file), wanted).unwrap().read_to_string(&mut text).unwrap();
    let rows: Result<Vec<serde_json::Value>, _> = text.lines().map(serde_json::from_str).collect();
    rows.unwrap().len()
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let rows: Vec<Vec<Cell>> = {
        let mut rng = fastrand::Rng::with_seed(9);
        std::iter::repeat_with(|| any_row(&mut rng)).take(3000).collect()
    };
    let [first, second] = [(), ()].map(|()| group(&writer(), &rows));
    assert_eq!((first.bytes, first.footer), (second.bytes, second.footer));
}

#[test]
fn columns_have_the_types_that_were_promised() {
    let (metadata, rows) = read(file(&writer(), &[]));
    assert!(rows.is_empty());
    let schema = metadata.file_metadata().schema();
    let mut printed = Vec::new();
    parquet::schema::printer::print_schema(&mut printed, schema);
    let want = "message rows {\n  OPTIONAL BYTE_ARRAY text (STRING);\n  OPTIONAL BYTE_ARRAY a.b (JSON);\n  \
                OPTIONAL INT64 whole;\n  OPTIONAL DOUBLE number;\n  OPTIONAL BOOLEAN truth;\n  \
                OPTIONAL INT64 at (TIMESTAMP(MICROS,true));\n}\n";
    assert_eq!(String::from_utf8(printed).unwrap(), want);
}

#[test]
fn pages_are_small_whatever_the_rows() {
    let writer = Writer::new([("text", ColumnKind::Text)]).unwrap();
    let mut columns = writer.columns();
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let text: String = std::iter::repeat_with(|| rng.alphanumeric()).take(1_000_000).collect();
        columns[0].push(Value::Text(&text)).unwrap();
    }
    let group = writer.row_group(columns).unwrap();
    let reader = SerializedFileReader::new(file(&writer, &[group])).unwrap();
    let row_group = reader.get_row_group(0).unwrap();
    let mut pages = row_group.get_column_page_reader(0).unwrap();
    let mut sizes = Vec::new();
    while let Some(page) = pages.get_next_page().unwrap() {
        sizes.push(page.buffer().len());
    }
    assert!(sizes.iter().all(|size| *size < 4 << 20), "{sizes:?}");
}

#[test]
fn a_file_has_as_many_row_groups_as_our_own_reader_takes_and_no_more() {
    let writer = Writer::new([("n", ColumnKind::Integer)]).unwrap();
    assert_eq!(writer.max_row_groups(), MAX_COLUMN_CHUNKS);
    let mut columns = writer.columns();
    columns[0].push(Value::Integer(1)).unwrap();
    let one = writer.row_group(columns).unwrap();
    let of = FooterOf { footer: &one.footer, bytes: one.bytes.len() as u64 };

    assert!(writer.footer(std::iter::repeat_n(of, MAX_COLUMN_CHUNKS)).is_ok());
    let refused = writer.footer(std::iter::repeat_n(of, MAX_COLUMN_CHUNKS + 1)).unwrap_err();
    assert!(matches!(refused, FooterError::TooManyChunks(65_537)), "{refused}");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let writer = writer();
    let mut columns = writer.columns();
    assert!(columns[0].push(Value::Integer(1)).is_err(), "a number among texts");
    columns[0].push(Value::Text("a")).unwrap();
    assert!(writer.row_group(columns).is_err(), "columns of different lengths");
    for footer in [&b""[..], b"\x00", b"abc"] {
        assert!(writer.footer([FooterOf { footer, bytes: 1 }]).is_err());
    }
    let other = Writer::new([("n", ColumnKind::Integer)]).unwrap();
    let other = other.row_group(other.columns()).unwrap();
    assert!(writer.footer([FooterOf { footer: &other.footer, bytes: 0 }]).is_err());
}
