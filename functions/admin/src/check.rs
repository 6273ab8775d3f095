//! What the catalog finds in the lake, in plain words.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use cloud::Lake;
use columnar::{Rows, Wanted, is_named_parquet, is_parquet};
use export::{Catalog, Dataset, SourceObject, Table, Window, Workspace};
use jiff::{SignedDuration, Timestamp};
use lake::{InputObject, Inspection, MAX_INSPECTED_ROWS, ParquetUse, inspect};
use serde::Serialize;

/// How many days back from now are looked through.
const MAX_DAYS: i64 = 31;
/// The most objects of these days that are listed of a dataset.
const MAX_OBJECTS: usize = 100_000;
/// How many objects of a dataset are read.
const MAX_SAMPLES: usize = 3;
/// The largest object that is read, in bytes as stored.
const MAX_SAMPLE_BYTES: u64 = 16 << 20;

/// What was found of a dataset.
#[derive(Debug, Serialize)]
pub(crate) struct CheckedDataset {
    dataset: String,
    found: Vec<String>,
}

/// An object that is looked at, with its stored bytes.
type Sample = (InputObject, Bytes);

/// Objects of a partition, and when it begins.
type Partition = (Timestamp, Vec<SourceObject>);

/// Looks at the latest objects of a workspace in each dataset.
pub(crate) async fn check(
    lake: &Lake,
    catalog: &Catalog,
    workspace: &Workspace,
    now: Timestamp,
) -> anyhow::Result<Vec<CheckedDataset>> {
    let window = Window::new(now - SignedDuration::from_hours(24 * MAX_DAYS), now);
    let window = window.context("look through the last days")?;
    let mut checked = Vec::new();
    for dataset in catalog.datasets() {
        let found = match look(lake, catalog, dataset, (workspace, window), now).await {
            Err(cloud::Error::TooManyObjects) => vec![format!(
                "There are more than {MAX_OBJECTS} objects of the last {MAX_DAYS} days, the most that are looked through."
            )],
            Err(cloud::Error::Denied { reason, .. }) => {
                vec![format!("S3 does not let it be read: {reason}")]
            }
            found => found?,
        };
        checked.push(CheckedDataset { dataset: dataset.name.clone(), found });
    }
    Ok(checked)
}

/// Looks at the latest objects of a workspace in a dataset.
async fn look(
    lake: &Lake,
    catalog: &Catalog,
    dataset: &Dataset,
    (workspace, window): (&Workspace, Window),
    now: Timestamp,
) -> cloud::Result<Vec<String>> {
    let partitions = lake.filed(dataset, workspace, window, MAX_OBJECTS).await?;
    let mut found = vec![amounts(&partitions, dataset, workspace, now)];
    let samples = read_samples(lake, &partitions).await?;
    for table in catalog.tables().filter(|table| table.dataset == dataset.name) {
        found.extend(rows(catalog, workspace, table, &samples));
    }
    Ok(found)
}

/// Says how much there is.
fn amounts(
    partitions: &[Partition],
    dataset: &Dataset,
    workspace: &Workspace,
    now: Timestamp,
) -> String {
    let Some(name) = dataset.tenancy.name_of(workspace) else {
        return format!("The dataset has no rows of the workspace {workspace}.");
    };
    if partitions.is_empty() {
        let prefix = dataset.path.prefix(name, dataset.path.calendar().begin_of(now));
        return format!(
            "No object of the last {MAX_DAYS} days was found. One of now would be under {prefix:?}; if others are \
             there, path or zone differ from how they are written."
        );
    }
    let day = |at: &Timestamp| at.to_zoned(dataset.path.calendar().zone().clone()).date();
    let days = partitions.iter().map(|(at, _)| day(at)).collect::<BTreeSet<_>>().len();
    let objects: usize = partitions.iter().map(|(_, objects)| objects.len()).sum();
    let bytes: u64 = partitions.iter().flat_map(|(_, all)| all).map(|one| one.size_bytes).sum();
    let (a_day, a_partition) = (bytes / days as u64, bytes / partitions.len() as u64);
    format!(
        "{days} of the last {MAX_DAYS} days have objects: {objects} of {bytes} bytes, which is {a_day} bytes a day \
         and {a_partition} bytes a partition."
    )
}

/// Says what some objects have for a table.
fn rows(
    catalog: &Catalog,
    workspace: &Workspace,
    table: &Table,
    samples: &[Sample],
) -> Vec<String> {
    let (mut whole, mut failed) = (None::<Inspection>, Vec::new());
    for (object, bytes) in samples {
        let format = ParquetUse::of(catalog.dataset_of(table));
        match inspect(catalog, workspace, table, object, || open(format, &object.key, bytes)) {
            Ok(found) => {
                whole = Some(match whole {
                    Some(whole) => whole.and(found),
                    None => found,
                });
            }
            Err(error) => failed.push(format!("{}: failed to {error}.", table.name)),
        }
    }
    let dataset = catalog.dataset_of(table);
    let told = whole.map(|whole| told(&table.name, samples.len() - failed.len(), &whole, dataset));
    failed.into_iter().chain(told.into_iter().flatten()).collect()
}

/// Returns the stored bytes of an object, or lines of JSON where it is Parquet.
fn open<'a>(format: ParquetUse, key: &str, bytes: &'a Bytes) -> io::Result<Box<dyn Read + 'a>> {
    let is_rows = match format {
        ParquetUse::Always => true,
        ParquetUse::IfMarked => is_named_parquet(key) || is_parquet(bytes),
        ParquetUse::Never => false,
    };
    if is_rows {
        return Ok(Box::new(Rows::open(Arc::new(bytes.clone()), Wanted::default())?));
    }
    Ok(Box::new(&bytes[..]))
}

/// Reads some objects whole.
async fn read_samples(lake: &Lake, partitions: &[Partition]) -> cloud::Result<Vec<Sample>> {
    let mut read = Vec::new();
    for (partition, source) in samples(partitions) {
        let bytes = lake.open(&source).await?.collect().await?;
        let object = InputObject {
            key: source.key,
            size_bytes: source.size_bytes,
            likely_whole: false,
            refer: false,
            partition: Some(partition),
        };
        read.push((object, bytes));
    }
    Ok(read)
}

/// Chooses the newest, the oldest and a middle one of the objects that are small enough to be read.
fn samples(partitions: &[Partition]) -> Vec<(Timestamp, SourceObject)> {
    let small = |object: &&SourceObject| (1..=MAX_SAMPLE_BYTES).contains(&object.size_bytes);
    let all: Vec<(Timestamp, &SourceObject)> = partitions
        .iter()
        .flat_map(|(at, objects)| objects.iter().filter(small).map(|object| (*at, object)))
        .collect();
    let last = all.len().saturating_sub(1);
    let chosen: BTreeSet<usize> = [0, last / 2, last].into_iter().take(MAX_SAMPLES).collect();
    chosen.into_iter().filter_map(|at| all.get(at)).map(|(at, one)| (*at, (*one).clone())).collect()
}

/// Says what was found in so many objects.
fn told(table: &str, objects: usize, found: &Inspection, dataset: &Dataset) -> Vec<String> {
    let mut told = vec![format!(
        "{table}: of {objects} objects, up to {MAX_INSPECTED_ROWS} rows each, {} rows have a time and {} are bad.",
        found.rows, found.bad_rows
    )];
    if let Some(bad) = &found.first_bad {
        told.push(format!(
            "{table}: the first bad row is on line {} of {}: {}.",
            bad.line, bad.object, bad.reason
        ));
    }
    for (what, by, allowed, setting) in [
        ("early", found.early, dataset.early, "early_minutes"),
        ("late", found.late, dataset.late, "late_minutes"),
    ] {
        let minutes = |time: SignedDuration| (time.as_secs() + 59).div_euclid(60);
        if by > allowed {
            told.push(format!(
                "{table}: rows are filed up to {} minutes {what}, and the dataset allows {}: exports miss them. Set \
                 {setting} = {} or more.",
                minutes(by), minutes(allowed), minutes(by)
            ));
        } else if found.rows > 0 {
            told.push(format!("{table}: rows are filed up to {} minutes {what}.", minutes(by)));
        }
    }
    if found.rows > 0 && !found.missing.is_empty() {
        told.push(format!("{table}: no row has {}.", found.missing.join(", ")));
    }
    told
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn dataset(settings: &str) -> Dataset {
        let text = format!(
            "[[dataset]]\nname = \"d\"\npath = \"e/{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/\"\ntime = \"t\"\n{settings}"
        );
        Catalog::parse("test", &text).unwrap().datasets().next().unwrap().clone()
    }

    fn object(key: &str, size_bytes: u64) -> SourceObject {
        SourceObject { bucket: None, key: key.to_owned(), etag: String::new(), size_bytes }
    }

    #[test]
    fn an_operator_is_told_what_there_is() {
        let now: Timestamp = "2026-03-01T10:20:00Z".parse().unwrap();
        let say = |settings: &str, partitions: &[Partition]| {
            amounts(partitions, &dataset(settings), &"acme".parse().unwrap(), now)
        };
        let hour = |hours: i64| now - SignedDuration::from_hours(hours);
        let partitions =
            [(hour(24), vec![object("a", 100), object("b", 50)]), (hour(1), vec![object("c", 50)])];
        assert_snapshot!(say("", &partitions), @r#"2 of the last 31 days have objects: 3 of 200 bytes, which is 100 bytes a day and 100 bytes a partition."#);
        assert_snapshot!(say("", &[]), @r#"No object of the last 31 days was found. One of now would be under "e/acme/2026/03/01/10/"; if others are there, path or zone differ from how they are written."#);
        assert_snapshot!(say("workspace = { names = { globex = \"g\" } }", &[]), @r#"The dataset has no rows of the workspace acme."#);
        let chosen = |partitions: &[Partition]| {
            samples(partitions).into_iter().map(|(_, one)| one.key).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&partitions), ["a", "b", "c"]);
        assert_eq!(
            chosen(&[(now, vec![object("empty", 0), object("large", 17 << 20), object("one", 1)])]),
            ["one"]
        );
    }

    #[test]
    fn an_operator_is_told_what_exports_would_miss() {
        let bad = Inspection {
            rows: 90,
            bad_rows: 10,
            late: SignedDuration::from_secs(4000),
            early: SignedDuration::from_secs(61),
            missing: vec!["x".into(), "y".into()],
            ..Inspection::default()
        };
        assert_snapshot!(told("t", 3, &bad, &dataset("")).join("\n"), @r#"
    t: of 3 objects, up to 10000 rows each, 90 rows have a time and 10 are bad.
    t: rows are filed up to 2 minutes early.
    t: rows are filed up to 67 minutes late, and the dataset allows 60: exports miss them. Set late_minutes = 67 or more.
    t: no row has x, y.
    "#);
        let none = Inspection { missing: vec!["x".into()], ..Inspection::default() };
        assert_snapshot!(told("t", 1, &none, &dataset("")).join("\n"), @r#"t: of 1 objects, up to 10000 rows each, 0 rows have a time and 0 are bad."#);
    }
}
