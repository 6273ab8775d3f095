//! Source objects in, segments out.

use std::io::{self, Read};

use archive::{SEGMENT_BYTES, Segment, SegmentEncoder};

use crate::{
    BadRow, MAX_LISTED_BAD_ROWS, ObjectError, Selection,
    decode::{Decoded, is_gzip},
    lines::{Line, Lines, each_line},
    splice::{GzipError, splice},
};

/// Pours the rows of one object after the other into segments.
#[derive(Debug)]
pub struct Pour {
    selection: Selection,
    encoder: SegmentEncoder,
    /// Rows that are not compressed yet.
    raw: Vec<u8>,
    raw_rows: u64,
    poured: Poured,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Poured {
    /// All segments, joined.
    pub segment: Segment,
    /// Rows that could not be exported.
    pub bad_rows: u64,
    /// The first of them.
    pub listed: Vec<BadRow>,
    /// Objects whose compressed stream was taken over.
    pub spliced: u64,
}

/// The largest object, as stored, that is held as a whole so that its stream can be taken over.
const MAX_SPLICE_BYTES: u64 = 32 << 20;

/// Not every row of an object goes in as it is.
struct NotWhole;

impl From<GzipError> for NotWhole {
    fn from(_: GzipError) -> Self {
        Self
    }
}

/// What stopped the reading of an object.
enum Stop {
    Read(io::Error),
    Sink(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Pour {
    /// Returns an empty one that compresses at `level`, 1 to 9. `head` writes the head of the file first.
    pub fn new(selection: Selection, level: u32, head: bool) -> Self {
        let mut raw = Vec::with_capacity(SEGMENT_BYTES + SEGMENT_BYTES / 8);
        if head {
            selection.push_head(&mut raw);
        }
        let encoder = SegmentEncoder::new(level);
        Self { selection, encoder, raw, raw_rows: 0, poured: Poured::default() }
    }

    /// Pours the rows of the object `key`, whose stored bytes are `input`. Compressed bytes go to `sink`.
    pub fn object(
        &mut self,
        key: &str,
        input: impl Read,
        mut sink: impl FnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<(), ObjectError> {
        let unreadable = |source| ObjectError::Unreadable { key: key.to_owned(), source };
        let mut decoded =
            Decoded::open(key, self.selection.compression, input).map_err(unreadable)?;
        let poured = each_line(&mut decoded, |number, line| {
            self.line(key, number, line);
            if self.raw.len() >= SEGMENT_BYTES {
                self.flush(&mut sink).map_err(Stop::Sink)
            } else {
                Ok(())
            }
        });
        poured.map_err(|stop| match stop {
            Stop::Read(source) => decoded.blame(key, source),
            Stop::Sink(source) => ObjectError::Sink { key: key.to_owned(), source },
        })
    }

    /// Tells whether an object of that size is better given as a whole, to [`Pour::whole_object`].
    pub fn wants_whole(&self, key: &str, size_bytes: u64) -> bool {
        size_bytes <= MAX_SPLICE_BYTES
            && self.selection.passes_through()
            && is_gzip(self.selection.compression, key)
    }

    /// Pours the rows of the object `key`, whose stored bytes are `data`.
    ///
    /// If every row is wanted as it is, the object's own compressed stream is taken over. Otherwise,
    /// and if anything is wrong with it, it is poured as any other.
    pub fn whole_object(
        &mut self,
        key: &str,
        data: &[u8],
        mut sink: impl FnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<(), ObjectError> {
        let mut stored = Vec::with_capacity(data.len() + 64);
        let Some(segment) = self.spliced(data, &mut stored) else {
            return self.object(key, data, sink);
        };
        let handed_on = |source| ObjectError::Sink { key: key.to_owned(), source };
        if !self.raw.is_empty() {
            self.flush(&mut sink).map_err(handed_on)?;
        }
        self.poured.segment = self.poured.segment.join(segment);
        self.poured.spliced += 1;
        // In pieces, so that what is under way to the bucket stays bounded.
        stored.chunks(SEGMENT_BYTES).try_for_each(|piece| sink(piece.to_vec())).map_err(handed_on)
    }

    /// Takes over a gzip object's compressed stream; none if not every row goes in as it is.
    fn spliced(&self, data: &[u8], stored: &mut Vec<u8>) -> Option<Segment> {
        let (mut lines, mut rows, mut bytes) = (Lines::default(), 0, 0_u64);
        let content = splice(data, stored, |chunk| {
            lines.push(chunk, |_, line| match line {
                Line::Whole(record) if self.selection.takes_whole(record) => {
                    rows += 1;
                    bytes += record.len() as u64 + 1;
                    Ok(())
                }
                _ => Err(NotWhole),
            })
        });
        let content = content.ok()?;
        // Blank lines, CRLF, a byte order mark, a last line without an end: all of them change the length.
        (bytes == content.len).then(|| Segment {
            crc32: content.crc32,
            raw_bytes: content.len,
            stored_crc32: crc32fast::hash(stored),
            stored_bytes: stored.len() as u64,
            rows,
        })
    }

    /// Compresses what is left and returns what came out.
    pub fn finish(mut self, mut sink: impl FnMut(Vec<u8>) -> io::Result<()>) -> io::Result<Poured> {
        if !self.raw.is_empty() {
            self.flush(&mut sink)?;
        }
        Ok(self.poured)
    }

    fn line(&mut self, key: &str, number: u64, line: Line<'_>) {
        let result = match line {
            Line::Whole(record) if record.iter().all(u8::is_ascii_whitespace) => Ok(0),
            Line::Whole(record) => self.selection.push_rows(record, &mut self.raw),
            Line::TooLong => Err("it is longer than a row may be".to_owned()),
        };
        match result {
            Ok(rows) => self.raw_rows += rows,
            Err(reason) => {
                self.poured.bad_rows += 1;
                if self.poured.listed.len() < MAX_LISTED_BAD_ROWS {
                    let (table, object) = (self.selection.table.clone(), key.to_owned());
                    self.poured.listed.push(BadRow { table, object, line: number, reason });
                }
            }
        }
    }

    fn flush(&mut self, sink: &mut impl FnMut(Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let mut stored = Vec::new();
        let segment = self.encoder.encode(&self.raw, self.raw_rows, &mut stored);
        self.poured.segment = self.poured.segment.join(segment);
        self.raw.clear();
        self.raw_rows = 0;
        sink(stored)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use archive::END_OF_MEMBER;
    use export::{Catalog, Format, TableSelection, Window};
    use flate2::{Compression, read::DeflateDecoder, write::GzEncoder};

    use super::*;

    const CATALOG: &str = r#"
        [[dataset]]
        name = "visits"
        path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
        time = "meta.at"

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

    fn pour(table: &str, columns: Option<&[&str]>, format: Format) -> Pour {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let hour = Window::new(
            "2026-03-01T00:00:00Z".parse().unwrap(),
            "2026-03-01T01:00:00Z".parse().unwrap(),
        );
        let columns = columns.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let request = TableSelection { table: table.to_owned(), columns };
        Pour::new(Selection::new(&catalog, &request, hour.unwrap(), format).unwrap(), 6, true)
    }

    /// What a reader of the member sees, and what is said of it.
    fn poured(mut pour: Pour, key: &str, object: &[u8]) -> (String, Poured) {
        let mut stored = Vec::new();
        let mut sink = |bytes: Vec<u8>| {
            stored.extend(bytes);
            Ok(())
        };
        pour.object(key, object, &mut sink).unwrap();
        let poured = pour.finish(&mut sink).unwrap();
        stored.extend(END_OF_MEMBER);
        let mut text = String::new();
        DeflateDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
        (text, poured)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn json_lines_inside_the_window_pass_through_byte_for_byte() {
        let (text, poured) = poured(pour("visits", None, Format::Jsonl), "a.json", ROWS.as_bytes());
        let lines: Vec<&str> = ROWS.lines().collect();

        assert_eq!(text, format!("{}\n{}\n", lines[0], lines[3]));
        assert_eq!((poured.segment.rows, poured.bad_rows), (2, 0));
    }

    #[test]
    fn chosen_columns_come_in_the_order_asked_for() {
        let columns = Some(&["n", "page"][..]);
        let (text, _) = poured(pour("visits", columns, Format::Jsonl), "a.json", ROWS.as_bytes());

        assert_eq!(
            text,
            "{\"n\":12345678901234567890,\"page\":\"/a\"}\n{\"n\":null,\"page\":\"\"}\n"
        );
    }

    #[test]
    fn csv_has_a_header_nested_values_and_empty_cells() {
        let (text, _) = poured(pour("visits", None, Format::Csv), "a.json", ROWS.as_bytes());

        insta::assert_snapshot!(text, @r#"
        page,at,n,tags
        /a,2026-03-01T00:30:00Z,12345678901234567890,"[{""name"":""x""},{""name"":""y""}]"
        "",2026-03-01 00:59:59.999999,,
        "#);
    }

    #[test]
    fn records_that_are_to_be_left_out_are() {
        let rows = r#"{"page":"/x","hidden":true,"meta":{"at":"2026-03-01T00:30:00Z"}}"#;
        let (text, poured) = poured(pour("visits", None, Format::Jsonl), "a.json", rows.as_bytes());

        assert_eq!((text.as_str(), poured.bad_rows), ("", 0));
    }

    #[test]
    fn a_list_is_exploded_into_rows() {
        let (text, poured) = poured(pour("tags", None, Format::Csv), "a.json", ROWS.as_bytes());

        assert_eq!(text, "page,tag\n/a,x\n/a,y\n");
        assert_eq!(poured.segment.rows, 2);
    }

    /// As [`poured`], with the object given as a whole.
    fn whole(mut pour: Pour, object: &[u8]) -> (String, Poured) {
        assert!(pour.wants_whole("a.json.gz", object.len() as u64));
        let mut stored = Vec::new();
        let mut sink = |bytes: Vec<u8>| {
            stored.extend(bytes);
            Ok(())
        };
        pour.object("first.json", ROWS.as_bytes(), &mut sink).unwrap();
        pour.whole_object("a.json.gz", object, &mut sink).unwrap();
        pour.object("last.json", ROWS.as_bytes(), &mut sink).unwrap();
        let poured = pour.finish(&mut sink).unwrap();
        assert_eq!(poured.segment.stored_bytes, stored.len() as u64);
        assert_eq!(poured.segment.stored_crc32, crc32fast::hash(&stored));
        stored.extend(END_OF_MEMBER);
        let mut text = String::new();
        DeflateDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
        assert_eq!(poured.segment.crc32, crc32fast::hash(text.as_bytes()));
        (text, poured)
    }

    #[test]
    fn an_object_whose_rows_are_all_wanted_is_spliced_and_no_other() {
        let lines: Vec<&str> = ROWS.lines().collect();
        let (first, late, last) = (lines[0], lines[1], lines[3]);
        for (text, spliced) in [
            (format!("{first}\n{last}\n"), 1),
            (String::new(), 1),
            (format!("{first}\n{late}\n{last}\n"), 0),
            (format!("{first}\n\n{last}\n"), 0),
            (format!("{first}\r\n{last}\n"), 0),
            (format!("{first}\n{last}"), 0),
            (format!("\u{feff}{first}\n{last}\n"), 0),
            (format!("{first}\n{{\n{last}\n"), 0),
        ] {
            let want = poured(pour("visits", None, Format::Jsonl), "a.json", text.as_bytes());
            let edge = poured(pour("visits", None, Format::Jsonl), "a.json", ROWS.as_bytes()).0;
            let (read, poured) = whole(pour("visits", None, Format::Jsonl), &gzip(&text));

            assert_eq!(read, format!("{edge}{}{edge}", want.0), "{text}");
            assert_eq!((poured.spliced, poured.bad_rows), (spliced, want.1.bad_rows), "{text}");
        }
        assert!(!pour("visits", None, Format::Csv).wants_whole("a.json.gz", 1));
        assert!(!pour("visits", None, Format::Jsonl).wants_whole("a.json", 1));
        assert!(
            !pour("visits", None, Format::Jsonl).wants_whole("a.json.gz", MAX_SPLICE_BYTES + 1)
        );
    }

    #[test]
    fn a_damaged_whole_object_is_told_like_any_other() {
        let object = gzip(ROWS);
        let result = pour("visits", None, Format::Jsonl).whole_object(
            "a.gz",
            &object[..object.len() - 1],
            |_| Ok(()),
        );
        assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{result:?}");
    }

    #[test]
    fn every_compression_gives_the_same_rows() {
        let want = poured(pour("visits", None, Format::Jsonl), "a.json", ROWS.as_bytes()).0;
        let (first, second) = ROWS.split_at(ROWS.find("\n\n").unwrap() + 1);
        let frames =
            [first, second].map(|part| zstd::encode_all(part.as_bytes(), 3).unwrap()).concat();

        for (key, object) in [
            ("a.json.gz", gzip(ROWS)),
            ("a.json.gz", [gzip(first), gzip(""), gzip(second)].concat()),
            ("a.json.zst", frames),
        ] {
            assert_eq!(poured(pour("visits", None, Format::Jsonl), key, &object).0, want, "{key}");
        }
        assert_eq!(poured(pour("visits", None, Format::Jsonl), "empty.gz", b"").0, "");
    }

    #[test]
    fn bad_rows_are_counted_listed_and_left_out() {
        let rows = concat!(
            "{\"page\":\"/cut\n",
            r#"{"page":"/untimed"}"#,
            "\n",
            r#"{"meta":{"at":"soon"}}"#,
            "\n",
            "[1]\n\u{fffd}\n",
            r#"{"page":"/good","meta":{"at":"2026-03-01T00:00:00Z"}}"#,
            "\n",
        );
        let (text, poured) =
            poured(pour("visits", Some(&["page"]), Format::Csv), "a.json", rows.as_bytes());

        assert_eq!(text, "page\n/good\n");
        assert_eq!(poured.bad_rows, 5);
        let listed: Vec<_> =
            poured.listed.iter().map(|row| format!("{}: {}", row.line, row.reason)).collect();
        insta::assert_snapshot!(listed.join("\n"), @r"
        1: it is not one JSON object: EOF while parsing a string at line 1 column 13
        2: it has no time: meta.at is missing
        3: its time, meta.at, cannot be read
        4: it is not one JSON object: invalid type: sequence, expected a JSON object at line 1 column 0
        5: it is not one JSON object: expected value at line 1 column 1
        ");
    }

    /// A connection that breaks.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection reset"))
        }
    }

    #[test]
    fn a_damaged_object_is_told_from_one_that_did_not_come() {
        let whole = gzip(ROWS);
        let zstd = zstd::encode_all(ROWS.as_bytes(), 3).unwrap();
        let mut flipped = whole.clone();
        flipped[20] ^= 0x55;
        for (key, object) in [
            ("cut.gz", &whole[..whole.len() - 9]),
            ("flipped.gz", &flipped[..]),
            ("plain.gz", ROWS.as_bytes()),
            ("cut.zst", &zstd[..zstd.len() - 3]),
            ("plain.zst", ROWS.as_bytes()),
        ] {
            let result = pour("visits", None, Format::Jsonl).object(key, object, |_| Ok(()));
            assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{key}: {result:?}");
        }

        let result = pour("visits", None, Format::Jsonl).object(
            "a.gz",
            (&whole[..30]).chain(Broken),
            |_| Ok(()),
        );
        assert!(matches!(result, Err(ObjectError::Unreadable { .. })), "{result:?}");
    }
}
