//! Keys and rows are counted as documented.

use export::{Format, TableSelection};

use super::*;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"

    [[table]]
    name = "visits"
    dataset = "visits"
    omit = "hidden"
    relation = { name = "visit", column = "id" }
    columns = ["id", "at:time"]

    [[table]]
    name = "words"
    dataset = "visits"
    explode = "pages[].words[]"
    columns = ["id", { name = "word", element = "" }]
"#;

const ROWS: &str = concat!(
    r#"{"id":"a","at":"2026-03-01T00:10:00Z","pages":[{"words":["x","y"]},{"words":"z"}]}"#,
    "\n",
    r#"{"id":"b","at":"2026-03-01T01:00:00Z","pages":[]}"#,
    "\n",
    r#"{"id":"b","at":"2026-03-01T02:00:00Z","pages":[]}"#,
    "\n",
    r#"{"id":"c","at":"2026-03-01T00:50:00Z","hidden":true}"#,
    "\n",
    r#"{"id":null,"at":"2026-03-01T00:05:00Z","pages":"none"}"#,
    "\n",
    r#"{"id":"d"}"#,
    "\n",
    r#"{"id":"a","at":"2026-03-01T00:20:00Z"}"#,
    "\n",
);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn request(table: &str) -> ExportRequest {
    let window = Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-01T01:00:00Z")).unwrap();
    ExportRequest::new(vec![TableSelection::whole(table)], window, Format::Jsonl)
}

fn objects() -> Vec<InputObject> {
    let object = |key: &str| InputObject {
        key: key.to_owned(),
        size_bytes: ROWS.len() as u64,
        likely_whole: true,
        refer: false,
        partition: None,
    };
    vec![object("0"), object("1")]
}

fn listed(stats: &Stats) -> Vec<(&str, u64, bool)> {
    stats.listed.iter().map(|row| (&row.object[..], row.line, row.exported)).collect()
}

#[test]
fn what_is_passed_over_while_ids_are_gathered_is_counted() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let scan =
        KeyScan::every(&catalog, &"acme".parse().unwrap(), &request("visits"), "visits").unwrap();
    let open = |_| Ok(ROWS.as_bytes());
    let ScannedKeys { ids, stats, full } = scan.run(&objects(), 1, 1000, 2, open).unwrap();
    assert_eq!((&ids[..], full), (&[KeySet::new(vec![key_of("\"a\"").unwrap()])][..], None));
    assert_eq!((stats.outside, stats.bad_rows), (4, 2));
    assert_eq!(listed(&stats), [("0", 6, false), ("1", 6, false)]);
    let times = (at("2026-03-01T00:05:00Z"), at("2026-03-01T00:50:00Z"));
    assert_eq!(stats.times, Some(times));
}

#[test]
fn where_there_is_no_room_for_more_ids_it_says_so() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let scan =
        KeyScan::every(&catalog, &"acme".parse().unwrap(), &request("visits"), "visits").unwrap();
    let rows: String = (0..20)
        .map(|n| format!("{{\"id\":\"{}\",\"at\":\"2026-03-01T00:10:00Z\"}}\n", n / 2))
        .collect();
    let objects = &objects()[..1];
    let run = |first, most| scan.run(objects, first, most, 4, |_| Ok(rows.as_bytes())).unwrap();
    let all = run(1, 1000);
    assert_eq!((all.ids[0].len(), all.full), (10, None));
    // In portions, all of them are found, and each portion goes on behind the one before.
    let (mut found, mut first, mut portions) = (Vec::new(), 1, 0);
    loop {
        let portion = run(first, 8);
        assert!(portion.ids[0].len() <= 8, "{}", portion.ids[0].len());
        found.extend(portion.ids);
        portions += 1;
        let Some(full) = portion.full else { break };
        assert!(full >= first);
        first = full + 1;
    }
    assert_eq!(KeySet::joined(found), all.ids[0]);
    assert!((2..=4).contains(&portions), "{portions}");
}

#[test]
fn rows_are_counted_with_what_is_missed_of_them() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let selection =
        Selection::new(&catalog, &"acme".parse().unwrap(), &request("words"), 0).unwrap();
    let open = |_| Ok(ROWS.as_bytes());
    let (rows, stats) = selection.count(&objects(), 2, open).unwrap();
    assert_eq!((rows, stats.outside, stats.bad_rows), (4, 4, 6));
    let of_each = [(1, true), (5, false), (6, false)];
    let both = ["0", "1"].map(|key| of_each.map(|(line, exported)| (key, line, exported)));
    assert_eq!(listed(&stats), both.concat());
}
