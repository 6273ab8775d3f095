//! What a client sends is taken up to each bound of `docs/limits.md`, and refused one beyond it, by every API
//! that the bound holds for. `stored_bounds.rs` has those of what is kept.

use export::Catalog;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Reply, Stack, User};

use crate::{amplitude::pair, at, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
const KIB: usize = 1024;
/// The beginning of the longest windows.
const WINDOW_FROM: &str = "2025-01-01T00:00:00Z";

/// What is sent: a method, a path, a header, and a body. In the path, `WORKSPACE` and `TOKEN` stand for those
/// of the user, and in the header `PAIR` for the user's key pair.
struct Sent(&'static str, String, (&'static str, String), String);

/// A bound, how a request with so much is sent, and what is answered: at the bound, and one beyond it.
struct Bound {
    of: &'static str,
    value: usize,
    send: fn(usize) -> Sent,
    taken: u16,
    refused: (u16, &'static str),
}

const fn bound(
    of: &'static str,
    value: usize,
    send: fn(usize) -> Sent,
    taken: u16,
    refused: (u16, &'static str),
) -> Bound {
    Bound { of, value, send, taken, refused }
}

/// A body of the native API, for the call that makes nothing.
fn explain(change: impl FnOnce(&mut Value)) -> Sent {
    let mut body = request("coveo_searches", FROM, TO, "csv");
    change(&mut body);
    post("/v1/explain", body.to_string())
}

fn native(field: &str, value: Value) -> Sent {
    explain(|body| body[field] = value)
}

fn post(path: &str, body: String) -> Sent {
    Sent("POST", path.to_owned(), ("content-type", "application/json".to_owned()), body)
}

fn get(path: String) -> Sent {
    Sent("GET", path, ("accept", String::new()), String::new())
}

fn coveo(field: &str, value: Value) -> Sent {
    let mut body = json!({ "from": FROM, "to": TO, "tables": ["searches"] });
    body[field] = value;
    post("/rest/ua/v15/exports/create", body.to_string())
}

fn coveo_filter(filter: &str) -> Sent {
    coveo("commonFilters", json!([filter]))
}

fn named_filter(name: &str, value: &str) -> Sent {
    let body = json!({ "displayName": name, "value": value });
    post("/rest/ua/v15/filters/reporting", body.to_string())
}

fn x(len: usize) -> String {
    "x".repeat(len)
}

/// A filter of so many bytes.
fn filter(bytes: usize) -> String {
    format!("city == '{}'", x(bytes - "city == ''".len()))
}

fn comparisons(count: usize) -> String {
    vec!["city=='a'"; count].join(" OR ")
}

fn listed(count: usize) -> String {
    format!("city IN [{}]", vec!["'a'"; count].join(","))
}

fn brackets(depth: usize) -> String {
    format!("{}city=='a'{}", "(".repeat(depth), ")".repeat(depth))
}

/// A body of so many bytes, the last of which are blanks.
fn padded(Sent(method, path, header, body): Sent, bytes: usize) -> Sent {
    let blanks = " ".repeat(bytes - body.len());
    Sent(method, path, header, body + &blanks)
}

/// A body that nests so deep.
fn nested(path: &str, depth: usize) -> Sent {
    post(path, format!("{{\"x\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1)))
}

fn labels(count: usize) -> Value {
    (0..count).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into()
}

fn with_key(len: usize) -> Sent {
    let body = request("coveo_searches", FROM, TO, "csv").to_string();
    Sent("POST", "/v1/exports".to_owned(), ("idempotency-key", x(len)), body)
}

fn copied_to(len: usize) -> Sent {
    let copy = json!({
        "bucket": "acme-exports", "prefix": x(len), "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00",
    });
    native("copy", copy)
}

/// A URL of so many bytes that the local stack lets callbacks go to.
fn callback_url(len: usize) -> String {
    let start = "http://127.0.0.1/";
    format!("{start}{}", x(len - start.len()))
}

fn called_back_at(len: usize) -> Sent {
    native("callback", json!({ "url": callback_url(len) }))
}

/// So many names of columns, each once as long as there are others.
fn columns(count: usize) -> Sent {
    let catalog = Catalog::built_in().unwrap();
    let table = catalog.table("amplitude_events").unwrap();
    let names = table.columns.iter().map(|column| &column.name).cycle().take(count);
    explain(|body| {
        body["tables"] = json!([table.name]);
        body["columns"] = json!({ &table.name: names.collect::<Vec<_>>() });
    })
}

/// The end of so many days.
fn after(days: usize) -> Timestamp {
    at(WINDOW_FROM) + SignedDuration::from_hours(24 * i64::try_from(days).unwrap())
}

/// Explaining would list all of its days.
fn native_window(days: usize) -> Sent {
    let to = after(days).to_string();
    post("/v1/exports", request("coveo_searches", WINDOW_FROM, &to, "csv").to_string())
}

fn coveo_window(days: usize) -> Sent {
    let window = format!("from={WINDOW_FROM}&to={}", last_second(days));
    Sent("POST", format!("/rest/ua/v15/exports?{window}"), ("accept", String::new()), String::new())
}

fn last_second(days: usize) -> Timestamp {
    after(days) - SignedDuration::from_secs(1)
}

fn liferay_window(days: usize) -> Sent {
    let to = last_second(days).strftime("%Y-%m-%dT%H:%M:%S");
    get(format!("/api/reports/export/page?fromDate=2025-01-01T00:00:00&toDate={to}"))
}

fn amplitude_window(days: usize) -> Sent {
    let end = last_second(days).strftime("%Y%m%dT%H");
    let path = format!("/api/2/export?start=20250101T00&end={end}");
    Sent("GET", path, ("authorization", "PAIR".to_owned()), String::new())
}

/// A call of Leanplum about days that are too long ago, which is found out after all else.
fn leanplum(arguments: &str) -> Sent {
    let who = "appId=WORKSPACE&clientKey=TOKEN&apiVersion=1.0.6";
    get(format!("/api?action=exportData&{who}&startDate=20200101&{arguments}"))
}

fn leanplum_prefix(len: usize) -> Sent {
    let bucket = "s3BucketName=acme-exports&s3AccessId=AKIAEXAMPLE&s3AccessKey=abcd";
    leanplum(&format!("{bucket}&s3ObjectPrefix={}", x(len)))
}

fn file(field: &str, value: usize) -> Sent {
    explain(|body| {
        body["layout"] = json!("files");
        body[field] = json!(value);
    })
}

fn listing(limit: usize) -> Sent {
    get(format!("/v1/exports?limit={limit}"))
}

/// Bounds of the native API.
const NATIVE: [Bound; 24] = [
    bound(
        "body",
        256 * KIB,
        |n| padded(native("name", json!("x")), n),
        200,
        (413, "body_too_large"),
    ),
    bound("depth", 8, |n| nested("/v1/explain", n), 400, (400, "body_too_deep")),
    bound("tables", 20, |n| native("tables", json!(vec!["x"; n])), 400, (400, "wrong_count")),
    bound("columns", 55, columns, 200, (400, "asked for twice")),
    bound("window", 366, native_window, 202, (400, "window_too_long")),
    bound("labels", 20, |n| native("labels", labels(n)), 200, (400, "wrong_labels")),
    bound("name", 100, |n| native("name", json!(x(n))), 200, (400, "wrong_text")),
    bound("description", 1000, |n| native("description", json!(x(n))), 200, (400, "wrong_text")),
    bound("label", 100, |n| native("labels", json!({ "a": x(n) })), 200, (400, "wrong_labels")),
    bound("label key", 100, |n| native("labels", json!({ x(n): "a" })), 200, (400, "wrong_labels")),
    bound("filter", 64 * KIB, |n| native("filter", json!(filter(n))), 200, (400, "wrong_filter")),
    bound("compared", 1000, |n| native("filter", json!(comparisons(n))), 200, (400, "comparisons")),
    bound("listed", 10_000, |n| native("filter", json!(listed(n))), 200, (400, "10000 values")),
    bound("brackets", 100, |n| native("filter", json!(brackets(n))), 200, (400, "100 deep")),
    bound("URL", 2000, called_back_at, 200, (400, "wrong_url")),
    bound("prefix", 800, copied_to, 200, (400, "wrong_text")),
    bound("key", 255, with_key, 202, (400, "idempotency_key_invalid")),
    bound("largest file", 4 << 30, |n| file("max_file_bytes", n), 200, (400, "wrong_number")),
    bound("limit", 100, listing, 200, (400, "wrong_limit")),
    bound("as named", 64 * KIB, |n| named_filter("a", &filter(n)), 201, (400, "InvalidFilter")),
    bound("name of one", 200, |n| named_filter(&x(n), "city=='a'"), 201, (400, "displayName")),
    bound(
        "compared in one",
        1000,
        |n| named_filter("c", &comparisons(n)),
        201,
        (400, "omparisons"),
    ),
    bound("listed in one", 10_000, |n| named_filter("l", &listed(n)), 201, (400, "10000 values")),
    bound("brackets in one", 99, |n| named_filter("b", &brackets(n)), 201, (400, "100 deep")),
];

/// Bounds of the dialects' APIs.
const DIALECTS: [Bound; 17] = [
    bound("Liferay's window", 366, liferay_window, 200, (400, "366 are allowed")),
    bound("Amplitude's window", 365, amplitude_window, 404, (400, "365 days")),
    bound("window", 366, coveo_window, 201, (400, "366 are allowed")),
    bound(
        "body",
        256 * KIB,
        |n| padded(coveo("description", json!("x")), n),
        201,
        (413, "are allowed"),
    ),
    bound("depth", 8, |n| nested("/rest/ua/v15/exports/create", n), 400, (400, "levels")),
    bound("name", 200, |n| coveo("filename", json!(x(n))), 201, (400, "InvalidParameter")),
    bound(
        "description",
        1000,
        |n| coveo("description", json!(x(n))),
        201,
        (400, "InvalidParameter"),
    ),
    bound("filter", 64 * KIB, |n| coveo_filter(&filter(n)), 201, (400, "InvalidFilter")),
    bound("compared", 1000, |n| coveo_filter(&comparisons(n)), 201, (400, "InvalidFilter")),
    bound("listed", 10_000, |n| coveo_filter(&listed(n)), 201, (400, "InvalidFilter")),
    bound("brackets", 100, |n| coveo_filter(&brackets(n)), 201, (400, "InvalidFilter")),
    bound("Leanplum's body", 256 * KIB, |n| padded(nested("/api", 1), n), 400, (400, "more than")),
    bound("Leanplum's depth", 8, |n| nested("/api", n), 400, (400, "too deep")),
    bound("Leanplum's form", 256 * KIB, form, 400, (400, "more than")),
    bound("calls", 50, calls, 200, (400, "1 to 50")),
    bound(
        "Leanplum's URL",
        2000,
        |n| leanplum(&format!("callbackUrl={}", callback_url(n))),
        200,
        (400, "callbackUrl"),
    ),
    bound("Leanplum's prefix", 800, leanplum_prefix, 200, (400, "s3ObjectPrefix")),
];

fn form(bytes: usize) -> Sent {
    let kind = "application/x-www-form-urlencoded".to_owned();
    Sent("POST", "/api".to_owned(), ("content-type", kind), format!("a={}", x(bytes - 2)))
}

fn calls(count: usize) -> Sent {
    post("/api?action=multi", json!({ "data": vec![json!({}); count] }).to_string())
}

async fn send(user: &User, Sent(method, path, mut header, body): Sent) -> Reply {
    let path = path.replace("WORKSPACE", user.workspace.as_ref()).replace("TOKEN", &user.token);
    if header.1 == "PAIR" {
        header.1 = pair(&user.token);
    }
    let body = (method != "GET").then_some(body.as_str());
    let kind = ("content-type", "application/json");
    let headers = match header.0 {
        "content-type" => vec![(header.0, header.1.as_str())],
        name => vec![kind, (name, header.1.as_str())],
    };
    user.send(method, &path, &headers, body).await.unwrap()
}

async fn holds(bounds: &[Bound]) {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let quota = json!({ "request_burst": 10_000, "exports_at_once": 1000 });
    let action = json!({ "action": "set_quota", "workspace": user.workspace, "quota": quota });
    user.stack.admin(&action).await.unwrap();
    for Bound { of, value, send: sent, taken, refused: (status, said) } in bounds {
        let at_most = send(&user, sent(*value)).await;
        let text = String::from_utf8_lossy(&at_most.bytes);
        assert_eq!(at_most.status, *taken, "{of}, {value}: {text}");
        assert!(!text.contains(said), "{of}, {value}: {text}");
        let beyond = send(&user, sent(value + 1)).await;
        let text = String::from_utf8_lossy(&beyond.bytes);
        assert_eq!(beyond.status, *status, "{of}, one more than {value}: {text}");
        assert!(text.contains(said), "{of}, one more than {value}: {text}");
    }
}

#[tokio::test]
async fn the_native_api_takes_each_bound_and_refuses_one_more() {
    holds(&NATIVE).await;
}

#[tokio::test]
async fn the_dialects_take_each_bound_and_refuse_one_more() {
    holds(&DIALECTS).await;
}

#[tokio::test]
async fn the_least_of_a_file_is_taken_and_one_less_refused() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    for (field, least) in [("max_file_bytes", 1 << 20), ("max_file_rows", 1000)] {
        assert_eq!(send(&user, file(field, least)).await.status, 200, "{field}");
        let less = send(&user, file(field, least - 1)).await;
        assert_eq!((less.status, less.text("/errors/0/code")), (400, "wrong_number"), "{field}");
    }
}

/// The least query of each API, by the name of its function.
const QUERIES: [(&str, &str, &str); 5] = [
    ("ExportsFunction", "/v1/exports", "cursor"),
    ("LiferayFunction", "/api/reports/export/page", "fromDate"),
    ("AmplitudeFunction", "/api/2/export", "start"),
    ("CoveoFunction", "/rest/ua/v15/exports/estimate", "f"),
    ("LeanplumFunction", "/api", "action"),
];

#[tokio::test]
async fn a_url_of_48_kib_is_answered_by_every_function_and_a_longer_one_told_to_be_too_long() {
    let stack = Stack::connect().await.unwrap();
    for (function, path, name) in QUERIES {
        // A function counts three bytes for each of the path, which may have to be encoded.
        let fits = 48 * KIB - 3 * path.len() - format!("{name}=").len();
        for (len, is_too_long) in [(fits, false), (fits + 1, true)] {
            let event = json!({
                "httpMethod": "GET", "path": path, "resource": path, "headers": {},
                "multiValueHeaders": {}, "isBase64Encoded": false,
                "multiValueQueryStringParameters": { name: [x(len)] },
                "requestContext": { "requestId": "1", "path": path, "httpMethod": "GET" },
            });
            let answer = stack.invoke(function, &event).await.unwrap();
            let status = answer["statusCode"].as_u64().unwrap();
            assert_eq!(status == 414, is_too_long, "{function} {len}: {answer}");
            assert!(status < 500, "{function} {len}: {answer}");
            if !is_too_long {
                continue;
            }
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            for pointer in ["/detail", "/message", "/response/0/error/message"] {
                let told = body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                assert!(told.starts_with("The URL is too long"), "{function} {pointer}: {body}");
            }
        }
    }
}

/// Each of these brackets becomes three bytes in a function, so what the gateway lets pass is longest there.
#[tokio::test]
async fn the_longest_url_that_the_gateway_lets_pass_is_answered_by_every_api() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    for (function, path, name) in QUERIES {
        let passes = send(&user, get(format!("{path}?{name}={}", "(".repeat(9 * KIB)))).await;
        assert!((400..404).contains(&passes.status), "{function}: {}", passes.status);
        assert_ne!(passes.header("x-request-id"), "", "{function}");
        let longer = send(&user, get(format!("{path}?{name}={}", "(".repeat(11 * KIB)))).await;
        assert_eq!((longer.status, longer.header("x-request-id")), (400, ""), "{function}");
    }
}
