//! Rows that several builders write to row groups are read back from one file, beside what JSON Lines have of them.

use std::io::Read as _;

use bytes::Bytes;
use columnar::{Rows as ReadRows, Wanted};
use export::{Catalog, ExportRequest, Format, Parts, TableSelection, Window};
use lake::{Group, InputObject, Pipeline, group_runs};
use serde_json::{Value as Json, json};

use super::*;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"

    [[table]]
    name = "visits"
    dataset = "visits"
    columns = ["page", "at:time", "n:integer", "weight:number", "new:boolean", "context:json"]

    [[table]]
    name = "news"
    dataset = "visits"
    columns = ["new:boolean"]

    [[table]]
    name = "tags"
    dataset = "visits"
    explode = "tags"
    columns = ["n:integer", { name = "tag", element = "" }]
"#;

fn selection(table: &str, format: Format) -> Selection {
    let from = "2026-03-01T00:00:00Z".parse().unwrap();
    let window = Window::new(from, "2026-03-01T01:00:00Z".parse().unwrap()).unwrap();
    let mut request = ExportRequest::new(vec![TableSelection::whole(table)], window, format);
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let all = catalog.table(table).unwrap().columns.iter().map(|column| column.name.clone());
    request.tables[0].columns = Some(all.collect());
    Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap()
}

/// A record that has all columns as their types have them, or lacks some.
fn record(n: usize) -> String {
    let mut record = json!({
        "at": format!("2026-03-01T00:{:02}:{:02}.{:06}Z", n % 60, n / 60 % 60, n % 1_000_000),
        "n": n, "page": format!("/p\"{n}ä"), "weight": f64::from(u32::try_from(n % 1000).unwrap()) / 8.0, "new": n.is_multiple_of(3),
        "context": { "deep": [n % 5, null] }, "tags": ["x", n.to_string(), null],
    });
    for (number, name) in ["n", "page", "weight", "new", "context", "tags"].iter().enumerate() {
        if (n + number).is_multiple_of(7) {
            record.as_object_mut().unwrap().remove(*name);
        }
    }
    record.to_string()
}

/// Converts objects, and returns what the sink got and what is known of it.
fn converted(
    selection: &Selection,
    objects: &[String],
    encoding: Encoding,
    workers: usize,
) -> (Vec<u8>, Vec<Group>) {
    let listed: Vec<InputObject> = (0..objects.len())
        .map(|number| InputObject {
            key: format!("{number}.json"),
            size_bytes: objects[number].len() as u64,
            likely_whole: false,
            refer: false,
            partition: Some("2026-03-01T00:00:00Z".parse().unwrap()),
        })
        .collect();
    let runs = group_runs(&listed, &encoding);
    let pipeline = Pipeline { selection, objects: &listed, runs, encoding, workers };
    let mut bytes = Vec::new();
    let sink = |_, extent| {
        if let Extent::Bytes(more) = extent {
            bytes.extend(more);
        }
        Ok(())
    };
    let outputs = pipeline.run(|index| Ok(objects[index].as_bytes()), sink).unwrap();
    assert!(outputs.iter().all(|output| output.stats.bad_rows == 0));
    (bytes, outputs.into_iter().flat_map(|output| output.groups).collect())
}

fn groups_of(bytes: usize, rows: u64, selection: &Selection) -> Encoding {
    let Encoding::Groups { encoder, .. } = encoding(selection, &Files::Tables).unwrap() else {
        panic!("Parquet has groups");
    };
    Encoding::Groups { bytes, rows, encoder }
}

/// Puts the bytes of steps and what is known of them together as one file.
fn joined(writer: &Writer, steps: &[(Vec<u8>, Vec<Group>)]) -> Vec<u8> {
    let mut file = Joined::new(writer);
    let mut stored = Vec::new();
    for (bytes, groups) in steps {
        let mut at = 0;
        for group in groups {
            let len = usize::try_from(group.segment.stored_bytes).unwrap();
            let here = vec![Extent::Bytes(bytes[at..at + len].to_vec())];
            let with = file.bytes_with(group.segment, &group.footer);
            file.push(group.segment, &group.footer, here);
            at += len;
            assert!(with >= file.segment.stored_bytes);
        }
        assert_eq!(at, bytes.len());
    }
    let most = file.segment.stored_bytes + file.footer_bytes;
    let (whole, extents) = file.finish().unwrap();
    for extent in extents {
        let Extent::Bytes(bytes) = extent else { panic!("the test stores no objects") };
        stored.extend(bytes);
    }
    assert_eq!((whole.crc32, whole.raw_bytes), (crc32fast::hash(&stored), stored.len() as u64));
    assert!(whole.raw_bytes <= most, "{} of {most}", whole.raw_bytes);
    stored
}

fn read(file: Vec<u8>) -> Vec<Json> {
    let wanted = Wanted { fields: None, times: None };
    let mut text = String::new();
    ReadRows::open(Arc::new(Bytes::from(file)), wanted).unwrap().read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn steps_of_any_number_of_builders_are_one_file_with_the_rows_that_json_lines_have() {
    for (table, rows) in [("visits", 3000), ("tags", 2000), ("visits", 0)] {
        let parquet = selection(table, Format::Parquet);
        let lines = selection(table, Format::Jsonl);
        let objects: Vec<String> = (0..rows)
            .collect::<Vec<usize>>()
            .chunks(170)
            .map(|rows| rows.iter().map(|n| record(*n) + "\n").collect())
            .collect();
        let steps: Vec<_> = objects
            .chunks(5)
            .zip((1..=3).cycle())
            .map(|(step, workers)| {
                converted(&parquet, step, groups_of(9000, 90, &parquet), workers)
            })
            .collect();
        assert!(rows == 0 || steps.iter().all(|(_, groups)| groups.len() > 3));
        let told: u64 =
            steps.iter().flat_map(|(_, groups)| groups).map(|group| group.segment.rows).sum();

        let found = read(joined(&writer(&parquet).unwrap(), &steps));

        let plain = Encoding::Plain { bytes: 1 << 20, rows: u64::MAX };
        let text = String::from_utf8(converted(&lines, &objects, plain, 1).0).unwrap();
        let want: Vec<Json> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(found.len() as u64, told);
        assert_eq!(found.len(), want.len());
        for (found, want) in found.iter().zip(&want) {
            let mut want = want.clone();
            // An instant of full milliseconds is written with as many digits.
            if let Some(at) = want["at"].as_str() {
                assert_eq!(time(found["at"].as_str().unwrap()), time(at));
                want["at"] = found["at"].clone();
            }
            assert_eq!(*found, want);
        }
    }
}

fn time(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_step_that_two_builders_do_gives_the_same_bytes() {
    let selection = selection("visits", Format::Parquet);
    let objects: Vec<String> =
        (0..8).map(|object| (0..500).map(|n| record(object * 500 + n) + "\n").collect()).collect();
    let [one, other] = [1, 3].map(|workers| {
        let (bytes, groups) =
            converted(&selection, &objects, groups_of(20_000, u64::MAX, &selection), workers);
        let told = groups.into_iter().map(|group| (group.segment, group.footer));
        (bytes, told.collect::<Vec<_>>())
    });
    assert!(one.1.len() > 3);
    assert!(one == other);
}

#[test]
fn a_row_group_has_so_many_rows_and_bytes_and_no_more() {
    let row = |page: &str| format!("{{\"at\":\"2026-03-01T00:00:00Z\",\"page\":\"{page}\"}}\n");
    let rows_of = |table, object: String| -> Vec<u64> {
        let selection = selection(table, Format::Parquet);
        let encoding = encoding(&selection, &Files::Tables).unwrap();
        let (_, groups) = converted(&selection, &[object], encoding, 2);
        groups.iter().map(|group| group.segment.rows).collect()
    };
    assert_eq!(rows_of("news", row("").repeat((1 << 20) + 1)), [1 << 20, 1]);
    // The sixteenth fills it, and the seventeenth begins the next one.
    assert_eq!(rows_of("visits", row(&"a".repeat(1 << 20)).repeat(17)), [16, 1]);
}

#[test]
fn groups_are_small_enough_to_fill_plain_files() {
    let selection = selection("visits", Format::Parquet);
    let cut = |max_bytes, max_rows| {
        let parts = Parts { max_bytes, max_rows, suffix: true };
        match encoding(&selection, &Files::Parts(parts)).unwrap() {
            Encoding::Groups { bytes, rows, .. } => (bytes, rows),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cut(1 << 20, Some(1000)), (1 << 18, 250));
    assert_eq!(cut(4 << 30, None), (MAX_GROUP_BYTES, MAX_GROUP_ROWS));
    assert_eq!(cut(0, Some(0)), (1, 1));
}

#[test]
fn a_file_has_room_for_so_many_row_groups_and_no_more() {
    let selection = selection("tags", Format::Parquet);
    let object = record(1) + "\n";
    let (bytes, groups) = converted(&selection, &[object], groups_of(1, 1, &selection), 1);
    let (writer, group) = (writer(&selection).unwrap(), &groups[0]);
    let mut file = Joined::new(&writer);
    let here = || vec![Extent::Bytes(bytes[..4].to_vec())];
    // Of two columns each.
    for _ in 0..columnar::MAX_COLUMN_CHUNKS / 2 {
        assert!(file.has_room());
        file.push(group.segment, &group.footer, here());
    }
    assert!(!file.has_room());
    file.push(group.segment, &group.footer, here());
    assert!(file.finish().unwrap_err().is::<TooManyRowGroups>());
}
