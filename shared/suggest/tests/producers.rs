//! For every writer of the table: what is suggested reads all that it wrote.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::collections::BTreeMap;

use export::{Catalog, SourceObject, Window, Workspace};
use jiff::{SignedDuration, Timestamp};
use lake::{InputObject, inspect};
use producers::{Object, Producer, Tenants, producers};
use suggest::{Options, Sample, Suggestion, Survey};

/// What is suggested for some objects.
fn suggested(objects: &[Object]) -> Suggestion {
    let listed = objects.iter().map(|object| SourceObject {
        key: object.key.clone(),
        bucket: None,
        etag: String::new(),
        size_bytes: object.bytes.len() as u64,
    });
    let survey = Survey::of(listed.collect());
    let sample = |key: &str| {
        let object = objects.iter().find(|object| object.key == key).unwrap();
        let bytes = object.bytes.clone();
        if object.is_parquet { Sample::Parquet(bytes) } else { Sample::Stored(bytes) }
    };
    let samples: BTreeMap<String, Sample> =
        survey.wanted().into_iter().map(|one| (one.key.clone(), sample(&one.key))).collect();
    survey.suggest(&samples, &Options::default())
}

/// Checks that an export of exactly its time finds each row, and that all rows can be read.
fn check(producer: &Producer, objects: &[Object], suggestion: &Suggestion) {
    let (name, text) = (producer.name, &suggestion.catalog);
    let catalog = Catalog::parse(name, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let all: Vec<_> = catalog.datasets().collect();
    let [dataset] = all[..] else { panic!("{name} is one dataset: {text}") };
    let table = catalog.tables().next().unwrap();
    for object in objects {
        let tenant = &object.rows[0].tenant;
        let owner: Workspace = match producer.tenants {
            Tenants::One => "main".parse().unwrap(),
            Tenants::Key | Tenants::Row => {
                let plain = tenant.to_ascii_lowercase();
                plain.parse().unwrap()
            }
        };
        let other: Workspace = "nobody".parse().unwrap();
        let Some(partition) = dataset.partition_of(&owner, &object.key) else {
            panic!("{name}: {} is not read by\n{text}", object.key)
        };
        for row in &object.rows {
            let window = Window::new(row.at, row.at + SignedDuration::from_millis(1)).unwrap();
            let partitions = dataset.partitions(&owner, window).unwrap();
            assert!(
                partitions.contains(&partition),
                "{name}: {} of {}\n{text}",
                row.at,
                object.key
            );
        }
        if producer.tenants == Tenants::Key {
            assert_eq!(dataset.partition_of(&other, &object.key), None, "{name}: {text}");
        }
        let input = InputObject {
            key: object.key.clone(),
            size_bytes: object.bytes.len() as u64,
            likely_whole: false,
            refer: false,
            partition: Some(partition),
        };
        let look = |workspace| {
            inspect(&catalog, workspace, table, &input, || Ok(&object.bytes[..])).unwrap()
        };
        let found = look(&owner);
        assert_eq!((found.rows, &found.first_bad), (3, &None), "{name}: {}\n{text}", object.key);
        // Of its 131 fields, hardly ever all have something.
        let is_sparse = name.starts_with("snowplow_");
        assert!(is_sparse || found.missing.is_empty(), "{name}: {:?}\n{text}", found.missing);
        assert!(found.early <= dataset.early && found.late <= dataset.late, "{name}\n{text}");
        if producer.tenants == Tenants::Row {
            assert_eq!(look(&other).rows, 0, "{name}: {text}");
        }
    }
}

fn day(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn what_every_writer_wrote_is_read_by_what_is_suggested() {
    for producer in producers() {
        for begin in ["2026-02-27T00:00:00Z", "2026-12-30T00:00:00Z"] {
            let tenants: &[&str] =
                if producer.tenants == Tenants::One { &["acme"] } else { &["acme", "globex"] };
            let objects = producer.objects(day(begin), tenants);
            let suggestion = suggested(&objects);
            check(&producer, &objects, &suggestion);
            let path = format!("path = \"{}\"\n", producer.path);
            assert!(
                suggestion.catalog.contains(&path),
                "{} is {path}{}",
                producer.name,
                suggestion.catalog
            );
        }
    }
}

#[test]
fn ids_of_tenants_get_names_of_workspaces() {
    for producer in producers().into_iter().filter(|producer| producer.tenants == Tenants::Key) {
        for tenants in [
            &["aBcD3fGhIj"][..],
            &["187520", "187521"],
            &["2aBcDeFgHiJkLmNoPqRsTuVwXyZ", "ab12-acc-XyZaBcDe-ab12"],
        ] {
            let objects = producer.objects(day("2026-02-27T00:00:00Z"), tenants);
            check(&producer, &objects, &suggested(&objects));
        }
    }
}

#[test]
fn a_time_zone_of_folders_is_told_from_rows() {
    let producer = producers().into_iter().find(|one| one.zone == "Asia/Tokyo").unwrap();
    let suggestion = suggested(&producer.objects(day("2026-02-27T00:00:00Z"), &["acme"]));
    assert!(suggestion.catalog.contains("zone = \"Asia/Tokyo\"\n"), "{}", suggestion.catalog);
}

#[test]
fn several_writers_in_one_bucket_are_as_many_datasets() {
    let mut objects = Vec::new();
    let chosen = [
        "vector",
        "kafka_connect",
        "segment",
        "appsflyer",
        "snowplow_enriched",
        "firehose_dynamic",
    ];
    for producer in producers().into_iter().filter(|one| chosen.contains(&one.name)) {
        for mut object in producer.objects(day("2026-02-27T00:00:00Z"), &["acme"]) {
            object.key = format!("{}/{}", producer.name, object.key);
            objects.push(object);
        }
    }
    let suggestion = suggested(&objects);
    let catalog = Catalog::parse("test", &suggestion.catalog).unwrap();
    assert_eq!(catalog.datasets().count(), chosen.len(), "{}", suggestion.catalog);
}

fn object(key: &str, bytes: &[u8]) -> Object {
    Object { key: key.to_owned(), bytes: bytes.to_vec(), rows: Vec::new(), is_parquet: false }
}

#[test]
fn a_document_of_many_records_is_read_to_its_end() {
    let record = "{\"eventTime\":\"2026-03-01T10:03:11Z\",\"eventName\":\"GetObject\"}";
    let document = format!("{{\"Records\":[{}]}}", vec![record; 50_000].join(","));
    let suggestion = suggested(&[object("AWSLogs/2026/03/01/a.json", document.as_bytes())]);
    assert!(suggestion.catalog.contains("records = \"Records[]\"\n"), "{}", suggestion.catalog);
}

#[test]
fn twenty_datasets_of_500_columns_are_suggested_from_64_objects_and_no_more() {
    let of = |kinds: usize, columns: usize| -> Vec<Object> {
        let names = |kind: usize| (0..columns - 1).map(move |n| format!("\"k{kind}_{n}\":1"));
        let row = |kind| {
            format!(
                "{{\"at\":\"2026-03-01T10:00:00Z\",{}}}\n",
                names(kind).collect::<Vec<_>>().join(",")
            )
        };
        let key = |kind: usize, n: usize| format!("topics/k{kind:02}/2026/03/01/10/{n}.json");
        let all = (0..kinds).flat_map(|kind| (0..8).map(move |n| (kind, n)));
        all.map(|(kind, n)| object(&key(kind, n), row(kind).as_bytes())).collect()
    };
    let counts = |objects: &[Object]| {
        let suggestion = suggested(objects);
        let catalog = Catalog::parse("test", &suggestion.catalog).unwrap();
        let columns = catalog.tables().map(|table| table.columns.len()).max().unwrap();
        (catalog.datasets().count(), columns, suggestion.notes)
    };
    assert_eq!(counts(&of(20, 500)), (20, 500, Vec::new()));
    let (datasets, columns, notes) = counts(&of(21, 501));
    assert_eq!((datasets, columns), (20, 500));
    assert!(notes[0].contains("there are 20 datasets already"), "{notes:?}");
    let listed = of(21, 3).into_iter().map(|object| SourceObject {
        key: object.key,
        bucket: None,
        etag: String::new(),
        size_bytes: 1,
    });
    assert_eq!(Survey::of(listed.collect()).wanted().len(), 63);
    assert_eq!(suggest::MAX_SAMPLES, 64);
}

#[test]
fn what_cannot_be_described_is_told() {
    for (key, bytes, want) in [
        (
            "topics/pageviews/partition=0/pageviews+0+0000000000.avro",
            &b"Obj\x01"[..],
            "say no date",
        ),
        ("wh/events/data/00000-0-0a1b.parquet", b"PAR1", "say no date"),
        ("c/event_type=Click/date=2026-03-01-10/0.avro", b"Obj\x01", "not JSON Lines but Avro"),
        ("d/2026/03/01/E1.log", b"#Version: 1.0\n#Fields: date time\n", "extended format"),
        ("e/2026/03/01/a.txt", b"it was a dark\nand stormy night\n", "neither JSON"),
        ("f/2026/03/01/a.json", b"{\"user\":\"u1\"}\n", "no field of its rows has a time"),
    ] {
        let suggestion = suggested(&[object(key, bytes)]);
        assert!(suggestion.datasets.is_empty());
        assert!(suggestion.notes.join("\n").contains(want), "{:?}", suggestion.notes);
        assert!(suggestion.catalog.lines().all(|line| line.is_empty() || line.starts_with('#')));
    }
    assert_eq!(suggested(&[]).notes, ["Nothing was found there."]);
}
