//! A row leaves in an export of its own tenant, and nothing of it in any other.

use super::*;
use crate::KeyScan;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"
    workspace = { field = "org.id", names = { acme = "aBc", globex = "7" } }

    [[table]]
    name = "visits"
    dataset = "visits"
    relation = { name = "visit", column = "id" }
    columns = ["id:integer", { name = "org", path = "org.id" }]

    [[table]]
    name = "clicks"
    dataset = "visits"
    explode = "list"
    columns = ["id:integer", { name = "click", element = "" }]
"#;

fn request(table: &str, format: Format, filter: Option<&str>) -> ExportRequest {
    let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
    let window = Window::new(hour[0], hour[1]).unwrap();
    let filters = filter.map(|text| export::TableFilter {
        tables: vec![table.to_owned()],
        filter: text.parse().unwrap(),
    });
    let request = ExportRequest::new(vec![TableSelection::whole(table)], window, format);
    ExportRequest { filters: filters.into_iter().collect(), ..request }
}

fn selection_of(workspace: &str, request: &ExportRequest) -> Selection {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    Selection::new(&catalog, &workspace.parse().unwrap(), request, 0).unwrap()
}

/// How rows name their tenant: right, as a number, in odd ways, and not at all.
const ORGS: [&str; 12] = [
    r#"{"id":"aBc"}"#,
    r#"{"id":"\u0061Bc"}"#,
    r#"{"id":"7"}"#,
    r#"{"id":7}"#,
    r#"{"id":"abc"}"#,
    r#"{"id":"aBc "}"#,
    r#"{"id":"aBc","id":"7"}"#,
    r#"{"id":null}"#,
    r#"{"id":["aBc"]}"#,
    r#"{"id":{"aBc":1}}"#,
    r#"{"other":"aBc"}"#,
    r#""aBc""#,
];
/// Those of the two workspaces that have names, by their place in [`ORGS`].
const OWNED: [(&str, &[usize]); 4] =
    [("acme", &[0, 1]), ("globex", &[2, 3, 6]), ("abc", &[]), ("initech", &[])];

/// Rows of each tenant, over and over: all of them good, or two thirds misfiled or without a time.
fn rows(kinds: usize) -> String {
    let row = |n: usize| {
        let at = ["2026-03-01T00:30:00Z", "2026-03-01T09:30:00Z", "never"][n / 12 % kinds];
        format!("{{\"id\":{n},\"at\":\"{at}\",\"org\":{},\"list\":[{n}]}}\n", ORGS[n % 12])
    };
    (0..3600).map(row).collect()
}

#[test]
fn rows_of_others_are_neither_written_nor_counted_nor_listed() {
    let key = "2026/03/01/00/a.gz";
    for (kinds, (workspace, owned)) in
        [1, 3].into_iter().flat_map(|kinds| OWNED.map(|owned| (kinds, owned)))
    {
        let text = rows(kinds);
        let is_own = |n: usize| owned.contains(&(n % 12));
        let own: Vec<usize> = (0..3600).filter(|n| is_own(*n) && n / 12 % kinds == 0).collect();
        // A third has no time that can be read, and a third is misfiled.
        let flawed = (0..3600).filter(|n| is_own(*n) && n / 12 % kinds > 0).count() as u64;
        for (format, filter) in [
            (Format::Jsonl, None),
            (Format::Csv, None),
            (Format::Jsonl, Some("org != null OR org == null")),
            (Format::Jsonl, Some("org == 'aBc' OR org == '7' OR id >= 0")),
        ] {
            for (table, plain) in [("visits", false), ("visits", true), ("clicks", false)] {
                let filter = filter.filter(|_| table == "visits");
                let selection = selection_of(workspace, &request(table, format, filter));
                let data = if plain { text.clone().into_bytes() } else { gzip(&text) };
                for likely_whole in [true, false] {
                    let partition = Some("2026-03-01T00:00:00Z".parse().unwrap());
                    let size_bytes = if plain { 1 << 30 } else { 1 };
                    let object =
                        InputObject { size_bytes, likely_whole, partition, ..an_object(key) };
                    let objects = [(key, data.clone())];
                    let (read, output) =
                        convert_listed(&selection, std::slice::from_ref(&object), &objects, 2)
                            .unwrap();
                    let head = usize::from(format == Format::Csv);
                    let ids: Vec<usize> = read.lines().skip(head).map(id).collect();
                    assert_eq!(ids, own, "{workspace} {table} {format:?}");
                    assert_eq!(output.stats.bad_rows, flawed, "{workspace} {table} {format:?}");
                    let open = |_| Ok(&data[..]);
                    let (count, stats) = selection.count(&[object], 1, open).unwrap();
                    assert_eq!((count, stats.bad_rows), (own.len() as u64, flawed));
                    assert!(stats.outside <= flawed && output.stats.outside == stats.outside);
                }
            }
        }
    }
}

/// The first number of a line.
fn id(line: &str) -> usize {
    let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn join_keys_are_those_of_the_tenant() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let request = request("visits", Format::Jsonl, None);
    let text = rows(3);
    for (workspace, owned) in OWNED {
        let scan = KeyScan::every(&catalog, &workspace.parse().unwrap(), &request, "visits");
        let open = |_| Ok(text.as_bytes());
        let found = scan.unwrap().run(&[an_object("a.json")], 1, 1 << 20, 1, open).unwrap();
        assert_eq!(found.ids[0].len(), 100 * owned.len(), "{workspace}");
    }
}

#[test]
fn an_object_of_several_tenants_is_never_copied() {
    use crate::{Way, WayChooser};
    let catalog =
        CATALOG.replace("time = \"at\"", "time = \"at\"\nearly_hours = 0\nlate_hours = 0");
    let hour = |catalog: &str| {
        let catalog = Catalog::parse("test", catalog).unwrap();
        let mut request = request("visits", Format::Jsonl, None);
        request.files = export::Files::Hourly("f".into());
        let object = export::SourceObject {
            bucket: None,
            key: "a.gz".into(),
            etag: String::new(),
            size_bytes: 9,
        };
        let ways = WayChooser::new(&catalog, &request, 0).unwrap();
        ways.of("2026-03-01T00:00:00Z".parse().unwrap(), &object).0
    };
    assert_eq!(hour(&catalog), Way::Splice);
    let begin = catalog.find("workspace = {").unwrap();
    let end = begin + catalog[begin..].find('\n').unwrap();
    assert_eq!(hour(&catalog.replace(&catalog[begin..end], "workspace = \"acme\"")), Way::Copy);
}
