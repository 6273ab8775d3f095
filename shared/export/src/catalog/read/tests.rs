//! Catalogs are read as documented, and bad ones are refused with line and reason.

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    super::{Column, Dataset, FieldPath, FieldStep, Level, RecordFormat},
    *,
};
use crate::Window;

#[test]
fn the_built_in_catalog_is_sound() {
    let catalog = Catalog::built_in().unwrap();

    let columns = |table: &str| catalog.table(table).unwrap().columns.len();
    assert_eq!((columns("amplitude_events"), columns("coveo_clicks")), (55, 42));
    assert_eq!(catalog.table("coveo_keywords").unwrap().explode, Level::parse("keywords").unwrap());
}

#[test]
fn a_dialect_reads_its_own_table_and_an_error_in_it_names_the_line() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        depth: u8,
    }
    let catalog = Catalog::parse("test", "\n[dialect.diving]\ndepth = 3").unwrap();
    assert_eq!(catalog.dialect("diving"), Ok(Settings { depth: 3 }));
    assert_eq!(catalog.dialect("flying"), Ok(Settings::default()));

    let catalog = Catalog::parse("test", "\n[dialect.diving]\ndeep = 3").unwrap();
    let error = catalog.dialect::<Settings>("diving").unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("test", 2));
    assert!(error.reason.contains("deep"), "{error}");
}

#[test]
fn a_name_with_a_dot_stands_in_quotes() {
    let path = |text: &str| FieldPath::parse(text).map(|path| path.0);
    let names = |names: &[&str]| {
        Ok(names.iter().map(|&name| FieldStep::Name(name.to_owned())).collect::<Vec<_>>())
    };
    assert_eq!(path("event.time"), names(&["event", "time"]));
    assert_eq!(path(r#""event.time""#), names(&["event.time"]));
    assert_eq!(path(r#"meta."event.time".at"#), names(&["meta", "event.time", "at"]));
    let (name, index) = (|name: &str| FieldStep::Name(name.to_owned()), FieldStep::Index);
    assert_eq!(path("a[0].b"), Ok(vec![name("a"), index(0), name("b")]));
    assert_eq!(path(r#""a[0]"[12][3]"#), Ok(vec![name("a[0]"), index(12), index(3)]));
    assert_eq!(FieldPath::parse("a[0].b").unwrap().to_string(), "a[0].b");
    assert_eq!(FieldPath::parse("a[0].b").unwrap().first(), Some("a"));
    assert_eq!(path("a[9999]"), Ok(vec![name("a"), index(9999)]));
    for text in
        ["", ".", "a.", r#""a"b"#, r#""a"."#, "[0]", "a[", "a[x]", "a[10000]", "a[0]b", "a.[0]"]
    {
        assert!(path(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_in_another_case_is_found_where_there_is_no_choice() {
    let text = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                [[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\"userId\", \"userid\", \"Page\"]";
    let catalog = Catalog::parse("test", text).unwrap();
    let find = |name| catalog.table("x").unwrap().find(name).map(|column| &column.name[..]);
    assert_eq!(
        (find("userId"), find("userid"), find("PAGE")),
        (Some("userId"), Some("userid"), Some("Page"))
    );
    assert_eq!(find("USERID"), None, "either could be meant");
}

#[test]
fn people_can_tell_columns_apart() {
    let text = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                [[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [{ name = \"a\", display = \"Name\" }, \
                { name = \"b\", display = \"Name\" }, \"c\"]";
    let catalog = Catalog::parse("test", text).unwrap();
    let columns = &catalog.table("x").unwrap().columns;
    let shown: Vec<&str> = columns.iter().map(|column| column.display.as_str()).collect();
    assert_eq!(shown, ["Name (a)", "Name (b)", "c"]);
}

#[test]
fn a_bad_catalog_is_refused_with_file_line_and_reason() {
    const DATASET: &str =
        "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n";
    let refused = |rest: &str| {
        Catalog::parse("my.toml", &format!("{DATASET}{rest}")).unwrap_err().to_string()
    };

    assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"e\"\ncolumns = [\"a\"]"),
        @r#"my.toml:7: there is no dataset "e"; there are d"#);
    assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\n\"a\",\n\"a\"]"),
        @r#"my.toml:10: column "a" is defined twice"#);
    assert_snapshot!(refused("[[table]]\nname = \"x/y\"\ndataset = \"d\"\ncolumns = [\"a\"]"),
        @r#"my.toml:6: a table's name is 1 to 64 of letters, digits, '_' and '-'; got "x/y""#);
    assert_snapshot!(refused("[[table]]\nname = \"x\"\ndataset = \"d\"\ncolumns = [\"a:text\"]"),
        @"my.toml:8: unknown variant `text`, expected one of `string`, `integer`, `number`, `boolean`, `time`, `json`");
    assert_snapshot!(refused("[[table]]\nnmae = \"x\""), @"my.toml:6: unknown field `nmae`, expected one of `name`, `description`, `dataset`, `explode`, `omit`, `require`, `fill`, `relation`, `columns`");
    assert_snapshot!(refused("[[dataset]]\nname = \"z\"\npath = \"{workspace}/\"\ntime = \"t\""),
        @"my.toml:7: the path must contain {yyyy}");
    assert_snapshot!(refused("max_export_megabytes = 18446744073709"),
        @"my.toml:5: invalid value: integer `18446744073709`, expected u32");
    assert_snapshot!(refused("max_bad_percent = 101"),
        @"my.toml:5: max_bad_percent is 0 to 100; got 101");
    assert_snapshot!(refused("[[table"), @"my.toml:5: unclosed array table, expected `]]`");
}

const DATASET: &str =
    "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n";

#[test]
fn a_dataset_has_its_bounds_in_days_and_megabytes() {
    let read = |rest: &str| {
        let catalog = Catalog::parse("test", &format!("{DATASET}{rest}")).unwrap();
        let dataset = catalog.datasets().next().unwrap();
        (dataset.retention.map(|time| time.as_hours()), dataset.max_export_bytes)
    };
    assert_eq!(read(""), (None, 4_000_000_000));
    let bounds = "retention_days = 30\nmax_export_megabytes = 2";
    assert_eq!(read(bounds), (Some(720), 2_000_000));
}

/// Reads the only table of a catalog.
fn table(rest: &str) -> Result<Table, String> {
    let text = format!("{DATASET}[[table]]\nname = \"x\"\ndataset = \"d\"\n{rest}");
    let catalog = Catalog::parse("test", &text).map_err(|error| error.reason)?;
    Ok(catalog.table("x").unwrap().clone())
}

#[test]
fn what_a_table_requires_or_relates_by_is_one_of_its_columns() {
    let columns =
        "columns = [\"a\", { name = \"b\", path = \"c.d\" }, { name = \"e\", element = \"\" }]";
    let read = |rest: &str| table(&format!("explode = \"list\"\n{columns}\n{rest}"));
    assert_eq!(read("require = \"b\"").unwrap().require.as_deref(), Some("b"));
    assert!(read("require = \"c\"").is_err());

    let related = |column: &str| {
        let table = read(&format!("relation = {{ name = \"r\", column = \"{column}\" }}"))?;
        Ok::<_, String>(table.relation_path().map(|path| path.to_string().replace('.', "/")))
    };
    assert_eq!(related("a"), Ok(Some("a".to_owned())));
    assert_eq!(related("b"), Ok(Some("c/d".to_owned())));
    assert!(related("c").is_err(), "there is no such column");
    assert!(related("e").is_err(), "a record has several of it");
}

#[test]
fn a_columns_name_is_a_text_that_fits_a_header() {
    for bad in ["", "a\\nb"] {
        let refused = table(&format!("columns = [\"{bad}\"]")).unwrap_err();
        assert!(refused.contains("is no name for a column"), "{refused}");
    }
}

#[test]
fn an_element_is_of_the_level_that_its_column_names() {
    let column = |column: &str| {
        let explode = "explode = \"states[].events[].parameters{}\"";
        let table = table(&format!("{explode}\ncolumns = [{{ name = \"a\", {column} }}]"))?;
        let Column { path, level, is_key, .. } = table.columns[0].clone();
        Ok::<_, String>((path.to_string().replace('.', "/"), level, is_key))
    };
    let of = |path: &str, level, is_key| Ok((path.to_owned(), level, is_key));
    assert_eq!(column("path = \"name\""), of("name", None, false));
    assert_eq!(column("element = \"name\", of = \"states[]\""), of("name", Some(0), false));
    assert_eq!(column("element = \"\", of = \"states[]\""), of("", Some(0), false));
    let second = "element = \"value.x\", of = \"states[].events[]\"";
    assert_eq!(column(second), of("value/x", Some(1), false));
    // The last level is one of entries, which have a name and a value.
    assert_eq!(column("element = \"name\""), of("", Some(2), true));
    assert_eq!(column("element = \"value\""), of("", Some(2), false));
    assert_eq!(column("element = \"value.x\""), of("x", Some(2), false));
    for refused in ["element = \"other\"", "element = \"name.x\"", "element = \"\""] {
        assert!(column(refused).is_err(), "{refused}");
    }
    assert!(column("element = \"x\", of = \"events[]\"").is_err(), "no beginning of it");
    assert!(column("element = \"x\", path = \"y\"").is_err(), "one or the other");
    assert!(table("columns = [{ name = \"a\", element = \"x\" }]").is_err(), "of no list");
}

/// Reads the only dataset of a catalog.
fn dataset(path: &str, rest: &str) -> Result<Dataset, String> {
    let text = format!("[[dataset]]\nname = \"d\"\npath = \"{path}\"\ntime = \"t\"\n{rest}");
    let catalog = Catalog::parse("test", &text).map_err(|error| error.to_string())?;
    Ok(catalog.datasets().next().unwrap().clone())
}

#[test]
fn rows_are_filed_an_hour_early_or_late_unless_a_dataset_says_otherwise() {
    let read = |rest: &str| {
        let dataset = dataset("{workspace}/{yyyy}/{MM}/{dd}/", rest)?;
        Ok::<_, String>((dataset.early.as_secs() / 60, dataset.late.as_secs() / 60))
    };
    assert_eq!(read(""), Ok((60, 60)));
    assert_eq!(read("early_hours = 0\nlate_minutes = 15"), Ok((0, 15)));
    assert_eq!(read("late_hours = 8784"), Ok((60, 527_040)));
    assert_snapshot!(read("late_hours = 8785").unwrap_err(), @"test:5: a row is filed 8784 hours from its time at most");
    assert_snapshot!(read("early_hours = 1\nearly_minutes = 1").unwrap_err(), @"test:5: it is set in hours or in minutes, not both");
}

#[test]
fn objects_arrive_a_quarter_of_an_hour_after_their_partition_unless_a_dataset_says_otherwise() {
    let read = |rest: &str| {
        let dataset = dataset("{workspace}/{yyyy}/{MM}/{dd}/{HH}/", rest);
        dataset.map(|dataset| dataset.delivery.as_mins())
    };
    assert_eq!(read(""), Ok(15));
    assert_eq!(read("delivery_minutes = 0"), Ok(0));
    assert_eq!(read("delivery_minutes = 10080"), Ok(10_080));
    assert_snapshot!(read("delivery_minutes = 10081").unwrap_err(), @"test:5: objects arrive 10080 minutes after their partition at most");
}

/// Returns when rows of `time` may be added last, hour by hour: the slow way.
fn last_addition(dataset: &Dataset, time: Timestamp) -> Timestamp {
    let filed = time + dataset.late;
    let mut end = Timestamp::UNIX_EPOCH;
    while end <= filed {
        end += SignedDuration::from_hours(1);
    }
    end + dataset.delivery
}

proptest! {
    #[test]
    fn a_window_is_complete_once_no_row_of_it_can_be_added(
        late in 0_u32..300,
        delivery in 0_u32..120,
        begin in 0_i64..200_000,
        length in 1_i64..100_000,
        after in 0_i64..200_000,
    ) {
        let settings = format!("late_minutes = {late}\ndelivery_minutes = {delivery}");
        let dataset = dataset("{workspace}/{yyyy}/{MM}/{dd}/{HH}/", &settings).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = Window::new(at(begin), at(begin + length)).unwrap();
        let last = window.to() - SignedDuration::from_nanos(1);
        prop_assert_eq!(dataset.may_change_until(window), last_addition(&dataset, last));
        let now = at(begin + after);
        let complete = dataset.complete_through(now);
        prop_assert!(last_addition(&dataset, complete - SignedDuration::from_nanos(1)) <= now);
        prop_assert!(last_addition(&dataset, complete) > now);
    }
}

#[test]
fn a_path_has_a_time_zone_of_the_iana_list() {
    let zone = |zone: &str| dataset("{workspace}/{yyyy}/{MM}/{dd}/", &format!("zone = \"{zone}\""));
    let tokyo = zone("Asia/Tokyo").unwrap();
    assert_eq!(
        tokyo.path.prefix("acme", "2026-02-28T15:00:00Z".parse().unwrap()),
        "acme/2026/03/01/"
    );
    assert_snapshot!(zone("Mars/Base").unwrap_err(), @r#"test:5: "Mars/Base" is no time zone of the IANA list, as Asia/Tokyo"#);
}

#[test]
fn a_dataset_says_in_exactly_one_way_whose_rows_it_has() {
    let (named, shared) = ("{workspace}/{yyyy}/{MM}/{dd}/", "{yyyy}/{MM}/{dd}/");
    let name = |path: &str, rest: &str, workspace: &str| {
        let dataset = dataset(path, rest)?;
        let workspace = workspace.parse().unwrap();
        let (name, field) = (dataset.tenancy.name_of(&workspace), dataset.tenancy.field());
        Ok::<_, String>((name.map(str::to_owned), field.map(ToString::to_string)))
    };
    let some = |name: &str| Ok((Some(name.to_owned()), None));
    assert_eq!(name(named, "", "acme"), some("acme"));
    assert_eq!(name(shared, "workspace = \"acme\"", "acme"), some("acme"));
    assert_eq!(name(shared, "workspace = \"acme\"", "globex"), Ok((None, None)));
    let others = "names = { acme = \"aBcD3\", globex = \"acme\" }";
    let mapped = format!("workspace = {{ {others} }}");
    assert_eq!(name(named, &mapped, "acme"), some("aBcD3"));
    assert_eq!(name(named, &mapped, "globex"), some("acme"));
    assert_eq!(name(named, &mapped, "initech"), Ok((None, None)), "no name is taken for another");
    let field = Some("org.id".to_owned());
    assert_eq!(
        name(shared, "workspace = { field = \"org.id\" }", "acme"),
        Ok((Some("acme".into()), field.clone()))
    );
    let both = format!("workspace = {{ field = \"org.id\", {others} }}");
    assert_eq!(name(shared, &both, "acme"), Ok((Some("aBcD3".into()), field.clone())));
    assert_eq!(name(shared, &both, "initech"), Ok((None, field)));

    let refused = |path: &str, rest: &str| dataset(path, rest).unwrap_err();
    assert_snapshot!(refused(shared, ""), @r#"test:3: the path has no {workspace}, so workspace has to say whose rows these are: a name, or { field = "..." }"#);
    assert_snapshot!(refused(shared, &mapped), @r#"test:3: the path has no {workspace}, so workspace has to say whose rows these are: a name, or { field = "..." }"#);
    assert_snapshot!(refused(named, "workspace = \"acme\""), @"test:3: the path has {workspace}, so workspace is no name and has no field");
    assert_snapshot!(refused(named, "workspace = { field = \"org\" }"), @"test:3: the path has {workspace}, so workspace is no name and has no field");
    assert_snapshot!(refused(named, "workspace = {}"), @"test:5: workspace has a field, names, or both");
    assert_snapshot!(refused(shared, "workspace = \"Acme\""), @r#"test:5: a workspace is 1 to 63 of a-z, 0-9, '-' and '_', the first a letter or a digit; got "Acme""#);
    assert_snapshot!(refused(named, "workspace = { names = { a = \"x\", b = \"x\" } }"), @r#"test:5: "x" is the name of two workspaces"#);
    assert_snapshot!(refused(named, "workspace = { names = { a = \"x/y\" } }"), @r#"test:5: a name in the lake has 1 to 200 bytes and no slash; got "x/y""#);
    assert_snapshot!(refused(named, "workspace = { fields = \"x\" }"), @r#"test:5: workspace is "name" or { field, names }"#);
}

#[test]
fn settings_of_one_format_are_none_of_another() {
    let format =
        |rest: &str| dataset("{workspace}/{yyyy}/{MM}/{dd}/", rest).map(|dataset| dataset.format);
    assert!(format("").unwrap().is_plain());
    assert!(!format("unwrap = true").unwrap().is_plain());
    let RecordFormat::Delimited(tsv) = format("format = \"tsv\"").unwrap() else {
        panic!("it is TSV")
    };
    assert_eq!((tsv.separator, tsv.quotes, tsv.header), (b'\t', false, true));
    let RecordFormat::Delimited(csv) =
        format("format = \"csv\"\ncolumns = [\"a:integer\", \"b\"]").unwrap()
    else {
        panic!("it is CSV")
    };
    assert_eq!((csv.separator, csv.quotes, csv.header, csv.columns.len()), (b',', true, false, 2));
    assert_eq!(format("format = \"parquet\"").unwrap(), RecordFormat::Parquet);
    for (text, separator) in [(";", b';'), ("|", b'|'), ("\\t", b'\t')] {
        let read = format(&format!("format = \"csv\"\nseparator = \"{text}\"")).unwrap();
        assert!(
            matches!(read, RecordFormat::Delimited(csv) if csv.separator == separator),
            "{text}"
        );
    }
    let refused = |rest: &str| format(rest).unwrap_err();
    assert_snapshot!(refused("format = \"parquet\"\nheader = true"), @"test:6: it is a setting of the formats csv and tsv");
    assert_snapshot!(refused("format = \"parquet\"\nunwrap = true"), @"test:6: it is a setting of the format json");
    assert_snapshot!(refused("format = \"parquet\"\ncompression = \"gzip\""), @"test:5: Parquet says itself how it is compressed: leave compression out");
    assert_snapshot!(refused("header = true"), @"test:5: it is a setting of the formats csv and tsv");
    assert_snapshot!(refused("format = \"csv\"\nunwrap = true"), @"test:6: it is a setting of the format json");
    assert_snapshot!(refused("format = \"csv\"\nheader = false"), @"test:5: without a header, columns name the fields in their order");
    for separator in ["\\\"", "\\n", "\\r", "é", ""] {
        let refused = refused(&format!("format = \"csv\"\nseparator = \"{separator}\""));
        assert!(refused.contains("a separator is one ASCII character"), "{separator}: {refused}");
    }
    assert_snapshot!(refused("format = \"csv\"\nseparator = \"ab\""), @"test:6: a separator is one ASCII character, neither a quote nor a line end");
    assert_snapshot!(refused("format = \"csv\"\ncolumns = [\"a\", \"a\"]"), @r#"test:6: "a" is no name of a field, or the name of two"#);
    assert_snapshot!(refused("records = \"\""), @"test:5: explode names a list");
}

#[test]
fn datasets_may_be_in_buckets_of_other_regions_and_accounts() {
    let text = |bucket: &str| {
        format!(
            "[[bucket]]\nname = \"acme-events\"\n{bucket}\n\
             [[dataset]]\nname = \"d\"\nbucket = \"acme-events\"\npath = \"{{yyyy}}/{{MM}}/{{dd}}/\"\ntime = \"t\"\n\
             workspace = \"acme\""
        )
    };
    let full = text(
        "region = \"eu-central-1\"\nrole = \"arn:aws:iam::111122223333:role/lake\"\nexternal_id = \"decant\"",
    );
    let catalog = Catalog::parse("test", &full).unwrap();
    let bucket = catalog.buckets().next().unwrap();
    assert_eq!(bucket.region.as_deref(), Some("eu-central-1"));
    assert_eq!(bucket.role.as_ref().unwrap().external_id.as_deref(), Some("decant"));
    assert_eq!(catalog.datasets().next().unwrap().bucket.as_ref(), Some(&bucket.name));
    assert!(Catalog::parse("test", &text("")).is_ok());

    let refused = |text: &str| Catalog::parse("test", text).unwrap_err().to_string();
    let twice = format!("[[bucket]]\nname = \"acme-events\"\n{}", text(""));
    let many: String =
        (0..=MAX_SOURCE_BUCKETS).map(|n| format!("[[bucket]]\nname = \"b-{n}\"\n")).collect();
    for (text, why) in [
        (text("region = \"Frankfurt\""), "test:3: \"Frankfurt\" is not a region, as eu-central-1"),
        (
            text("role = \"lake\""),
            "test:3: \"lake\" is not the ARN of a role, as arn:aws:iam::111122223333:role/lake",
        ),
        (text("external_id = \"decant\""), "test:3: an external id belongs to a role"),
        (text("")[32..].to_owned(), "test:4: there is no [[bucket]] with the name \"acme-events\""),
        (twice, "test:4: bucket \"acme-events\" is defined twice"),
        (many, "test:102: a catalog has 50 buckets at most"),
    ] {
        assert_eq!(refused(&text), why);
    }
}

#[test]
fn partitions_are_looked_for_by_the_name_that_the_lake_has_for_a_workspace() {
    let names = "workspace = { names = { acme = \"A1\" } }";
    let dataset = dataset("{workspace}/{yyyy}/{MM}/{dd}/", names).unwrap();
    let day: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let [acme, other] = ["acme", "globex"].map(|name| name.parse().unwrap());
    assert_eq!(dataset.prefixes(&acme, &[day], 24), ["A1/2026/03/01/"]);
    assert_eq!(dataset.partition_of(&acme, "A1/2026/03/01/a.gz"), Some(day));
    assert_eq!(dataset.partition_of(&acme, "acme/2026/03/01/a.gz"), None);
    assert!(dataset.prefixes(&other, &[day], 24).is_empty());
    assert_eq!(dataset.partition_of(&other, "A1/2026/03/01/a.gz"), None);
}

#[test]
fn a_dataset_names_10000_workspaces_by_200_bytes_and_no_more() {
    let read = |count: usize, bytes: usize| {
        let name = |number: usize| format!("w{number} = \"{number:0>bytes$}\"");
        let names: Vec<String> = (0..count).map(name).collect();
        let rest = format!("workspace = {{ names = {{ {} }} }}", names.join(", "));
        dataset("{workspace}/{yyyy}/{MM}/{dd}/", &rest)
    };
    assert!(read(10_000, 5).is_ok());
    let refused = read(10_001, 5).unwrap_err();
    assert_eq!(refused, "test:5: there are 10000 names at most");
    assert!(read(1, 200).is_ok());
    let refused = read(1, 201).unwrap_err();
    assert!(refused.contains("has 1 to 200 bytes"), "{refused}");
}

#[test]
fn partitions_of_a_window_are_those_whose_rows_may_be_early_or_late() {
    let rest = "early_hours = 1\nlate_hours = 2\nworkspace = { names = { acme = \"a\" } }";
    let dataset = dataset("{workspace}/{yyyy}/{MM}/{dd}/{HH}/", rest).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let window = Window::new(at("2026-03-01T10:30:00Z"), at("2026-03-01T11:00:00Z")).unwrap();
    let hours = |workspace: &str| dataset.partitions(&workspace.parse().unwrap(), window);
    let want = ["09", "10", "11", "12"].map(|hour| at(&format!("2026-03-01T{hour}:00:00Z")));
    assert_eq!(hours("acme"), Ok(want.to_vec()));
    assert_eq!(hours("beta"), Ok(vec![]), "the dataset has nothing of it");
}
