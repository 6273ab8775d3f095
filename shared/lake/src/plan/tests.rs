//! Plans hold every object once, and steps and batches are as full as they may be.

use export::Window;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

const CATALOG: &str = r#"
    [[dataset]]
    name = "visits"
    path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
    time = "at"
    early_hours = 0
    late_hours = 0
    compression = "gzip"

    [[table]]
    name = "visits"
    dataset = "visits"
    columns = ["at"]
"#;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3600).unwrap()
}

proptest! {
    #[test]
    fn a_window_gets_exactly_its_rows_however_they_were_filed(
        early in 0..240_i64, late in 0..1800_i64, from in 0..200_i64, minutes in 1..6000_i64,
        hours in prop::sample::select(vec!["{HH}/", "", "{H}-"]), date in prop::sample::select(vec!["{MM}/{dd}/", "{M}/{d}/"]),
        zone in prop::sample::select(vec!["UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns"]),
        monthly in prop::bool::weighted(0.1), rows in prop::collection::vec((0..12_000_i64, -1000..=1000_i64), 0..200)
    ) {
        let path = if monthly { "{workspace}/{yyyy}/{MM}/".to_owned() } else { format!("{{workspace}}/{{yyyy}}/{date}{hours}") };
        let catalog = CATALOG.replace("{workspace}/{yyyy}/{MM}/{dd}/{HH}/", &path)
            .replace("early_hours = 0", &format!("zone = \"{zone}\"\nearly_minutes = {early}"))
            .replace("late_hours = 0", &format!("late_minutes = {late}"));
        let catalog = Catalog::parse("test", &catalog).unwrap();
        let dataset = catalog.dataset_of(catalog.table("visits").unwrap());
        // Days around the last Sunday of October, when clocks are set back.
        let minute = |minute: i64| Timestamp::from_second(1_792_800_000 + minute * 60).unwrap();
        let window = Window::new(minute(from * 40), minute(from * 40 + minutes)).unwrap();
        let tables = vec![TableSelection::whole("visits")];
        let request = ExportRequest::new(tables, window, Format::Jsonl);
        let ways = WayChooser::new(&catalog, &request, 0).unwrap();
        let acme = "acme".parse().unwrap();
        let listed = dataset.partitions(&acme, window).unwrap();
        let prefixes = dataset.prefixes(&acme, &listed, 24);
        for (time, off) in rows {
            // Filed up to `early` before its time, or up to `late` after it.
            let filed = minute(time + off * if off < 0 { early } else { late } / 1000);
            let partition = dataset.path.calendar().begin_of(filed);
            let (key, time) = (dataset.path.prefix("acme", partition) + "part-0.gz", minute(time));
            let is_listed = prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
                && dataset.partition_of(&acme, &key) == Some(partition) && listed.contains(&partition);
            if window.contains(time) {
                prop_assert!(is_listed, "{} filed at {}", time, partition);
            } else {
                prop_assert!(!is_listed || !ways.inside(partition), "{} filed at {}", time, partition);
            }
        }
    }
}

/// A plan over hours of two objects of ten bytes.
fn plan(window: Range<i64>, step_bytes: u64) -> Plan {
    let to = at(window.end) - SignedDuration::from_mins(30);
    let tables = vec![TableSelection::whole("visits")];
    let request =
        ExportRequest::new(tables, Window::new(at(window.start), to).unwrap(), Format::Jsonl);
    let object = |hour, number| SourceObject {
        bucket: None,
        key: format!("{hour}/{number}"),
        etag: String::new(),
        size_bytes: 10,
    };
    let filed = window.map(|hour| (at(hour), vec![object(hour, 0), object(hour, 1)]));
    let mut plan = Plan::default();
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    plan.add_table(&catalog, &request, 0, filed.collect(), step_bytes).unwrap();
    plan
}

#[test]
fn steps_hold_every_object_once_in_order() {
    let plan = plan(20..30, 60);
    let keys: Vec<&str> =
        plan.steps.iter().flat_map(|s| &s.objects).map(|o| o.object.key.as_str()).collect();
    let want: Vec<String> =
        (20..30).flat_map(|hour| [format!("{hour}/0"), format!("{hour}/1")]).collect();
    assert_eq!(keys, want);

    let sizes: Vec<(u64, bool)> =
        plan.steps.iter().map(|step| (step.size_bytes(), step.inside)).collect();
    // Four hours to midnight, five after it, and half an hour at the edge.
    assert_eq!(sizes, [(60, true), (20, true), (60, true), (40, true), (20, false)]);
    let ways: Vec<Way> = plan.steps.iter().map(|step| step.objects[0].way).collect();
    assert_eq!(ways[3..], [Way::Splice, Way::Transcode]);
}

#[test]
fn a_day_inside_two_windows_has_the_same_steps_in_both() {
    let second_day = |plan: &Plan| -> Vec<Step> {
        let of_day = |step: &&Step| {
            let hour: i64 = step.objects[0].object.key.split('/').next().unwrap().parse().unwrap();
            (24..48).contains(&hour)
        };
        plan.steps.iter().filter(of_day).cloned().collect()
    };
    let (long, short) = (plan(0..72, 60), plan(17..52, 60));
    assert_eq!(second_day(&long), second_day(&short));
    assert_eq!(second_day(&long).len(), 8);
}

#[test]
fn only_so_many_objects_are_referred_to() {
    let object = |size_bytes| PlannedObject {
        object: SourceObject { bucket: None, key: String::new(), etag: String::new(), size_bytes },
        way: Way::Splice,
        refer: false,
        partition: None,
        file: None,
    };
    let referred = |sizes: &[u64]| {
        let objects = sizes.iter().copied().map(object).collect();
        let mut plan = Plan {
            listed_at: None,
            catalog: None,
            steps: vec![Step { kind: StepKind::Rows(0), inside: true, objects }],
        };
        plan.mark_referred();
        plan.steps[0].objects.iter().filter(|planned| planned.refer).count()
    };
    assert_eq!(referred(&[31 << 20, 32 << 20, 5 << 30]), 2);
    assert_eq!(referred(&vec![40 << 20; 10_000]), 0, "as pieces, they fit into an upload");
}

#[test]
fn batches_hold_every_step_once() {
    let plan = plan(0..72, 60);
    assert_eq!(plan.batches(u64::MAX).len(), 1);
    assert_eq!(plan.batches(1).len(), plan.steps.len());
    assert_eq!(plan.batches(3 << 20).iter().flat_map(Clone::clone).count(), plan.steps.len());
    assert!(Plan::default().batches(1).is_empty());
}

#[test]
fn many_small_objects_are_shared_out() {
    let object = |number: i64| SourceObject {
        bucket: None,
        key: number.to_string(),
        etag: String::new(),
        size_bytes: 1000,
    };
    let filed = (0..365).map(|day| (at(24 * day), (0..575).map(object).collect())).collect();
    let tables = vec![TableSelection::whole("visits")];
    let window = Window::new(at(0), at(365 * 24)).unwrap();
    let request = ExportRequest::new(tables, window, Format::Jsonl);
    let (mut plan, catalog) = (Plan::default(), Catalog::parse("test", CATALOG).unwrap());
    plan.add_table(&catalog, &request, 0, filed, 256 << 20).unwrap();

    assert_eq!(plan.steps.len(), 365);
    let batches = plan.batches(256 << 20);
    assert!(batches.len() > 180, "{}", batches.len());
    assert!(!plan.is_small(256 << 20));
}

#[test]
fn a_plan_of_a_few_objects_is_small() {
    assert!(plan(0..72, 60).is_small(256 << 20));
    assert!(Plan::default().is_small(1));
    assert!(plan(24..25, 20).is_small(1), "a step is not shared out");
    assert!(!plan(24..26, 20).is_small(1));
}

#[test]
fn rows_are_only_taken_over_where_they_go_in_as_they_are() {
    let catalog = CATALOG.to_owned()
        + "[[table]]\nname = \"listed\"\ndataset = \"visits\"\nexplode = \"list\"\ncolumns = [\"at\"]\n\
           [[table]]\nname = \"fewer\"\ndataset = \"visits\"\nomit = \"gone\"\ncolumns = [\"at\"]\n";
    let way = |catalog: &str, change: &dyn Fn(&mut ExportRequest), hour: i64, key: &str| {
        let catalog = Catalog::parse("test", catalog).unwrap();
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(at(20), at(30)).unwrap();
        let mut request = ExportRequest::new(tables, window, Format::Jsonl);
        change(&mut request);
        let object =
            SourceObject { bucket: None, key: key.to_owned(), etag: String::new(), size_bytes: 10 };
        WayChooser::new(&catalog, &request, 0).unwrap().of(at(hour), &object)
    };
    let of = |change: &dyn Fn(&mut ExportRequest)| way(&catalog, change, 20, "a.gz");
    assert_eq!(of(&|_| {}), (Way::Splice, Reason::Whole));
    let parts = export::Parts { max_bytes: 1, max_rows: None, suffix: true };
    let released = export::Released { from: None, to: at(1) };
    let rewritten: [&dyn Fn(&mut ExportRequest); 5] = [
        &|request| request.format = Format::Csv,
        &|request| request.released = Some(released),
        &|request| request.files = Files::Parts(parts),
        &|request| request.tables[0].columns = Some(vec!["at".into()]),
        &|request| request.tables[0].table = "listed".into(),
    ];
    for change in rewritten {
        assert_eq!(of(change), (Way::Transcode, Reason::Rewritten));
    }
    for (hour, whole) in [(19, false), (20, true), (29, true), (30, false)] {
        let edge = (Way::Transcode, Reason::WindowEdge);
        let want = if whole { (Way::Splice, Reason::Whole) } else { edge };
        assert_eq!(way(&catalog, &|_| {}, hour, "a.gz"), want, "{hour}");
    }
    let plain = catalog.replace("\"gzip\"", "\"none\"");
    assert_eq!(way(&plain, &|_| {}, 20, "a"), (Way::Transcode, Reason::NotGzip));

    // Where rows are filed by their own time and all of them are wanted, objects are copied.
    let hourly = |request: &mut ExportRequest| request.files = Files::Hourly("f".into());
    assert_eq!(of(&hourly), (Way::Copy, Reason::Whole));
    let late = catalog.replace("late_hours = 0", "late_hours = 1");
    let early = catalog.replace("early_hours = 0", "early_hours = 1");
    for other in [late, early] {
        assert_eq!(way(&other, &hourly, 25, "a.gz"), (Way::Splice, Reason::Whole));
    }
    let fewer = |request: &mut ExportRequest| {
        hourly(request);
        request.tables[0].table = "fewer".into();
    };
    assert_eq!(of(&fewer), (Way::Splice, Reason::Whole));
}

#[test]
fn s3_copies_nothing_out_of_a_bucket_that_is_read_by_other_rights_or_in_another_region() {
    let catalog = Catalog::parse("test", CATALOG).unwrap();
    let window = Window::new(at(20), at(30)).unwrap();
    let mut request =
        ExportRequest::new(vec![TableSelection::whole("visits")], window, Format::Jsonl);
    request.files = Files::Hourly("f".into());
    let planned = |bucket| {
        let (key, etag) = ("a.gz".to_owned(), String::new());
        let object = SourceObject { bucket, key, etag, size_bytes: 64 << 20 };
        let mut plan = Plan::default();
        plan.add_table(&catalog, &request, 0, vec![(at(25), vec![object])], 1 << 30).unwrap();
        plan.mark_referred();
        (plan.steps[0].objects[0].way, plan.steps[0].objects[0].refer)
    };
    assert_eq!(planned(None), (Way::Copy, true));
    assert_eq!(planned(Some("acme-events".parse().unwrap())), (Way::Splice, false));
}

#[test]
fn what_is_looked_up_comes_first_and_alone() {
    let catalog = CATALOG.to_owned()
        + "relation = { name = \"r\", column = \"at\" }\n\
           [[dataset]]\nname = \"clicks\"\npath = \"clicks/{workspace}/{yyyy}/{MM}/{dd}/{HH}/\"\ntime = \"at\"\n\
           [[table]]\nname = \"clicks\"\ndataset = \"clicks\"\ncolumns = [\"at\", \"title\"]\n\
           relation = { name = \"r\", column = \"at\" }\n";
    let catalog = Catalog::parse("test", &catalog).unwrap();
    let filter = "clicks.title == 'a'".parse().unwrap();
    let filters = vec![export::TableFilter { tables: vec!["visits".into()], filter }];
    let tables = vec![TableSelection::whole("visits")];
    let window = Window::new(at(20), at(30)).unwrap();
    let request = ExportRequest { filters, ..ExportRequest::new(tables, window, Format::Jsonl) };
    let filed = |count: i64| {
        let object = |hour: i64| SourceObject {
            bucket: None,
            key: hour.to_string(),
            etag: String::new(),
            size_bytes: 10,
        };
        (20..20 + count).map(|hour| (at(hour), vec![object(hour)])).collect::<Vec<_>>()
    };
    let mut plan = Plan::default();
    assert_eq!(plan.add_lookup(&catalog, &request, 1, filed(1), 10), None);
    plan.add_lookup(&catalog, &request, 0, filed(2), 10).unwrap();
    plan.add_table(&catalog, &request, 0, filed(3), 10).unwrap();
    let kind: Vec<StepKind> = plan.steps.iter().map(|step| step.kind).collect();
    let (ids, rows) = (StepKind::Keys(0), StepKind::Rows(0));
    assert_eq!(kind, [ids, ids, rows, rows, rows]);
    assert_eq!((plan.first_pass(), plan.object_count()), (0..2, 5));
    assert_eq!(plan.batches(u64::MAX), [0..2, 2..5]);
    let planned = |step: usize| &plan.steps[step].objects[0];
    assert_eq!((planned(0).way, planned(2).way), (Way::Transcode, Way::Splice));
    assert!(!planned(0).to_input().likely_whole && planned(2).to_input().likely_whole);
}

#[test]
fn steps_and_batches_are_filled_to_the_last_byte() {
    let sizes = |plan: &Plan| plan.steps.iter().map(Step::size_bytes).collect::<Vec<_>>();
    assert_eq!(sizes(&plan(20..22, 20)), [20, 20]);
    assert_eq!(sizes(&plan(20..22, 19)), [10, 10, 10, 10]);
    // Small objects count as if they had 256 KiB.
    let (plan, cost) = (plan(24..28, 20), 512 << 10);
    assert_eq!(plan.batches(2 * cost), [0..2, 2..4]);
    assert_eq!(plan.batches(2 * cost - 1), [0..1, 1..2, 2..3, 3..4]);
    assert!(plan.is_small(4 * cost) && !plan.is_small(4 * cost - 1));
}
