//! How rows are written, whatever their objects are compressed with.

use super::*;

#[test]
fn json_lines_inside_the_window_pass_through_byte_for_byte() {
    let (text, output) = converted(&jsonl(), "a.json", ROWS.as_bytes());
    let lines: Vec<&str> = ROWS.lines().collect();

    assert_eq!(text, format!("{}\n{}\n", lines[0], lines[3]));
    let stats = output.stats;
    assert_eq!((output.segment.rows, stats.bad_rows, stats.outside), (2, 0, 1));
    let times = stats.times.map(|(first, last)| format!("{first} {last}"));
    assert_eq!(times.as_deref(), Some("2026-03-01T00:30:00Z 2026-03-01T00:59:59.999999Z"));
}

#[test]
fn chosen_columns_come_in_the_order_asked_for() {
    let chosen = selection("visits", Some(&["n", "page"]), Format::Jsonl);
    let (text, _) = converted(&chosen, "a.json", ROWS.as_bytes());

    assert_eq!(text, "{\"n\":12345678901234567890,\"page\":\"/a\"}\n{\"n\":null,\"page\":\"\"}\n");
}

#[test]
fn csv_has_a_header_nested_values_and_empty_cells() {
    let csv = selection("visits", None, Format::Csv);
    let (text, _) = converted(&csv, "a.json", ROWS.as_bytes());

    insta::assert_snapshot!(text, @r#"
    page,at,n,tags
    /a,2026-03-01T00:30:00Z,12345678901234567890,"[{""name"":""x""},{""name"":""y""}]"
    "",2026-03-01 00:59:59.999999,,
    "#);
    assert_eq!(try_convert(&csv, &[], 2, Claimed::Small).unwrap().0, "page,at,n,tags\n");
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
        Selection::new(&catalog, &"acme".parse().unwrap(), &ExportRequest { filters, ..request }, 0)
            .unwrap()
    };
    for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge] {
            for (selection, want) in
                [(&jsonl(), format!("{a}{b}{a}")), (&filtered, format!("{a}{a}"))]
            {
                let objects = [(key, object.clone())];
                let (read, output) = try_convert(selection, &objects, 1, claimed).unwrap();
                assert_eq!((read, output.stats.bad_rows), (want, 0), "{key} {claimed:?}");
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
    let reported = |table: &str, more: &str| {
        let window = Window::new(hour[0], hour[1]).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole(table)], window, Format::Csv);
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let meta = "\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}";
        let record = format!("{{\"page\":\"/a\",{meta},\"more\":{more}}}\n");
        let output = converted(&selection, "a.json", record.as_bytes()).1;
        let reported: Vec<_> =
            output.stats.listed.into_iter().map(|row| (row.reason, row.exported)).collect();
        (output.segment.rows, reported)
    };
    let value = ("n is not in an object: its value is missing".to_owned(), true);
    let rows = ("more.tags is not in an object: its rows are missing".to_owned(), false);
    assert_eq!(reported("visits", "\"x\""), (1, vec![value]));
    assert_eq!(reported("tags", "\"x\""), (0, vec![rows]));
    for nothing in ["null", "{}", "[]", "{\"other\":1}"] {
        assert_eq!(reported("visits", nothing), (1, vec![]), "{nothing}");
        assert_eq!(reported("tags", nothing), (0, vec![]), "{nothing}");
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
            let (read, output) = converted(&chosen, key, &object);
            assert_eq!((read, output.stats.bad_rows), (want.clone(), bad), "{wanted:?}");
        }
        let chosen = jsonl().with_records(wanted.clone());
        let counted = chosen.count(&[an_object("a")], 1, |_| Ok(text.as_bytes())).unwrap();
        assert_eq!((counted.0, counted.1.bad_rows), (pages.len() as u64, bad), "{wanted:?}");
    }
}

#[test]
fn a_list_is_exploded_into_rows() {
    let tags = selection("tags", None, Format::Csv);
    let (text, output) = converted(&tags, "a.json", ROWS.as_bytes());

    assert_eq!(text, "page,tag\n/a,x\n/a,y\n");
    assert_eq!(output.segment.rows, 2);
}

#[test]
fn a_record_whose_rows_would_be_too_long_together_is_bad() {
    let (page, tags) = ("x".repeat(1 << 20), vec![r#"{"name":"x"}"#; 70].join(","));
    let at = "2026-03-01T00:30:00Z";
    let record = format!("{{\"page\":\"{page}\",\"meta\":{{\"at\":\"{at}\"}},\"tags\":[{tags}]}}");
    let tags = selection("tags", None, Format::Csv);
    let (text, output) = converted(&tags, "a.json", format!("{record}\n{ROWS}").as_bytes());

    assert_eq!(text, "page,tag\n/a,x\n/a,y\n");
    assert_eq!((output.segment.rows, output.stats.bad_rows), (2, 1));
}

#[test]
fn characters_that_end_lines_for_some_are_escaped_if_asked_for() {
    let row =
        "{\"page\":\"/\u{2028}ä\u{85}\",\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n".to_owned();
    let escaped = row.replace('\u{2028}', "\\u2028").replace('\u{85}', "\\u0085");
    let object = gzip(&row);

    assert_eq!(converted(&jsonl(), "a.gz", &object).0, row);
    let (text, spliced) = converted(&jsonl().escaping_separators(), "a.gz", &object);
    assert_eq!((text, spliced.stats.spliced), (escaped, 0));
    let chosen = selection("visits", Some(&["page"]), Format::Jsonl).escaping_separators();
    assert_eq!(converted(&chosen, "a.gz", &object).0, "{\"page\":\"/\\u2028ä\\u0085\"}\n");
    let chosen = selection("visits", Some(&["page"]), Format::Jsonl);
    assert_eq!(converted(&chosen, "a.gz", &object).0, "{\"page\":\"/\u{2028}ä\u{85}\"}\n");
}

#[test]
fn every_compression_gives_the_same_rows() {
    let want = converted(&jsonl(), "a.json", ROWS.as_bytes()).0;
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
        assert_eq!(converted(&jsonl(), key, &object).0, want, "{key}");
    }
    for ((key, object), (_, more)) in by_libraries(first).into_iter().zip(by_libraries(second)) {
        // Several streams behind each other are one text.
        let object = [object, more].concat();
        assert_eq!(converted(&jsonl(), key, &object).0, want, "{key}");
        // What begins with a mark needs no suffix.
        let key = if key.ends_with("snappy") { key } else { "a" };
        assert_eq!(converted(&jsonl(), key, &object).0, want, "{key}");
        assert_eq!(converted(&jsonl(), key, b"").0, "");
    }
    for (key, object) in by_libraries(ROWS.repeat(1000)) {
        assert!(converted(&jsonl(), key, &object).0 == want.repeat(1000), "{key}");
    }
    assert_eq!(converted(&jsonl(), "empty.gz", b"").0, "");
    assert_eq!(converted(&jsonl(), "empty.zst", b"").0, "");
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
                let (read, output) = try_convert(&jsonl(), &objects, 1, claimed).unwrap();
                assert_eq!((read, output.stats.bad_rows), (want.clone(), bad), "{text}");
            }
        }
        let object = InputObject {
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
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let rows = ["3", "null"].map(|n| {
            format!("{{\"n\":{n},\"meta\":{{\"at\":\"2026-03-01T01:30:00.5+01:00\"}}}}\n")
        });
        let none = "{\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n";
        converted(&selection, "a.json", (rows.concat() + none).as_bytes()).0
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
fn the_rows_of_a_record_have_64_mib_together_and_no_byte_more() {
    let record = |tags: &[&str]| {
        // A row of the shortest tag has a mebibyte.
        let page = "p".repeat((1 << 20) - "{\"page\":\"\",\"tag\":\"x\"}\n".len());
        let tags: Vec<String> = tags.iter().map(|tag| format!("{{\"name\":\"{tag}\"}}")).collect();
        let at = "2026-03-01T00:30:00Z";
        format!(
            "{{\"page\":\"{page}\",\"meta\":{{\"at\":\"{at}\"}},\"tags\":[{}]}}\n",
            tags.join(",")
        )
    };
    let selection = selection("tags", None, Format::Jsonl);
    let most = record(&["x"; 64]);
    let (text, output) = converted(&selection, "a.json", most.as_bytes());
    assert_eq!((text.len(), output.stats.bad_rows), (64 << 20, 0));
    let more = record(&[["x"; 63].as_slice(), &["xx"]].concat());
    let (text, output) = converted(&selection, "a.json", (more + &record(&["x"])).as_bytes());
    assert_eq!((text.len(), output.stats.bad_rows), (1 << 20, 1), "the next is not lost with it");
    let reason = &output.stats.listed[0].reason;
    assert!(reason.contains("more than 64 MiB together"), "{reason}");
}
