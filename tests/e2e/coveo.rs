//! The Coveo dialect: what its clients do, and the steps that its tests share.

mod content;
mod counts;
mod exports;
mod filters;

use std::{collections::BTreeMap, time::Duration};

use export::Privilege;
use serde_json::{Value, json};
use tests::{Archive, Reply, Stack, User, sample::gzip, until};

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

/// Makes an export of a query, and returns what it is then and one of its files.
pub(crate) async fn file_of(user: &User, query: &str, file: &str) -> (Reply, String) {
    let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    let done = finished(user, created.text("/id")).await;
    let text = download(user, &done).await.text(file).unwrap();
    (done, text)
}

/// Makes an export of a query in vain, and returns what is said of it, at once or in the end.
pub(crate) async fn failure_of(user: &User, query: &str) -> String {
    let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
    if created.status != 201 {
        assert_eq!(created.status, 500, "{}", created.body);
        return created.body.to_string();
    }
    let done = finished(user, created.text("/id")).await;
    assert_eq!(done.text("/status"), "FAILED", "{}", done.body);
    done.body.to_string()
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
