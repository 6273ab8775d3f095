//! Partitions hold what a slow reference says, whatever a template looks like.

mod edges;

use std::collections::BTreeSet;

use jiff::{SignedDuration, tz::TimeZone};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn path(template: &str) -> PartitionPath {
    PartitionPath::parse(template).unwrap()
}

fn prefixes(path: &PartitionPath, from: &str, to: &str, max_partitions: usize) -> Vec<String> {
    let begins = path.begins(at(from), at(to)).unwrap();
    path.prefixes("acme", &begins, max_partitions)
}

#[test]
fn hive_and_firehose_layouts_are_both_templates() {
    for (template, want) in [
        (
            "e/w={workspace}/d={yyyy}-{MM}-{dd}/h={HH}/",
            vec!["e/w=acme/d=2026-02-28/h=23/", "e/w=acme/d=2026-03-01/h=00/"],
        ),
        ("{workspace}/{yyyy}/{MM}/{dd}/", vec!["acme/2026/02/28/", "acme/2026/03/01/"]),
    ] {
        let (from, to) = ("2026-02-28T23:10:00Z", "2026-03-01T00:00:00.000001Z");
        assert_eq!(prefixes(&path(template), from, to, 24), want);
    }
}

#[test]
fn an_hour_that_ends_the_window_is_not_opened() {
    let path = path("{workspace}/{yyyy}{MM}{dd}{HH}/");
    let hour = prefixes(&path, "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", 24);
    assert_eq!(hour, ["acme/2026030100/"]);
}

#[test]
fn days_are_fewer_prefixes_than_hours() {
    let (from, to) = ("2026-02-28T00:00:00Z", "2026-03-02T01:00:00Z");
    for (template, want) in [
        (
            "{workspace}/d={yyyy}-{MM}-{dd}/h={HH}/",
            vec!["acme/d=2026-02-28/h=", "acme/d=2026-03-01/h=", "acme/d=2026-03-02/h="],
        ),
        (
            "{workspace}/{yyyy}/{MM}/{dd}/",
            vec!["acme/2026/02/28/", "acme/2026/03/01/", "acme/2026/03/02/"],
        ),
    ] {
        assert_eq!(prefixes(&path(template), from, to, 24), want);
    }
    let before_the_date = prefixes(&path("{HH}/{workspace}/{yyyy}/{MM}/{dd}/"), from, to, 24);
    assert_eq!(before_the_date.len(), 49, "no day is a prefix");
}

#[test]
fn a_prefix_that_is_in_another_is_not_listed_twice() {
    let one = prefixes(
        &path("{workspace}/{yyyy}/{M}-{d}"),
        "2026-03-01T00:00:00Z",
        "2026-04-01T00:00:00Z",
        99,
    );
    // "3-1" holds those from the tenth to the nineteenth, too.
    assert!(
        one.iter().all(|prefix| one
            .iter()
            .filter(|other| other.starts_with(prefix.as_str()))
            .count()
            == 1)
    );
    let any = prefixes(
        &path("raw/{*}/{workspace}/{yyyy}/{MM}/{dd}/"),
        "2026-03-01T00:00:00Z",
        "2026-04-01T00:00:00Z",
        99,
    );
    assert_eq!(any, ["raw/"]);
}

#[test]
fn a_window_that_nobody_checked_is_not_listed() {
    let path = path("{workspace}/{yyyy}{MM}{dd}{HH}/");
    let hours = |hours: i64| {
        let from = Timestamp::UNIX_EPOCH;
        path.begins(from, from + SignedDuration::from_hours(hours)).map(|begins| begins.len())
    };
    assert_eq!(hours(MAX_PARTITIONS), Ok(100_000));
    assert_eq!(hours(MAX_PARTITIONS + 1), Err(TooManyPartitions));
    assert_eq!(path.begins(Timestamp::MIN, Timestamp::MAX), Err(TooManyPartitions));
}

#[test]
fn what_programs_leave_behind_is_hidden() {
    let path = path("{workspace}/{yyyy}/{MM}/{dd}/");
    let is_hidden =
        |name: &str| path.partition_of("acme", &format!("acme/2026/03/01/{name}")).is_none();
    for name in [
        "_SUCCESS",
        "_committed_1",
        ".part-0.gz.crc",
        "_temporary/0/part-0.gz",
        "a/.b/c",
        ".DS_Store",
    ] {
        assert!(is_hidden(name), "{name}");
    }
    for name in ["part_0.json.gz", "a/b.c/d_e", "date=1/part-0.json"] {
        assert!(!is_hidden(name), "{name}");
    }
}

#[test]
fn a_template_that_could_mix_workspaces_or_hours_is_refused() {
    use PartitionPathError::{
        Ambiguous, LooseWorkspace, Missing, TooLong, Unbalanced, Unknown, Wildcards,
    };
    let long = format!("{}{{yyyy}}/{{MM}}/", "x".repeat(MAX_PATH_BYTES));
    for (template, want) in [
        ("{workspace}/{year}/", Unknown("year".into())),
        ("{workspace}/{yyyy}/{MM}/{dd/", Unbalanced),
        ("{workspace}}/", Unbalanced),
        ("{workspace}/", Missing("yyyy")),
        ("{yyyy}/{dd}/", Missing("MM")),
        ("{yyyy}/{MM}/{HH}/", Missing("dd")),
        ("{yyyy}/{MM}/{dd}/{mm}/", Missing("HH")),
        (&long, TooLong),
        (&"{yyyy}/{MM}/{dd}/".repeat(9), TooLong),
        ("{yyyy}/{M}{d}/", Ambiguous("M")),
        ("{yyyy}/{M}1/{dd}/", Ambiguous("M")),
        ("{yyyy}/{MM}/x1{d}/", Ambiguous("d")),
        ("{yyyy}/{MM}/{*}{d}/", Ambiguous("d")),
        ("{epoch_millis}{HH}/", Ambiguous("epoch_millis")),
        ("{*}-{*}/{yyyy}/{MM}/", Wildcards),
        // "a-2026-03-01" could be a workspace, too.
        ("{workspace}-{yyyy}-{MM}-{dd}-", LooseWorkspace),
        ("{workspace}{yyyy}{MM}{d}/", LooseWorkspace),
        ("{*}{workspace}/{yyyy}/{MM}/", LooseWorkspace),
        ("{workspace}{workspace}/{yyyy}/{MM}/", LooseWorkspace),
    ] {
        assert_eq!(PartitionPath::parse(template), Err(want), "{template}");
    }
}

#[test]
fn a_template_has_800_bytes_and_24_placeholders_and_no_more() {
    let day = "{yyyy}/{MM}/{dd}/";
    let filled = |bytes: usize| format!("{}/{day}", "x".repeat(bytes - 1 - day.len()));
    assert!(PartitionPath::parse(&filled(800)).is_ok());
    assert_eq!(PartitionPath::parse(&filled(801)), Err(PartitionPathError::TooLong));
    assert!(PartitionPath::parse(&day.repeat(8)).is_ok());
    let more = format!("{}{{HH}}/", day.repeat(8));
    assert_eq!(PartitionPath::parse(&more), Err(PartitionPathError::TooLong));
}

#[test]
fn folders_of_a_zone_are_those_that_its_clocks_show() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let hours = path("{yyyy}-{MM}-{dd}T{HH}/").in_zone(berlin.clone());
    let listed = |from: &str, to: &str| prefixes(&hours, from, to, 24);
    assert_eq!(
        listed("2026-03-01T22:30:00Z", "2026-03-01T23:30:00Z"),
        ["2026-03-01T23/", "2026-03-02T00/"]
    );
    // In this night two o'clock comes twice, and is one folder of two hours.
    let twice = "2026-10-25T00:00:00Z";
    assert_eq!(listed(twice, "2026-10-25T02:30:00Z"), ["2026-10-25T02/", "2026-10-25T03/"]);
    assert_eq!(hours.calendar().end_of(at(twice)), at("2026-10-25T02:00:00Z"));
    // In this one it does not come at all.
    assert_eq!(
        listed("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        ["2026-03-29T01/", "2026-03-29T03/"]
    );
    let days = path("{epoch_seconds}/").in_zone(berlin);
    assert_eq!(days.prefix("", at("2026-03-28T23:00:00Z")), "1774738800/");
    assert_eq!(days.calendar().end_of(at("2026-03-28T23:00:00Z")), at("2026-03-29T22:00:00Z"));
}

#[test]
fn keys_of_common_writers_are_read() {
    let hour = at("2026-03-01T09:00:00Z");
    let day = at("2026-03-01T00:00:00Z");
    for (template, key, want) in [
        (
            "{yyyy}/{MM}/{dd}/{HH}/",
            "2026/03/01/09/clicks-1-2026-03-01-09-58-12-0b1f.gz",
            Some(hour),
        ),
        ("e{yyyy}/{MM}/{dd}/{HH}/", "e2026/03/01/09/clicks.gz", Some(hour)),
        ("logs/{workspace}/{epoch_millis}/", "logs/acme/1772323200000/1772359391123.gz", Some(day)),
        ("logs/{workspace}/{epoch_millis}/", "logs/acme/1772323200001/1772359391123.gz", None),
        ("logs/{workspace}/{MM}-{dd}-{yyyy}/", "logs/acme/03-01-2026/1.json.gz", Some(day)),
        ("enriched/{yyyy}-{MM}-{dd}-{HH}", "enriched/2026-03-01-095811-4961.gz", None),
        (
            "enriched/{yyyy}-{MM}-{dd}-{HH}{mm}{ss}-",
            "enriched/2026-03-01-095811-4961.gz",
            Some(hour),
        ),
        ("run={yyyy}-{MM}-{dd}-{HH}-{mm}-{ss}/", "run=2026-03-01-09-58-11/part-0.gz", Some(hour)),
        ("logs/{yyyy}{MM}{dd}-{HH}_", "logs/20260301-09_0.gz", Some(hour)),
        (
            "{workspace}/{workspace}_{yyyy}-{MM}-{dd}_{H}#",
            "acme/acme_2026-03-01_9#1.json.gz",
            Some(hour),
        ),
        (
            "{workspace}/{workspace}_{yyyy}-{MM}-{dd}_{H}#",
            "acme/acme_2026-03-01_19#1.json.gz",
            Some(hour + SignedDuration::from_hours(10)),
        ),
        ("t=clicks/dt={yyyy}-{MM}-{dd}/h={H}/", "t=clicks/dt=2026-03-01/h=25/part-0.gz", None),
        ("t=clicks/dt={yyyy}-{MM}-{dd}/h={H}/", "t=clicks/dt=2026-03-01/h=09/part-0.gz", None),
        (
            "http/{yyyy}{MM}{dd}/{yyyy}{MM}{dd}T{HH}{mm}{ss}Z_",
            "http/20260301/20260301T095811Z_a.gz",
            Some(hour),
        ),
        (
            "http/{yyyy}{MM}{dd}/{yyyy}{MM}{dd}T{HH}{mm}{ss}Z_",
            "http/20260302/20260301T095811Z_a.gz",
            None,
        ),
        ("{yyyy}/{MM}/{dd}", "2026/03/01/a", Some(day)),
        ("{yyyy}/{MM}/{dd}", "2026/03/011/a", None),
        ("{yyyy}/{MM}/{dd}/", "2026/02/30/a", None),
        ("{yyyy}/{MM}/", "2026/03/a/b.gz", Some(day)),
        ("raw/{*}/dt={yyyy}-{MM}-{dd}/", "raw/clicks/dt=2026-03-01/a.gz", Some(day)),
        ("raw/{*}/dt={yyyy}-{MM}-{dd}/", "raw/clicks/x/dt=2026-03-01/a.gz", None),
        ("raw/{*}/dt={yyyy}-{MM}-{dd}/", "raw/_tmp/dt=2026-03-01/a.gz", None),
        (
            "AWSLogs/{*}/CloudTrail/{*}/{yyyy}/{MM}/{dd}/",
            "AWSLogs/1/CloudTrail/eu-1/2026/03/01/a.gz",
            Some(day),
        ),
        ("{yyyy}_{MM}_{dd}_", "2026_03_01_1772359391123_0.jsonl.gz", Some(day)),
    ] {
        assert_eq!(path(template).partition_of("acme", key), want, "{template} {key}");
    }
}

#[test]
fn no_key_of_a_workspace_is_taken_for_one_of_another() {
    let (names, times) =
        (["a", "a-2026", "a2", "2026", "a-2026-03-01"], ["2026-03-01T02:00:00Z"].map(at));
    for template in [
        "{workspace}/{yyyy}/{MM}/{dd}/",
        "{workspace}-{yyyy}-{MM}-{dd}/",
        "{yyyy}{workspace}/{MM}/{dd}/{H}",
        "x/{workspace}-{yyyy}/{*}/{M}/{d}/",
        "{workspace}/{workspace}-{yyyy}-{MM}-{dd}-{H}-",
    ] {
        let path = path(template);
        for (owner, reader) in names.iter().flat_map(|a| names.map(|b| (*a, b))) {
            let key = path.write(&path.parts, owner, times[0]) + "x";
            let found = path.partition_of(reader, &key).is_some();
            assert_eq!(found, owner == reader, "{template}: {key} for {reader}");
        }
    }
}

/// Writes the key of an instant the slow, obvious way.
fn written(template: &str, zone: &TimeZone, at: Timestamp, any: &str) -> String {
    let local = at.to_zoned(zone.clone());
    let day = zone.to_ambiguous_timestamp(local.date().at(0, 0, 0, 0)).compatible().unwrap();
    let mut key = template.to_owned();
    for (placeholder, form) in [
        ("{yyyy}", "%Y"),
        ("{MM}", "%m"),
        ("{M}", "%-m"),
        ("{dd}", "%d"),
        ("{d}", "%-d"),
        ("{HH}", "%H"),
        ("{H}", "%-H"),
        ("{mm}", "%M"),
        ("{m}", "%-M"),
        ("{ss}", "%S"),
        ("{s}", "%-S"),
    ] {
        key = key.replace(placeholder, &local.strftime(form).to_string());
    }
    key.replace("{workspace}", "acme")
        .replace("{*}", any)
        .replace("{epoch_seconds}", &day.as_second().to_string())
        .replace("{epoch_millis}", &day.as_millisecond().to_string())
}

/// Templates of all grains, put together at random.
fn templates() -> impl Strategy<Value = String> {
    let folder = prop::sample::select(vec![
        "",
        "raw/",
        "{workspace}/",
        "w={workspace}/",
        "{*}/",
        "x={*}/",
        "v1/{workspace}-{yyyy}/",
    ]);
    let date = prop::sample::select(vec![
        "{yyyy}/{MM}/{dd}/",
        "dt={yyyy}-{MM}-{dd}/",
        "{MM}-{dd}-{yyyy}/",
        "year={yyyy}/month={M}/day={d}/",
        "{epoch_millis}/",
        "d{epoch_seconds}/",
        "{yyyy}{MM}{dd}-",
        "{yyyy}_{M}_{d}_",
        "{yyyy}-{MM}/{yyyy}-{MM}-{dd}.",
        "{dd}.{MM}.{yyyy}",
    ]);
    let time = prop::sample::select(vec![
        "",
        "{HH}/",
        "hour={H}/",
        "T{HH}{mm}{ss}Z_",
        "-{H}#",
        "/{HH}",
        "x{H}",
        "/{HH}/{mm}/",
        "/h={H}-{m}-{s}.",
        "/{HH}/{*}/p",
    ]);
    let months = prop::sample::select(vec![
        "{yyyy}/{MM}/",
        "y={yyyy}/m={M}/",
        "{workspace}/{yyyy}-{M}",
        "{yyyy}{MM}/{*}-",
    ]);
    let days =
        (folder, date, time).prop_map(|(folder, date, time)| format!("{folder}{date}{time}"));
    prop_oneof![5 => days, 1 => months.prop_map(str::to_owned)]
        .prop_filter("one way to read it", |text| PartitionPath::parse(text).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_window_lists_the_keys_that_were_written_in_it(
        template in templates(), zone in prop::sample::select(vec!["UTC", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
        begin in prop::sample::select(vec!["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-12-31T10:00:00Z", "2026-04-04T10:00:00Z", "2026-10-03T10:00:00Z"]),
        from in 0..100_i64, quarters in 1..200_i64, max_partitions in 0..50_usize, any in "[a-z.=-]{0,3}[a-z0-9]"
    ) {
        let (zone, quarter) = (TimeZone::get(zone).unwrap(), SignedDuration::from_mins(15));
        let any = any.trim_start_matches('.');
        let path = path(&template).in_zone(zone.clone());
        let base = at(begin);
        let from = base + quarter * i32::try_from(from).unwrap();
        let to = from + quarter * i32::try_from(quarters).unwrap();
        let keys = |mut at: Timestamp, to: Timestamp| {
            let mut keys = Vec::new();
            while at < to {
                keys.push((at, written(&template, &zone, at, any) + "file.gz"));
                at += quarter;
            }
            keys
        };
        let begins = path.begins(from, to).unwrap();
        // A partition is in the window if one of its instants is.
        let names = |at: Timestamp| written(&template.replace("{mm}", "").replace("{m}", "").replace("{ss}", "").replace("{s}", ""), &zone, at, any);
        let wanted: BTreeSet<String> = keys(from, to).into_iter().map(|(at, _)| names(at)).collect();
        let prefixes = path.prefixes("acme", &begins, max_partitions);
        let week = SignedDuration::from_hours(100);
        for (at, key) in keys(from - week, to + week) {
            let listed = prefixes.iter().filter(|prefix| key.starts_with(prefix.as_str())).count();
            let partition = path.partition_of("acme", &key);
            prop_assert!(listed <= 1, "{key} is listed twice");
            prop_assert!(partition.is_some_and(|begin| begin <= at && at < path.calendar().end_of(begin)), "{key} is in {partition:?}");
            let is_in = listed == 1 && partition.is_some_and(|begin| begins.contains(&begin));
            prop_assert_eq!(is_in, wanted.contains(&names(at)), "{} of {}", key, at);
            let is_shared = !path.has_workspace();
            prop_assert!(is_shared || path.partition_of("globex", &key).is_none());
        }
    }
}
