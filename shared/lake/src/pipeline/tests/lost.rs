//! Nothing is lost in silence: each row of a random lake is in the output, or outside of the window or the
//! filter, or counted and listed as bad. What is true of a row is known from how it was made.

use export::{CsvStyle, TableFilter};

use super::*;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"

    [[table]]
    name = "visits"
    dataset = "visits"
    columns = ["id", "title", { name = "plan", path = "props.plan" }]

    [[table]]
    name = "tags"
    dataset = "visits"
    explode = "tags"
    columns = ["id", { name = "tag", element = "" }]

    [[table]]
    name = "entries"
    dataset = "visits"
    explode = "entries{}"
    columns = ["id", { name = "name", element = "name" }, { name = "value", element = "value" }]
"#;

const IN: Option<bool> = Some(true);
const OUT: Option<bool> = Some(false);

/// The JSON of a time, and whether it is inside of the window, if it can be read.
const TIMES: [(&str, Option<bool>); 11] = [
    (r#""2026-03-01T00:30:00Z""#, IN),
    (r#""2026-03-01T00:30:00Z""#, IN),
    (r#""2026-03-01T01:30:00\u002B01:00""#, IN),
    (r#""2026-03-01 00:30:00 UTC""#, IN),
    (r#""2026-03-01T00:30:00+01:00""#, OUT),
    (r#""2026-03-01T01:00:00Z""#, OUT),
    ("null", None),
    ("20260301", None),
    (r#""2026-03-01T00:30:00[Europe/Berlin]""#, None),
    (r#""2026-03-01T00:30:00Z\ud83d""#, None),
    ("{}", None),
];

/// The JSON of a text, and the text. U+FFFD tells that it is not Unicode.
const TEXTS: [(&str, &str); 9] = [
    (r#""a""#, "a"),
    (r#""\u0061""#, "a"),
    (r#""b,\"}{\"\n""#, "b,\"}{\"\n"),
    (r#""\ud83d\ude00 ä""#, "😀 ä"),
    (r#""Sale \ud83d""#, "Sale \u{fffd}"),
    (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
    ("null", ""),
    (r#""""#, ""),
    ("-1.50e3", "-1.50e3"),
];

/// The JSON of an object with a plan, and the plan.
const PROPS: [(&str, &str); 7] = [
    (r#"{"plan":"gold"}"#, "gold"),
    (r#"{"plan":"gold","\ud83d":1}"#, "gold"),
    (r#"{"\ud83d":{"plan":"no"},"pl\u0061n":"gold"}"#, "gold"),
    (r#"{"plan":"tin","x":[{"plan":"gold"}]}"#, "tin"),
    ("[]", ""),
    ("{}", ""),
    ("null", ""),
];

/// What a list may be, if it is none.
const NO_LISTS: [(&str, bool); 6] = [
    ("null", false),
    ("{}", false),
    ("{ }", false),
    (r#""a""#, true),
    ("1", true),
    (r#"{"a":1}"#, true),
];
/// What an object may be, if it is none.
const NO_OBJECTS: [(&str, bool); 5] =
    [("null", false), ("[]", false), (r#""a""#, true), ("[1]", true), ("false", true)];
/// Fields that nobody asks for.
const ODD: [&str; 5] = [
    "",
    r#","\ud83d":1"#,
    r#","z":{"\ude00":[1]}"#,
    r#","\u0022":"\ud83d\\""#,
    r#","TITLE":1e400"#,
];

/// What is chosen for a record, from the tables above.
#[derive(Clone, Debug)]
struct Choice {
    time: usize,
    title: usize,
    props: usize,
    odd: usize,
    tags: Result<Vec<usize>, usize>,
    entries: Result<Vec<(usize, usize)>, usize>,
}

fn choices() -> impl Strategy<Value = Choice> {
    let text = 0..TEXTS.len();
    let tags = prop_oneof![
        prop::collection::vec(text.clone(), 0..4).prop_map(Ok),
        (0..NO_LISTS.len()).prop_map(Err)
    ];
    // The names of entries are texts.
    let entry = (0_usize..6, text.clone());
    let entries = prop_oneof![
        prop::collection::vec(entry, 0..4).prop_map(Ok),
        (0..NO_OBJECTS.len()).prop_map(Err)
    ];
    (0..TIMES.len(), text, 0..PROPS.len(), 0..ODD.len(), tags, entries).prop_map(
        |(time, title, props, odd, tags, entries)| Choice {
            time,
            title,
            props,
            odd,
            tags,
            entries,
        },
    )
}

impl Choice {
    fn json(&self, id: usize) -> String {
        let tags = match &self.tags {
            Ok(tags) => {
                let tags: Vec<&str> = tags.iter().map(|tag| TEXTS[*tag].0).collect();
                format!("[{}]", tags.join(" ,"))
            }
            Err(other) => NO_LISTS[*other].0.to_owned(),
        };
        let entries = match &self.entries {
            Ok(entries) => {
                let entry = |(name, value): &(usize, usize)| {
                    format!("{}: {}", TEXTS[*name].0, TEXTS[*value].0)
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
            Err(other) => NO_OBJECTS[*other].0.to_owned(),
        };
        let (time, title, props) = (TIMES[self.time].0, TEXTS[self.title].0, PROPS[self.props].0);
        format!(
            r#"{{"id":{id},"at":{time},"title":{title},"props":{props},"tags":{tags},"entries":{entries}{}}}"#,
            ODD[self.odd]
        )
    }

    /// The rows of a table, and whether something in the record is wrong for it.
    fn rows(&self, id: usize, asked: Asked) -> (Vec<Vec<String>>, bool) {
        let id = id.to_string();
        let text = |number: usize| TEXTS[number].1.to_owned();
        let mut bad = false;
        let mut rows: Vec<Vec<String>> = match asked.table {
            "visits" => vec![vec![id, text(self.title), PROPS[self.props].1.to_owned()]],
            "tags" => match &self.tags {
                Ok(tags) => tags.iter().map(|tag| vec![id.clone(), text(*tag)]).collect(),
                Err(other) => {
                    bad = NO_LISTS[*other].1;
                    Vec::new()
                }
            },
            _ => match &self.entries {
                Ok(entries) => {
                    let row = |(name, value): &(usize, usize)| {
                        vec![id.clone(), text(*name), text(*value)]
                    };
                    entries.iter().map(row).collect()
                }
                Err(other) => {
                    bad = NO_OBJECTS[*other].1;
                    Vec::new()
                }
            },
        };
        if asked.filtered {
            rows.retain(|row| match asked.table {
                "visits" => row[2] == "gold",
                "tags" => row[1].contains('a'),
                _ => row[2].contains('\u{fffd}'),
            });
        }
        let broken = rows.iter().flatten().any(|cell| cell.contains('\u{fffd}'));
        (rows, bad || (asked.format == Format::Csv && broken))
    }
}

/// What an export asks for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    table: &'static str,
    format: Format,
    /// Whether records go in as they are.
    whole: bool,
    filtered: bool,
    /// Whether CSV is written as Excel reads it.
    excel: bool,
}

impl Asked {
    fn any() -> impl Strategy<Value = Self> {
        let table = prop::sample::select(vec!["visits", "tags", "entries"]);
        let format = prop_oneof![Just(Format::Csv), Just(Format::Jsonl)];
        (table, format, any::<[bool; 3]>()).prop_map(|(table, format, [whole, filtered, excel])| {
            let whole = whole && table == "visits" && format == Format::Jsonl;
            Self { table, format, whole, filtered, excel }
        })
    }

    fn selection(self) -> Selection {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let mut table = TableSelection::whole(self.table);
        if !self.whole {
            let columns = &catalog.table(self.table).unwrap().columns;
            table.columns = Some(columns.iter().map(|column| column.name.clone()).collect());
        }
        let mut request =
            ExportRequest::new(vec![table], Window::new(hour[0], hour[1]).unwrap(), self.format);
        if self.excel {
            request.csv = CsvStyle::Excel;
        }
        if self.filtered {
            let filter = match self.table {
                "visits" => "plan == 'gold'",
                "tags" => "tag =@ 'a'",
                _ => "value =@ '\u{fffd}'",
            };
            let filter = filter.parse().unwrap();
            request.filters.push(TableFilter { tables: vec![self.table.to_owned()], filter });
        }
        Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap()
    }

    /// The cells of what was written, as a reader sees them.
    fn read(self, text: &str) -> Vec<Vec<String>> {
        let cell = |value: &str| {
            crate::text::text_of(if value == "null" { "\"\"" } else { value }).text.into_owned()
        };
        if self.format == Format::Csv {
            // Excel takes the mark off.
            let text = if self.excel { text.strip_prefix('\u{feff}').unwrap() } else { text };
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records = reader.records().map(|row| row.unwrap());
            return records.map(|row| row.iter().map(str::to_owned).collect()).collect();
        }
        let names = match self.table {
            "visits" => &["id", "title", "plan"][..],
            "tags" => &["id", "tag"],
            _ => &["id", "name", "value"],
        };
        let row = |line: &str| {
            let row: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
                serde_json::from_str(line).unwrap();
            names.iter().map(|name| cell(row[*name].get())).collect()
        };
        text.lines().map(row).collect()
    }
}

/// How records follow each other in an object, and how it is stored.
#[derive(Clone, Copy, Debug)]
struct Layout {
    joined: usize,
    stored: usize,
}

impl Layout {
    fn any() -> impl Strategy<Value = Self> {
        (0_usize..7, 0_usize..13).prop_map(|(joined, stored)| Self { joined, stored })
    }

    fn object(self, records: &[String]) -> (&'static str, Vec<u8>) {
        let text = match self.joined {
            0 => records.concat(),
            1 => format!("[{}]", records.join(", ")),
            2 => format!("[\n{}\n]\n", records.join(",\n")),
            3 => records.join("\r\n"),
            4 => records.iter().map(|record| format!("\u{1e}{record}\n")).collect(),
            _ => records.iter().map(|record| format!("{record}\n")).collect(),
        };
        match self.stored {
            0 => ("a", text.into_bytes()),
            1 => ("a.json.gz", text.into_bytes()),
            2 => ("a.json", gzip(&text)),
            3 => ("A.GZ", gzip(&text)),
            4 => ("a", zstd::encode_all(text.as_bytes(), 1).unwrap()),
            5 | 6 => ("a.json.gz", gzip(&text)),
            other => by_libraries(text).swap_remove(other - 7),
        }
    }
}

/// Objects that an export cannot be made of.
fn damaged(which: usize) -> (&'static str, Vec<u8>) {
    let whole = gzip(ROWS);
    match which {
        0 => ("cut.gz", whole[..whole.len() - 3].to_vec()),
        1 => ("cut", whole[..whole.len() - 30].to_vec()),
        2 => ("a.parquet", b"PAR1\x15\x04\n".to_vec()),
        3 => ("a.json", ROWS.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        4 => ("a.json.gz", gzip(gzip(ROWS))),
        _ => ("a.json", b"{\n\"id\": 1\n}\n".to_vec()),
    }
}

fn claims() -> impl Strategy<Value = Claimed> {
    prop_oneof![
        Just(Claimed::Small),
        Just(Claimed::Large),
        Just(Claimed::Referred),
        Just(Claimed::Edge)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_is_lost_in_silence(
        lake in prop::collection::vec((prop::collection::vec(choices(), 1..12), Layout::any()), 1..5),
        asked in Asked::any(), claimed in claims(), damage in prop::option::weighted(0.1, 0_usize..6)
    ) {
        let (mut objects, mut rows, mut lines, mut bad) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (object, (records, layout)) in lake.iter().enumerate() {
            let ids = (100 * object..).zip(records);
            for (id, record) in ids.clone() {
                match TIMES[record.time].1 {
                    None => bad += 1,
                    Some(false) => {}
                    Some(true) => {
                        let (more, is_bad) = record.rows(id, asked);
                        lines.extend((!more.is_empty()).then(|| record.json(id)));
                        rows.extend(more);
                        bad += u64::from(is_bad);
                    }
                }
            }
            objects.push(layout.object(&ids.map(|(id, record)| record.json(id)).collect::<Vec<_>>()));
        }
        objects.extend(damage.map(damaged));
        let output = try_convert(&asked.selection(), &objects, 2, claimed);
        if damage.is_some() {
            let failed = matches!(output, Err(ObjectError::Corrupt { .. } | ObjectError::Foreign { .. }));
            prop_assert!(failed, "{:?}", output);
            return Ok(());
        }
        let (text, output) = output.unwrap();
        if asked.whole {
            prop_assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        } else {
            prop_assert_eq!(asked.read(&text), rows);
        }
        let stats = output.stats;
        prop_assert_eq!((stats.bad_rows, stats.listed.len() as u64), (bad, bad), "{:?}", stats.listed);
    }
}
