//! The Coveo dialect: data exports, their filters and what belongs together.

use std::{collections::BTreeMap, time::Duration};

use export::{ExportId, Privilege};
use serde_json::{Value, json};
use tests::{Archive, Reply, Stack, User, sample::gzip};

use crate::{SMALL, at};

const EXPORTS: &str = "/rest/ua/v15/exports";
const DAY: &str = "from=2026-03-01T00:00:00.000Z&to=2026-03-01T23:59:59.999Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// Files rows of a dataset in the hour of 10 on the first of March.
async fn put(user: &User, dataset: &str, rows: &[Value]) {
    put_as(user, dataset, "rows", rows).await;
}

async fn put_as(user: &User, dataset: &str, name: &str, rows: &[Value]) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let key = format!("coveo/{dataset}/{}/2026/03/01/10/{name}.json.gz", user.workspace);
    user.stack.put_source(&key, gzip(&lines)).await.unwrap();
}

/// Three searches; the first has a click, keywords and groups, the second a custom event.
pub(crate) async fn put_visits(user: &User) {
    let at = |minute: u32| format!("2026-03-01T10:{minute:02}:00.000Z");
    put(
        user,
        "searches",
        &[
            json!({ "id": "s1", "datetime": at(1), "visitId": "v2", "city": "Québec", "causeV2": "searchboxSubmit", "withClicks": true, "keywords": ["tax", "form"], "groups": ["Staff"], "customDatas": { "a": "b\"c" } }),
            json!({ "id": "s2", "datetime": at(2), "visitId": "v1", "city": "Quebec", "causeV2": "resultsSort", "withClicks": false, "keywords": ["rent"], "groups": [] }),
            json!({ "id": "s3", "datetime": at(3), "visitId": "v1", "city": null, "causeV2": "resultsSort", "keywords": [], "groups": ["Staff", "Admins"] }),
        ],
    )
    .await;
    put(user, "clicks", &[json!({ "clickId": "k1", "searchId": "s1", "datetime": at(4), "visitId": "v2", "clickRank": 3, "documentTitle": "Taxes, \"2026\"\nand \\ more", "city": "Québec" })])
        .await;
    put(
        user,
        "custom_events",
        &[
            json!({ "customEventId": "e1", "lastSearchId": "s2", "datetime": at(5), "visitId": "v1", "eventType": "getMoreResults", "city": "Quebec" }),
            json!({ "customEventId": "e2", "lastSearchId": "s1", "datetime": at(6), "visitId": "v2", "eventType": "copy", "city": "Québec" }),
            json!({ "customEventId": "e3", "datetime": at(7), "visitId": "v3", "eventType": "copy" }),
        ],
    )
    .await;
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Creates an export and returns it once it is not pending any more.
async fn export(user: &User, query: &str) -> Reply {
    let created = user.send("POST", &format!("{EXPORTS}?{DAY}&{query}"), &[], None).await.unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    finished(user, created.text("/id")).await
}

async fn finished(user: &User, id: &str) -> Reply {
    for _ in 0..600 {
        let reply = user.get(&format!("{EXPORTS}/{id}?redirect=false")).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        if reply.text("/status") != "PENDING" {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("export {id} does not finish");
}

/// Downloads as the documents say: the link with `org` appended, following the redirect.
async fn download(user: &User, export: &Reply) -> Archive {
    let link = format!("{}&org={}", export.text("/downloadLink"), user.workspace);
    let redirect = user.get(&link).await.unwrap();
    assert_eq!(redirect.status, 303, "{}", redirect.body);
    let stranger = [("authorization", "")];
    let file = user.send("GET", redirect.header("location"), &stranger, None).await.unwrap();
    assert_eq!((file.status, file.header("content-type")), (200, "application/zip"));
    Archive(file.bytes)
}

#[tokio::test]
async fn links_answer_head_and_end_and_lacking_rows_are_told() {
    let user = user().await;
    put_visits(&user).await;
    let key = format!("coveo/searches/{}/2026/03/01/10/bad.json", user.workspace);
    user.stack.put_source(&key, b"{\"datetime\":\n".to_vec()).await.unwrap();
    let done = export(&user, "filename=My+%22best%22+export&tables=searches").await;
    assert_eq!((&done.body["badRows"], done.header("decant-bad-rows")), (&json!(1), "1"));
    let list = done.header("link").trim_start_matches('<').split('>').next().unwrap();
    assert_eq!(user.get(list).await.unwrap().status, 302);

    let (link, stranger) = (done.text("/downloadLink"), [("authorization", "")]);
    let shown = user.get(&format!("{EXPORTS}/{}/downloadlink", done.text("/id"))).await.unwrap();
    let end = shown.body["expirationDate"].as_i64().unwrap();
    let left = end - jiff::Timestamp::now().as_millisecond();
    assert!((240_000..=300_000).contains(&left), "{left}");
    let file = user.send("GET", shown.text("/downloadLink"), &stranger, None).await.unwrap();
    let led = user.send("HEAD", link, &[], None).await.unwrap();
    assert_eq!((led.status, led.header("decant-bad-rows")), (303, "1"));
    let head = user.send("HEAD", led.header("location"), &stranger, None).await.unwrap();
    assert_eq!((file.status, head.status), (200, 200));
    assert_eq!(head.header("content-length"), file.bytes.len().to_string());
    let name = "attachment; filename=\"My \\\"best\\\" export.zip\"";
    assert_eq!(
        (file.header("content-disposition"), head.header("content-disposition")),
        (name, name)
    );
}

#[tokio::test]
async fn the_last_millisecond_is_inside_to_its_end() {
    let user = user().await;
    let at = "2026-03-01T10:59:59.999400Z";
    let row = json!({ "clickId": "k", "datetime": at, "trackingId": "shop" });
    put(&user, "clicks", &[row]).await;
    let filter = encode("trackingId=='shop'");
    for (from, to, want) in [
        ("2026-03-01T00:00:00.000Z", "2026-03-01T10:59:59.999Z", 1),
        ("2026-03-01T11:00:00.000Z", "2026-03-01T23:59:59.999Z", 0),
        ("2026-03-01T10:59:59Z", "2026-03-01T10:59:59Z", 1),
    ] {
        let query = format!("from={from}&to={to}&tables=clicks&f={filter}");
        let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
        let done = finished(&user, created.text("/id")).await;
        let archive = download(&user, &done).await;
        assert_eq!(column(&archive, "clicks.csv", "trackingId").len(), want, "{from} {to}");
    }
}

#[tokio::test]
async fn who_may_edit_reads_what_they_made() {
    let stack = Stack::connect().await.unwrap();
    let viewer = stack.user().await.unwrap();
    let editor = stack.user_of(viewer.workspace.clone(), &[Privilege::Edit]).await.unwrap();
    put_visits(&editor).await;
    download(&editor, &export(&editor, "tables=clicks").await).await;
    assert_eq!(editor.get("/v1/exports").await.unwrap().status, 200);
}

/// The rows of a file, by column.
fn rows(archive: &Archive, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = archive.text(file).unwrap();
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

/// The values of a column, in order of the file.
fn column(archive: &Archive, file: &str, name: &str) -> Vec<String> {
    rows(archive, file).into_iter().map(|row| row[name].clone()).collect()
}

/// What each file has of the columns by which rows are told apart.
async fn ids(user: &User, query: &str) -> [Vec<String>; 5] {
    let done = export(user, query).await;
    assert_eq!(done.text("/status"), "AVAILABLE", "{query}");
    let archive = download(user, &done).await;
    [
        column(&archive, "searches.csv", "id"),
        column(&archive, "clicks.csv", "clickId"),
        column(&archive, "custom_events.csv", "customEventId"),
        column(&archive, "keywords.csv", "keyword"),
        column(&archive, "groups.csv", "groupName"),
    ]
}

/// As the program in the documents: create, poll, download, unzip, join and sort.
#[tokio::test]
async fn the_documented_steps_lead_to_all_events_in_order() {
    let user = user().await;
    put_visits(&user).await;
    let done = export(&user, "d=all&filename=visits+of+March").await;
    let archive = download(&user, &done).await;

    let mut all: Vec<(String, String, &str)> = Vec::new();
    for (file, kind) in
        [("clicks.csv", "Click"), ("searches.csv", "Search"), ("custom_events.csv", "Custom")]
    {
        let rows = rows(&archive, file).into_iter();
        all.extend(rows.map(|row| (row["visitId"].clone(), row["datetime"].clone(), kind)));
    }
    all.sort();
    let kinds: Vec<&str> = all.iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(kinds, ["Search", "Search", "Custom", "Search", "Click", "Custom", "Custom"]);
}

#[tokio::test]
async fn an_export_is_shown_with_all_its_keys() {
    let user = user().await;
    put_visits(&user).await;
    let query = format!(
        "f={}&f={}&fs={}&dimensions=originLevel1&dimensions=visitId&tables=CLICKS&d=mine",
        encode("city != 'x'"),
        encode("city IN ['Québec','Quebec']"),
        encode("clickRank>1")
    );
    let done = export(&user, &query).await;
    let mut shown = done.body.clone();
    let id = done.text("/id").to_owned();
    let link = format!("{}/rest/ua/v15/exports/{id}?redirect=true", user.stack.base_url());
    assert_eq!(shown["downloadLink"], json!(link));
    assert!(shown["size"].as_u64().unwrap() > 100 && shown["startDate"].as_i64().unwrap() > 0);
    for unknown in ["id", "downloadLink", "size", "startDate"] {
        shown[unknown] = Value::Null;
    }
    assert_eq!(
        shown,
        json!({
            "id": null, "author": "of a test", "downloadLink": null, "startDate": null,
            "from": 1_772_323_200_000_i64, "to": 1_772_409_599_999_i64,
            "filters": {
                "commonFilters": "(city != 'x') AND (city IN ['Québec','Quebec'])",
                "searchesFilters": "clickRank>1",
            },
            "description": "mine", "size": null, "status": "AVAILABLE", "tables": ["clicks"],
            "downloadable": true, "dimensions": ["originLevel1", "visitId"], "replayable": false,
            "usingDisplayNames": false, "scheduleId": null,
        })
    );
    assert!(!done.header("x-request-id").is_empty());
    let list = user.get(&format!("{EXPORTS}/?org={}", user.workspace)).await.unwrap();
    assert_eq!(list.body.as_array().unwrap(), &[done.body]);
    let link = user.get(&format!("{EXPORTS}/{id}/downloadlink")).await.unwrap();
    assert_eq!(link.text("/id"), id);
    let stranger = [("authorization", "")];
    let file = user.send("GET", link.text("/downloadLink"), &stranger, None).await.unwrap();
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{id}.zip\""));
    assert_eq!(Archive(file.bytes).listing().unwrap().len(), 1);
}

#[tokio::test]
async fn files_are_csv_as_documented() {
    let user = user().await;
    put_visits(&user).await;
    let archive = download(&user, &export(&user, "useDisplayNames=true&filename=a+b").await).await;
    let names: Vec<String> = archive.listing().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["searches.csv", "custom_events.csv", "keywords.csv", "groups.csv", "clicks.csv"]
    );
    assert_eq!(column(&archive, "searches.csv", "User Name"), ["", "", ""]);
    assert_eq!(column(&archive, "searches.csv", "Date Time")[0], "2026-03-01T10:01:00.000Z");
    assert_eq!(column(&archive, "searches.csv", "Has Clicks"), ["true", "false", ""]);
    assert_eq!(column(&archive, "searches.csv", "Custom Data")[0], "{\"a\":\"b\\\"c\"}");
    assert_eq!(column(&archive, "clicks.csv", "Click Date Time"), ["2026-03-01T10:04:00.000Z"]);
    assert_eq!(column(&archive, "clicks.csv", "Document Title"), ["Taxes, \"2026\"\nand \\ more"]);

    let query =
        "format=NO_NEWLINE&tables=clicks&dimensions=documentTitle&dimensions=clicks.clickrank";
    let archive = download(&user, &export(&user, query).await).await;
    assert_eq!(
        archive.text("clicks.csv").unwrap(),
        "\u{feff}clickRank,documentTitle\n3,\"Taxes, \\\"2026\\\" and \\\\ more\"\n"
    );
    let empty = export(&user, &format!("tables=groups&f={}", encode("city == 'nowhere'"))).await;
    let archive = download(&user, &empty).await;
    assert_eq!(archive.text("groups.csv").unwrap(), "\u{feff}searchId,groupName,datetime\n");
}

/// Reads CSV from standard input and writes its rows as JSON; with an argument, that escapes.
const PYTHON: &str = r"
import csv, io, json, sys
text = io.TextIOWrapper(sys.stdin.buffer, 'utf-8-sig', newline='')
escape = dict(doublequote=False, escapechar=sys.argv[1]) if len(sys.argv) > 1 else {}
json.dump(list(csv.reader(text, strict=True, **escape)), sys.stdout)
";

#[tokio::test]
async fn csv_of_any_text_is_read_back_by_two_parsers() {
    let user = user().await;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut odd = || -> String {
        let pieces = ["a", ",", "\"", "\\", "\n", "\r", " ", "ä", "'", ";", "\t", "日"];
        (0..rng.usize(0..7)).map(|_| pieces[rng.usize(..pieces.len())]).collect()
    };
    let texts: Vec<[String; 2]> = (0..400).map(|_| [odd(), odd()]).collect();
    let at = "2026-03-01T10:00:00Z";
    let row = |[title, author]: &[String; 2]| json!({ "datetime": at, "documentTitle": title, "documentAuthor": author });
    put(&user, "clicks", &texts.iter().map(row).collect::<Vec<_>>()).await;
    for (format, escape) in [("EXCEL", None), ("NO_NEWLINE", Some("\\"))] {
        let query = format!(
            "tables=clicks&dimensions=documentAuthor&dimensions=documentTitle&format={format}"
        );
        let archive = download(&user, &export(&user, &query).await).await;
        let text = archive.text("clicks.csv").unwrap();
        let line = |text: &String| match escape {
            Some(_) => text.replace(['\n', '\r'], " "),
            None => text.clone(),
        };
        let want: Vec<Vec<String>> =
            texts.iter().map(|[title, author]| vec![line(author), line(title)]).collect();

        let mut reader = csv::ReaderBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .double_quote(escape.is_none())
            .escape(escape.map(|_| b'\\'))
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let read: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(read, want, "{format}");

        let mut python = std::process::Command::new("python3")
            .args(["-c", PYTHON])
            .args(escape)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut python.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        let read: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read[1..], want, "{format}");
    }
}

#[tokio::test]
async fn filters_choose_rows_and_what_belongs_to_them() {
    let user = user().await;
    put_visits(&user).await;
    let strings =
        |texts: &[&str]| -> Vec<String> { texts.iter().map(|t| (*t).to_owned()).collect() };
    for (query, want) in [
        ("f=city=='Québec'", [&["s1"][..], &["k1"], &["e2"], &["tax", "form"], &["Staff"]]),
        ("f=city == null", [&["s3"], &[], &["e3"], &[], &["Staff", "Admins"]]),
        (
            "fs=customeventtype=='getMoreResults'",
            [&["s2"], &[], &["e1", "e2", "e3"], &["rent"], &[]],
        ),
        (
            "fs=clickrank > 2 OR groupname =~ 'ADMINS'",
            [&["s1", "s3"], &["k1"], &["e1", "e2", "e3"], &["tax", "form"], &["Staff", "Admins"]],
        ),
        (
            "fc=searchcausev2=='resultsSort'",
            [
                &["s1", "s2", "s3"],
                &["k1"],
                &["e1"],
                &["tax", "form", "rent"],
                &["Staff", "Staff", "Admins"],
            ],
        ),
        (
            "f=groupname != null AND keyword IN ['tax']",
            [&["s1"], &["k1"], &["e2"], &["tax"], &["Staff"]],
        ),
    ] {
        let (name, text) = query.split_once('=').unwrap();
        let got = ids(&user, &format!("{name}={}", encode(text))).await;
        // Groups of a search that is in are all in, but for those whose own name is filtered.
        let mut want = want.map(strings);
        if text.contains("ADMINS") {
            want[4] = strings(&["Staff", "Admins"]);
        }
        assert_eq!(got, want, "{query}");
    }
}

#[tokio::test]
async fn related_rows_are_looked_up_within_the_range_of_the_export() {
    let user = user().await;
    put_visits(&user).await;
    let query = format!(
        "from=2026-03-01T00:00:00Z&to=2026-03-01T10:05:00Z&tables=searches&fs={}",
        encode("customeventtype IN ['copy', 'getMoreResults']")
    );
    let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
    let done = finished(&user, created.text("/id")).await;
    assert_eq!(
        column(&download(&user, &done).await, "searches.csv", "id"),
        ["s2"],
        "both ends are inside"
    );
}

/// More ids than a builder holds here, over several steps.
#[tokio::test]
async fn related_rows_may_be_more_than_a_builder_holds() {
    let user = user().await;
    let at = "2026-03-01T10:00:00Z";
    let id = |n: u64| format!("{:08x}-0000-4000-8000-{:012x}", n * 2_654_435_761 % (1 << 32), n);
    let searches: Vec<Value> =
        (0..150_000).map(|n| json!({ "id": id(n), "datetime": at })).collect();
    let events = (0..150_000).step_by(2).map(
        |n| json!({ "customEventId": n.to_string(), "lastSearchId": id(n), "datetime": at, "eventType": if n % 6 == 0 { "b" } else { "a" } }),
    );
    let events: Vec<Value> = events.collect();
    // Too many in several objects of one step, and in a single one.
    put_as(&user, "searches", "a", &searches[..40_000]).await;
    put_as(&user, "searches", "b", &searches[40_000..80_000]).await;
    put_as(&user, "searches", "c", &searches[80_000..]).await;
    put(&user, "custom_events", &events).await;
    let count = async |filter: &str| {
        let query = format!("{DAY}&tables=searches&fs={}", encode(filter));
        let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
        let done = finished(&user, created.text("/id")).await;
        let archive = download(&user, &done).await;
        archive.text("searches.csv").unwrap().lines().count() - 1
    };
    assert_eq!(count("customeventtype != 'c'").await, 75_000);
    assert_eq!(count("customeventtype == 'b'").await, 25_000);
}

#[tokio::test]
async fn rows_are_counted_before_they_are_exported() {
    let user = user().await;
    put_visits(&user).await;
    let estimate = async |query: &str| {
        for _ in 0..20 {
            let reply = user.get(&format!("{EXPORTS}/estimate?{DAY}&{query}")).await.unwrap();
            if reply.status != 429 {
                return reply;
            }
            assert_eq!(
                (reply.text("/type"), reply.header("retry-after")),
                ("TooManyRequests", "5")
            );
        }
        panic!("rows are not counted");
    };
    let all = estimate("").await;
    assert_eq!(
        all.body["estimates"],
        json!({ "searches": 3, "clicks": 1, "custom_events": 3, "keywords": 3, "groups": 3 })
    );
    let some = estimate(&format!("tables=searches&f={}", encode("customEventType=='copy'"))).await;
    assert_eq!(some.body["estimates"], json!({ "searches": 1 }));
    let limit = user.get(&format!("{EXPORTS}/rowLimit")).await.unwrap();
    assert_eq!(limit.body, json!({ "exportRowCountLimit": 200_000 }));
    let exports = user.get("/v1/exports").await.unwrap();
    assert_eq!(exports.body["exports"], json!([]), "counting makes no export that users see");
}

#[tokio::test]
async fn what_was_counted_before_is_not_counted_again() {
    let user = user().await;
    put_visits(&user).await;
    export(&user, "tables=searches").await;
    let kept = user.stack.export_keys(&format!("segments/{}/", user.workspace)).await.unwrap();
    let counts: Vec<&String> = kept.iter().filter(|key| key.ends_with(".rows.json")).collect();
    assert_eq!(counts.len(), 1, "{kept:?}");
    // What is remembered is what is told: here, something that counting would not find.
    let remembered = user.stack.read_export_object(counts[0]).await.unwrap();
    let changed = String::from_utf8(remembered).unwrap().replace("\"rows\":3", "\"rows\":333");
    user.stack.write_export_object(counts[0], changed.into()).await.unwrap();
    let reply = user.get(&format!("{EXPORTS}/estimate?{DAY}&tables=searches")).await.unwrap();
    assert_eq!(reply.body["estimates"], json!({ "searches": 333 }));
}

#[tokio::test]
async fn what_cannot_be_counted_is_named() {
    let user = user().await;
    let key = format!("coveo/clicks/{}/2026/03/01/10/cut.json.gz", user.workspace);
    let whole = gzip("{\"datetime\":\"2026-03-01T10:00:00Z\"}\n");
    user.stack.put_source(&key, whole[..whole.len() - 4].to_vec()).await.unwrap();
    let reply = user.get(&format!("{EXPORTS}/estimate?{DAY}&tables=clicks")).await.unwrap();
    assert_eq!((reply.status, reply.text("/type")), (500, "InternalError"));
    assert!(reply.text("/message").contains(&key), "{}", reply.body);
}

#[tokio::test]
async fn an_export_with_too_many_rows_is_refused() {
    let user = user().await;
    let row = json!({ "datetime": "2026-03-01T10:00:00Z", "keywords": ["a", "b", "c"] })
        .to_string()
        + "\n";
    // Not compressed, so that it looks like as many as it has.
    let key = format!("coveo/searches/{}/2026/03/01/10/rows.json", user.workspace);
    user.stack.put_source(&key, row.repeat(70_000).into_bytes()).await.unwrap();
    let mut refused = user.send("POST", &format!("{EXPORTS}?{DAY}"), &[], None).await.unwrap();
    if refused.status == 201 {
        // It was not counted in time, and is refused while it is made.
        let done = finished(&user, refused.text("/id")).await;
        assert_eq!(done.text("/status"), "FAILED");
        refused = user.send("POST", &format!("{EXPORTS}?{DAY}"), &[], None).await.unwrap();
    }
    assert_eq!(
        (refused.status, refused.text("/type")),
        (400, "RowLimitExceeded"),
        "{}",
        refused.body
    );
    let fits = export(&user, "tables=searches").await;
    assert_eq!(fits.text("/status"), "AVAILABLE");
}

#[tokio::test]
async fn named_filters_are_kept_and_used() {
    let user = user().await;
    put_visits(&user).await;
    let filters = "/rest/ua/v15/filters/reporting";
    let post = async |name: &str, value: &str| {
        user.post(filters, &json!({ "displayName": name, "value": value })).await.unwrap()
    };
    let created = post("Only Québec", "city == 'Québec'").await;
    assert_eq!((created.status, created.text("/id")), (201, "ONLY_QU_BEC"));
    assert_eq!(
        post("only Québec", "$ONLY_QU_BEC OR city == null").await.text("/id"),
        "ONLY_QU_BEC_2"
    );
    let list = user.get(filters).await.unwrap();
    assert_eq!(
        list.body["filters"][0],
        json!({
            "id": "ONLY_QU_BEC", "displayName": "Only Québec", "account": user.workspace.as_ref(),
            "type": "reporting", "value": "city == 'Québec'",
        })
    );
    let [searches, ..] = ids(&user, &format!("f={}", encode("$only_qu_bec_2"))).await;
    assert_eq!(searches, ["s1", "s3"]);

    let one = format!("{filters}/ONLY_QU_BEC");
    let put = async |value: &str| {
        let body = json!({ "displayName": "Circle", "value": value }).to_string();
        user.send("PUT", &one, &[], Some(&body)).await.unwrap()
    };
    let circle = put("$ONLY_QU_BEC_2").await;
    assert_eq!((circle.status, circle.text("/type")), (400, "InvalidFilter"));
    assert!(circle.text("/message").contains("circle"), "{}", circle.body);
    assert_eq!(put("city == 'Quebec'").await.body, json!({ "id": "ONLY_QU_BEC" }));
    assert_eq!(user.get(&one).await.unwrap().text("/displayName"), "Circle");
    let native = json!({
        "tables": ["coveo_searches"], "format": "jsonl", "filter": "$ONLY_QU_BEC",
        "window": { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
    });
    let (_, archive) = user.export(&native).await.unwrap();
    assert_eq!(archive.text("coveo_searches.jsonl").unwrap().lines().count(), 1);

    assert_eq!(user.send("DELETE", &one, &[], None).await.unwrap().status, 204);
    assert_eq!(user.send("DELETE", &one, &[], None).await.unwrap().text("/type"), "NotFound");
    let gone =
        user.send("POST", &format!("{EXPORTS}?{DAY}&f=$ONLY_QU_BEC_2"), &[], None).await.unwrap();
    assert_eq!(gone.text("/type"), "InvalidFilter");
    assert_eq!(post("", "city == 'x'").await.text("/type"), "MissingParameter");
}

#[tokio::test]
async fn an_export_can_be_created_by_a_body_and_deleted() {
    let user = user().await;
    put_visits(&user).await;
    let body = json!({
        "from": "2026-03-01T00:00:00.000Z", "to": "2026-03-01T23:59:59.999Z", "tables": ["SEARCHES"],
        "searchesFilters": ["city == 'Quebec'"], "exportFormat": "EXCEL", "dimensions": null,
        "useDisplayNames": false, "filename": "mine",
    });
    let created = user
        .post(&format!("/rest/v15/exports/create?org={}", user.workspace), &body)
        .await
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    let done = finished(&user, created.text("/id")).await;
    assert_eq!(column(&download(&user, &done).await, "searches.csv", "id"), ["s2"]);

    let url = format!("{EXPORTS}/{}", created.text("/id"));
    assert_eq!(user.send("DELETE", &url, &[], None).await.unwrap().status, 204);
    assert_eq!(user.get(&url).await.unwrap().text("/type"), "NotFound");
    assert_eq!(user.send("DELETE", &url, &[], None).await.unwrap().status, 404);
    assert_eq!(user.get(EXPORTS).await.unwrap().body, json!([]));
    crate::janitor::round(&user.stack).await;
    let prefix = format!("exports/{}/", user.workspace);
    assert_eq!(user.stack.export_keys(&prefix).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn errors_are_told_in_one_shape() {
    let user = user().await;
    let deep = json!({ "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "commonFilters": ["(".repeat(100_000)] }).to_string();
    let pending = user.send("POST", &format!("{EXPORTS}?{DAY}"), &[], None).await.unwrap();
    let unknown = ExportId::generate();
    for (method, path, body, status, kind) in [
        ("POST", format!("{EXPORTS}?from=2026-03-01T00:00:00Z"), None, 400, "MissingParameter"),
        ("POST", format!("{EXPORTS}?from=2026-03-01&to=2026-03-02"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&format=PDF"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&filename=..%2Fa"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&f=city"), None, 400, "InvalidFilter"),
        ("POST", format!("{EXPORTS}?{DAY}&dimensions=nothing"), None, 400, "InvalidDimension"),
        ("POST", format!("{EXPORTS}/create"), Some("{"), 400, "InvalidJson"),
        ("POST", format!("{EXPORTS}/create"), Some("[]"), 400, "InvalidObject"),
        ("POST", format!("{EXPORTS}/create"), Some(r#"{"from":1}"#), 400, "InvalidObject"),
        ("POST", format!("{EXPORTS}/create"), Some("{}"), 400, "MissingParameter"),
        ("POST", format!("{EXPORTS}/create"), Some(&deep), 400, "InvalidFilter"),
        ("GET", format!("{EXPORTS}/{unknown}"), None, 404, "NotFound"),
        ("GET", format!("{EXPORTS}/nothing"), None, 404, "NotFound"),
        ("GET", format!("{EXPORTS}/schedules"), None, 404, "NotFound"),
        ("POST", format!("{EXPORTS}/visits"), None, 404, "NotFound"),
        ("PATCH", format!("{EXPORTS}/{unknown}"), None, 405, "MethodNotAllowed"),
        (
            "GET",
            format!("{EXPORTS}/{}?redirect=maybe", pending.text("/id")),
            None,
            400,
            "InvalidParameter",
        ),
        ("GET", format!("{EXPORTS}?org=another"), None, 403, "AccessDenied"),
    ] {
        let reply = user.send(method, &path, &[], body).await.unwrap();
        assert_eq!(
            (reply.status, reply.text("/type")),
            (status, kind),
            "{method} {path}: {}",
            reply.body
        );
        let keys: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "type"]);
        assert!(!reply.header("x-request-id").is_empty());
    }
    let plain = [("content-type", "text/plain")];
    let reply = user.send("POST", &format!("{EXPORTS}/create"), &plain, Some("{}")).await.unwrap();
    assert_eq!(reply.status, 415);
    let stranger = [("authorization", "Bearer nobody")];
    let reply = user.send("GET", EXPORTS, &stranger, None).await.unwrap();
    assert_eq!((reply.status, reply.text("/type")), (401, "InvalidToken"));
}

#[tokio::test]
async fn privileges_and_organizations_are_those_of_the_token() {
    let stack = Stack::connect().await.unwrap();
    let owner = stack.user().await.unwrap();
    let viewer = stack.user_of(owner.workspace.clone(), &[Privilege::View]).await.unwrap();
    let created = owner.send("POST", &format!("{EXPORTS}?{DAY}"), &[], Some("{}")).await.unwrap();
    let url = format!("{EXPORTS}/{}", created.text("/id"));
    assert_eq!(viewer.get(&url).await.unwrap().status, 200);
    for (method, path) in [("POST", format!("{EXPORTS}?{DAY}")), ("DELETE", url.clone())] {
        let reply = viewer.send(method, &path, &[], None).await.unwrap();
        assert_eq!((reply.status, reply.text("/type")), (403, "AccessDenied"));
    }
    let other = stack.user().await.unwrap();
    assert_eq!(other.get(&url).await.unwrap().text("/type"), "NotFound");

    let both = [owner.workspace.clone(), other.workspace.clone()];
    let token = stack.token(&both, &[Privilege::View]).await.unwrap().reveal();
    let wide = User { token, ..owner.clone() };
    assert_eq!(wide.get(EXPORTS).await.unwrap().text("/type"), "MissingParameter");
    let of = async |org: &str| wide.get(&format!("{EXPORTS}?org={org}")).await.unwrap();
    assert_eq!(of(owner.workspace.as_ref()).await.body.as_array().unwrap().len(), 1);
    assert_eq!(of(other.workspace.as_ref()).await.body, json!([]));
    assert_eq!(of("nobody").await.status, 403);
}

#[tokio::test]
async fn an_export_of_the_native_api_is_none_of_this_dialect() {
    let user = user().await;
    user.seed(SMALL, &["coveo_searches"], at("2026-03-01T00:00:00Z"), 1).await.unwrap();
    let body =
        crate::request("coveo_searches", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let url = user.create(&body).await.unwrap();
    let id = url.rsplit('/').next().unwrap();
    assert_eq!(user.get(&format!("{EXPORTS}/{id}")).await.unwrap().status, 404);
    assert_eq!(user.get(EXPORTS).await.unwrap().body, json!([]));
}

#[tokio::test]
async fn dimensions_and_health_are_told() {
    let user = user().await;
    let dimensions = user.get("/rest/ua/v15/dimensions/?includeCustom=true").await.unwrap();
    let city = json!({
        "type": "TEXT", "displayName": "City",
        "apiNames": ["SEARCHES.CITY", "CUSTOM_EVENTS.CITY", "CLICKS.CITY"], "returnName": "city",
        "custom": false, "eventTypes": ["searches", "custom_events", "clicks"], "status": "AVAILABLE",
    });
    assert!(dimensions.body.as_array().unwrap().contains(&city), "{}", dimensions.body);
    assert_eq!(user.get("/rest/ua/v15/dimensions/CLICKS.CITY").await.unwrap().body, city);
    for (path, word) in [
        ("exports/status", "online"),
        ("exports/monitoring/health", "up"),
        ("dimensions/status", "online"),
        ("filters/monitoring/health", "up"),
    ] {
        let (path, stranger) = (format!("/rest/ua/v15/{path}"), [("authorization", "")]);
        let reply = user.send("GET", &path, &stranger, None).await.unwrap();
        assert_eq!(reply.body, json!({ "status": word }));
    }
}
