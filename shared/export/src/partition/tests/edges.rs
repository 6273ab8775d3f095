//! The last value that is taken, and the first one that is not.

use jiff::{civil::DateTime, tz::Offset};

use super::*;
use crate::partition::calendar::Calendar;

fn found(template: &str, key: &str) -> Option<Timestamp> {
    path(template).partition_of("acme", key)
}

#[test]
fn a_window_has_100_000_partitions_and_no_more() {
    let hours = path("{workspace}/{yyyy}{MM}{dd}{HH}/");
    let begin = at("2000-01-01T00:00:00Z");
    let end = |hours: i64| begin + SignedDuration::from_hours(hours);
    let count = |from, to| hours.begins(from, to).map(|begins| begins.len());
    assert_eq!(count(begin, end(100_000)), Ok(100_000));
    assert_eq!(count(begin, end(100_001)), Err(TooManyPartitions));
    // As many hours long, and yet in one partition more.
    let half = SignedDuration::from_mins(30);
    assert_eq!(count(begin + half, end(100_000) + half), Err(TooManyPartitions));
    assert_eq!(count(begin + half, end(100_000)), Ok(100_000));

    let months = path("{workspace}/{yyyy}/{MM}/");
    let centuries = months.begins(at("1600-01-01T00:00:00Z"), at("2000-01-01T00:00:00Z"));
    assert_eq!(centuries.map(|begins| begins.len()), Ok(4800));
}

#[test]
fn as_many_partitions_as_are_listed_one_by_one_are() {
    let path = path("{workspace}/{yyyy}-{MM}-{dd}/{HH}/");
    let day = |hours| prefixes(&path, "2026-03-01T00:00:00Z", hours, 24).len();
    assert_eq!(day("2026-03-02T00:00:00Z"), 24);
    assert_eq!(day("2026-03-02T00:00:01Z"), 2);
}

#[test]
fn a_month_is_no_day() {
    let path = path("{workspace}/{yyyy}/{MM}/h{HH}/{dd}/");
    let hours = prefixes(&path, "2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z", 24);
    assert_eq!(hours.len(), 48);
}

#[test]
fn a_time_that_no_clock_shows_is_in_no_partition() {
    let template = "{workspace}/{yyyy}/{MM}/{dd}/{HH}{mm}{ss}";
    for (key, is_time) in [
        ("acme/2026/03/01/235959", true),
        ("acme/2026/03/01/240000", false),
        ("acme/2026/03/01/236000", false),
        ("acme/2026/03/01/235960", false),
        ("acme/2026/03/01/236060", false),
        ("acme/2026/03/01/+10000", false),
        ("acme/2026/+3/01/010000", false),
    ] {
        assert_eq!(found(template, key).is_some(), is_time, "{key}");
    }
}

#[test]
fn a_day_that_a_key_names_twice_is_one_day() {
    let template = "{epoch_seconds}/{epoch_seconds}.json";
    assert_eq!(found(template, "1772323200/1772323200.json"), Some(at("2026-03-01T00:00:00Z")));
    assert_eq!(found(template, "1772323200/1772409600.json"), None);
}

#[test]
fn a_name_is_hidden_by_its_first_character_and_by_no_other() {
    for (key, is_shown) in
        [("2026/03/01_part.gz", true), ("2026/03/01/_part.gz", false), ("2026/03/01/a_.gz", true)]
    {
        assert_eq!(found("{yyyy}/{MM}/{dd}", key).is_some(), is_shown, "{key}");
    }
}

#[test]
fn placeholders_are_counted_wherever_they_stand() {
    let template = |count: usize| format!("{{yyyy}}{{MM}}{{dd}}{}", "{HH}".repeat(count - 3));
    assert!(PartitionPath::parse(&template(MAX_PLACEHOLDERS)).is_ok());
    let error = PartitionPath::parse(&template(MAX_PLACEHOLDERS + 1));
    assert_eq!(error, Err(PartitionPathError::TooLong));
}

#[test]
fn what_no_timestamp_can_be_is_the_first_or_the_last_there_is() {
    let instant = |hours, civil| {
        Calendar::new(Grain::Hour, Offset::constant(hours).to_time_zone()).instant(civil)
    };
    assert_eq!(instant(25, DateTime::MIN), Timestamp::MIN);
    assert_eq!(instant(-25, DateTime::MAX), Timestamp::MAX);
}
