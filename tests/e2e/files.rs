//! Exports as plain files.

use serde_json::{Value, json};
use tests::{Reply, Stack, User, sample::Sample};

use crate::{at, inside};

const WINDOW: (&str, &str) = ("2026-03-01T00:00:00Z", "2026-03-01T06:00:00Z");

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

fn body(tables: &[&str], format: &str) -> Value {
    json!({
        "tables": tables, "format": format, "layout": "files", "max_file_bytes": 1 << 20,
        "window": { "from": WINDOW.0, "to": WINDOW.1 },
    })
}

/// Makes an export and downloads its files, each with what the list says of it.
async fn files(user: &User, body: &Value) -> (Reply, Vec<(Value, String)>) {
    let done = user.finished(&user.create(body).await.unwrap()).await.unwrap();
    assert_eq!(done.text("/status"), "succeeded", "{}", done.body);
    let list = user.get(done.text("/links/files")).await.unwrap();
    let mut files = Vec::new();
    for file in list.body["files"].as_array().unwrap() {
        let link = user.get(file["link"].as_str().unwrap()).await.unwrap();
        let stranger = [("authorization", "")];
        let got = user.send("GET", link.header("location"), &stranger, None).await.unwrap();
        assert_eq!(got.bytes.len() as u64, file["size_bytes"]);
        files.push((file.clone(), String::from_utf8(got.bytes).unwrap()));
    }
    (done, files)
}

#[tokio::test]
async fn rows_fill_one_file_after_the_other_and_none_is_split() {
    let user = user().await;
    let sample = Sample { seed: 3, rows_per_hour: 2000, objects_per_hour: 3 };
    let objects = user.seed(sample, &["liferay_page"], at(WINDOW.0), 6).await.unwrap();
    // Rows that are filed late are in the hour after theirs: those of the first hour are outside.
    let want = inside(&user.stack, "liferay_page", &objects, WINDOW);

    let (done, files) = files(&user, &body(&["liferay_page"], "jsonl")).await;

    assert_eq!(done.text("/layout"), "files");
    assert_eq!(done.body["archive"]["files"], files.len());
    assert!(files.len() > 3, "{}", files.len());
    let longest = want.iter().map(|row| row.len()).max().unwrap();
    let mut rows: Vec<String> = Vec::new();
    for (number, (file, text)) in files.iter().enumerate() {
        assert_eq!(file["name"], format!("liferay_page-{number}.jsonl"));
        assert!(text.ends_with('\n') && text.len() <= 1 << 20, "{}", text.len());
        // Rows go into files in stretches of a sixteenth, or of one row that is longer.
        let full = text.len() + (1 << 16) + longest > 1 << 20;
        assert!(number + 1 == files.len() || full, "{} and {longest}", text.len());
        assert_eq!(file["rows"], text.lines().count());
        rows.extend(text.lines().map(str::to_owned));
    }
    assert!(rows == want, "{} rows of {}, or in another order", rows.len(), want.len());
    assert_eq!(done.body["archive"]["rows"], rows.len());
}

#[tokio::test]
async fn every_file_of_csv_has_a_header_and_so_many_rows_at_most() {
    let user = user().await;
    let sample = Sample { seed: 4, rows_per_hour: 600, objects_per_hour: 2 };
    user.seed(sample, &["leanplum_sessions"], at("2026-03-01T00:00:00Z"), 6).await.unwrap();
    let mut body = body(&["leanplum_events", "leanplum_states", "liferay_segment"], "csv");
    body["max_file_rows"] = json!(1000);

    let (done, files) = files(&user, &body).await;

    let of = |table: &str| -> Vec<&(Value, String)> {
        files.iter().filter(|(file, _)| file["table"] == table).collect()
    };
    assert!(of("leanplum_events").len() > 2);
    for (file, text) in of("leanplum_events") {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().iter().next(), Some("eventId"));
        let rows = reader.records().count();
        assert_eq!(file["rows"], rows);
        assert!(rows <= 1000);
    }
    assert_eq!(of("liferay_segment").len(), 1, "a header says that there are no rows");
    assert_eq!(of("liferay_segment")[0].1.lines().count(), 1);

    let url = done.text("/links/self").to_owned();
    let zip = user.get(&format!("{url}/download")).await.unwrap();
    assert_eq!((zip.status, zip.text("/code")), (404, "no_zip"));
    let none = user.get(&format!("{url}/files/nothing.csv")).await.unwrap();
    assert_eq!((none.status, none.text("/code")), (404, "file_not_found"));
    assert_eq!(user.send("DELETE", &url, &[], None).await.unwrap().status, 204);
    crate::janitor::round(&user.stack).await;
    let prefix = format!("exports/{}/", user.workspace);
    assert_eq!(user.stack.export_keys(&prefix).await.unwrap(), Vec::<String>::new());
    assert_eq!(user.get(&format!("{url}/files")).await.unwrap().text("/code"), "export_deleted");
}

#[tokio::test]
async fn wrong_sizes_of_files_are_told() {
    let user = user().await;
    for (field, value, code) in [
        ("layout", json!("tar"), "unknown_layout"),
        ("max_file_bytes", json!(1000), "wrong_number"),
        ("max_file_rows", json!("many"), "wrong_number"),
    ] {
        let mut body = body(&["liferay_page"], "csv");
        body[field] = value;
        let reply = user.post("/v1/exports", &body).await.unwrap();
        assert_eq!((reply.status, reply.text("/errors/0/code")), (400, code), "{}", reply.body);
    }
    let mut body = body(&["liferay_page"], "csv");
    body["layout"] = json!("zip");
    let reply = user.post("/v1/exports", &body).await.unwrap();
    assert_eq!(reply.text("/errors/0/pointer"), "/max_file_bytes");
}
