//! Random filters on random rows of related tables, against an evaluator that is slow and obvious.

use std::{fmt::Write as _, io::Read as _, ops::RangeInclusive};

use export::{Format, Literal, Operator, Scope, TableFilter, TableSelection, Window};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Encoding, InputObject, KeyScan, KeySet, Pipeline, Selection, group_runs};

const CATALOG: &str = r#"
    [[dataset]]
    name = "searches"
    path = "searches/{workspace}/{yyyy}/{MM}/{dd}/"
    time = "at"

    [[table]]
    name = "searches"
    dataset = "searches"
    relation = { name = "search", column = "id" }
    columns = ["id", "at:time", "city", "n:integer", "ok:boolean"]

    [[table]]
    name = "tags"
    dataset = "searches"
    explode = "tags"
    relation = { name = "search", column = "searchId" }
    columns = [{ name = "searchId", path = "id" }, { name = "tag", element = "" }]

    [[dataset]]
    name = "clicks"
    path = "clicks/{workspace}/{yyyy}/{MM}/{dd}/"
    time = "at"

    [[table]]
    name = "clicks"
    dataset = "clicks"
    relation = { name = "search", column = "searchId" }
    columns = ["searchId", "at:time", "city", "title"]

    [[dataset]]
    name = "events"
    path = "events/{workspace}/{yyyy}/{MM}/{dd}/"
    time = "at"

    [[table]]
    name = "events"
    dataset = "events"
    relation = { name = "search", column = "lastSearchId" }
    columns = ["lastSearchId", "at:time", "City", "kind"]
"#;

const TABLES: [&str; 4] = ["searches", "tags", "clicks", "events"];

const LEAVES: [&str; 22] = [
    "city == 'a'",
    "city != 'a'",
    "city IN ['a', null]",
    "city NOT_IN ['b']",
    "CITY =~ 'B'",
    "city == null",
    "n < 2",
    "n >= '2'",
    "n != 1",
    "n =@ 1",
    "ok == true",
    "ok != 'false'",
    "tag == 'a'",
    "tag != 'a'",
    "tag == null",
    "tag != null",
    "title =@ 'A'",
    "title == null",
    "kind != 'b'",
    "kind !~ 'A'",
    "clicks.city == 'b'",
    "searches.city > 'a'",
];

/// The records of the three datasets.
type Lake = [Vec<Value>; 3];

fn dataset(table: &str) -> usize {
    match table {
        "searches" | "tags" => 0,
        "clicks" => 1,
        _ => 2,
    }
}

fn window() -> Window {
    let at = |text: &str| text.parse().unwrap();
    Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")).unwrap()
}

/// The records inside of the window.
fn inside<'l>(lake: &'l Lake, table: &str) -> impl Iterator<Item = &'l Value> {
    lake[dataset(table)].iter().filter(|record| record["at"].as_str().unwrap() < "2026-03-02")
}

/// All rows of a table: the record, and the element where there is one.
fn rows<'l>(lake: &'l Lake, table: &str) -> Vec<(&'l Value, Option<&'l Value>)> {
    let elements = |record: &'l Value| match (table, &record["tags"]) {
        ("tags", Value::Array(list)) => list.iter().map(|tag| (record, Some(tag))).collect(),
        ("tags", _) => Vec::new(),
        _ => vec![(record, None)],
    };
    inside(lake, table).flat_map(elements).collect()
}

fn key(table: &str) -> &'static str {
    match table {
        "searches" | "tags" => "id",
        "clicks" => "searchId",
        _ => "lastSearchId",
    }
}

/// The tables that have a column, and what it is called there.
fn columns(name: &str) -> Vec<(&'static str, &'static str)> {
    match name {
        "city" => vec![("searches", "city"), ("clicks", "city"), ("events", "City")],
        "n" => vec![("searches", "n")],
        "ok" => vec![("searches", "ok")],
        "title" => vec![("clicks", "title")],
        "kind" => vec![("events", "kind")],
        other => panic!("{other}"),
    }
}

fn slow(filter: &Filter, lake: &Lake, table: &str, row: (&Value, Option<&Value>)) -> bool {
    match filter {
        Filter::All(all) => all.iter().all(|filter| slow(filter, lake, table, row)),
        Filter::Any(any) => any.iter().any(|filter| slow(filter, lake, table, row)),
        Filter::One(Comparison { dimension, test }) => {
            let name = dimension.name.to_lowercase();
            let id = &row.0[key(table)];
            if name == "tag" {
                return slow_tag(test, lake, table, row);
            }
            let mut columns = columns(&name);
            columns.retain(|(of, _)| dimension.table.as_ref().is_none_or(|t| t == of));
            if let Some((_, column)) = columns.iter().find(|(of, _)| dataset(of) == dataset(table))
            {
                return slow_test(test, &row.0[*column]);
            }
            columns.iter().any(|(of, column)| {
                inside(lake, of).any(|other| {
                    !id.is_null() && other[key(of)] == *id && slow_test(test, &other[*column])
                })
            })
        }
    }
}

fn slow_tag(test: &Test, lake: &Lake, table: &str, row: (&Value, Option<&Value>)) -> bool {
    match (table, row.1) {
        ("tags", Some(element)) => slow_test(test, element),
        ("searches", _) => {
            let tags = row.0["tags"].as_array().cloned().unwrap_or_default();
            if *test == Test::Is(Operator::Equal, Literal::Null) {
                return tags.iter().all(Value::is_null);
            }
            tags.iter().any(|tag| slow_test(test, tag))
        }
        _ => {
            let id = &row.0[key(table)];
            let searches = inside(lake, "searches").filter(|search| search["id"] == *id);
            !id.is_null()
                && searches
                    .into_iter()
                    .any(|search| slow_tag(test, lake, "searches", (search, None)))
        }
    }
}

fn slow_test(test: &Test, value: &Value) -> bool {
    let literal_text = |literal: &Literal| match literal {
        Literal::Text(it) | Literal::Number(it) => it.clone(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Null => "null".to_owned(),
    };
    let shown = match value {
        Value::String(it) => it.clone(),
        other => other.to_string(),
    };
    let null = value.is_null();
    match test {
        Test::In(list) => {
            list.iter().any(|l| if null { *l == Literal::Null } else { literal_text(l) == shown })
        }
        Test::NotIn(list) => !null && !list.iter().any(|l| literal_text(l) == shown),
        Test::Is(Operator::Equal, Literal::Null) => null,
        Test::Is(Operator::NotEqual, Literal::Null) => !null,
        Test::Is(_, _) if null => false,
        Test::Is(operator, literal) => {
            let wanted = literal_text(literal);
            let (low, wanted_low) = (shown.to_lowercase(), wanted.to_lowercase());
            let order = match value {
                Value::Number(n) => n.as_f64().unwrap().total_cmp(&wanted.parse().unwrap_or(0.0)),
                _ => shown.cmp(&wanted),
            };
            match operator {
                Operator::Equal => shown == wanted,
                Operator::NotEqual => shown != wanted,
                Operator::EqualFolded => low == wanted_low,
                Operator::NotEqualFolded => low != wanted_low,
                Operator::Contains => low.contains(&wanted_low),
                Operator::Lacks => !low.contains(&wanted_low),
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::AtLeast => order.is_ge(),
            }
        }
    }
}

fn lake() -> impl Strategy<Value = Lake> {
    let id = || prop_oneof![Just(Value::Null), (0..4).prop_map(|n| json!(format!("s{n}")))];
    let text =
        || prop::sample::select(vec![json!("a"), json!("A"), json!("b"), json!(""), Value::Null]);
    let time = || prop::sample::select(vec!["2026-03-01T10:00:00Z", "2026-03-02T00:00:00Z"]);
    let tags =
        prop_oneof![Just(Value::Null), prop::collection::vec(text(), 0..3).prop_map(Value::from)];
    let n = prop_oneof![Just(Value::Null), (0..12).prop_map(Value::from)];
    let ok = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
    let searches = (id(), time(), text(), n, ok, tags).prop_map(|(id, at, city, n, ok, tags)| {
        json!({ "id": id, "at": at, "city": city, "n": n, "ok": ok, "tags": tags })
    });
    let clicks = (id(), time(), text(), text()).prop_map(
        |(id, at, city, title)| json!({ "searchId": id, "at": at, "city": city, "title": title }),
    );
    let events = (id(), time(), text(), text()).prop_map(
        |(id, at, city, kind)| json!({ "lastSearchId": id, "at": at, "City": city, "kind": kind }),
    );
    let some = |rows: BoxedStrategy<Value>| prop::collection::vec(rows, 0..6);
    (some(searches.boxed()), some(clicks.boxed()), some(events.boxed()))
        .prop_map(|(searches, clicks, events)| [searches, clicks, events])
}

fn filter() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inner| {
        let word = prop::sample::select(vec![" AND ", " OR "]);
        (prop::collection::vec(inner, 1..4), word)
            .prop_map(|(parts, word)| format!("({})", parts.join(word)))
    })
}

/// What the engine makes of a table: the file, after all that had to be looked up was. Some `most` ids
/// are scanned at a time.
fn exported(catalog: &Catalog, request: &ExportRequest, lake: &Lake, most: usize) -> (String, u64) {
    let stored = |table: &str| {
        let lines = lake[dataset(table)].iter().map(|record| format!("{record}\n"));
        lines.collect::<String>()
    };
    let object = |data: &String| InputObject {
        key: "a.json".to_owned(),
        size_bytes: data.len() as u64,
        likely_whole: false,
        refer: false,
        partition: None,
    };
    let lookups = lookups(catalog, request);
    let mut sets = Vec::new();
    for (index, lookup) in lookups.iter().enumerate() {
        let scan = KeyScan::new(catalog, &"acme".parse().unwrap(), request, &lookup.table).unwrap();
        let field = lookups[..index].iter().filter(|other| other.table == lookup.table).count();
        let data = stored(&lookup.table);
        let found = portions(&scan, &object(&data), &data, most);
        sets.push(KeySet::joined(found.into_iter().map(|(_, mut ids)| ids.swap_remove(field))));
    }

    let (mut text, mut count) = (String::new(), 0);
    let data = stored(&request.tables[0].table);
    let objects = &[object(&data)];
    let selection = || Selection::new(catalog, &"acme".parse().unwrap(), request, 0).unwrap();
    let selections: Vec<Selection> = if selection().is_related() {
        let scan =
            KeyScan::every(catalog, &"acme".parse().unwrap(), request, &request.tables[0].table)
                .unwrap();
        let keys = portions(&scan, &objects[0], &data, most).into_iter();
        keys.map(|(lines, keys)| {
            let here: Vec<KeySet> = sets.iter().map(|set| set.within(&keys[0])).collect();
            selection().with_sets(here.into()).with_records(lines)
        })
        .collect()
    } else {
        vec![selection()]
    };
    for selection in selections {
        let encoding = Encoding::Deflate(1);
        let runs = group_runs(objects, &encoding);
        let pipeline = Pipeline { selection: &selection, objects, runs, encoding, workers: 1 };
        let mut bytes = Vec::new();
        let keep = |_, extent| {
            if let archive::Extent::Bytes(more) = extent {
                bytes.extend(more);
            }
            Ok(())
        };
        pipeline.run(|_| Ok(data.as_bytes()), keep).unwrap();
        bytes.extend(archive::END_OF_MEMBER);
        flate2::read::DeflateDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        count += selection.count(objects, 1, |_| Ok(data.as_bytes())).unwrap().0;
    }
    (text, count)
}

/// The keys of an object, scan by scan, each with the lines that it read.
fn portions(
    scan: &KeyScan,
    object: &InputObject,
    data: &str,
    most: usize,
) -> Vec<(RangeInclusive<u64>, Vec<KeySet>)> {
    let (mut found, mut next) = (Vec::new(), Some(1));
    while let Some(first) = next {
        let objects = std::slice::from_ref(object);
        let scanned = scan.run(objects, first, most, 2, |_| Ok(data.as_bytes())).unwrap();
        next = scanned.full.map(|line| line + 1);
        found.push((first..=scanned.full.unwrap_or(u64::MAX), scanned.ids));
    }
    found
}

#[test]
fn each_table_in_which_something_is_looked_up_is_named_once() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let of = |text: &str| {
        let related = |request: &ExportRequest| {
            let selection = Selection::new(&catalog, &"acme".parse().unwrap(), request, 0).unwrap();
            assert_eq!(selection.is_related(), !lookups(&catalog, request).is_empty(), "{text}");
        };
        let filter = TableFilter { tables: vec!["searches".into()], filter: text.parse().unwrap() };
        let tables = vec![TableSelection::whole("searches")];
        let request = ExportRequest::new(tables, window(), Format::Jsonl);
        let request = ExportRequest { filters: vec![filter], ..request };
        related(&request);
        lookup_tables(&catalog, &request)
    };
    let (events, clicks) = ("events".to_owned(), "clicks".to_owned());
    assert_eq!(of("city == 'a' AND tag == 'a'"), []);
    let text = "kind == 'a' OR title == 'a' AND kind == 'a' OR clicks.city == 'a' OR kind == 'b'";
    assert_eq!(of(text), [(0, events), (1, clicks)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn filters_choose_what_a_slow_evaluator_chooses(
        lake in lake(), text in filter(), table in prop::sample::select(TABLES.to_vec()), most in 1..12_usize
    ) {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let filter = Filter::read(&text, &Scope::new(&catalog, [table], "", &[])).unwrap().unwrap();
        let request = ExportRequest {
            filters: vec![TableFilter { tables: vec![table.to_owned()], filter: filter.clone() }],
            ..ExportRequest::new(vec![TableSelection::whole(table)], window(), Format::Jsonl)
        };
        let (file, count) = exported(&catalog, &request, &lake, most);

        let mut want = String::new();
        for (record, element) in rows(&lake, table) {
            if slow(&filter, &lake, table, (record, element)) {
                match element {
                    Some(tag) => {
                        writeln!(want, "{{\"searchId\":{},\"tag\":{tag}}}", record["id"]).unwrap();
                    }
                    None => writeln!(want, "{record}").unwrap(),
                }
            }
        }
        prop_assert_eq!(count, want.lines().count() as u64);
        prop_assert_eq!(file, want, "{} of {}", filter, table);
    }
}
