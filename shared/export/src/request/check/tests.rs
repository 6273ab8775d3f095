//! Tests of the native API's requests.

use serde_json::{Map, json};

use super::*;
use crate::{Files, Format, Parts};

const NOW: &str = "2026-06-01T00:00:00Z";

fn read(body: &Value) -> Result<ExportRequest, Faults> {
    order(body).map(|order| order.request)
}

pub(super) fn order(body: &Value) -> Result<Order, Faults> {
    let catalog = Catalog::built_in().unwrap();
    let named = [("HOME".to_owned(), "canonicalUrl == '/'".to_owned())];
    let (limits, now) = (Limits::default(), NOW.parse().unwrap());
    Order::from_json(body, &catalog, &named, &limits, now)
}

fn told(body: &Value) -> Vec<(&'static str, String)> {
    let faults = read(body).unwrap_err();
    faults.listed().iter().map(|f| (f.code, f.pointer.clone())).collect()
}

pub(super) fn good() -> Value {
    json!({
        "tables": ["liferay_page"],
        "columns": { "liferay_page": ["title", "url"] },
        "window": { "from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00+02:00" },
        "format": "csv",
        "labels": { "team": "web" },
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut body = good();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

#[test]
fn a_request_means_what_it_says() {
    let mut body = good();
    (body["name"], body["description"]) = (json!("pages"), json!("of March"));
    let request = read(&body).unwrap();

    assert_eq!(request.name.as_deref(), Some("pages"));
    assert_eq!(request.description.as_deref(), Some("of March"));
    assert_eq!(request.labels["team"], "web");
    assert_eq!(request.tables[0].columns.as_ref().unwrap(), &["title", "url"]);
    assert_eq!(request.window.to(), "2026-05-01T22:00:00Z".parse().unwrap());
    assert_eq!(request.format, Format::Csv);
    let stored: ExportRequest =
        serde_json::from_value(serde_json::to_value(&request).unwrap()).unwrap();
    assert_eq!(stored, request);
}

#[test]
fn the_style_of_csv_is_kept() {
    let mut body = good();
    body["csv"] = json!({ "style": "excel" });
    assert_eq!(read(&body).unwrap().csv, crate::CsvStyle::Excel);
}

#[test]
fn the_longest_window_is_allowed_and_a_second_more_is_not() {
    let until_now = |from: &str| read(&with("/window", json!({ "from": from, "to": NOW })));
    assert!(until_now("2025-05-31T00:00:00Z").is_ok());
    assert!(until_now("2025-05-30T23:59:59Z").is_err());
}

#[test]
fn each_fault_has_its_code_and_place() {
    let window = |from: &str, to: &str| with("/window", json!({ "from": from, "to": to }));
    for (body, code, pointer) in [
        (json!([]), "not_an_object", ""),
        (with("/tables", json!([])), "wrong_count", "/tables"),
        (with("/tables", json!("page")), "wrong_type", "/tables"),
        (with("/tables/0", json!("liferay_pgae")), "unknown_table", "/tables/0"),
        (with("/tables", json!(["liferay_page", "liferay_page"])), "duplicate", "/tables/1"),
        (
            with("/columns/liferay_page/1", json!("ulr")),
            "unknown_column",
            "/columns/liferay_page/1",
        ),
        (with("/columns", json!({ "a/b": ["x"] })), "unknown_table", "/columns/a~1b"),
        (with("/format", json!("xml")), "unknown_format", "/format"),
        (with("/labels/team", json!(3)), "wrong_labels", "/labels/team"),
        (with("/window/from", json!("2026-05-01")), "not_an_instant", "/window/from"),
        (window("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z"), "window_reversed", "/window"),
        (window("2026-05-02T00:00:00Z", "2026-05-02T00:00:00Z"), "window_empty", "/window"),
        (window("2026-05-02T00:00:00Z", "2026-06-01T00:00:01Z"), "window_in_future", "/window/to"),
        (window("2025-05-30T00:00:00Z", "2026-06-01T00:00:00Z"), "window_too_long", "/window"),
    ] {
        let told = told(&body);
        assert!(told.contains(&(code, pointer.to_owned())), "{body}: {told:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let body = json!({ "tables": ["nope"], "format": 1, "wndow": 0 });
    let codes: Vec<_> = told(&body).into_iter().map(|(code, _)| code).collect();

    assert_eq!(codes, ["unknown_field", "unknown_table", "required", "unknown_format"]);
}

#[test]
fn an_answer_stays_small_however_much_is_wrong() {
    let list = |len: usize, text: &str| vec![Value::from(text); len];
    let key = "k".repeat(200_000);
    let fields = (0..20_000).map(|n| (format!("field-{n}"), json!("s3cr3t")));
    let keys: Map<String, Value> = fields.collect();
    for (pointer, value, count) in [
        ("/columns/liferay_page", json!(list(65_000, "x")), 65_000),
        ("/columns/liferay_page", json!(list(65_000, "title")), 64_999),
        ("/columns", Value::Object(keys.clone()), 20_000),
        ("/columns", json!({ &key: ["x"] }), 1),
        ("/window", Value::Object(keys.clone()), 20_002),
        ("/window", json!({ &key: 1, "from": "x", "to": key }), 3),
        ("/tables/0", json!(key), 2),
        ("/labels", json!(list(65_000, "x")), 1),
        ("/format", json!(list(65_000, "x")), 1),
        ("", Value::Object(keys.clone()), 20_003),
    ] {
        let faults = read(&with(pointer, value)).unwrap_err();
        let answer = serde_json::to_vec(faults.listed()).unwrap();
        assert!(answer.len() < 40_000, "{pointer}: {} bytes", answer.len());
        assert_eq!(faults.count(), count, "{pointer}");
        assert!(faults.listed().len() <= crate::MAX_FAULTS);
    }
}

#[test]
fn what_is_allowed_is_told_once_for_each_table() {
    let body = with("/columns/liferay_page", json!(["a", "b"]));
    let faults = read(&body).unwrap_err();
    let told: Vec<bool> = faults.listed().iter().map(|fault| fault.allowed.is_some()).collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn a_secret_under_a_wrong_name_is_not_repeated() {
    for (name, value) in [
        ("coppy", json!({ "bucket": "acme", "secret_access_key": "s3cr3t" })),
        ("secret_access_key", json!("s3cr3t")),
        ("window", json!({ "from": "s", "to": "t", "secret_access_key": "s3cr3t" })),
        ("window", json!({ "from": { "secret_access_key": "s3cr3t" }, "to": ["s3cr3t"] })),
        ("columns", json!({ "liferay_page": [{ "secret_access_key": "s3cr3t" }] })),
        ("columns", json!([{ "secret_access_key": "s3cr3t" }])),
        ("tables", json!({ "secret_access_key": "s3cr3t" })),
        ("tables", json!([{ "secret_access_key": "s3cr3t" }])),
        ("csv", json!({ "style": "excel", "secret_access_key": "s3cr3t" })),
        ("csv", json!({ "style": { "secret_access_key": "s3cr3t" } })),
        ("labels", json!({ "team": { "secret_access_key": "s3cr3t" } })),
        ("name", json!({ "secret_access_key": "s3cr3t" })),
        ("filter", json!({ "secret_access_key": "s3cr3t" })),
        ("format", json!({ "secret_access_key": "s3cr3t" })),
        ("layout", json!({ "secret_access_key": "s3cr3t" })),
        ("max_file_bytes", json!({ "secret_access_key": "s3cr3t" })),
    ] {
        let mut body = good();
        body[name] = value;
        let told = format!("{:?}", read(&body).unwrap_err());
        assert!(!told.contains("s3cr3t"), "{name}: {told}");
    }
    let told = format!("{:?}", read(&json!(["s3cr3t"])).unwrap_err());
    assert!(!told.contains("s3cr3t"), "{told}");
}

#[test]
fn names_and_labels_have_no_control_characters() {
    for (name, value, good) in [
        ("name", json!("two\nlines"), false),
        ("name", json!("tab\t"), false),
        ("description", json!("two\nlines"), true),
        ("description", json!("\u{1b}[31m"), false),
        ("labels", json!({ "team": "a\u{0}b" }), false),
        ("labels", json!({ "te\nam": "a" }), false),
        ("labels", json!({ "team": "" }), true),
        ("labels", json!({ "": "a" }), false),
    ] {
        let mut body = self::good();
        body[name] = value;
        assert_eq!(read(&body).is_ok(), good, "{body}");
    }
}

#[test]
fn a_request_that_does_not_fit_a_record_is_refused() {
    let limits = Limits { stored_bytes: 500, ..Limits::default() };
    let catalog = Catalog::built_in().unwrap();
    let read = |filter: String| {
        let mut body = good();
        body["filter"] = json!(filter);
        Order::from_json(&body, &catalog, &[], &limits, NOW.parse().unwrap())
    };
    assert!(read("city == 'a'".to_owned()).is_ok());
    let faults = read(format!("city == '{}'", "a".repeat(500))).unwrap_err();
    assert_eq!(faults.listed()[0].code, "request_too_large");
}

#[test]
fn an_hours_file_is_named_without_leading_zeros() {
    let hour = "2024-03-02T07:00:00Z".parse().unwrap();
    assert_eq!(Files::hourly_name("374182", hour, 0), "374182/374182_2024-03-02_7#0.json.gz");
}

#[test]
fn a_slip_brings_a_suggestion() {
    let faults = read(&with("/tables/0", json!("liferay_pgae"))).unwrap_err();
    assert_eq!(faults.listed()[0].suggestion.as_deref(), Some("liferay_page"));
}

#[test]
fn each_bound_is_allowed_and_one_more_is_not() {
    let limits = Limits::default();
    let catalog = Catalog::built_in().unwrap();
    let names: Vec<&str> = catalog.tables().map(|table| table.name.as_str()).collect();
    let limits = Limits { tables: names.len() - 1, ..limits };
    let read = |name: &str, value: Value| {
        let mut body = good();
        body["columns"] = Value::Null;
        body[name] = value;
        Order::from_json(&body, &catalog, &[], &limits, NOW.parse().unwrap())
    };
    let labels =
        |count: usize| (0..count).map(|n| (format!("key-{n}"), json!("x"))).collect::<Map<_, _>>();
    for (name, good, bad) in [
        ("tables", json!(names[1..]), json!(names)),
        ("name", json!("ü".repeat(100)), json!("ü".repeat(101))),
        ("name", json!("x"), json!("")),
        ("description", json!("ü".repeat(1000)), json!("ü".repeat(1001))),
        ("labels", json!(labels(20)), json!(labels(21))),
        ("labels", json!({ "a": "ü".repeat(100) }), json!({ "a": "ü".repeat(101) })),
        ("labels", json!({ "ü".repeat(100): "a" }), json!({ "ü".repeat(101): "a" })),
    ] {
        assert!(read(name, good).is_ok(), "{name}");
        assert!(read(name, bad).is_err(), "{name}");
    }
}

#[test]
fn plain_files_have_bounds_of_their_own() {
    let files = |rest: Value| {
        let mut body = good();
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        read(&body).map(|request| request.files)
    };
    assert_eq!(files(json!({})).unwrap(), Files::Tables);
    assert_eq!(files(json!({ "layout": "zip" })).unwrap(), Files::Tables);
    let parts = |max_bytes, max_rows| Files::Parts(Parts { max_bytes, max_rows, suffix: true });
    assert_eq!(files(json!({ "layout": "files" })).unwrap(), parts(256 << 20, None));
    for (bytes, rows) in [(1_u64 << 20, 1000), (4 << 30, u64::MAX)] {
        let body = json!({ "layout": "files", "max_file_bytes": bytes, "max_file_rows": rows });
        assert_eq!(files(body).unwrap(), parts(bytes, Some(rows)));
    }
    for bad in [
        json!({ "layout": "files", "max_file_bytes": (1 << 20) - 1 }),
        json!({ "layout": "files", "max_file_bytes": (4_u64 << 30) + 1 }),
        json!({ "layout": "files", "max_file_rows": 999 }),
        json!({ "layout": "files", "max_file_rows": -1 }),
        json!({ "max_file_rows": 1000 }),
        json!({ "layout": "zip", "max_file_bytes": 1 << 20 }),
        json!({ "layout": "file" }),
    ] {
        assert!(files(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn how_csv_is_written_is_for_csv() {
    let mut body = good();
    body["csv"] = json!({ "display_names": true });
    assert!(read(&body).unwrap().display_names);
    body["format"] = json!("jsonl");
    assert_eq!(told(&body), [("wrong_csv", "/csv".to_owned())]);
    body["csv"] = Value::Null;
    assert!(read(&body).is_ok());
}

#[test]
fn a_wrong_window_is_repeated_where_it_is_wrong() {
    let value = |from: &str, to: &str| {
        let faults = read(&with("/window", json!({ "from": from, "to": to }))).unwrap_err();
        faults.listed()[0].value.clone().unwrap()
    };
    let (early, late) = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    assert_eq!(value(late, early), json!({ "from": late, "to": early }));
    assert_eq!(value(early, "2026-06-01T00:00:01Z"), json!("2026-06-01T00:00:01Z"));
}

#[test]
fn parquet_has_so_many_columns_and_no_more() {
    let body = json!({
        "tables": ["wide"], "format": "parquet",
        "window": { "from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z" },
    });
    let told = |count: usize, format: &str| {
        let columns: String = (0..count).map(|n| format!("\"c{n}\",")).collect();
        let catalog = format!(
            "[[dataset]]\nname = \"d\"\npath = \"{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/\"\ntime = \"c0\"\n\
             [[table]]\nname = \"wide\"\ndataset = \"d\"\ncolumns = [{columns}]\n"
        );
        let catalog = Catalog::parse("test", &catalog).unwrap();
        let mut body = body.clone();
        body["format"] = json!(format);
        let now = NOW.parse().unwrap();
        let order = Order::from_json(&body, &catalog, &[], &Limits::default(), now);
        order.map(|order| order.request.format).map_err(|faults| {
            let fault = &faults.listed()[0];
            (fault.code, fault.pointer.clone())
        })
    };
    assert_eq!(told(2000, "parquet"), Ok(Format::Parquet));
    assert_eq!(told(2001, "parquet"), Err(("wrong_count", "/columns/wide".to_owned())));
    assert_eq!(told(2001, "csv"), Ok(Format::Csv));
}

#[test]
fn a_style_of_csv_is_refused_for_other_formats() {
    for format in ["jsonl", "parquet"] {
        let mut body = with("/format", json!(format));
        body["csv"] = json!({ "style": "excel" });
        assert_eq!(told(&body), [("wrong_csv", "/csv".to_owned())]);
    }
}
