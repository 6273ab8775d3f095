//! Records that stand inside of JSON values, or as lines of fields.

use super::*;

/// The catalog of a dataset with these settings, and a table over it.
fn catalog(settings: &str) -> Catalog {
    let text = format!(
        r#"
        [[dataset]]
        name = "visits"
        path = "{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/"
        time = "at"
        max_bad_percent = 100
        {settings}

        [[table]]
        name = "visits"
        dataset = "visits"
        columns = ["id:integer", {{ name = "second", path = "list[1].name" }}, "at"]
        "#
    );
    Catalog::parse("test", &text).unwrap()
}

fn selection_over(catalog: &Catalog, format: Format, columns: bool) -> Selection {
    let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
    let columns = columns.then(|| vec!["id".to_owned(), "second".to_owned()]);
    let table = TableSelection { columns, ..TableSelection::whole("visits") };
    let request = ExportRequest::new(vec![table], Window::new(hour[0], hour[1]).unwrap(), format);
    Selection::new(catalog, &"acme".parse().unwrap(), &request, 0).unwrap()
}

/// Reads an object in every way, and returns what comes out: whole rows, and lines and reasons of bad ones.
fn read(settings: &str, text: &str) -> (String, Vec<(u64, String)>) {
    let catalog = catalog(settings);
    let selection = selection_over(&catalog, Format::Jsonl, false);
    let mut all = Vec::new();
    for (key, object) in [("a.json", text.as_bytes().to_vec()), ("a.gz", gzip(text))] {
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge] {
            let objects = [(key, object.clone())];
            let (rows, output) = try_convert(&selection, &objects, 2, claimed).unwrap();
            assert_eq!(output.stats.spliced, 0, "nothing is taken over as it is");
            let counted = selection.count(&[an_object(key)], 1, |_| Ok(&object[..])).unwrap();
            assert_eq!(counted.0, rows.lines().count() as u64);
            assert_eq!(counted.1.bad_rows, output.stats.bad_rows);
            let bad = output.stats.listed.into_iter().map(|row| (row.line, row.reason));
            all.push((rows, bad.collect::<Vec<_>>()));
        }
    }
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// A row inside of the window.
fn inside(id: u32) -> String {
    format!("{{\"id\":{id},\"at\":\"2026-03-01T00:30:00Z\"}}")
}

#[test]
fn a_record_in_a_json_string_is_a_row() {
    let wrapped = |id| serde_json::to_string(&inside(id)).unwrap();
    let spaced = serde_json::to_string("{\n\"id\":4,\r\n\"at\":\"2026-03-01T00:30:00Z\"}").unwrap();
    let text = format!("{}\n{}\n{}\n{spaced}\n\"text\"\n7\n", wrapped(1), inside(2), wrapped(3));
    let (rows, bad) = read("unwrap = true", &text);
    let last = "{ \"id\":4,  \"at\":\"2026-03-01T00:30:00Z\"}";
    assert_eq!(rows, format!("{}\n{}\n{}\n{last}\n", inside(1), inside(2), inside(3)));
    let lines: Vec<u64> = bad.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [5, 6]);
    assert_eq!(read("", &text).1.len(), 5, "without the setting, a string is no row");
}

#[test]
fn the_elements_of_a_list_in_a_document_are_rows() {
    let (late, untimed) = (inside(3).replace("T00:", "T01:"), "{\"id\":4}");
    let text = format!(
        "{{\"Records\":[{},{},\n{late},{untimed}]}}{{\"Records\":[]}}\n{{\"Records\":7}}\n{{}}\n{}\n",
        inside(1), inside(2), inside(5)
    ).replace(",\n", ",");
    let (rows, bad) = read("records = \"Records[]\"", &text);
    assert_eq!(rows, format!("{}\n{}\n", inside(1), inside(2)));
    let reasons: Vec<String> =
        bad.iter().map(|(line, reason)| format!("{line}: {reason}")).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    1: it has no time: at is missing
    2: Records is not a list: its rows are missing
    ");
}

#[test]
fn records_deep_in_lists_have_times_in_nanoseconds() {
    let record = |at: i64| format!("{{\"timeUnixNano\":\"{at}000000000\",\"id\":1}}");
    let log = |records: String| {
        format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{records}]}}]}}]}}\n")
    };
    let at = "2026-03-01T00:30:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let text = log(format!("{},{}", record(at), record(at + 7200))) + &log(record(at + 1));
    let settings =
        "records = \"resourceLogs[].scopeLogs[].logRecords[]\"\ntime_format = \"nanoseconds\"";
    let catalog = format!("{settings}\n").replace("time_format", "time_format");
    let text_of = CATALOG_OF_TIME.replace("SETTINGS", &catalog);
    let catalog = Catalog::parse("test", &text_of).unwrap();
    let selection = selection_over(&catalog, Format::Jsonl, false);
    let (rows, output) = converted(&selection, "a.json", text.as_bytes());
    assert_eq!(rows, format!("{}\n{}\n", record(at), record(at + 1)));
    assert_eq!((output.stats.outside, output.stats.bad_rows), (1, 0));
}

const CATALOG_OF_TIME: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "timeUnixNano"
    SETTINGS

    [[table]]
    name = "visits"
    dataset = "visits"
    columns = ["id:integer"]
"#;

#[test]
fn an_element_of_a_list_is_a_column() {
    let rows = [r#"[{"name":"a"},{"name":"b"}]"#, "[]", "[1]", "7"]
        .map(|list| format!("{{\"id\":1,\"at\":\"2026-03-01T00:30:00Z\",\"list\":{list}}}\n"));
    let selection = selection_over(&catalog(""), Format::Csv, true);
    let (text, output) = converted(&selection, "a.json", rows.concat().as_bytes());
    assert_eq!(text, "id,second\n1,b\n1,\n1,\n1,\n");
    assert_eq!(output.stats.bad_rows, 1, "a number is no list");
}

#[test]
fn csv_with_a_header_has_rows_of_its_types() {
    let text = concat!(
        "\u{feff}id,at,\"the \"\"name\"\"\",ok,props,empty\r\n",
        "1,2026-03-01T00:30:00Z,\"a,\nb\",true,\"{\"\"k\"\": [1]}\",\r\n",
        "x7,2026-03-01T00:30:00Z,ä,yes,{,\n",
        "\n",
        "2,2026-03-01T00:30:00Z\n",
        "3,2026-03-01T00:30:00Z,,,,,more\n",
        "4,never,,,,\n",
        "5,2026-03-01T00:59:00Z,last,false,null,1",
    );
    let settings = "format = \"csv\"\nheader = true\ncolumns = [\"id:integer\", \"ok:boolean\", \"props:json\"]";
    let (rows, bad) = read(settings, text);
    insta::assert_snapshot!(rows, @r#"
    {"id":1,"at":"2026-03-01T00:30:00Z","the \"name\"":"a,\nb","ok":true,"props":{"k": [1]},"empty":null}
    {"id":"x7","at":"2026-03-01T00:30:00Z","the \"name\"":"ä","ok":"yes","props":"{","empty":null}
    {"id":2,"at":"2026-03-01T00:30:00Z","the \"name\"":null,"ok":null,"props":null,"empty":null}
    {"id":5,"at":"2026-03-01T00:59:00Z","the \"name\"":"last","ok":false,"props":null,"empty":"1"}
    "#);
    let reasons: Vec<String> =
        bad.iter().map(|(line, reason)| format!("{line}: {reason}")).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    7: it has 7 fields, and there are 6
    8: its time, at, cannot be read
    ");
}

#[test]
fn tsv_without_a_header_has_the_columns_of_the_catalog() {
    let text = "1\t2026-03-01T00:30:00Z\t\"as it is\n2\t2026-03-01T00:30:00Z\t\\\n";
    let (rows, bad) = read("format = \"tsv\"\ncolumns = [\"id:integer\", \"at\", \"page\"]", text);
    assert_eq!(
        rows,
        concat!(
            "{\"id\":1,\"at\":\"2026-03-01T00:30:00Z\",\"page\":\"\\\"as it is\"}\n",
            "{\"id\":2,\"at\":\"2026-03-01T00:30:00Z\",\"page\":\"\\\\\"}\n"
        )
    );
    assert!(bad.is_empty());
    let (rows, bad) = read(
        "format = \"csv\"\nseparator = \"|\"\ncolumns = [\"id:integer\", \"at\"]",
        "1|2026-03-01T00:30:00Z\n\u{fffd}|x\n",
    );
    assert_eq!((rows.lines().count(), bad.len()), (1, 1));
}

const TOO_MANY_FIELDS: &str = "it has more than 2000 fields, the most that a row may have";

#[test]
fn a_row_with_too_many_fields_costs_only_itself() {
    let row = "1,2026-03-01T00:30:00Z\n";
    let text = format!("{row}{}\n2,2026-03-01T00:30:00Z,\n{row}", ",".repeat(5000));
    let (rows, bad) = read("format = \"csv\"\ncolumns = [\"id:integer\", \"at\"]", &text);
    assert_eq!(rows, "{\"id\":1,\"at\":\"2026-03-01T00:30:00Z\"}\n".repeat(2));
    let too_many = "it has 3 fields, and there are 2".to_owned();
    assert_eq!(bad, [(2, TOO_MANY_FIELDS.to_owned()), (3, too_many)]);
}

#[test]
fn a_row_has_2000_fields_and_no_more() {
    let names: Vec<String> = (2..2000).map(|number| format!("f{number}")).collect();
    let header = format!("id,at,{}", names.join(","));
    let row = format!("1,2026-03-01T00:30:00Z{}", ",x".repeat(1998));
    let settings = "format = \"csv\"\nheader = true\ncolumns = [\"id:integer\"]";
    for end in ["", "\n", "\r\n"] {
        let (rows, bad) = read(settings, &format!("{header}\n{row}{end}"));
        assert_eq!((rows.lines().count(), bad), (1, Vec::new()), "{end:?}");
        let (rows, bad) = read(settings, &format!("{header}\n{row},{end}"));
        assert_eq!((rows.as_str(), bad), ("", vec![(2, TOO_MANY_FIELDS.to_owned())]), "{end:?}");
    }
}

#[test]
fn a_header_that_cannot_be_read_is_told_and_so_is_each_row_under_it() {
    let rows = "1,2026-03-01T00:30:00Z\n".repeat(2);
    let (read, bad) =
        read("format = \"csv\"\nheader = true", &format!("id,at{}\n{rows}", ",x".repeat(1999)));
    assert_eq!(read, "");
    let nameless = "it has 2 fields, and there are 0".to_owned();
    assert_eq!(bad, [(1, TOO_MANY_FIELDS.to_owned()), (2, nameless.clone()), (3, nameless)]);
}

#[test]
fn tsv_with_a_header_has_fields_by_their_names() {
    let text = "page\tid\tat\r\n,\"\t7\t2026-03-01T00:30:00Z\r\n\t\t2026-03-01T00:30:00Z\r\n";
    let (rows, bad) = read("format = \"tsv\"", text);
    assert_eq!(
        rows,
        concat!(
            "{\"page\":\",\\\"\",\"id\":\"7\",\"at\":\"2026-03-01T00:30:00Z\"}\n",
            "{\"page\":null,\"id\":null,\"at\":\"2026-03-01T00:30:00Z\"}\n"
        )
    );
    assert!(bad.is_empty(), "{bad:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn csv_that_another_program_wrote_is_read_however_its_bytes_arrive(
        fields in prop::collection::vec(prop::collection::vec("[a,\"\n\r ä;]{0,8}", 3), 1..20), piece in 1_usize..50
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let at = "2026-03-01T00:30:00Z";
        for row in &fields {
            writer.write_record([at].into_iter().chain(row.iter().map(String::as_str))).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let delimited = export::Delimited {
            separator: b',', quotes: true, header: false,
            columns: ["at", "a", "b", "c"].map(|name| (name.to_owned(), export::ColumnType::String)).into(),
        };
        let mut reader = crate::delimited::DelimitedReader::new(&delimited);
        let mut read = Vec::new();
        let mut each = |_: u64, row: crate::delimited::Row<'_>| -> Result<(), ()> {
            read.push(serde_json::from_slice::<serde_json::Value>(row.unwrap()).unwrap());
            Ok(())
        };
        for piece in text.chunks(piece) {
            reader.push(piece, &mut each).unwrap();
        }
        reader.finish(&mut each).unwrap();
        let cell = |text: &String| if text.is_empty() { serde_json::Value::Null } else { text.clone().into() };
        let want: Vec<serde_json::Value> = fields.iter().map(|row| {
            serde_json::json!({ "at": at, "a": cell(&row[0]), "b": cell(&row[1]), "c": cell(&row[2]) })
        }).collect();
        prop_assert_eq!(read, want);
    }
}
