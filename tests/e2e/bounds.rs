//! What a client sends is taken up to each bound of `docs/limits.md`, and refused one beyond it, by every API
//! that the bound holds for.

use serde_json::{Value, json};
use tests::{Reply, Stack, User};

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
const KIB: usize = 1024;

/// What is sent: a method, a path, a header, and a body.
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

/// The local stack allows no other hosts than this machine, so what is within the bound is refused for that.
fn called_back_at(len: usize) -> Sent {
    let start = "https://example.com/";
    native("callback", json!({ "url": format!("{start}{}", x(len - start.len())) }))
}

fn file(field: &str, value: usize) -> Sent {
    explain(|body| {
        body["layout"] = json!("files");
        body[field] = json!(value);
    })
}

fn listing(limit: usize) -> Sent {
    Sent("GET", format!("/v1/exports?limit={limit}"), ("accept", String::new()), String::new())
}

/// Bounds of the native API.
const NATIVE: [Bound; 22] = [
    bound(
        "body",
        256 * KIB,
        |n| padded(native("name", json!("x")), n),
        200,
        (413, "body_too_large"),
    ),
    bound("depth", 8, |n| nested("/v1/explain", n), 400, (400, "body_too_deep")),
    bound("tables", 20, |n| native("tables", json!(vec!["x"; n])), 400, (400, "wrong_count")),
    bound("labels", 20, |n| native("labels", labels(n)), 200, (400, "wrong_labels")),
    bound("name", 100, |n| native("name", json!(x(n))), 200, (400, "wrong_text")),
    bound("description", 1000, |n| native("description", json!(x(n))), 200, (400, "wrong_text")),
    bound("label", 100, |n| native("labels", json!({ "a": x(n) })), 200, (400, "wrong_labels")),
    bound("label key", 100, |n| native("labels", json!({ x(n): "a" })), 200, (400, "wrong_labels")),
    bound("filter", 64 * KIB, |n| native("filter", json!(filter(n))), 200, (400, "wrong_filter")),
    bound("compared", 1000, |n| native("filter", json!(comparisons(n))), 200, (400, "comparisons")),
    bound("listed", 10_000, |n| native("filter", json!(listed(n))), 200, (400, "10000 values")),
    bound("brackets", 100, |n| native("filter", json!(brackets(n))), 200, (400, "100 deep")),
    bound("URL", 2000, called_back_at, 400, (400, "wrong_url")),
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

/// Bounds of Coveo's and Leanplum's APIs.
const DIALECTS: [Bound; 12] = [
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
];

fn form(bytes: usize) -> Sent {
    let kind = "application/x-www-form-urlencoded".to_owned();
    Sent("POST", "/api".to_owned(), ("content-type", kind), format!("a={}", x(bytes - 2)))
}

fn calls(count: usize) -> Sent {
    post("/api?action=multi", json!({ "data": vec![json!({}); count] }).to_string())
}

async fn send(user: &User, Sent(method, path, header, body): Sent) -> Reply {
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
async fn coveos_and_leanplums_apis_take_each_bound_and_refuse_one_more() {
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
