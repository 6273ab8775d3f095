//! Limits and quotas: one more than allowed, through every API, is refused in its own shape.

use cloud::StoreOutcome;
use export::{Export, Order, Quota};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Reply, Stack, User, until};

use crate::{
    SMALL,
    amplitude::pair,
    at,
    leanplum::{call, morning, put, session},
    request,
};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
const COVEO_DAY: &str = "from=2026-03-01T00:00:00Z&to=2026-03-01T23:59:59Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

async fn set_quota(user: &User, quota: Value) {
    let action = json!({ "action": "set_quota", "workspace": user.workspace, "quota": quota });
    let answer = user.stack.admin(&action).await.unwrap();
    assert_eq!(answer, json!({ "workspace": user.workspace, "quota": quota }));
}

/// Requests that make an export, one of each API, by name.
async fn asked_in_every_api(user: &User) -> Vec<(&'static str, Reply)> {
    let basic = pair(&user.token);
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>| {
        user.send(method, path, headers, body).await.unwrap()
    };
    let native = request("liferay_page", FROM, TO, "csv").to_string();
    let liferay = "/api/reports/export/page?fromDate=2026-03-01T00:00&toDate=2026-03-01T01:00";
    let amplitude = "/api/2/export?start=20260301T00&end=20260301T00";
    let coveo = format!("/rest/ua/v15/exports?{COVEO_DAY}");
    let day = morning().1;
    vec![
        ("native", send("POST", "/v1/exports", &[], Some(&native)).await),
        ("liferay", send("GET", liferay, &[], None).await),
        ("amplitude", send("GET", amplitude, &[("authorization", &basic)], None).await),
        ("coveo", send("POST", &coveo, &[], None).await),
        ("leanplum", call(user, "exportData", &format!("startDate={day}")).await),
    ]
}

/// What an answer says is wrong, where clients of its API look for it.
fn said(api: &str, reply: &Reply) -> String {
    match api {
        "native" => reply.text("/detail").to_owned(),
        "liferay" => {
            assert_eq!(reply.text("/status"), "ERROR");
            reply.text("/message").to_owned()
        }
        "coveo" => {
            assert_eq!(reply.text("/type"), "TooManyRequests");
            reply.text("/message").to_owned()
        }
        "leanplum" => reply.text("/response/0/error/message").to_owned(),
        _ => String::from_utf8(reply.bytes.clone()).unwrap(),
    }
}

/// Rows for every API, so that there is something to export.
async fn seed(user: &User) {
    user.seed(SMALL, &["amplitude_events"], at(FROM), 1).await.unwrap();
    let (morning, _) = morning();
    put(user, morning, &[session(1, morning)]).await;
}

/// An export that nobody builds.
fn unfinished(user: &User) -> Export {
    let (limits, now) = (export::Limits::default(), Timestamp::now());
    let body = request("liferay_page", FROM, TO, "csv");
    let order = Order::from_json(&body, &user.stack.catalog, &[], &limits, now).unwrap();
    let time_limit = SignedDuration::from_hours(1);
    let id = tests::new_id();
    Export::queued(id, user.workspace.clone(), order.request, now, time_limit)
}

#[tokio::test]
async fn a_workspace_that_sends_too_many_requests_is_refused_by_every_api() {
    let user = user().await;
    set_quota(&user, json!({ "requests_a_second": 1, "request_burst": 1 })).await;
    let other = user.stack.user_of(user.workspace.clone(), &[export::Privilege::View]);
    let viewer = other.await.unwrap();
    // As if a thousand seconds of requests had been sent.
    let ahead = Timestamp::now() + SignedDuration::from_secs(1000);
    let cost = export::RequestCost::Itself;
    user.stack.service().spend(&user.workspace, cost, ahead).await.unwrap();

    for (api, reply) in asked_in_every_api(&user).await {
        assert_eq!(reply.status, 429, "{api}: {}", reply.body);
        let seconds: u64 = reply.header("retry-after").parse().unwrap();
        assert!((900..=1001).contains(&seconds), "{api}: {seconds}");
        let said = said(api, &reply);
        assert!(said.contains("may send 1 requests a second"), "{api}: {said}");
    }
    let reply = viewer.get("/v1/limits").await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (429, "too_many_requests"));
    let neighbour = user.stack.user().await.unwrap();
    assert_eq!(neighbour.get("/v1/limits").await.unwrap().status, 200);
}

#[tokio::test]
async fn what_lists_more_of_the_lake_counts_as_more_requests_and_never_as_too_many() {
    let days = ("2025-09-02T00:00:00Z", "2026-03-01T00:00:00Z");
    let explain = async |user: &User, (from, to): (&str, &str)| {
        let body = request("amplitude_events", from, to, "csv");
        user.post("/v1/explain", &body).await.unwrap().status
    };
    let amplitude = async |user: &User, range: &str| {
        let basic = pair(&user.token);
        let path = format!("/api/2/export?{range}");
        let headers = [("authorization", basic.as_str())];
        user.send("GET", &path, &headers, None).await.unwrap().status
    };
    let (hour, hours) = ((FROM, TO), "start=20260301T00&end=20260301T00");
    let half_a_year = "start=20250902T00&end=20260228T23";
    // These 180 days count as 19 requests, an hour as two.
    let user_of = async |burst: u32| {
        let user = user().await;
        set_quota(&user, json!({ "requests_a_second": 1, "request_burst": burst })).await;
        user
    };
    let native = user_of(24).await;
    assert_eq!(explain(&native, days).await, 200);
    assert_eq!(explain(&native, days).await, 429);
    assert_eq!(explain(&native, hour).await, 200);
    let dialect = user_of(24).await;
    assert_eq!(amplitude(&dialect, half_a_year).await, 404);
    assert_eq!(amplitude(&dialect, half_a_year).await, 429);
    assert_eq!(amplitude(&dialect, hours).await, 404);

    // However small the burst is, what costs more than that passes.
    let small = user_of(5).await;
    assert_eq!(explain(&small, days).await, 200);
}

#[tokio::test]
async fn a_workspace_with_too_many_unfinished_exports_is_refused_by_every_api() {
    let user = user().await;
    seed(&user).await;
    set_quota(&user, json!({ "exports_at_once": 1 })).await;
    let (exports, export) = (user.stack.exports(), unfinished(&user));
    let quota =
        Quota { exports_at_once: 1, exports_a_day: 100, requests_a_second: 1, request_burst: 1 };
    let day = Quota::day(export.created_at);
    assert!(exports.count_export(&export, &day, None, quota).await.unwrap());
    assert_eq!(exports.store(&export, None, None).await.unwrap(), StoreOutcome::Yes);

    for (api, reply) in asked_in_every_api(&user).await {
        assert_eq!(reply.status, 429, "{api}: {}", reply.body);
        assert_eq!(reply.header("retry-after"), "10", "{api}");
        let said = said(api, &reply);
        assert!(said.contains("has 1 exports that are not finished"), "{api}: {said}");
    }
    let cancelled = exports.change(&user.workspace, export.id, |e| e.cancel(Timestamp::now()));
    cancelled.await.unwrap();
    user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
}

#[tokio::test]
async fn a_workspace_that_made_its_exports_of_a_day_is_refused_by_every_api() {
    let user = user().await;
    seed(&user).await;
    set_quota(&user, json!({ "exports_a_day": 2 })).await;
    let key = [("idempotency-key", "first")];
    let body = request("liferay_page", FROM, TO, "csv").to_string();
    let make = async || user.send("POST", "/v1/exports", &key, Some(&body)).await.unwrap();
    let first = make().await;
    assert_eq!(first.status, 202, "{}", first.body);
    let liferay = "/api/reports/export/page?fromDate=2026-03-02T00:00&toDate=2026-03-02T01:00";
    assert_eq!(user.get(liferay).await.unwrap().status, 200);

    for (api, reply) in asked_in_every_api(&user).await {
        assert_eq!(reply.status, 429, "{api}: {}", reply.body);
        let said = said(api, &reply);
        assert!(said.contains("has made 2 exports today"), "{api}: {said}");
    }
    // What was made is still answered.
    assert_eq!(make().await.header("idempotent-replayed"), "true");
    assert_ne!(user.get(liferay).await.unwrap().status, 429);
    set_quota(&user, json!({})).await;
    user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let limits = user.get("/v1/limits").await.unwrap();
    assert_eq!(limits.body["workspace"]["exports_a_day"], 5000);
}

#[tokio::test]
async fn an_operator_is_told_which_quota_makes_no_sense() {
    let stack = Stack::connect().await.unwrap();
    let set = async |quota: Value| {
        let action = json!({ "action": "set_quota", "workspace": "acme-quota", "quota": quota });
        let answer = stack.admin(&action).await.unwrap();
        answer["errorMessage"].as_str().unwrap_or_default().to_owned()
    };
    for (name, most) in [
        ("exports_at_once", 1000),
        ("exports_a_day", 1_000_000),
        ("requests_a_second", 500),
        ("request_burst", 10_000),
    ] {
        for wrong in [0, most + 1] {
            let said = set(json!({ name: wrong })).await;
            assert!(said.contains(&format!("{name} is a number from 1 to {most}")), "{said}");
        }
        assert_eq!(set(json!({ name: most })).await, "", "{name}");
    }
    assert!(set(json!({ "exports": 1 })).await.contains("unknown field"));
    assert_eq!(set(json!({ "exports_at_once": 7 })).await, "");
    let action = json!({ "action": "get_quota", "workspace": "acme-quota" });
    let own = stack.admin(&action).await.unwrap();
    assert_eq!(own["quota"], json!({ "exports_at_once": 7 }));
}

#[tokio::test]
async fn a_window_of_more_than_the_allowed_days_is_refused_by_every_api() {
    let user = user().await;
    let basic = pair(&user.token);
    let body = request("liferay_page", "0001-01-01T00:00:00Z", TO, "csv");
    let native = user.post("/v1/exports", &body).await.unwrap();
    assert_eq!((native.status, native.text("/errors/0/code")), (400, "window_too_long"));
    let explained = user.post("/v1/explain", &body).await.unwrap();
    assert_eq!((explained.status, explained.text("/errors/0/code")), (400, "window_too_long"));

    let liferay = "/api/reports/export/segment?fromDate=0001-01-01T00:00&toDate=2026-01-01T00:00";
    let reply = user.get(liferay).await.unwrap();
    assert_eq!(reply.status, 400);
    assert!(reply.text("/message").contains("366 are allowed"), "{}", reply.body);

    let amplitude = "/api/2/export?start=20250101T00&end=20260101T00";
    let headers = [("authorization", basic.as_str())];
    let reply = user.send("GET", amplitude, &headers, None).await.unwrap();
    assert_eq!(reply.status, 400);
    assert!(String::from_utf8_lossy(&reply.bytes).contains("8761 hours"));

    for (method, path) in [("POST", "exports"), ("GET", "exports/estimate")] {
        let path = format!("/rest/ua/v15/{path}?from=0001-01-01T00:00:00Z&to=2026-01-01T00:00:00Z");
        let reply = user.send(method, &path, &[], None).await.unwrap();
        assert_eq!((reply.status, reply.text("/type")), (400, "InvalidParameter"));
        assert!(reply.text("/message").contains("366 are allowed"), "{}", reply.body);
    }
    let reply = call(&user, "exportData", "startDate=20200101&endDate=20260101").await;
    let message = reply.text("/response/0/error/message");
    assert_eq!((reply.status, message), (200, "You cannot export data older than 60 days"));
}

#[tokio::test]
async fn a_window_without_an_end_is_planned_until_tomorrow() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let reply = call(&user, "exportData", &format!("startDate={day}&endDate=99991229")).await;
    assert_eq!(reply.body["response"][0]["success"], true, "{}", reply.body);
    let from = morning.strftime("%Y-%m-%dT%H:%M");
    let liferay = format!("/api/reports/export/page?fromDate={from}&toDate=9999-12-30T00:00");
    let reply = user.get(&liferay).await.unwrap();
    assert_eq!(reply.text("/toDate"), "9999-12-30T00:00:00.000Z", "{}", reply.body);
    let coveo = format!("/rest/ua/v15/exports?from={from}:00Z&to=9999-12-30T00:00:00.000Z");
    let reply = user.send("POST", &coveo, &[], None).await.unwrap();
    assert_eq!((reply.status, &reply.body["to"]), (201, &json!(253_402_128_000_000_i64)));

    let latest = Timestamp::now() + SignedDuration::from_hours(48);
    let wanted = cloud::Wanted::Shown(None);
    let exports = user.stack.exports();
    let page = exports.list(&user.workspace, wanted, None, 20, latest).await.unwrap();
    assert_eq!(page.exports.len(), 3);
    assert!(page.exports.iter().all(|export| export.request.window.to() <= latest));
    let beyond = "start=99991230T21&end=99991230T22";
    let headers = [("authorization", pair(&user.token))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = user.send("GET", &format!("/api/2/export?{beyond}"), &headers, None).await;
    assert_eq!(reply.unwrap().status, 400);
}

#[tokio::test]
async fn a_parameter_that_is_there_twice_is_refused_by_every_api() {
    let user = user().await;
    let basic = pair(&user.token);
    let amplitude = [("authorization", basic.as_str())];
    let liferay = "fromDate=2026-03-01T00:00&fromDate=2026-03-02T00:00&toDate=2026-03-03T00:00";
    for (method, path, headers) in [
        ("GET", "/v1/exports?limit=1&limit=3".to_owned(), &[][..]),
        ("GET", "/v1/exports?status=failed&status=succeeded".to_owned(), &[]),
        ("GET", format!("/api/reports/export/page?{liferay}"), &[]),
        (
            "GET",
            "/api/2/export?start=20260301T00&end=20260301T01&end=20260301T02".to_owned(),
            &amplitude,
        ),
        ("POST", format!("/rest/ua/v15/exports?{COVEO_DAY}&to=2026-03-02T00:00:00Z"), &[]),
        (
            "GET",
            format!("/rest/ua/v15/exports/estimate?{COVEO_DAY}&from=2026-03-02T00:00:00Z"),
            &[],
        ),
    ] {
        let reply = user.send(method, &path, headers, None).await.unwrap();
        assert_eq!(reply.status, 400, "{path}: {}", reply.body);
        assert!(String::from_utf8_lossy(&reply.bytes).contains("twice"), "{path}: {}", reply.body);
    }
    let reply = call(&user, "exportData", "startDate=20260301&startDate=20260302").await;
    assert_eq!(reply.status, 400);
    assert!(reply.text("/response/0/error/message").contains("startDate"), "{}", reply.body);
    // Those that are lists may be there as often as they like.
    let lists = format!("/rest/ua/v15/exports?{COVEO_DAY}&tables=clicks&tables=searches");
    assert_eq!(user.send("POST", &lists, &[], None).await.unwrap().status, 201);
}

#[tokio::test]
async fn an_id_is_found_in_any_case() {
    let user = user().await;
    let url = user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let (base, id) = url.rsplit_once('/').unwrap();
    let reply = user.get(&format!("{base}/{}", id.to_uppercase())).await.unwrap();
    assert_eq!((reply.status, reply.text("/id")), (200, id));
    let made = user.send("POST", &format!("/rest/ua/v15/exports?{COVEO_DAY}"), &[], None).await;
    let id = made.unwrap().text("/id").to_uppercase();
    let reply = user.get(&format!("/rest/ua/v15/exports/{id}")).await.unwrap();
    assert_eq!((reply.status, reply.text("/id").to_uppercase()), (200, id));
}

#[tokio::test]
async fn a_wrong_path_is_not_found_in_the_shape_of_its_api() {
    let user = user().await;
    for (path, pointer) in [
        ("/", "/detail"),
        ("/v1", "/detail"),
        ("/v2/exports", "/detail"),
        ("/health", "/detail"),
        ("/v1/exports/%FF", "/detail"),
        ("/api/reports/exports/page", "/message"),
        ("/api/reports/export/page/x", "/message"),
        ("/rest/ua", "/message"),
        ("/rest/v16/exports", "/message"),
        ("/api/3", "/response/0/error/message"),
        ("/api/2", "/response/0/error/message"),
    ] {
        for method in ["GET", "POST"] {
            let reply = user.send(method, path, &[], None).await.unwrap();
            let right = [404, 405].contains(&reply.status) && !reply.text(pointer).is_empty();
            assert!(right, "{method} {path}: {} {}", reply.status, reply.body);
            assert!(!String::from_utf8_lossy(&reply.bytes).contains(&user.token), "{path}");
        }
    }
    let no_text = user.get("/api/reports/export/%FF").await.unwrap();
    assert_eq!((no_text.status, no_text.text("/status")), (400, "ERROR"), "{}", no_text.body);
    let reply = user.get("/api/2/exports").await.unwrap();
    assert_eq!((reply.status, reply.body), (404, Value::Null));
}

#[tokio::test]
async fn a_list_has_full_pages_and_no_cursor_on_the_last() {
    let user = user().await;
    let exports = user.stack.exports();
    let mut made = Vec::new();
    for n in 0..7 {
        let export = unfinished(&user);
        assert_eq!(exports.store(&export, None, None).await.unwrap(), StoreOutcome::Yes);
        if n % 3 != 0 {
            let cancel = |e: &Export| e.cancel(Timestamp::now());
            exports.change(&user.workspace, export.id, cancel).await.unwrap();
        }
        made.push((export.id.to_string(), n % 3 != 0));
    }
    made.reverse();
    for (query, wanted) in
        [("", None), ("&status=cancelled", Some(true)), ("&status=failed", Some(false))]
    {
        let want: Vec<&String> = match wanted {
            None => made.iter().map(|(id, _)| id).collect(),
            Some(true) => made.iter().filter(|(_, ended)| *ended).map(|(id, _)| id).collect(),
            Some(false) => Vec::new(),
        };
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = user.get(&format!("/v1/exports?limit=2{query}{cursor}")).await.unwrap();
            let ids = page.body["exports"].as_array().unwrap();
            found.extend(ids.iter().map(|e| e["id"].as_str().unwrap().to_owned()));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert_eq!(ids.len(), 2, "{query}: a page before the last is full");
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), want, "{query}");
    }
    let full = user.get("/v1/exports?limit=7").await.unwrap();
    assert_eq!(full.body["exports"].as_array().unwrap().len(), 7);
    assert!(full.body.get("next_cursor").is_none(), "the last page says that it is the last");
}

#[tokio::test]
async fn a_page_of_large_exports_fits_an_answer() {
    let user = user().await;
    let exports = user.stack.exports();
    for _ in 0..45 {
        let mut export = unfinished(&user);
        let filter = format!("title == '{}'", "x".repeat(120_000)).parse().unwrap();
        export.request.filters =
            vec![export::TableFilter { tables: vec!["liferay_page".into()], filter }];
        exports.store(&export, None, None).await.unwrap();
    }
    let page = user.get("/v1/exports?limit=100").await.unwrap();
    let listed = page.body["exports"].as_array().unwrap().len();
    assert!((20..45).contains(&listed), "{listed}");
    let next = page.text("/next_cursor");
    let rest = user.get(&format!("/v1/exports?limit=100&cursor={next}")).await.unwrap();
    assert_eq!(listed + rest.body["exports"].as_array().unwrap().len(), 45);
    assert!(rest.body.get("next_cursor").is_none());
}

#[tokio::test]
async fn an_idempotency_key_is_never_what_a_dialect_calls_an_export() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(FROM), 1).await.unwrap();
    let key = [("idempotency-key", "amplitude/2026-03-01T00:00:00Z/2026-03-01T01:00:00Z")];
    let body = request("liferay_page", FROM, TO, "csv").to_string();
    assert_eq!(user.send("POST", "/v1/exports", &key, Some(&body)).await.unwrap().status, 202);
    let headers = [("authorization", pair(&user.token))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let path = "/api/2/export?start=20260301T00&end=20260301T00";
    let made = async || {
        Ok(Some(user.send("GET", path, &headers, None).await?).filter(|zip| zip.status != 503))
    };
    let zip = until("the export of Amplitude", made).await.unwrap();
    assert_eq!(zip.status, 200);
    let listing = tests::Archive(zip.bytes).listing().unwrap();
    assert!(format!("{listing:?}").contains("2026-03-01_0#0.json.gz"), "{listing:?}");
}

#[tokio::test]
async fn a_request_is_replayed_though_it_could_not_be_asked_for_any_more() {
    let user = user().await;
    let filters = "/rest/ua/v15/filters/reporting";
    let filter = json!({ "displayName": "home", "value": "city == 'Bern'" });
    let made = user.post(filters, &filter).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let mut body = request("coveo_searches", FROM, TO, "csv");
    body["filter"] = json!("$HOME");
    let key = [("idempotency-key", "k")];
    let send = async |body: &Value| {
        user.send("POST", "/v1/exports", &key, Some(&body.to_string())).await.unwrap()
    };
    let first = send(&body).await;
    assert_eq!(first.status, 202, "{}", first.body);
    let gone = user.send("DELETE", &format!("{filters}/HOME"), &[], None).await.unwrap();
    assert_eq!(gone.status, 204);
    let again = send(&body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, "true"));
    assert_eq!(again.header("location"), first.header("location"));
    body["filter"] = json!("city == 'Basel'");
    assert_eq!(send(&body).await.status, 422);
}

#[tokio::test]
async fn named_filters_have_a_number_and_a_length() {
    let user = user().await;
    let filters = "/rest/ua/v15/filters/reporting";
    for n in 0..export::MAX_NAMED_FILTERS {
        let (id, value) = (format!("F{n}"), "city == 'Bern'".to_owned());
        let filter = export::NamedFilter { display_name: id.clone(), id, value };
        user.stack.put_named_filter(&user.workspace, &filter).await.unwrap();
    }
    let one_more = json!({ "displayName": "one more", "value": "city == 'Bern'" });
    let reply = user.post(filters, &one_more).await.unwrap();
    assert_eq!((reply.status, reply.text("/type")), (400, "TooManyFilters"), "{}", reply.body);
    let deleted = user.send("DELETE", &format!("{filters}/F0"), &[], None).await.unwrap();
    assert_eq!(deleted.status, 204);
    assert_eq!(user.post(filters, &one_more).await.unwrap().status, 201);
    let long = "x".repeat(1100);
    for method in ["GET", "DELETE"] {
        let reply = user.send(method, &format!("{filters}/{long}"), &[], None).await.unwrap();
        assert_eq!((reply.status, reply.text("/type")), (404, "NotFound"), "{method}");
    }
}
