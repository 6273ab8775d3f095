//! The Liferay dialect: one URL makes an export, tells where it is, and leads to its file.

use std::{process::Command, time::Instant};

use export::{Export, ExportId, Limits, Order, State, Status};
use futures_util::{StreamExt as _, future::join_all, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use service::Joined;
use tests::{Reply, Stack, User, sample::gzip, until};

use crate::{SMALL, at, inside, request};

const DATES: &str = "fromDate=2026-03-01T00:20&toDate=2026-03-01T02:40:00.500Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

fn url(kind: &str, dates: &str) -> String {
    format!("/api/reports/export/{kind}?{dates}")
}

/// Repeats a request until it leads to a file.
async fn led(user: &User, path: &str, headers: &[(&str, &str)]) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = user.send("GET", path, headers, None).await.unwrap();
        if reply.status == 302 {
            return reply;
        }
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(["PENDING", "RUNNING"].contains(&reply.text("/status")), "{}", reply.body);
        assert!(begun.elapsed().as_secs() < 60, "{}", reply.body);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Reads what an answer leads to.
async fn followed(user: &User, led: &Reply) -> Reply {
    user.send("GET", led.header("location"), &[("authorization", "")], None).await.unwrap()
}

/// Exports pages, and returns what led to the file, and its rows.
pub(crate) async fn lines_of(user: &User, dates: &str) -> (Reply, String) {
    let lead = led(user, &url("page", dates), &[]).await;
    let file = followed(user, &lead).await;
    (lead, tests::Archive(file.bytes).text("data.json").unwrap())
}

/// Exports pages in vain, and returns what is said of it.
pub(crate) async fn failure_of(user: &User, dates: &str) -> String {
    let failed = async || {
        let reply = user.get(&url("page", dates)).await?;
        let message = reply.text("/message");
        Ok(message.starts_with("The last data export").then(|| message.to_owned()))
    };
    until("the export to fail", failed).await.unwrap()
}

#[tokio::test]
async fn the_same_url_is_create_poll_and_download() {
    let user = user().await;
    let objects = user.seed(SMALL, &["liferay_page"], at("2026-03-01T00:00:00Z"), 4).await.unwrap();

    let first = user.get(&url("page", DATES)).await.unwrap();
    assert_eq!((first.status, first.header("content-type")), (200, "application/json"));
    assert_eq!(first.text("/status"), "PENDING");
    assert_eq!(first.text("/type"), "PAGE");
    assert_eq!(first.text("/fromDate"), "2026-03-01T00:20:00.000Z");
    assert_eq!(first.text("/toDate"), "2026-03-01T02:40:00.500Z");
    assert_eq!(
        first.text("/message"),
        "A new data export file for this date range and type will be created. Please come back later."
    );
    assert!(!first.bytes.ends_with(b"\n"));

    let ready = led(&user, &url("page", DATES), &[]).await;
    let file = followed(&user, &ready).await;
    assert_eq!(file.header("content-type"), "application/zip");
    let today = Timestamp::now().strftime("%Y-%m-%d");
    assert_eq!(
        file.header("content-disposition"),
        format!("attachment; filename=\"page-data-{today}.zip\"")
    );
    let archive = tests::Archive(file.bytes);
    assert_eq!(archive.listing().unwrap().len(), 1);
    let text = archive.text("data.json").unwrap();
    let inside = |row: &&str| {
        let row: Value = serde_json::from_str(row).unwrap();
        let time = row["eventDate"].as_str().unwrap();
        ("2026-03-01T00:20:00.000Z"..="2026-03-01T02:40:00.500Z").contains(&time)
    };
    let want: Vec<&str> =
        objects.iter().flat_map(|o| o.rows.iter().map(String::as_str)).filter(inside).collect();
    assert!(want.len() > 50);
    assert_eq!(text.lines().collect::<Vec<_>>(), want);

    let lines = led(&user, &url("page", DATES), &[("accept", "application/x-ndjson")]).await;
    let plain = followed(&user, &lines).await;
    assert_eq!(plain.header("content-type"), "application/x-ndjson");
    assert_eq!(plain.bytes, text.into_bytes());
}

#[tokio::test]
async fn both_ends_are_inside_and_who_is_suppressed_is_not() {
    let user = user().await;
    let row = |time: &str, id: &str, suppressed: bool| {
        format!("{{\"createDate\":\"{time}\",\"id\":\"{id}\",\"suppressed\":{suppressed}}}\n")
    };
    let rows = [
        row("2026-03-01T00:59:59.999Z", "before", false),
        row("2026-03-01T01:00:00.000Z", "first", false),
        row("2026-03-01T01:30:00.000Z", "hidden", true),
        row("2026-03-01T01:59:59.999999Z", "last", false),
        row("2026-03-01T02:00:00.000Z", "after", false),
    ]
    .concat();
    let ids = async |kind: &str, dates: &str| -> Vec<Value> {
        let file = followed(&user, &led(&user, &url(kind, dates), &[]).await).await;
        let text = tests::Archive(file.bytes).text("data.json").unwrap();
        let id = |row: &str| serde_json::from_str::<Value>(row).unwrap()["id"].clone();
        text.lines().map(id).collect()
    };
    for kind in ["individual", "identity"] {
        let workspace = &user.workspace;
        let key = format!("liferay/{kind}/workspace={workspace}/date=2026-03-01/hour=01/a.json");
        user.stack.put_source(&key, rows.clone().into()).await.unwrap();
        let dates = "fromDate=2026-03-01T01:00&toDate=2026-03-01T01:59";
        assert_eq!(ids(kind, dates).await, ["first", "last"], "{kind}");
    }
    // The next span begins where the one before ends, to the millisecond.
    let dates = "fromDate=2026-03-01T01:59:59.999Z&toDate=2026-03-01T01:59:59.999Z";
    assert_eq!(ids("individual", dates).await, ["last"]);
    let dates = "fromDate=2026-03-01T02:00:00.000Z&toDate=2026-03-01T02:00:59Z";
    assert_eq!(ids("individual", dates).await, ["after"]);
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_told_beside_the_file() {
    let user = user().await;
    let key =
        format!("liferay/page/workspace={}/date=2026-03-01/hour=01/a.json.gz", user.workspace);
    let rows = gzip("{\"eventDate\":\"2026-03-01T01:30:00.000Z\"}\n{\"eventDate\":}\nno\n");
    user.stack.put_source(&key, rows).await.unwrap();

    let ready = led(&user, &url("page", DATES), &[]).await;
    assert_eq!(ready.header("decant-bad-rows"), "2");
    let list = ready.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
    let native = user.get(&list).await.unwrap();
    let bad = followed(&user, &native).await;
    assert_eq!(String::from_utf8(bad.bytes).unwrap().lines().count(), 2);
    let archive = tests::Archive(followed(&user, &ready).await.bytes);
    assert_eq!(archive.text("data.json").unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_link_is_shown_on_request_and_answers_its_own_method() {
    let user = user().await;
    let lines = ("accept", "application/x-ndjson");
    led(&user, &url("page", DATES), &[]).await;
    for headers in [&[][..], &[lines]] {
        let path = format!("{}&redirect=false", url("page", DATES));
        let shown = user.send("GET", &path, headers, None).await.unwrap();
        assert_eq!(shown.status, 200);
        assert!(at(shown.text("/expires_at")) > Timestamp::now());
        let (get, stranger) = (shown.text("/url"), [("authorization", "")]);
        let file = user.send("GET", get, &stranger, None).await.unwrap();
        let led = user.send("HEAD", &url("page", DATES), headers, None).await.unwrap();
        let head = user.send("HEAD", led.header("location"), &stranger, None).await.unwrap();
        assert_eq!((file.status, head.status), (200, 200));
        assert!(led.header("location").contains("response-content-disposition"), "{headers:?}");
        assert_eq!(head.header("content-length"), file.bytes.len().to_string());
    }
    // A program that reads lines and cannot say so.
    let bagel = led(&user, &url("page", DATES), &[("user-agent", "bagEL")]).await;
    assert_eq!(followed(&user, &bagel).await.header("content-type"), lines.1);
}

#[tokio::test]
async fn fifty_requests_at_once_make_one_export_and_have_fifty_answers() {
    let user = user().await;
    let at_once = async || {
        join_all((0..50).map(|_| async { user.get(&url("event", DATES)).await.unwrap() })).await
    };
    for reply in at_once().await {
        assert!([200, 302].contains(&reply.status), "{} {}", reply.status, reply.body);
    }
    led(&user, &url("event", DATES), &[]).await;
    let mut links = at_once().await;
    assert!(links.iter().all(|reply| reply.status == 302));
    let path = |reply: &Reply| reply.header("location").split('?').next().unwrap().to_owned();
    links.dedup_by_key(|reply| path(reply));
    assert_eq!(links.len(), 1, "all lead to the same file");
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_rows_are_a_zip_with_an_empty_file() {
    let user = user().await;
    let file = followed(&user, &led(&user, &url("segment", DATES), &[]).await).await;
    assert_eq!(tests::Archive(file.bytes).listing().unwrap(), [("data.json".to_owned(), 0)]);
    let lines = led(&user, &url("segment", DATES), &[("accept", "application/x-ndjson")]).await;
    assert!(followed(&user, &lines).await.bytes.is_empty());
}

#[tokio::test]
async fn a_bad_token_is_answered_without_a_body_before_all_else() {
    let user = user().await;
    for (sent, challenge) in [
        ("", "Bearer"),
        ("Basic YTpi", "Bearer"),
        ("Bearer nonsense", "Bearer error=\"invalid_token\""),
    ] {
        let reply =
            user.send("GET", &url("nothing", ""), &[("authorization", sent)], None).await.unwrap();
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, challenge));
        // The function names no content type; API Gateway adds its own to an answer without one.
        assert_eq!(reply.bytes.len(), 0);
    }
    let lower = format!("bearer {}", user.token);
    let reply =
        user.send("GET", &url("page", DATES), &[("authorization", &lower)], None).await.unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_this_apis_shape() {
    let user = user().await;
    for (kind, dates, want) in [
        ("pages", DATES, "There is no type"),
        ("page", "toDate=2026-03-01T00:00", "fromDate is missing"),
        ("page", "fromDate=2026-03-01T00:00", "put the URL in quotes"),
        ("page", "fromDate=2026-03-01&toDate=2026-03-02", "which is no date"),
        ("page", "fromDate=2026-03-02T00:00&toDate=2026-03-01T00:00", "later than"),
    ] {
        let reply = user.get(&url(kind, dates)).await.unwrap();
        assert_eq!((reply.status, reply.text("/status")), (400, "ERROR"), "{}", reply.body);
        assert!(reply.text("/message").contains(want), "{}", reply.body);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let reply = user.send(method, &url("page", DATES), &[], None).await.unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn head_answers_alike_and_makes_nothing() {
    let user = user().await;
    let head = user.send("HEAD", &url("page", DATES), &[], None).await.unwrap();
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"], serde_json::json!([]));

    led(&user, &url("page", DATES), &[]).await;
    let head = user.send("HEAD", &url("page", DATES), &[], None).await.unwrap();
    assert_eq!(head.status, 302);
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn after_24_hours_or_a_failure_the_url_makes_a_new_generation() {
    let user = user().await;
    led(&user, &url("identity", DATES), &[]).await;
    let listed = user.get("/v1/exports").await.unwrap();
    let id: ExportId = listed.text("/exports/0/id").parse().unwrap();

    let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
    let State::Succeeded { archive } = export.state.clone() else { panic!("{:?}", export.state) };
    let over =
        export::Archive { expires_at: Timestamp::now() - SignedDuration::from_secs(1), ..archive };
    let state = State::Succeeded { archive: over };
    user.stack
        .exports()
        .put(&Export { version: export.version + 1, state, ..export })
        .await
        .unwrap();

    let again = user.get(&url("identity", DATES)).await.unwrap();
    assert_eq!((again.status, again.text("/status")), (200, "PENDING"));
    assert!(again.text("/message").starts_with("A new data export file"));
    led(&user, &url("identity", DATES), &[]).await;

    let key =
        format!("liferay/identity/workspace={}/date=2026-03-01/hour=01/a.json.gz", user.workspace);
    user.stack.put_source(&key, b"no gzip".to_vec()).await.unwrap();
    let other = "fromDate=2026-03-01T01:00&toDate=2026-03-01T01:10";
    let begun = Instant::now();
    loop {
        let reply = user.get(&url("identity", other)).await.unwrap();
        if reply.text("/message").starts_with("The last data export") {
            assert_eq!(reply.text("/status"), "PENDING");
            assert!(reply.text("/message").contains("is damaged"), "{}", reply.body);
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "{}", reply.body);
    }
}

#[tokio::test]
async fn a_workspaces_requests_are_handled_one_at_a_time_in_the_order_asked() {
    let (user, neighbour) = (user().await, user().await);
    let kinds = ["event", "page", "segment", "identity", "membership"];
    user.seed(SMALL, &["liferay_event", "liferay_page"], at("2026-03-01T00:00:00Z"), 4)
        .await
        .unwrap();
    for kind in kinds {
        assert_eq!(user.get(&url(kind, DATES)).await.unwrap().status, 200);
    }
    // Other workspaces and the native API are not held up.
    led(&neighbour, &url("page", DATES), &[]).await;
    let native = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    user.export(&native).await.unwrap();

    let exports = loop {
        let wanted = cloud::Wanted::Shown(None);
        let exports = user.stack.exports();
        let page = exports.list(&user.workspace, wanted, None, 20, Timestamp::now()).await.unwrap();
        let mut exports: Vec<Export> =
            page.exports.into_iter().filter(|e| e.lane.is_some()).collect();
        let running = exports.iter().filter(|e| e.status(e.created_at) == Status::Running).count();
        assert!(running <= 1, "{running} are running");
        if exports.iter().all(|e| matches!(e.state, State::Succeeded { .. })) {
            exports.reverse();
            break exports;
        }
    };
    let tables: Vec<&str> = exports.iter().map(|e| e.request.tables[0].table.as_str()).collect();
    assert_eq!(tables, kinds.map(|kind| format!("liferay_{kind}")));
    let published = |e: &Export| match &e.state {
        State::Succeeded { archive } => archive.published_at,
        _ => Timestamp::UNIX_EPOCH,
    };
    assert!(exports.iter().map(published).is_sorted(), "in the order asked");
}

#[tokio::test]
async fn cancelling_the_one_that_runs_lets_the_next_one_in() {
    let user = user().await;
    // The first never ends by itself: a builder that does not exist holds it.
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "jsonl");
    let now = Timestamp::now();
    let asked =
        Order::from_json(&body, &user.stack.catalog, &[], &Limits::default(), now).unwrap().request;
    let day = SignedDuration::from_hours(24);
    let first = Export::queued(tests::new_id(), user.workspace.clone(), asked, now, day);
    let first = first.in_lane(export::Lane::new("liferay"));
    user.stack.exports().store(&first, None, None).await.unwrap();
    user.stack.exports().put(&first.claim(now).unwrap()).await.unwrap();
    user.get(&url("segment", DATES)).await.unwrap();
    let newest = user.get("/v1/exports?limit=1").await.unwrap();
    user.stack.left_alone(newest.text("/exports/0/id").parse().unwrap()).await.unwrap();
    assert_eq!(user.get(&url("segment", DATES)).await.unwrap().text("/status"), "PENDING");

    let cancelled =
        user.post(&format!("/v1/exports/{}/cancel", first.id), &Value::Null).await.unwrap();
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);

    led(&user, &url("segment", DATES), &[]).await;
}

#[tokio::test]
async fn five_hundred_first_requests_at_once_make_one_export() {
    let user = user().await;
    let replies: Vec<Reply> = stream::iter(0..500)
        .map(|_| async { user.get(&url("event", DATES)).await.unwrap() })
        .buffer_unordered(40)
        .collect()
        .await;
    assert!(replies.iter().all(|reply| [200, 302].contains(&reply.status)));
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len(), 1);

    // The same without the API between: all five hundred at the table at once.
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "jsonl");
    let now = Timestamp::now();
    let asked =
        Order::from_json(&body, &user.stack.catalog, &[], &Limits::default(), now).unwrap().request;
    let service = user.stack.service();
    let joined = join_all((0..500).map(|_| async {
        let day = SignedDuration::from_hours(24);
        let export =
            Export::queued(tests::new_id(), user.workspace.clone(), asked.clone(), now, day);
        service.join(&export, "five-hundred", |_| true, None).await.unwrap()
    }))
    .await;
    assert_eq!(joined.iter().filter(|joined| matches!(joined, Joined::New { .. })).count(), 1);
}

#[tokio::test]
async fn the_documented_commands_work_with_their_typos() {
    let user = user().await;
    let base = user.stack.base_url();
    let shell = |command: &str| {
        let command = command.replace("TOKEN", &user.token).replace("BASE", base);
        let output = Command::new("bash").arg("-c").arg(command).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    led(
        &user,
        &url("page", "fromDate=2023-01-01T00:00:01.000Z&toDate=2023-12-31T23:59:59.000Z"),
        &[],
    )
    .await;

    let quoted = shell(
        "curl -s -L -H 'Authorization: Bearer TOKEN' -o /dev/null -w '%{http_code} %{content_type}' \
         \"BASE/api/reports/export/page?fromDate=2023-01-01'T'00:00:01.000'Z'&toDate=2023-12-31'T'23:59:59.000'Z'\"",
    );
    assert_eq!(quoted, "200 application/zip");
    let unquoted = shell(
        "curl -s -H 'Authorization: Bearer TOKEN' \
         BASE/api/reports/export/page?fromDate=2023-01-01T00:00:01.000Z&toDate=2023-12-31T23:59:59.000Z; wait",
    );
    assert!(unquoted.contains("put the URL in quotes"), "{unquoted}");
    let lines = shell(
        "curl -s -L -w '%{http_code}' -H 'Authorization: Bearer TOKEN' -H 'Accept: application/x-ndjson' \
         'BASE/api/reports/export/page?fromDate=2023-01-01T00:00:01.000Z&toDate=2023-12-31T23:59:59.000Z'",
    );
    assert_eq!(lines, "200");
}

const REQUESTS: &str = r#"
import io, json, sys, time, zipfile, requests
base, token = sys.argv[1:]
while True:
    answer = requests.get(base + "/api/reports/export/page", headers={"Authorization": "Bearer " + token},
                          params={"fromDate": "2026-03-01T00:00:00.000Z", "toDate": "2026-03-01T01:59:59.999Z"})
    answer.raise_for_status()
    if answer.headers["Content-Type"] == "application/zip":
        break
    assert answer.json()["status"] in ("PENDING", "RUNNING"), answer.text
    time.sleep(0.2)
lines = zipfile.ZipFile(io.BytesIO(answer.content)).read("data.json").decode().split("\n")
print(len([json.loads(line) for line in lines if line]))
"#;

#[tokio::test]
async fn a_script_with_python_requests_reads_every_row() {
    let user = user().await;
    let objects = user.seed(SMALL, &["liferay_page"], at("2026-03-01T00:00:00Z"), 3).await.unwrap();
    let window = ("2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z");
    let want = inside(&user.stack, "liferay_page", &objects, window).len();
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python"))
        .args(["-c", REQUESTS, user.stack.base_url(), &user.token])
        .output()
        .expect("run Python, which make test sets up");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: usize = said
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(rows, want);
}
