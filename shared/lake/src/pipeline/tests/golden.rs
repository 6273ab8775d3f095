//! What is kept for other exports goes by [`ROWS`], so it has to be raised when the same records give other
//! rows.

use super::*;
use crate::selection::ROWS;

/// The hash of what is written, for the value of [`ROWS`] that it belongs to.
const WRITTEN: (u32, u32) = (4, 1_901_040_894);

/// Records of every kind, each of which may be written otherwise one day.
const RECORDS: &str = concat!(
    r#"{"page":"/a","meta":{"at":"2026-03-01T00:30:00Z"},"n":1.50,"tags":[{"name":"x"},{"name":null},{}]}"#,
    "\n",
    r#"{"page":"a \"b\" \\ \ud83d,\r\n","meta":{"at":"2026-03-01 00:30:00 UTC"},"tags":{}}"#,
    "\n",
    r#" {"page":null,"\ud83d":1,"meta":{"\ud83d":1,"at":"2026-03-01T01:30:00\u002B01:00"},"tags":"x"}"#,
    "\r\n",
    r#"{"page":"\\.","meta":{"at":"2026-03-01T00:30:00Z"}}{"page":"","meta":{"at":"2026-03-01T00:30:01Z"}}"#,
    "\n",
    r#"[{"page":"\u2028","meta":{"at":"2026-03-01T00:30:00Z"}},{"page":"/out","meta":{"at":"2026-03-01T01:30:00Z"}}]"#,
    "\n",
    r#"{"page":"/cut{"page":"/next","meta":{"at":"2026-03-01T00:30:02Z"}}oops{"page":"/last","meta":{"at":"2026-03-01T00:30:03Z"}}"#,
    "\n",
    r#"{"page":"/number","meta":{"at":20260301}}"#,
    "\n",
    r#"{"page":"/zone","meta":{"at":"2026-03-01T00:30:00[Europe/Berlin]"}}"#,
    "\n",
    r#"{"page":"/hidden","hidden":true,"meta":{"at":"2026-03-01T00:30:00Z"}}"#,
);

#[test]
fn other_rows_have_another_number() {
    let mut hasher = crc32fast::Hasher::new();
    for selection in [
        jsonl(),
        jsonl().escaping_separators(),
        selection("visits", Some(&["n", "page"]), Format::Jsonl),
        selection("visits", Some(&["page"]), Format::Csv),
        selection("visits", None, Format::Csv),
        selection("tags", None, Format::Csv),
        selection("tags", None, Format::Jsonl),
    ] {
        let (text, output) = converted(&selection, "a.json", RECORDS.as_bytes());
        hasher.update(text.as_bytes());
        for row in output.stats.listed {
            hasher.update(format!("{} {}", row.line, row.exported).as_bytes());
        }
    }
    let written = (ROWS, hasher.finalize());
    assert_eq!(written, WRITTEN, "raise ROWS if what is written has changed, and note the hash");
}

#[test]
fn what_is_kept_depends_on_what_is_required() {
    let identity = |catalog: &str| {
        let catalog = Catalog::parse("test", catalog).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let tables = vec![TableSelection::whole("tags")];
        let window = Window::new(hour[0], hour[1]).unwrap();
        let request = ExportRequest::new(tables, window, Format::Csv);
        Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap().row_identity()
    };
    let required = |column: &str| {
        CATALOG
            .replace("explode = \"tags\"", &format!("explode = \"tags\"\nrequire = \"{column}\""))
    };
    let all = [identity(CATALOG), identity(&required("tag")), identity(&required("page"))];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
}

#[test]
fn what_is_kept_is_used_again_only_where_the_same_would_be_written() {
    let identity = |catalog: &str, change: &dyn Fn(&mut ExportRequest)| {
        let catalog = Catalog::parse("test", catalog).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(hour[0], hour[1]).unwrap();
        let mut request = ExportRequest::new(tables, window, Format::Csv);
        change(&mut request);
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let escaping = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0)
            .unwrap()
            .escaping_separators();
        assert_ne!(selection.identity(), escaping.identity());
        assert_eq!(selection.row_identity(), escaping.row_identity());
        selection.identity()
    };
    let columns = |names: &'static [&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        move |request: &mut ExportRequest| request.tables[0].columns = Some(names.clone())
    };
    let filter = |text: &'static str| {
        move |request: &mut ExportRequest| {
            let (tables, filter) = (vec!["visits".to_owned()], text.parse().unwrap());
            request.filters = vec![export::TableFilter { tables, filter }];
        }
    };
    let changes: [&dyn Fn(&mut ExportRequest); 8] = [
        &|_| {},
        &|request| request.format = Format::Jsonl,
        &|request| request.csv = export::CsvStyle::Excel,
        &|request| request.csv = export::CsvStyle::NoNewline,
        &columns(&["n", "page"]),
        &columns(&["page", "n"]),
        &filter("page == '/a'"),
        &filter("page == '/b'"),
    ];
    // A filter is on what a column is, not on what it is called; and the time and omissions count.
    let catalogs = [
        CATALOG.to_owned(),
        CATALOG.replace("\"n:integer\"", "{ name = \"n\", path = \"m\", type = \"integer\" }"),
        CATALOG.replace("time = \"meta.at\"", "time = \"at\""),
        CATALOG.replace("omit = \"hidden\"", "omit = \"gone\""),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for change in changes {
        assert!(seen.insert(identity(CATALOG, change)));
        assert!(!seen.insert(identity(CATALOG, change)), "the same again");
    }
    for catalog in &catalogs[1..] {
        let all = columns(&["page"]);
        let by_n = |request: &mut ExportRequest| {
            all(request);
            filter("n == 1")(request);
        };
        assert_ne!(identity(catalog, &by_n), identity(CATALOG, &by_n));
    }
}
