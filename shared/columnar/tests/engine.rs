//! The engine makes the same of Parquet as of the same rows as JSON Lines.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::{io::Read, sync::Arc};

use bytes::Bytes;
use columnar::{Rows, Wanted};
use export::{Catalog, ExportRequest, Filter, Format, TableFilter, TableSelection, Window};
use lake::{Encoding, InputObject, Pipeline, Selection};

use crate::common::fixture;

const CATALOG: &str = r#"
    [[dataset]]
    name = "hours"
    path = "{workspace}/{yyyy}/{MM}/{dd}/"
    time = "at"

    [[table]]
    name = "hours"
    dataset = "hours"
    columns = ["n:integer", "at:time", "gone"]

    [[dataset]]
    name = "things"
    path = "{workspace}/things/{yyyy}/{MM}/{dd}/"
    time = "at"

    [[table]]
    name = "things"
    dataset = "things"
    columns = ["n:integer", { name = "x", path = "point.x", type = "integer" }, "properties:json", "dec:number", "word"]

    [[table]]
    name = "elements"
    dataset = "things"
    explode = "list[]"
    columns = ["id", "n:integer"]
"#;

fn convert(selection: &Selection, open: impl Fn() -> Box<dyn Read> + Sync) -> (String, u64, u64) {
    let object = InputObject {
        key: "acme/2026/03/01/a".to_owned(),
        size_bytes: 1,
        likely_whole: false,
        refer: false,
        partition: Some("2026-03-01T00:00:00Z".parse().unwrap()),
    };
    let objects = [object];
    let encoding = Encoding::Plain { bytes: 1 << 20, rows: u64::MAX };
    let runs = lake::group_runs(&objects, &encoding);
    let pipeline = Pipeline { selection, objects: &objects, runs, encoding, workers: 1 };
    let mut text = Vec::new();
    let made = pipeline.run(
        |_| Ok(open()),
        |_, extent| {
            if let archive::Extent::Bytes(bytes) = extent {
                text.extend(bytes);
            }
            Ok(())
        },
    );
    let stats = &made.unwrap()[0].stats;
    (String::from_utf8(text).unwrap(), stats.bad_rows, stats.outside)
}

#[test]
fn rows_of_parquet_are_exported_as_those_of_json_lines() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut rows = 0;
    for round in 0..120 {
        let (file, table) =
            [("hours", "hours"), ("duckdb", "things"), ("duckdb", "elements")][round % 3];
        let minute = |rng: &mut fastrand::Rng| rng.i64(0..700);
        let (a, b) = (minute(&mut rng), minute(&mut rng));
        let day: jiff::Timestamp = "2026-02-28T23:00:00Z".parse().unwrap();
        let at = |minute: i64| day + jiff::SignedDuration::from_mins(minute);
        let (from, to) = if file == "hours" { (a.min(b), a.max(b) + 1) } else { (0, 1400) };
        let window = Window::new(at(from), at(to)).unwrap();
        let format = if rng.bool() { Format::Csv } else { Format::Jsonl };
        let mut selected = TableSelection::whole(table);
        if rng.bool() {
            selected.columns = Some(vec![if table == "elements" { "id" } else { "n" }.to_owned()]);
        }
        let mut request = ExportRequest::new(vec![selected], window, format);
        if rng.bool() && table != "elements" {
            let filter: Filter = "n > 2".parse().unwrap();
            request.filters.push(TableFilter { tables: vec![table.to_owned()], filter });
        }
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let needs = selection.needs();
        let wanted = || Wanted {
            fields: needs.fields.clone().map(|fields| fields.into_iter().collect()),
            times: None,
        };
        let parquet = convert(&selection, || {
            let file = Bytes::from(fixture(&format!("{file}.parquet")));
            Box::new(Rows::open(Arc::new(file), wanted()).unwrap())
        });
        let json = convert(&selection, || {
            Box::new(std::io::Cursor::new(fixture(&format!("{file}.jsonl"))))
        });
        assert_eq!(parquet, json, "{table} of {window:?} as {format}");
        rows += parquet.0.lines().count();
    }
    assert!(rows > 1000, "{rows}");
}
