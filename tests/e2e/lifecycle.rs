//! An export from request to download.

use serde_json::{Value, json};
use tests::{Stack, User, sample::SampleObject, until};

use crate::{SMALL, at, column, field, inside, request};

const FROM: &str = "2026-03-01T00:20:00Z";
const TO: &str = "2026-03-01T02:40:00.5Z";

/// Fills a lake of four hours with one dataset.
async fn seeded(dataset: &str) -> (User, Vec<SampleObject>) {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let objects = user.seed(SMALL, &[dataset], at("2026-03-01T00:00:00Z"), 4).await.unwrap();
    (user, objects)
}

#[tokio::test]
async fn json_lines_hold_the_rows_of_the_window_byte_for_byte() {
    for (table, dataset) in [
        ("amplitude_events", "amplitude_events"),
        ("liferay_page", "liferay_page"),
        ("coveo_clicks", "coveo_clicks"),
    ] {
        let (user, objects) = seeded(dataset).await;
        let want = inside(&user.stack, dataset, &objects, (FROM, TO));
        assert!((50..200).contains(&want.len()), "{} rows to compare", want.len());

        let (done, archive) = user.export(&request(table, FROM, TO, "jsonl")).await.unwrap();

        let text = archive.text(&format!("{table}.jsonl")).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), want, "{table}");
        assert_eq!(done.body["archive"]["rows"], want.len());
        assert_eq!(done.body["archive"]["bad_rows"], 0);
        assert_eq!(done.body["archive"]["size_bytes"], archive.0.len());
    }
}

#[tokio::test]
async fn csv_holds_the_chosen_columns_in_the_order_asked_for() {
    let (user, objects) = seeded("liferay_page").await;
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["columns"] = json!({ "liferay_page": ["views", "title", "country"] });

    let (_, archive) = user.export(&body).await.unwrap();

    let text = archive.text("liferay_page.csv").unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["views", "title", "country"]);
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let want: Vec<Vec<String>> = inside(&user.stack, "liferay_page", &objects, (FROM, TO))
        .into_iter()
        .map(|row| {
            let row: Value = serde_json::from_str(row).unwrap();
            ["views", "title", "country"].map(|column| cell(&row[column])).into()
        })
        .collect();
    let read: Vec<Vec<String>> = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(read, want);
}

#[tokio::test]
async fn several_tables_are_one_archive_and_an_empty_one_has_its_file() {
    let (user, _) = seeded("coveo_searches").await;
    let mut body = request("coveo_keywords", FROM, TO, "csv");
    body["tables"] = json!(["coveo_keywords", "coveo_searches", "coveo_clicks"]);

    let (done, archive) = user.export(&body).await.unwrap();

    let names: Vec<String> = archive.listing().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["coveo_keywords.csv", "coveo_searches.csv", "coveo_clicks.csv"]);
    assert!(archive.text("coveo_keywords.csv").unwrap().starts_with("searchId,keyword,datetime\n"));
    assert_eq!(
        archive.text("coveo_clicks.csv").unwrap().lines().count(),
        1,
        "a header and no rows"
    );
    assert!(done.body["archive"]["rows"].as_u64().unwrap() > 100);
}

#[tokio::test]
async fn the_same_rows_give_the_same_bytes() {
    let (user, objects) = seeded("leanplum_sessions").await;
    // Whose workspace has the same rows, and none of the pieces that the first export leaves for the next.
    let other = user.stack.user().await.unwrap();
    for object in objects {
        let key = object.key.replace(user.workspace.as_ref(), other.workspace.as_ref());
        user.stack.put_source(&key, object.bytes).await.unwrap();
    }
    let body = request("leanplum_sessions", FROM, TO, "csv");

    let (_, first) = user.export(&body).await.unwrap();
    let (_, second) = user.export(&body).await.unwrap();
    let (_, anew) = other.export(&body).await.unwrap();

    assert!(first.0.len() > 1000);
    assert!(first.0 == anew.0, "the archives of two workspaces differ");
    let work = format!("work/{}/", user.workspace);
    // Pieces go when the archive is there.
    let gone = async || Ok(user.stack.export_keys(&work).await?.is_empty().then_some(()));
    until("pieces to be removed", gone).await.unwrap();
    assert!(first.0 == second.0, "the archives differ");
}

#[tokio::test]
async fn progress_grows_and_an_answer_seen_before_is_not_sent_again() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let large = tests::sample::Sample { seed: 3, rows_per_hour: 3000, objects_per_hour: 2 };
    user.seed(large, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 6).await.unwrap();
    let url = user
        .create(&request(
            "amplitude_events",
            "2026-03-01T00:00:00Z",
            "2026-03-01T05:00:00Z",
            "jsonl",
        ))
        .await
        .unwrap();

    let mut last = (0, 0, 0);
    let done = loop {
        let reply = user.get(&url).await.unwrap();
        let progress = &reply.body["progress"];
        let number = |name: &str| progress[name].as_u64().unwrap();
        let next = (number("steps_done"), number("rows"), number("bytes"));
        assert!(next.0 >= last.0 && next.1 >= last.1 && next.2 >= last.2, "{last:?} then {next:?}");
        last = next;
        if reply.text("/status") == "succeeded" {
            break reply;
        }
        assert_eq!(reply.header("retry-after"), "2");
        assert!(["queued", "running"].contains(&reply.text("/status")), "{}", reply.body);
    };
    assert!(last.0 > 1, "several steps");
    assert_eq!(done.body["progress"]["steps_total"], last.0);
    assert_eq!(done.body["archive"]["rows"], last.1);

    let etag = done.header("etag");
    let again = user.send("GET", &url, &[("if-none-match", etag)], None).await.unwrap();
    assert_eq!((again.status, again.header("etag"), again.bytes.len()), (304, etag, 0));
    let other = user.send("GET", &url, &[("if-none-match", "\"0\"")], None).await.unwrap();
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn exports_are_listed_newest_first_page_by_page_and_by_status() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let body = request("liferay_page", FROM, TO, "csv");
    let mut made = Vec::new();
    for _ in 0..5 {
        let url = user.create(&body).await.unwrap();
        made.insert(0, user.finished(&url).await.unwrap().text("/id").to_owned());
    }
    user.send("DELETE", &format!("/v1/exports/{}", made[2]), &[], None).await.unwrap();

    let (mut listed, mut path) = (Vec::new(), "/v1/exports?limit=2".to_owned());
    loop {
        let page = user.get(&path).await.unwrap();
        assert_eq!(page.status, 200);
        let exports = page.body["exports"].as_array().unwrap();
        assert!(exports.len() <= 2);
        listed.extend(exports.iter().map(|export| export["id"].as_str().unwrap().to_owned()));
        match page.text("/next_cursor") {
            "" => break,
            cursor => path = format!("/v1/exports?limit=2&cursor={cursor}"),
        }
    }
    assert_eq!(listed, made);
    let deleted = user.get("/v1/exports?status=deleted").await.unwrap();
    assert_eq!(deleted.body["exports"].as_array().unwrap().len(), 1);
    assert_eq!(deleted.text("/exports/0/id"), made[2]);
}

#[tokio::test]
async fn an_export_is_cancelled_while_it_is_built_and_leaves_nothing() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let large = tests::sample::Sample { seed: 3, rows_per_hour: 6000, objects_per_hour: 4 };
    user.seed(large, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 8).await.unwrap();
    let url = user
        .create(&request(
            "amplitude_events",
            "2026-03-01T00:00:00Z",
            "2026-03-01T08:00:00Z",
            "jsonl",
        ))
        .await
        .unwrap();
    let begun = async || {
        Ok((user.get(&url).await?.body["progress"]["steps_done"].as_u64() > Some(0)).then_some(()))
    };
    until("a step to be done", begun).await.unwrap();

    let cancelled = user.post(&format!("{url}/cancel"), &json!(null)).await.unwrap();
    assert_eq!(
        (cancelled.status, cancelled.text("/status")),
        (200, "cancelled"),
        "{}",
        cancelled.body
    );
    let again = user.post(&format!("{url}/cancel"), &json!(null)).await.unwrap();
    assert_eq!((again.status, again.text("/status")), (200, "cancelled"));
    let deleted = user.send("DELETE", &url, &[], None).await.unwrap();
    assert_eq!((deleted.status, deleted.text("/code")), (409, "no_archive"));

    // Builders see it within a step and stop.
    user.stack.left_alone(cancelled.text("/id").parse().unwrap()).await.unwrap();
    let later = user.get(&url).await.unwrap();
    assert_eq!(cancelled.body, later.body, "what has ended does not change");
    assert!(
        later.body["progress"]["steps_done"].as_u64()
            < later.body["progress"]["steps_total"].as_u64()
    );
    let prefix = format!("exports/{}/", user.workspace);
    assert!(user.stack.export_keys(&prefix).await.unwrap().is_empty());
    let work = format!("work/{}/", user.workspace);
    assert_eq!(user.stack.open_uploads(&prefix).await.unwrap(), 0);
    assert_eq!(user.stack.open_uploads(&work).await.unwrap(), 0);
    assert_eq!(
        user.get(&format!("{url}/download")).await.unwrap().text("/code"),
        "export_cancelled"
    );
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let (done, _) = user.export(&request("liferay_page", FROM, TO, "csv")).await.unwrap();

    let refused =
        user.post(&format!("{}/cancel", done.text("/links/self")), &json!(null)).await.unwrap();

    assert_eq!((refused.status, refused.text("/code")), (409, "export_finished"));
}

#[tokio::test]
async fn a_large_export_is_built_by_several_builders() {
    // A builder of the test stack takes on 1 MiB at a time.
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let large = tests::sample::Sample { seed: 9, rows_per_hour: 6000, objects_per_hour: 6 };
    let objects =
        user.seed(large, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 12).await.unwrap();
    let body = request("amplitude_events", "2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z", "csv");

    let (done, archive) = user.export(&body).await.unwrap();

    let rows: usize = objects.iter().map(|object| object.rows.len()).sum();
    assert_eq!(done.body["archive"]["rows"], rows);
    let text = archive.text("amplitude_events.csv").unwrap();
    let all: Vec<&str> = objects.iter().flat_map(|o| o.rows.iter().map(String::as_str)).collect();
    let time = "server_upload_time";
    assert!(column(&text, time) == field(&all, time), "every row is there, once and in its place");
    let id = done.text("/id").parse().unwrap();
    let record = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
    assert!(record.leases > 1, "one builder did it all, so nothing is shown");
    assert_eq!((record.deaths, record.failures), (0, 0));
}

#[tokio::test]
async fn what_one_export_made_is_not_made_again_for_the_next() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let objects =
        user.seed(SMALL, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 72).await.unwrap();
    let kept = format!("segments/{}/", user.workspace);
    let body = |from, to| request("amplitude_events", from, to, "jsonl");

    // A day and a half, then two and a half days that begin in the midst of the same first day.
    let first = body("2026-03-01T00:00:00Z", "2026-03-02T12:00:00Z");
    let (done, _) = user.export(&first).await.unwrap();
    let made: Vec<String> = user.stack.export_keys(&kept).await.unwrap();
    assert_eq!(made.len(), 6, "a day and a half, each with its report and count: {made:?}");
    let second = body("2026-03-01T00:00:00Z", "2026-03-03T12:00:00Z");
    let (_, archive) = user.export(&second).await.unwrap();

    let later: Vec<String> = user.stack.export_keys(&kept).await.unwrap();
    assert!(made.iter().all(|key| later.contains(key)));
    // The second day is now whole, and the third is new.
    assert_eq!(later.len(), made.len() + 6, "{later:?}");
    let text = archive.text("amplitude_events.jsonl").unwrap();
    let window = ("2026-03-01T00:00:00Z", "2026-03-03T12:00:00Z");
    let want = inside(&user.stack, "amplitude_events", &objects, window);
    assert!(text.lines().collect::<Vec<_>>() == want, "two and a half of three days");

    // The same again makes nothing, and the same bytes.
    let (again, same) = user.export(&first).await.unwrap();
    assert_eq!(user.stack.export_keys(&kept).await.unwrap().len(), later.len());
    assert_eq!(again.body["archive"]["crc32"], done.body["archive"]["crc32"]);
    assert_eq!(same.0.len() as u64, done.body["archive"]["size_bytes"].as_u64().unwrap());
}

#[tokio::test]
async fn how_an_export_would_be_made_is_explained_before_it_is() {
    let (user, objects) = seeded("amplitude_events").await;
    let ways = |reply: &tests::Reply| -> Vec<(String, u64)> {
        let ways = reply.body["tables"][0]["ways"].as_array().unwrap();
        let name = |way: &Value| format!("{} {}", way["way"], way["reason"]).replace('"', "");
        ways.iter().map(|way| (name(way), way["objects"].as_u64().unwrap())).collect()
    };
    let per_hour = (objects.len() / 4) as u64;

    // Two hours are at the edge, one is inside, the last is not opened.
    let jsonl =
        user.post("/v1/explain", &request("amplitude_events", FROM, TO, "jsonl")).await.unwrap();
    assert_eq!(jsonl.status, 200, "{}", jsonl.body);
    let want = [("splice whole", 1), ("transcode window_edge", 2)];
    assert_eq!(ways(&jsonl), want.map(|(way, hours)| (way.to_owned(), hours * per_hour)));
    // Small objects count for more than they have: each is a request.
    assert_eq!((&jsonl.body["steps"], &jsonl.body["builders"]), (&json!(3), &json!(2)));

    let csv =
        user.post("/v1/explain", &request("amplitude_events", FROM, TO, "csv")).await.unwrap();
    assert_eq!(ways(&csv), [("transcode rewritten".to_owned(), 3 * per_hour)]);
    let wrong = user.post("/v1/explain", &request("no_such", FROM, TO, "csv")).await.unwrap();
    assert_eq!((wrong.status, wrong.text("/errors/0/pointer")), (400, "/tables/0"));
    assert!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_huge_object_is_taken_over_where_it_lies() {
    use std::io::Write as _;

    let user = Stack::connect().await.unwrap().user().await.unwrap();
    // Stored without compression, so that it is soon made and large.
    let row =
        |n: u32| format!("{{\"server_upload_time\":\"2026-03-01 00:30:00.000000\",\"n\":{n}}}\n");
    let rows: String = (0..600_000).map(row).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(rows.as_bytes()).unwrap();
    let object = encoder.finish().unwrap();
    assert!(object.len() > 32 << 20);
    let dataset = user.stack.catalog.datasets().find(|d| d.name == "amplitude_events").unwrap();
    let folder = dataset.path.prefix(user.workspace.as_ref(), at("2026-03-01T00:00:00Z"));
    user.stack.put_source(&format!("{folder}huge.json.gz"), object).await.unwrap();

    let body = request("amplitude_events", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "jsonl");
    let (done, archive) = user.export(&body).await.unwrap();

    assert_eq!(done.body["archive"]["rows"], 600_000);
    assert!(archive.text("amplitude_events.jsonl").unwrap() == rows);
    let pieces = user.stack.export_sizes(&format!("segments/{}/", user.workspace)).await.unwrap();
    assert!(pieces.iter().sum::<u64>() < 100_000, "no piece holds it: {pieces:?}");
}

#[tokio::test]
async fn who_prefers_to_wait_is_led_to_what_came_of_the_export() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let wait = |seconds: &'static str| [("prefer", seconds)];
    let make = async |body: &Value, headers: &[(&str, &str)]| {
        user.send("POST", "/v1/exports", headers, Some(&body.to_string())).await.unwrap()
    };
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");

    let done = make(&body, &wait("wait=20")).await;
    assert_eq!((done.status, done.header("preference-applied")), (303, "wait=20"), "{}", done.body);
    assert_eq!(done.text("/status"), "succeeded");
    assert_eq!(done.header("location"), done.text("/links/download"));
    assert!(user.download(done.header("location")).await.is_ok());

    let mut files = body.clone();
    files["layout"] = "files".into();
    let done = make(&files, &wait("respond-async, wait=20")).await;
    assert_eq!((done.status, done.header("location")), (303, done.text("/links/files")));

    let key = format!("liferay/page/workspace={}/date=2026-03-01/hour=00/a.json", user.workspace);
    user.stack.put_source(&key, b"PK\x03\x04".into()).await.unwrap();
    let failed = make(&body, &wait("wait=20")).await;
    assert_eq!((failed.status, failed.text("/status")), (303, "failed"), "{}", failed.body);
    assert_eq!(failed.header("location"), failed.text("/links/self"));

    let at_once = make(&body, &wait("wait=0")).await;
    assert_eq!((at_once.status, at_once.header("preference-applied")), (202, "wait=0"));
    let plain = make(&body, &[]).await;
    assert_eq!((plain.status, plain.headers.get("preference-applied")), (202, None));
}

#[tokio::test]
async fn exports_are_found_by_their_names_labels_and_tables() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let mut ids = Vec::new();
    for (name, team) in [("Pages of March", "web"), ("Clicks", "search"), ("pages again", "web")] {
        let mut body =
            request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
        body["name"] = name.into();
        body["labels"] = json!({ "team": team });
        let url = user.create(&body).await.unwrap();
        ids.push(user.get(&url).await.unwrap().text("/id").to_owned());
    }
    let found = async |query: &str| {
        let list = user.get(&format!("/v1/exports?{query}")).await.unwrap();
        let exports = list.body["exports"].as_array().unwrap_or_else(|| panic!("{}", list.body));
        exports.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("search=PAGES&limit=1").await, [ids[2].clone()]);
    assert_eq!(found("search=PAGES").await, [ids[2].clone(), ids[0].clone()]);
    assert_eq!(found("search=team%3Asearch").await, [ids[1].clone()]);
    assert_eq!(found("search=liferay_page").await.len(), 3);
    assert_eq!(found("search=nothing").await, [""; 0]);
}
