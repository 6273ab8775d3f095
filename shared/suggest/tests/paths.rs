//! Whatever the path of keys is, the path that is suggested reads each of them to the same instant.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::collections::BTreeMap;

use export::{Catalog, PartitionPath, SourceObject, Workspace};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;
use suggest::{Options, Sample, Survey};

/// Writes the key of an instant the slow, obvious way.
fn written(template: &str, at: Timestamp, tenant: &str, any: &str) -> String {
    let local = at.to_zoned(TimeZone::UTC);
    let day = local.start_of_day().unwrap().timestamp();
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
    key.replace("{workspace}", tenant)
        .replace("{*}", any)
        .replace("{epoch_seconds}", &day.as_second().to_string())
        .replace("{epoch_millis}", &day.as_millisecond().to_string())
}

/// Paths as writers have them, put together at random.
fn templates() -> impl Strategy<Value = String> {
    let folders = prop::sample::select(vec![
        "",
        "raw/",
        "{workspace}/",
        "tenant={workspace}/",
        "raw/v1/{workspace}/",
        "{workspace}/events/",
        "app-logs/",
        "region={*}/",
        "{workspace}/shard={*}/",
        "events",
    ]);
    let hive = prop::sample::select(vec![
        "year={yyyy}/month={MM}/day={dd}/",
        "year={yyyy}/month={M}/day={d}/",
        "y={yyyy}/m={MM}/d={dd}/",
        "dt={yyyy}-{MM}-{dd}/",
        "date={yyyy}{MM}{dd}/",
        "ds={yyyy}_{MM}_{dd}/",
        "{yyyy}/{MM}/{dd}/",
        "{yyyy}/{M}/{d}/",
        "{yyyy}-{MM}-{dd}/",
        "{MM}-{dd}-{yyyy}/",
        "{yyyy}-{MM}/{dd}/",
        "{yyyy}/{MM}-{dd}/",
        "{yyyy}/{MM}{dd}/",
        "{epoch_millis}/",
        "d{epoch_seconds}/",
        "{yyyy}.{MM}.{dd}/",
    ]);
    let hours = prop::sample::select(vec![
        "",
        "hour={HH}/",
        "hr={H}/",
        "h={HH}/",
        "{HH}/",
        "{H}/",
        "{HH}/{mm}/",
    ]);
    let names = prop::sample::select(vec![
        "{yyyy}{MM}{dd}-{HH}_",
        "{yyyy}-{MM}-{dd}-{HH}{mm}{ss}-",
        "log-{yyyy}-{MM}-{dd}.",
        "{yyyy}_{MM}_{dd}_",
        "{yyyy}-{MM}-{dd}_{H}#",
        "run={yyyy}-{MM}-{dd}-{HH}-{mm}-{ss}/",
        "{yyyy}{MM}{dd}T{HH}{mm}{ss}Z_",
        "{yyyy}{MM}{dd}/{yyyy}{MM}{dd}T{HH}{mm}{ss}Z_",
        "{yyyy}{MM}{dd}{HH}/",
        "{yyyy}{MM}{dd}{HH}{mm}{ss}-",
        "{yyyy}-{MM}-{dd}--{HH}/",
        "{yyyy}-{MM}-{dd}T{HH}/",
        "{yyyy}/{MM}/",
        "y={yyyy}/month={M}/",
        "{workspace}/{workspace}_{yyyy}-{MM}-{dd}_{HH}.",
    ]);
    let folded = (folders.clone(), hive, hours)
        .prop_map(|(folder, date, hour)| format!("{folder}{date}{hour}"));
    let in_names = (folders, names).prop_map(|(folder, name)| format!("{folder}{name}"));
    prop_oneof![folded, in_names]
        // Nobody writes the name of a tenant right behind a text.
        .prop_filter("one way to read it", |text| {
            PartitionPath::parse(text).is_ok() && !text.contains("events{workspace}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_suggested_path_reads_each_key_to_its_instant(
        template in templates(), begin in 1_735_700_000_i64..1_830_000_000, step in 3_000..90_000_i64,
        seed in any::<u32>(), file in prop::sample::select(vec!["part-{n}.json.gz", "{n}.json", "{x}-{n}", "a_{x}.log"])
    ) {
        let original = PartitionPath::parse(&template).unwrap();
        let tenants: &[&str] = if template.contains("{workspace}") { &["acme", "globex"] } else { &["main"] };
        let mut written_keys: BTreeMap<String, (Timestamp, &str)> = BTreeMap::new();
        for number in 0..80 {
            let at = Timestamp::from_second(begin + step * number).unwrap();
            let random = format!("{:08x}", seed.wrapping_mul(u32::try_from(number).unwrap().wrapping_add(77)));
            let file = file.replace("{n}", &number.to_string()).replace("{x}", &random);
            for tenant in tenants {
                let any = ["0", "1", "2"][usize::try_from(number % 3).unwrap()];
                written_keys.insert(written(&template, at, tenant, any) + &file, (at, tenant));
            }
        }
        let survey = Survey::of(written_keys.keys().map(|key| SourceObject {
            key: key.clone(), bucket: None, etag: String::new(), size_bytes: 9,
        }).collect());
        let samples: BTreeMap<String, Sample> = survey.wanted().into_iter().map(|object| {
            let (at, _) = written_keys[&object.key];
            (object.key.clone(), Sample::Stored(format!("{{\"at\":\"{at}\",\"n\":1}}\n").into_bytes()))
        }).collect();
        let suggestion = survey.suggest(&samples, &Options::default());
        let catalog = Catalog::parse("suggested", &suggestion.catalog).unwrap();
        let datasets: Vec<_> = catalog.datasets().collect();
        prop_assert_eq!(datasets.len(), 1, "{}: {}", template, suggestion.catalog);
        for (key, (at, tenant)) in &written_keys {
            let workspace: Workspace = tenant.parse().unwrap();
            let want = original.partition_of(tenant, key);
            prop_assert!(want.is_some_and(|begin| begin <= *at && at.duration_since(begin) < SignedDuration::from_hours(745)));
            prop_assert_eq!(datasets[0].partition_of(&workspace, key), want, "{} {}\n{}", template, key, suggestion.catalog);
        }
    }
}
