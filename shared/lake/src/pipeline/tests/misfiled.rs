//! A row in the wrong partition is reported, unless an export of its own time would find it there.

use export::{SourceObject, Workspace};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{Plan, PlannedObject};

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"
    early_hours = 0

    [[table]]
    name = "visits"
    dataset = "visits"
    columns = ["id", "at"]
"#;

fn catalog(early: i64, late: i64, daily: bool) -> Catalog {
    let filed = format!("early_hours = {early}\nlate_hours = {late}");
    let text = CATALOG.replace("early_hours = 0", &filed);
    Catalog::parse("test", &if daily { text.replace("{HH}/", "") } else { text }).unwrap()
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn acme() -> Workspace {
    "acme".parse().unwrap()
}

/// Where an export of this window looks, slowly reported: by listing its partitions.
fn partitions(catalog: &Catalog, window: Window) -> Vec<(Timestamp, String)> {
    let dataset = catalog.dataset_of(catalog.table("visits").unwrap());
    let begins = dataset.partitions(&acme(), window).unwrap();
    begins.into_iter().map(|at| (at, dataset.path.prefix("acme", at))).collect()
}

/// The window that only this instant is in.
fn instant(at: Timestamp) -> Window {
    Window::new(at, at + SignedDuration::from_micros(1)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_row_is_exported_or_found_by_an_export_of_its_time_or_told(
        early in 0..3_i64, late in 0..4_i64, daily in any::<bool>(), csv in any::<bool>(),
        from in 0..3000_i64, minutes in 1..3000_i64,
        rows in prop::collection::vec((0..6000_i64, -400..400_i64, any::<bool>()), 0..120)
    ) {
        let catalog = catalog(early, late, daily);
        let window = Window::new(minute(from), minute(from + minutes)).unwrap();
        let format = if csv { Format::Csv } else { Format::Jsonl };
        let request = ExportRequest::new(vec![TableSelection::whole("visits")], window, format);
        let listed = partitions(&catalog, window);

        // Each row where it was filed, some of them in an object that is not gzip.
        let span = if daily { 1440 } else { 60 };
        let text = |begin: Timestamp, plain: bool| -> Vec<(usize, Timestamp)> {
            let here = rows.iter().enumerate().filter(|(_, (filed, _, is_plain))| {
                minute(filed.div_euclid(span) * span) == begin && *is_plain == plain
            });
            here.map(|(id, (filed, off, _))| (id, minute(filed + off))).collect()
        };
        let (mut filed, mut objects, mut want, mut bad) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (begin, prefix) in &listed {
            let mut sources = Vec::new();
            for (plain, name) in [(false, "a.json.gz"), (true, "b.json")] {
                let (key, mut lines) = (format!("{prefix}{name}"), String::new());
                for (line, (id, at)) in (1..).zip(text(*begin, plain)) {
                    lines.extend([format!("{{\"id\":{id},\"at\":\"{at}\"}}\n")]);
                    let looks_here = |window| partitions(&catalog, window).iter().any(|(at, _)| at == begin);
                    if window.contains(at) {
                        want.push(id);
                    } else if !looks_here(instant(at)) {
                        bad.push((key.clone(), line, at));
                    }
                }
                let data = if plain { lines.into_bytes() } else { gzip(lines) };
                sources.push(SourceObject { bucket: None, key: key.clone(), etag: String::new(), size_bytes: data.len() as u64 });
                objects.push((key, data));
            }
            filed.push((*begin, sources));
        }
        let mut plan = Plan::default();
        plan.add_table(&catalog, &request, 0, filed, u64::MAX).unwrap();
        let planned = plan.steps.iter().flat_map(|step| &step.objects).map(PlannedObject::to_input);
        let planned: Vec<InputObject> = planned.collect();
        let data: Vec<(&str, Vec<u8>)> = planned.iter().map(|object| {
            let (key, data) = objects.iter().find(|(key, _)| *key == object.key).unwrap();
            (&key[..], data.clone())
        }).collect();
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();

        let (text, output) = convert_listed(&selection, &planned, &data, 2).unwrap();

        let number = |line: &str| line.chars().filter(|c| *c != '"').collect::<String>().trim_start_matches("{id:")
            .split(',').next().unwrap().parse::<usize>().unwrap();
        prop_assert_eq!(text.lines().skip(usize::from(csv)).map(number).collect::<Vec<_>>(), want);
        let reported = |stats: &Stats| stats.listed.iter().map(|row| (row.object.clone(), row.line)).collect::<Vec<_>>();
        let lines: Vec<(String, u64)> = bad.iter().map(|(key, line, _)| (key.clone(), *line)).collect();
        prop_assert_eq!(reported(&output.stats), lines.clone());
        prop_assert_eq!(output.stats.bad_rows, bad.len() as u64);
        for (row, (_, _, at)) in output.stats.listed.iter().zip(&bad) {
            prop_assert!(!row.exported && row.reason.contains(&at.to_string()), "{}", row.reason);
        }
        let counted = selection.count(&planned, 2, |index| Ok(&data[index].1[..])).unwrap().1;
        prop_assert_eq!((reported(&counted), counted.outside), (lines, output.stats.outside));
    }
}

#[test]
fn a_misfiled_row_is_told_with_its_time_and_its_folder() {
    let reason = |daily: bool, at: &str, partition: &str| {
        let catalog = catalog(1, 2, daily);
        let window = instant("2026-06-01T00:00:00Z".parse().unwrap());
        let request =
            ExportRequest::new(vec![TableSelection::whole("visits")], window, Format::Csv);
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        selection.time.misfiled(at.parse().unwrap(), Some(partition.parse().unwrap()))
    };
    let folder = "2026-03-01T10:00:00Z";
    insta::assert_snapshot!(reason(false, "2026-03-01T07:59:59.9Z", folder).unwrap(),
        @"it is misfiled: its time is 2026-03-01T07:59:59.9Z, and its folder is that of 2026-03-01T10");
    insta::assert_snapshot!(reason(true, "2026-02-28T21:30:00Z", "2026-03-01T00:00:00Z").unwrap(),
        @"it is misfiled: its time is 2026-02-28T21:30:00Z, and its folder is that of 2026-03-01");
    for at in ["2026-03-01T08:00:00Z", "2026-03-01T11:59:59.999Z"] {
        assert_eq!(reason(false, at, folder), None, "{at}");
    }
    assert!(reason(false, "2026-03-01T12:00:00Z", folder).is_some());
}
