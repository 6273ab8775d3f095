//! Objects of every kind, poured and read back as a user would.

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

mod golden;
mod lost;
mod misfiled;

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
    Selection::new(&catalog, &request, 0).unwrap()
}

pub(crate) fn jsonl() -> Selection {
    selection("visits", None, Format::Jsonl)
}

pub(crate) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
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
fn try_pour(
    selection: &Selection,
    objects: &[(&str, Vec<u8>)],
    workers: usize,
    claimed: Claimed,
) -> Result<(String, Poured), ObjectError> {
    let (claimed_bytes, refer) = match claimed {
        Claimed::Small | Claimed::Edge => (0, false),
        Claimed::Large => (1 << 30, false),
        Claimed::Referred => (1 << 30, true),
    };
    let listed: Vec<Object> = objects
        .iter()
        .map(|(key, data)| Object {
            key: (*key).to_owned(),
            size_bytes: claimed_bytes.max(data.len() as u64),
            likely_whole: !matches!(claimed, Claimed::Edge),
            refer,
            partition: None,
        })
        .collect();
    pour_listed(selection, &listed, objects, workers)
}

/// As [`try_pour`], with all that is known of each object.
fn pour_listed(
    selection: &Selection,
    listed: &[Object],
    objects: &[(&str, Vec<u8>)],
    workers: usize,
) -> Result<(String, Poured), ObjectError> {
    let runs = runs_of(listed);
    let pour = Pour { selection, objects: listed, runs, pack: Pack::Deflate(5), workers };
    let mut stored = Vec::new();
    let head = SegmentEncoder::new(5).encode(&selection.head(), 0, &mut stored);
    let poured = pour.run(
        |index| Ok(&objects[index].1[..]),
        |_, stretch| {
            match stretch {
                Stretch::Bytes(bytes) => stored.extend(bytes),
                Stretch::Object { object, offset, len } => {
                    let [begin, end] =
                        [offset, offset + len].map(|at| usize::try_from(at).unwrap());
                    stored.extend(&objects[object].1[begin..end]);
                }
            }
            Ok(())
        },
    )?;
    let begun = Poured { segment: head, ..Poured::default() };
    let whole = poured.into_iter().fold(begun, |mut whole, next| {
        whole.add(next);
        whole
    });
    assert_eq!(whole.segment.stored_bytes, stored.len() as u64);
    assert_eq!(whole.segment.stored_crc32, crc32fast::hash(&stored));
    stored.extend(END_OF_MEMBER);
    let mut text = String::new();
    DeflateDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
    assert_eq!(whole.segment.crc32, crc32fast::hash(text.as_bytes()));
    assert_eq!(whole.segment.raw_bytes, text.len() as u64);
    Ok((text, whole))
}

fn poured(selection: &Selection, key: &str, object: &[u8]) -> (String, Poured) {
    try_pour(selection, &[(key, object.to_vec())], 2, Claimed::Small).unwrap()
}

#[test]
fn json_lines_inside_the_window_pass_through_byte_for_byte() {
    let (text, poured) = poured(&jsonl(), "a.json", ROWS.as_bytes());
    let lines: Vec<&str> = ROWS.lines().collect();

    assert_eq!(text, format!("{}\n{}\n", lines[0], lines[3]));
    let account = poured.account;
    assert_eq!((poured.segment.rows, account.bad_rows, account.outside), (2, 0, 1));
    let times = account.times.map(|(first, last)| format!("{first} {last}"));
    assert_eq!(times.as_deref(), Some("2026-03-01T00:30:00Z 2026-03-01T00:59:59.999999Z"));
}

#[test]
fn chosen_columns_come_in_the_order_asked_for() {
    let chosen = selection("visits", Some(&["n", "page"]), Format::Jsonl);
    let (text, _) = poured(&chosen, "a.json", ROWS.as_bytes());

    assert_eq!(text, "{\"n\":12345678901234567890,\"page\":\"/a\"}\n{\"n\":null,\"page\":\"\"}\n");
}

#[test]
fn csv_has_a_header_nested_values_and_empty_cells() {
    let csv = selection("visits", None, Format::Csv);
    let (text, _) = poured(&csv, "a.json", ROWS.as_bytes());

    insta::assert_snapshot!(text, @r#"
    page,at,n,tags
    /a,2026-03-01T00:30:00Z,12345678901234567890,"[{""name"":""x""},{""name"":""y""}]"
    "",2026-03-01 00:59:59.999999,,
    "#);
    assert_eq!(try_pour(&csv, &[], 2, Claimed::Small).unwrap().0, "page,at,n,tags\n");
}

#[test]
fn records_that_are_to_be_left_out_are() {
    let row = |page: &str, hidden: bool| {
        let at = "2026-03-01T00:30:00Z";
        format!("{{\"page\":\"{page}\",\"hidden\":{hidden},\"meta\":{{\"at\":\"{at}\"}}}}\n")
    };
    let (a, b) = (row("/a", false), row("/b", false));
    let text = format!("{a}{}{b}{}{a}", row("/x", true), row("/a", true));
    let filtered = {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let filter = "page == '/a'".parse().unwrap();
        let filters = vec![export::TableFilter { tables: vec!["visits".into()], filter }];
        let window = Window::new(hour[0], hour[1]).unwrap();
        let tables = vec![TableSelection::whole("visits")];
        let request = ExportRequest::new(tables, window, Format::Jsonl);
        Selection::new(&catalog, &ExportRequest { filters, ..request }, 0).unwrap()
    };
    for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge] {
            for (selection, want) in
                [(&jsonl(), format!("{a}{b}{a}")), (&filtered, format!("{a}{a}"))]
            {
                let objects = [(key, object.clone())];
                let (read, poured) = try_pour(selection, &objects, 1, claimed).unwrap();
                assert_eq!((read, poured.account.bad_rows), (want, 0), "{key} {claimed:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_where_it_is_looked_for_is_missed_and_told() {
    let catalog = CATALOG
        .replace("\"n:integer\"", "{ name = \"n\", path = \"more.n\" }")
        .replace("explode = \"tags\"", "explode = \"more.tags\"");
    let catalog = Catalog::parse("test", &catalog).unwrap();
    let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
    let told = |table: &str, more: &str| {
        let window = Window::new(hour[0], hour[1]).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole(table)], window, Format::Csv);
        let selection = Selection::new(&catalog, &request, 0).unwrap();
        let meta = "\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}";
        let record = format!("{{\"page\":\"/a\",{meta},\"more\":{more}}}\n");
        let poured = poured(&selection, "a.json", record.as_bytes()).1;
        let told: Vec<_> =
            poured.account.listed.into_iter().map(|row| (row.reason, row.exported)).collect();
        (poured.segment.rows, told)
    };
    let value = ("n is not in an object: its value is missing".to_owned(), true);
    let rows = ("more.tags is not in an object: its rows are missing".to_owned(), false);
    assert_eq!(told("visits", "\"x\""), (1, vec![value]));
    assert_eq!(told("tags", "\"x\""), (0, vec![rows]));
    for nothing in ["null", "{}", "[]", "{\"other\":1}"] {
        assert_eq!(told("visits", nothing), (1, vec![]), "{nothing}");
        assert_eq!(told("tags", nothing), (0, vec![]), "{nothing}");
    }
}

#[test]
fn some_of_the_records_of_an_object_can_be_chosen_by_their_number() {
    let row =
        |page: u32| format!("{{\"page\":\"{page}\",\"meta\":{{\"at\":\"2026-03-01T00:30:00Z\"}}}}");
    // Two on a line, a blank line, one that is outside of the window, and one that is bad.
    let outside = row(4).replace("T00:", "T01:");
    let text = format!("{}{}\n\n{}\n{outside}\nbad\n{}\n", row(1), row(2), row(3), row(6));
    for (wanted, pages, bad) in [
        (1..=u64::MAX, &[1, 2, 3, 6][..], 1),
        (1..=1, &[1], 0),
        (2..=3, &[2, 3], 0),
        (3..=5, &[3], 1),
        (6..=u64::MAX, &[6], 0),
        (7..=9, &[], 0),
    ] {
        let want: String = pages.iter().map(|page| row(*page) + "\n").collect();
        for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
            let chosen = jsonl().with_records(wanted.clone());
            let (read, poured) = poured(&chosen, key, &object);
            assert_eq!((read, poured.account.bad_rows), (want.clone(), bad), "{wanted:?}");
        }
        let chosen = jsonl().with_records(wanted.clone());
        let counted = chosen.count(&[an_object("a")], 1, |_| Ok(text.as_bytes())).unwrap();
        assert_eq!((counted.0, counted.1.bad_rows), (pages.len() as u64, bad), "{wanted:?}");
    }
}

#[test]
fn a_list_is_exploded_into_rows() {
    let tags = selection("tags", None, Format::Csv);
    let (text, poured) = poured(&tags, "a.json", ROWS.as_bytes());

    assert_eq!(text, "page,tag\n/a,x\n/a,y\n");
    assert_eq!(poured.segment.rows, 2);
}

#[test]
fn a_record_whose_rows_would_be_too_long_together_is_bad() {
    let (page, tags) = ("x".repeat(1 << 20), vec![r#"{"name":"x"}"#; 70].join(","));
    let at = "2026-03-01T00:30:00Z";
    let record = format!("{{\"page\":\"{page}\",\"meta\":{{\"at\":\"{at}\"}},\"tags\":[{tags}]}}");
    let tags = selection("tags", None, Format::Csv);
    let (text, poured) = poured(&tags, "a.json", format!("{record}\n{ROWS}").as_bytes());

    assert_eq!(text, "page,tag\n/a,x\n/a,y\n");
    assert_eq!((poured.segment.rows, poured.account.bad_rows), (2, 1));
}

#[test]
fn characters_that_end_lines_for_some_are_escaped_if_asked_for() {
    let row =
        "{\"page\":\"/\u{2028}ä\u{85}\",\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n".to_owned();
    let escaped = row.replace('\u{2028}', "\\u2028").replace('\u{85}', "\\u0085");
    let object = gzip(&row);

    assert_eq!(poured(&jsonl(), "a.gz", &object).0, row);
    let (text, spliced) = poured(&jsonl().escaping_separators(), "a.gz", &object);
    assert_eq!((text, spliced.account.spliced), (escaped, 0));
    let chosen = selection("visits", Some(&["page"]), Format::Jsonl).escaping_separators();
    assert_eq!(poured(&chosen, "a.gz", &object).0, "{\"page\":\"/\\u2028ä\\u0085\"}\n");
    let chosen = selection("visits", Some(&["page"]), Format::Jsonl);
    assert_eq!(poured(&chosen, "a.gz", &object).0, "{\"page\":\"/\u{2028}ä\u{85}\"}\n");
}

#[test]
fn an_object_whose_rows_are_all_wanted_is_spliced_and_no_other() {
    let lines: Vec<&str> = ROWS.lines().collect();
    let (first, late, last) = (lines[0], lines[1], lines[3]);
    let edge = poured(&jsonl(), "a.json", ROWS.as_bytes()).0;
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
        let want = poured(&jsonl(), "a.json", text.as_bytes());
        let objects =
            [("first.json", ROWS.into()), ("a.json.gz", gzip(&text)), ("last.json", ROWS.into())];
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred] {
            let (read, poured) = try_pour(&jsonl(), &objects, 2, claimed).unwrap();

            assert_eq!(read, format!("{edge}{}{edge}", want.0), "{text}");
            let found = (poured.account.spliced, poured.account.bad_rows);
            assert_eq!(found, (spliced, want.1.account.bad_rows), "{text}");
            let wide = poured.account.times.is_some();
            assert!(wide && poured.segment.rows == read.lines().count() as u64);
        }
    }
    let csv = selection("visits", None, Format::Csv);
    assert_eq!(poured(&csv, "a.json.gz", &gzip("")).1.account.spliced, 0);
}

#[test]
fn every_compression_gives_the_same_rows() {
    let want = poured(&jsonl(), "a.json", ROWS.as_bytes()).0;
    let (first, second) = ROWS.split_at(ROWS.find("\n\n").unwrap() + 1);
    let frames = [first, second].map(|part| zstd::encode_all(part.as_bytes(), 3).unwrap()).concat();

    for (key, object) in [
        ("a.json.gz", gzip(ROWS)),
        ("a.json.gz", [gzip(first), gzip(""), gzip(second)].concat()),
        ("a.json.zst", frames.clone()),
        // What an object is shows in its bytes, whatever its key says.
        ("stream-1-2026-03-01", gzip(ROWS)),
        ("A.JSON.GZ", gzip(ROWS)),
        ("a.json", gzip(ROWS)),
        ("a.json", frames.clone()),
        ("a.json.gz", frames),
        ("a.json.gz", ROWS.into()),
        ("a.zst", ROWS.into()),
    ] {
        assert_eq!(poured(&jsonl(), key, &object).0, want, "{key}");
    }
    assert_eq!(poured(&jsonl(), "empty.gz", b"").0, "");
    assert_eq!(poured(&jsonl(), "empty.zst", b"").0, "");
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
    let chosen = selection("visits", Some(&["page"]), Format::Csv);
    let (text, poured) = poured(&chosen, "a.json", rows.as_bytes());

    assert_eq!(text, "page\n/good\n");
    assert_eq!(poured.account.bad_rows, 5);
    let listed: Vec<_> =
        poured.account.listed.iter().map(|row| format!("{}: {}", row.line, row.reason)).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
    1: it is not one JSON object: EOF while parsing a string at line 1 column 13
    2: it has no time: meta.at is missing
    3: its time, meta.at, cannot be read
    4: it is JSON, but not an object
    5: it is not one JSON object: expected value at line 1 column 1
    ");
}

#[test]
fn an_object_of_which_hardly_a_row_can_be_read_fails_by_its_first_bad_row() {
    let row = ROWS.lines().next().unwrap();
    let late = ROWS.lines().nth(1).unwrap();
    let lines = |good: usize, outside: usize, bad: usize| {
        let line = |line: &str, times| format!("{line}\n").repeat(times);
        line(row, good) + &line("a,b", bad) + &line(late, outside)
    };
    let one_line = format!("[{}]", vec!["1"; 100].join(","));
    let selection = |max: u8| {
        let text = CATALOG.replace("percent = 100", &format!("percent = {max}"));
        let catalog = Catalog::parse("test", &text).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(hour[0], hour[1]).unwrap();
        Selection::new(&catalog, &ExportRequest::new(tables, window, Format::Jsonl), 0).unwrap()
    };
    for (max, text, first_bad) in [
        (90, lines(9, 0, 91), Some(10)),
        (90, lines(5, 4, 91), Some(6)),
        (90, lines(10, 0, 90), None),
        (90, lines(2, 8, 90), None),
        (90, lines(0, 0, 99), None),
        (90, lines(0, 0, 100), Some(1)),
        (90, one_line, Some(1)),
        (50, lines(49, 0, 51), Some(50)),
        (0, lines(100, 0, 1), Some(101)),
        (0, lines(100, 1, 0), None),
        (100, lines(0, 0, 5000), None),
    ] {
        for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
            // One before it does not count.
            let objects = [("0.json", ROWS.repeat(100).into()), (key, object)];
            let counted = |index: usize| Ok(&objects[index].1[..]);
            let listed = objects.each_ref().map(|(key, _)| Object {
                key: (*key).to_owned(),
                size_bytes: 1,
                likely_whole: true,
                refer: false,
                partition: None,
            });
            let poured = WAYS.map(|way| try_pour(&selection(max), &objects, 2, way).map(drop));
            let counted = selection(max).count(&listed, 1, counted).map(drop);
            for result in poured.into_iter().chain([counted]) {
                let told = match result {
                    Ok(()) => None,
                    Err(ObjectError::MostlyBad { key: told, rows, bad, line, .. }) => {
                        assert!(told == key && bad <= rows && rows >= 100, "{told} {bad} {rows}");
                        Some(line)
                    }
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(told, first_bad, "{max} % {key}");
            }
        }
    }
}

#[test]
fn what_is_not_json_lines_fails_by_what_it_is() {
    let utf_16: Vec<u8> = ROWS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (object, want) in [
        (&b"PAR1\x15\x04\x15\n"[..], "Parquet"),
        (b"BZh91AY&SY\n", "bzip2"),
        (b"PK\x03\x04\n", "ZIP"),
        (&utf_16, "UTF-16"),
        (b"{\n  \"page\": \"/a\"\n}\n", "JSON with records over several lines"),
        (b"[\n  {\n    \"page\": 1\n  }\n]\n", "JSON with records over several lines"),
        (b"\xef\xbb\xbf[{\r\n  \"page\": 1\r\n}]", "JSON with records over several lines"),
    ] {
        for object in [object.to_vec(), gzip(object)] {
            for claimed in [Claimed::Small, Claimed::Large, Claimed::Edge] {
                let result = try_pour(&jsonl(), &[("a", object.clone())], 1, claimed);
                let Err(ObjectError::Foreign { what, .. }) = result else {
                    panic!("{want}: {result:?}")
                };
                assert_eq!(what, want);
            }
        }
    }
    let result = try_pour(&jsonl(), &[("a.gz", gzip(gzip(ROWS)))], 1, Claimed::Small);
    assert!(matches!(result, Err(ObjectError::Foreign { what: "compressed twice", .. })));
}

#[test]
fn several_records_on_a_line_are_as_many_rows() {
    let lines: Vec<&str> = ROWS.lines().filter(|line| !line.is_empty()).collect();
    let (first, late, last) = (lines[0], lines[1], lines[2]);
    let want = format!("{first}\n{last}\n{first}\n");
    for (text, bad) in [
        (format!("{first}{late}{last}{first}"), 0),
        (format!("{first} {last}\n{late}{first}\n"), 0),
        (format!("[{first},{late},{last}, {first}]\n"), 0),
        (format!("[\n{first},\n{late},\n{last},\n{first}\n]\n"), 0),
        (format!("\u{feff}[{first},null,{last},{{\"cut\":}},{first}]"), 2),
        (format!("{first}{last}oops\n{first}{{\"cut\":"), 2),
        (format!("{first}{last}\n{{\n{first}"), 1),
    ] {
        for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
            for claimed in [Claimed::Small, Claimed::Large, Claimed::Edge] {
                let objects = [(key, object.clone())];
                let (read, poured) = try_pour(&jsonl(), &objects, 1, claimed).unwrap();
                assert_eq!((read, poured.account.bad_rows), (want.clone(), bad), "{text}");
            }
        }
        let object = Object {
            key: "a".to_owned(),
            size_bytes: 1,
            likely_whole: true,
            refer: false,
            partition: None,
        };
        let counted = jsonl().count(&[object], 1, |_| Ok(text.as_bytes())).unwrap();
        assert_eq!((counted.0, counted.1.bad_rows), (3, bad), "{text}");
    }
}

#[test]
fn the_first_bad_rows_are_listed_however_many_look() {
    let objects: Vec<(String, String)> = (0..40)
        .map(|n| (format!("{n}.json"), "bad\n".repeat(if n % 3 == 0 { 900 } else { n })))
        .collect();
    let listed: Vec<Object> = objects
        .iter()
        .map(|(key, text)| Object {
            key: key.clone(),
            size_bytes: text.len() as u64,
            likely_whole: true,
            refer: false,
            partition: None,
        })
        .collect();
    // Of two workers, one reads the first object and the last, and the other all between them.
    let (opened, more) = (Mutex::new(0), Condvar::new());
    let wait_for = |index: usize| {
        let opened = opened.lock().unwrap();
        drop(more.wait_while(opened, |opened| *opened < index).unwrap());
    };
    let open = |workers: usize, index: usize| {
        let mut latest = opened.lock().unwrap();
        *latest = index.max(*latest);
        drop(latest);
        more.notify_all();
        match index {
            0 if workers > 1 => wait_for(38),
            38 if workers > 1 => wait_for(39),
            _ => {}
        }
        Ok(objects[index].1.as_bytes())
    };
    let count = |workers| jsonl().count(&listed, workers, |index| open(workers, index)).unwrap().1;
    let together = count(2);
    let alone = count(1);
    assert_eq!(alone.listed.len(), crate::MAX_LISTED_BAD_ROWS);
    assert_eq!((alone.bad_rows, alone.listed), (together.bad_rows, together.listed));
}

#[test]
fn a_panic_names_the_object() {
    struct Bug;
    impl Read for Bug {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug")
        }
    }
    let object = |key: &str| Object {
        key: key.to_owned(),
        size_bytes: 1,
        likely_whole: true,
        refer: false,
        partition: None,
    };
    let (selection, objects) = (&jsonl(), &[object("bad.json")][..]);
    let pour =
        Pour { selection, objects, runs: runs_of(objects), pack: Pack::Deflate(5), workers: 2 };
    let poured = pour.run(|_| Ok(Bug), |_, _| Ok(())).map(drop);
    let counted = selection.count(objects, 2, |_| Ok(Bug)).map(drop);
    let verified = selection.verify(objects, 2, |_| Ok(Bug)).map(drop);
    for result in [poured, counted, verified] {
        assert!(
            matches!(&result, Err(ObjectError::Panicked { key }) if key == "bad.json"),
            "{result:?}"
        );
    }
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
        ("text.gz", b"page,at\n/a,soon\n"),
        ("cut.zst", &zstd[..zstd.len() - 3]),
        ("text.zst", b"page,at\n/a,soon\n"),
    ] {
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge] {
            let result = try_pour(&jsonl(), &[(key, object.to_vec())], 2, claimed);
            assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{key}: {result:?}");
        }
    }

    for key in ["a.gz", "a.zst", "a.json"] {
        let object = Object {
            key: key.to_owned(),
            size_bytes: 100,
            likely_whole: false,
            refer: false,
            partition: None,
        };
        let (selection, objects) = (&jsonl(), &[object][..]);
        let pour =
            Pour { selection, objects, runs: runs_of(objects), pack: Pack::Deflate(5), workers: 2 };
        let result = pour.run(|_| Ok((&whole[..0]).chain(Broken)), |_, _| Ok(()));
        assert!(matches!(result, Err(ObjectError::Unreadable { .. })), "{key}: {result:?}");
    }
}

/// A connection that is interrupted before each byte or two.
struct Interrupted<'a>(&'a [u8], bool);

impl Read for Interrupted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = buf.len().min(2);
        self.0.read(&mut buf[..most])
    }
}

/// An object whose size is not known.
fn an_object(key: &str) -> Object {
    Object {
        key: key.to_owned(),
        size_bytes: 100,
        likely_whole: false,
        refer: false,
        partition: None,
    }
}

#[test]
fn a_reading_that_was_interrupted_is_made_again() {
    let zstd = zstd::encode_all(ROWS.as_bytes(), 3).unwrap();
    for (key, stored) in [("a.json", ROWS.into()), ("a.gz", gzip(ROWS)), ("a.zst", zstd)] {
        let want = poured(&jsonl(), key, &stored).0;
        let (selection, objects) = (&jsonl(), &[an_object(key)][..]);
        let pack = Pack::Plain { bytes: usize::MAX, rows: u64::MAX };
        let pour = Pour { selection, objects, runs: runs_of(objects), pack, workers: 1 };
        let mut content = Vec::new();
        let keep = |_, stretch| {
            let Stretch::Bytes(bytes) = stretch else { panic!("{stretch:?}") };
            content.extend(bytes);
            Ok(())
        };
        pour.run(|_| Ok(Interrupted(&stored, false)), keep).unwrap();
        assert_eq!(String::from_utf8(content).unwrap(), want, "{key}");
    }
}

#[test]
fn rows_that_are_not_compressed_come_in_stretches_of_so_many_bytes_or_rows() {
    let rows: Vec<String> = (0..20).map(|n| row((n * 7, true))).collect();
    let text = rows.concat();
    for (bytes, most) in [(usize::MAX, 3), (300, u64::MAX), (300, 2), (1, 1)] {
        let (selection, objects) = (&jsonl(), &[an_object("a.json")][..]);
        let pack = Pack::Plain { bytes, rows: most };
        let pour = Pour { selection, objects, runs: runs_of(objects), pack, workers: 2 };
        let mut stretches = Vec::new();
        let keep = |_, stretch| {
            let Stretch::Bytes(bytes) = stretch else { panic!("{stretch:?}") };
            stretches.push(String::from_utf8(bytes).unwrap());
            Ok(())
        };
        let poured = pour.run(|_| Ok(text.as_bytes()), keep).unwrap();
        // Each ends with the row that fills it.
        let mut want = vec![String::new()];
        for row in &rows {
            let last = want.last_mut().unwrap();
            last.push_str(row);
            if last.len() >= bytes || last.lines().count() as u64 >= most {
                want.push(String::new());
            }
        }
        want.retain(|stretch| !stretch.is_empty());
        assert_eq!(stretches, want);
        let known = want.iter().map(|stretch| {
            let (crc32, bytes) = (crc32fast::hash(stretch.as_bytes()), stretch.len() as u64);
            let rows = stretch.lines().count() as u64;
            Segment { crc32, raw_bytes: bytes, stored_crc32: crc32, stored_bytes: bytes, rows }
        });
        assert_eq!(poured[0].stretches, known.collect::<Vec<_>>());
    }
}

#[test]
fn small_objects_are_put_together_until_they_are_worth_a_segment() {
    let runs = |sizes: &[u64]| {
        let object = |size: &u64| Object { size_bytes: *size, ..an_object("a") };
        runs_of(&sizes.iter().map(object).collect::<Vec<_>>())
    };
    let all = SEGMENT_BYTES as u64;
    assert_eq!(runs(&[]), []);
    assert_eq!(runs(&[all / 2, all / 2, 1]), [0..2, 2..3]);
    assert_eq!(runs(&[all, all]), [0..1, 1..2]);
    assert_eq!(runs(&[0, 0, all, 0, 1]), [0..4, 4..5]);
    assert_eq!(runs(&[2 * all, 0]), [0..1, 1..2]);
}

#[test]
fn a_default_stands_where_there_is_no_value_and_instants_are_as_sql_has_them() {
    let catalog = CATALOG
        .replace("\"n:integer\"", "{ name = \"n\", type = \"integer\", default = 7 }")
        .replace("type = \"time\"", "type = \"time\", sql_time = true");
    let catalog = Catalog::parse("test", &catalog).unwrap();
    let window = Window::new(
        "2026-03-01T00:00:00Z".parse().unwrap(),
        "2026-03-02T00:00:00Z".parse().unwrap(),
    );
    let write = |format| {
        let columns = Some(vec!["n".to_owned(), "at".to_owned()]);
        let table = TableSelection { columns, ..TableSelection::whole("visits") };
        let request = ExportRequest::new(vec![table], window.unwrap(), format);
        let selection = Selection::new(&catalog, &request, 0).unwrap();
        let rows = ["3", "null"].map(|n| {
            format!("{{\"n\":{n},\"meta\":{{\"at\":\"2026-03-01T01:30:00.5+01:00\"}}}}\n")
        });
        let none = "{\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n";
        poured(&selection, "a.json", (rows.concat() + none).as_bytes()).0
    };
    assert_eq!(
        write(Format::Csv),
        "n,at\n3,2026-03-01 00:30:00.500\n7,2026-03-01 00:30:00.500\n7,2026-03-01 00:30:00.000\n"
    );
    assert_eq!(
        write(Format::Jsonl),
        concat!(
            "{\"n\":3,\"at\":\"2026-03-01T01:30:00.5+01:00\"}\n",
            "{\"n\":7,\"at\":\"2026-03-01T01:30:00.5+01:00\"}\n",
            "{\"n\":7,\"at\":\"2026-03-01T00:30:00Z\"}\n",
        )
    );
}

#[test]
fn whoever_takes_the_output_can_stop_it() {
    let object = "{\"page\":\"/a\",\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n".repeat(100_000);
    let listed: Vec<Object> = (0..9)
        .map(|n| Object {
            key: n.to_string(),
            size_bytes: 1 << 22,
            likely_whole: true,
            refer: true,
            partition: None,
        })
        .collect();
    let (selection, objects) = (&jsonl(), &listed[..]);
    let pour =
        Pour { selection, objects, runs: runs_of(objects), pack: Pack::Deflate(1), workers: 2 };
    let full = |_, _| Err(io::Error::other("no room"));
    let result = pour.run(|_| Ok(object.as_bytes()), full);
    assert!(matches!(result, Err(ObjectError::Sink(_))), "{result:?}");
}

/// A row over and over, as fast as it is read; counts the bytes.
struct Endless<'a> {
    row: &'a [u8],
    read: &'a AtomicUsize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let begin = self.read.load(Ordering::Relaxed) % self.row.len();
        let len = (&self.row[begin..]).read(buf)?;
        self.read.fetch_add(len, Ordering::Relaxed);
        Ok(len)
    }
}

#[test]
fn what_is_made_waits_for_whoever_takes_it() {
    let (row, bytes) = (row((900, true)), AtomicUsize::new(0));
    let object = Object {
        key: "a.json".to_owned(),
        size_bytes: 1 << 30,
        likely_whole: true,
        refer: false,
        partition: None,
    };
    let (selection, objects) = (&jsonl(), &[object][..]);
    let pack = Pack::Plain { bytes: 1 << 20, rows: u64::MAX };
    let pour = Pour { selection, objects, runs: runs_of(objects), pack, workers: 2 };
    let result = pour.run(
        |_| Ok(Endless { row: row.as_bytes(), read: &bytes }),
        |_, _| {
            // Until nothing moves any more.
            let mut before = None;
            while before != Some(bytes.load(Ordering::Relaxed)) {
                before = Some(bytes.load(Ordering::Relaxed));
                assert!(before < Some(4 * MAX_WAITING_BYTES), "it is read on and on");
                thread::sleep(Duration::from_millis(200));
            }
            Err(io::Error::other("that was all"))
        },
    );
    assert!(matches!(result, Err(ObjectError::Sink(_))), "{result:?}");
}

/// A row of about `size` bytes, inside of the window or not.
fn row((size, wanted): (usize, bool)) -> String {
    let hour = if wanted { "00" } else { "05" };
    let mut rng = fastrand::Rng::with_seed(size as u64);
    let page: String = (0..size).map(|_| rng.lowercase()).collect();
    format!("{{\"page\":\"{page}\",\"meta\":{{\"at\":\"2026-03-01T{hour}:30:00Z\"}}}}\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_same_comes_out_however_many_work_on_it(
        objects in prop::collection::vec(
            prop::collection::vec((0_usize..40_000, prop::bool::weighted(0.98)), 0..80), 0..12),
        claimed in prop_oneof![Just(Claimed::Small), Just(Claimed::Large), Just(Claimed::Referred)]
    ) {
        let texts: Vec<String> =
            objects.iter().map(|rows| rows.iter().copied().map(row).collect()).collect();
        let files: Vec<(&str, Vec<u8>)> = texts.iter().enumerate().map(|(n, text)| {
            if n % 3 == 2 { ("a.json", text.clone().into_bytes()) } else { ("a.gz", gzip(text)) }
        }).collect();
        let wanted: String = texts.iter().flat_map(|text| text.lines())
            .filter(|line| line.contains("T00:30")).flat_map(|line| [line, "\n"]).collect();
        let (alone, first) = try_pour(&jsonl(), &files, 1, claimed).unwrap();
        let (together, second) = try_pour(&jsonl(), &files, 3, claimed).unwrap();

        prop_assert!(alone == wanted && together == wanted);
        prop_assert_eq!(first.segment, second.segment);
    }
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

#[test]
fn an_object_of_very_many_members_is_poured_without_keeping_each() {
    let row = row((100, true));
    let member = written(std::slice::from_ref(&row), 6, usize::MAX);
    for (members, spliced) in [(1000, 1), (40_000, 0)] {
        let object = ("a.gz", member.repeat(members));
        let (text, poured) = try_pour(&jsonl(), &[object], 2, Claimed::Small).unwrap();
        assert!(text == row.repeat(members), "{members} members");
        assert_eq!(poured.account.spliced, spliced);
    }
}

/// How rows of a stretch are filed.
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_inside_of_an_object_that_a_window_cuts_is_taken_over(
        members in prop::collection::vec(prop::collection::vec((0..400_usize, Filed::any()), 1..5), 1..4),
        level in 0_u32..10, flush_every in prop_oneof![Just(usize::MAX), 20_000..200_000_usize],
        claimed in prop::sample::select(vec![Claimed::Small, Claimed::Large, Claimed::Edge])
    ) {
        // Stretches of hundreds of rows.
        let texts: Vec<String> = members.iter().map(|stretches| {
            stretches.iter().enumerate()
                .flat_map(|(n, (rows, filed))| (0..*rows).map(move |m| filed.row(500 + 37 * n + m % 91)))
                .collect()
        }).collect();
        let object = written(&texts, level, flush_every);
        let rows: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).collect();
        let wanted: Vec<&str> = rows.iter().copied().filter(|line| line.contains("T00:30")).collect();
        let (text, poured) = try_pour(&jsonl(), &[("a.gz", object)], 2, claimed).unwrap();

        prop_assert!(text == wanted.iter().flat_map(|line| [*line, "\n"]).collect::<String>());
        prop_assert_eq!(poured.segment.rows, wanted.len() as u64);
        prop_assert_eq!(poured.account.outside, (rows.len() - wanted.len()) as u64);
    }
}

#[test]
fn the_end_of_an_empty_member_is_not_taken_over_with_the_next() {
    let text = row((600, true)).repeat(300);
    for level in [0, 6] {
        let object = written(&[String::new(), text.clone()], level, usize::MAX);
        let (read, _) = try_pour(&jsonl(), &[("a.gz", object)], 2, Claimed::Edge).unwrap();
        assert!(read == text, "level {level}");
    }
}

/// A gzip object whose stream is one block of the codes that need no table (RFC 1951, section 3.2.6).
fn one_block(text: &str) -> Vec<u8> {
    let mut object = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // The last block, of that kind.
    let mut bits = 0b011_u64;
    let codes = text.bytes().map(|byte| {
        assert!(byte < 144, "those above have longer codes");
        (0x30 + byte).reverse_bits()
    });
    for code in codes {
        bits |= u64::from(code) << 3;
        object.push(bits.to_le_bytes()[0]);
        bits >>= 8;
    }
    // Seven zeros end the block.
    object.extend([bits.to_le_bytes()[0], 0]);
    object.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    object.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    object
}

#[test]
fn rows_and_blocks_beyond_what_is_held_are_poured_at_the_edge_of_a_window() {
    let many = row((900, true)).repeat(20_000);
    let (text, poured) =
        try_pour(&jsonl(), &[("a.gz", one_block(&many))], 2, Claimed::Edge).unwrap();
    assert!(text == many && poured.segment.rows == 20_000);

    let (row, long) = (row((900, true)), "x".repeat(40 << 20));
    let object = gzip(format!("{row}{long}\n{row}"));
    let (text, poured) = try_pour(&jsonl(), &[("a.gz", object)], 2, Claimed::Edge).unwrap();
    assert_eq!((text, poured.account.bad_rows), (row.repeat(2), 1));
}

#[test]
fn most_of_an_object_is_not_compressed_again_at_the_edge_of_a_window() {
    let text: String = (0..9000).map(|n| row((400 + n % 300, n > 2000))).collect();
    let object = written(&[text], 9, usize::MAX);
    let (selection, mut taken_over) = (jsonl(), 0);
    let mut rows = Rows::new(&selection, Pack::Deflate(5), |made| {
        if let Made::Spliced { segment, .. } = made {
            taken_over += segment.raw_bytes;
        }
        Ok(())
    });
    let listed = Object {
        key: "a.gz".to_owned(),
        size_bytes: 1 << 30,
        likely_whole: false,
        refer: false,
        partition: None,
    };
    rows.object(0, &listed, || Ok(&object[..])).unwrap();
    assert_eq!(rows.finish().unwrap().outside, 2001);
    assert!(taken_over > 3_000_000, "{taken_over}");
}

const WAYS: [Claimed; 4] = [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge];

#[test]
fn zeros_after_an_object_are_padding_however_it_is_poured() {
    let text = row((600, true)).repeat(300);
    let object = [gzip(&text), vec![0; 512]].concat();
    let csv = selection("visits", None, Format::Csv);
    for claimed in WAYS {
        let (read, poured) = try_pour(&jsonl(), &[("a.gz", object.clone())], 2, claimed).unwrap();
        assert!(read == text, "{claimed:?}");
        assert_eq!(poured.account.spliced == 1, !matches!(claimed, Claimed::Edge));
        let (_, poured) = try_pour(&csv, &[("a.gz", object.clone())], 2, claimed).unwrap();
        assert_eq!(poured.segment.rows, 300);
    }
    let garbage = [&object[..], b"more"].concat();
    for claimed in WAYS {
        let result = try_pour(&jsonl(), &[("a.gz", garbage.clone())], 2, claimed);
        assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{claimed:?} {result:?}");
    }
}

#[test]
fn objects_of_the_encoders_that_people_have_are_read_however_they_are_poured() {
    let catalog = Catalog::built_in().unwrap();
    let times = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|time| time.parse().unwrap());
    let selection = |format| {
        let window = Window::new(times[0], times[1]).unwrap();
        let tables = vec![TableSelection::whole("liferay_page")];
        Selection::new(&catalog, &ExportRequest::new(tables, window, format), 0).unwrap()
    };
    let (jsonl, csv) = (selection(Format::Jsonl), selection(Format::Csv));
    let content = String::from_utf8(streams::content_of_encoders()).unwrap();
    let rows = content.lines().count() as u64;
    for (name, object) in streams::files_of_encoders() {
        for claimed in WAYS {
            let (read, poured) = try_pour(&jsonl, &[("a.gz", object.clone())], 2, claimed).unwrap();
            assert!(read == content && poured.segment.rows == rows, "{name} {claimed:?}");
            assert_eq!(poured.account.spliced == 1, !matches!(claimed, Claimed::Edge), "{name}");
        }
        let (_, poured) = try_pour(&csv, &[("a.gz", object)], 2, Claimed::Small).unwrap();
        assert_eq!((poured.segment.rows, poured.account.bad_rows), (rows, 0), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn objects_of_any_blocks_are_read_however_they_are_poured(
        rows in prop::collection::vec((0..3000_usize, 0..40_usize), 0..8),
        choices in prop::collection::vec(any::<u8>(), 0..200),
        claimed in prop::sample::select(WAYS.to_vec())
    ) {
        let text: String = rows.into_iter().map(|(size, times)| row((size, true)).repeat(times)).collect();
        let choices = &mut streams::Choices::new(&choices);
        let stream = streams::stream_of(text.as_bytes(), choices);
        let object = streams::member_with(&stream, text.as_bytes(), choices);
        let (read, _) = try_pour(&jsonl(), &[("a.gz", object)], 2, claimed).unwrap();
        prop_assert!(read == text);
    }
}
