//! A preview shows the rows that an export begins with, and makes none.

use serde_json::{Value, json};
use tests::{Reply, Stack, User, sample::gzip};

use crate::{SMALL, at, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T03:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

async fn preview(user: &User, query: &str, body: &Value) -> Reply {
    user.post(&format!("/v1/preview{query}"), body).await.unwrap()
}

/// The rows of the first table of a preview, each with its title.
fn titles(preview: &Reply) -> Vec<&str> {
    let rows = preview.body["tables"][0]["rows"].as_array().unwrap();
    rows.iter().map(|row| row["title"].as_str().unwrap()).collect()
}

fn key(user: &User, hour: u8, name: &str) -> String {
    format!("liferay/page/workspace={}/date=2026-03-01/hour={hour:02}/{name}", user.workspace)
}

fn row(time: &str, title: &str) -> String {
    format!("{{\"eventDate\":\"2026-03-01T{time}Z\",\"title\":\"{title}\",\"url\":\"u,\\n\"}}\n")
}

#[tokio::test]
async fn a_file_begins_with_what_its_preview_shows() {
    let user = user().await;
    user.seed(SMALL, &["liferay_page"], at(FROM), 3).await.unwrap();
    let mut requests: Vec<Value> =
        ["jsonl", "csv"].map(|format| request("liferay_page", FROM, TO, format)).into();
    for body in requests.clone() {
        let mut chosen = body.clone();
        chosen["columns"] = json!({ "liferay_page": ["url", "title"] });
        chosen["filter"] = "views > 1".into();
        requests.push(chosen);
        let mut later = body;
        later["window"] = json!({ "from": "2026-03-01T01:20:00Z", "to": "2026-03-01T01:40:00Z" });
        requests.push(later);
    }
    for style in ["excel", "no_newline"] {
        let mut styled = request("liferay_page", FROM, TO, "csv");
        styled["csv"] = json!({ "style": style });
        requests.push(styled);
    }
    for body in requests {
        let format = body["format"].as_str().unwrap();
        let shown = preview(&user, "?rows=15", &body).await;
        assert_eq!(shown.status, 200, "{body}: {}", shown.body);
        let (_, archive) = user.export(&body).await.unwrap();
        let file = archive.text(&format!("liferay_page.{format}")).unwrap();
        let text = shown.text("/tables/0/text");
        assert!(file.starts_with(text), "{body}: {text}\n{file}");
        let rows = shown.body["tables"][0]["rows"].as_array().unwrap();
        assert!(rows.len() == 15 || text == file, "{body}: {} rows", rows.len());
        if format == "jsonl" {
            let lines: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(rows, &lines);
        }
    }
    let exports = user.get("/v1/exports").await.unwrap();
    assert_eq!(exports.body["exports"].as_array().unwrap().len(), 8, "previews make none");
}

#[tokio::test]
async fn a_preview_says_why_it_shows_no_more() {
    let user = user().await;
    let body = request("liferay_page", FROM, TO, "csv");
    let nothing = preview(&user, "", &body).await;
    assert_eq!(nothing.body["tables"][0]["stopped"], "end");
    assert_eq!(nothing.text("/tables/0/text").lines().count(), 1, "a header");

    let text = [row("00:10:00", "a"), row("00:20:00", "b"), row("05:00:00", "misfiled")].concat();
    user.stack.put_source(&key(&user, 0, "a.json.gz"), gzip(&text)).await.unwrap();
    user.stack.put_source(&key(&user, 2, "b.json"), row("02:10:00", "c").into()).await.unwrap();
    let all = preview(&user, "", &body).await;
    assert_eq!(
        (titles(&all), &all.body["tables"][0]["stopped"]),
        (vec!["a", "b", "c"], &json!("end"))
    );
    assert_eq!(all.body["tables"][0]["objects"], 2);
    let first = preview(&user, "?rows=2", &body).await;
    assert_eq!(
        (titles(&first), &first.body["tables"][0]["stopped"]),
        (vec!["a", "b"], &json!("rows"))
    );

    let long = row("01:10:00", &"x".repeat(1 << 20));
    user.stack.put_source(&key(&user, 1, "long.json"), long.into()).await.unwrap();
    let cut = preview(&user, "", &body).await;
    assert_eq!(
        (titles(&cut), &cut.body["tables"][0]["stopped"]),
        (vec!["a", "b"], &json!("bytes"))
    );

    let damaged = gzip(&row("00:30:00", "d").repeat(1000));
    user.stack
        .put_source(&key(&user, 0, "b.json.gz"), damaged[..damaged.len() - 9].into())
        .await
        .unwrap();
    let faulty = preview(&user, "?rows=100", &body).await;
    assert_eq!(faulty.body["tables"][0]["stopped"], "fault");
    let fault = faulty.text("/tables/0/fault");
    assert!(fault.contains("decode object") && fault.contains("b.json.gz"), "{fault}");
    user.stack.put_source(&key(&user, 0, "b.json.gz"), b"PK\x03\x04".into()).await.unwrap();
    let faulty = preview(&user, "?rows=100", &body).await;
    assert_eq!(
        (titles(&faulty), &faulty.body["tables"][0]["stopped"]),
        (vec!["a", "b"], &json!("fault"))
    );
    assert!(faulty.text("/tables/0/fault").contains("b.json.gz"), "{}", faulty.body);
}

#[tokio::test]
async fn a_preview_of_parquet_shows_typed_rows_and_no_text() {
    let user = user().await;
    let known = "{\"eventDate\":\"2026-03-01T00:10:00Z\",\"views\":7}\n".repeat(3);
    user.stack.put_source(&key(&user, 0, "a.json"), known.into()).await.unwrap();
    let shown = preview(&user, "?rows=3", &request("liferay_page", FROM, TO, "parquet")).await;
    let table = &shown.body["tables"][0];
    assert_eq!(table.get("text"), None);
    assert_eq!(table["rows"].as_array().unwrap().len(), 3, "{table}");
    let columns: Vec<&str> =
        table["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert!(columns.contains(&"views"), "{columns:?}");
    assert_eq!(table["rows"][0]["views"], 7, "{table}");
}

#[tokio::test]
async fn a_preview_shows_nothing_of_another_workspace_and_is_in_the_audit_trail() {
    let (mine, theirs) = (user().await, user().await);
    theirs.seed(SMALL, &["liferay_page"], at(FROM), 1).await.unwrap();
    let body = request("liferay_page", FROM, TO, "jsonl");
    assert_eq!(titles(&preview(&mine, "", &body).await), [""; 0]);
    let shown = preview(&theirs, "", &body).await;
    assert_eq!(shown.body["tables"][0]["rows"].as_array().unwrap().len(), 20);
    let trail = theirs.get("/v1/audit").await.unwrap();
    let entry = &trail.body["entries"][0];
    assert_eq!(entry["action"], "rows_previewed", "{}", trail.body);
    assert!(entry.to_string().contains("liferay_page"), "{entry}");
}

#[tokio::test]
async fn what_cannot_be_previewed_is_refused_with_what_to_do() {
    let user = user().await;
    let body = request("liferay_page", FROM, TO, "csv");
    for (query, code) in [
        ("?rows=0", "wrong_limit"),
        ("?rows=101", "wrong_limit"),
        ("?rows=1&rows=2", "repeated_parameter"),
        ("?row=1", "unknown_parameter"),
    ] {
        let refused = preview(&user, query, &body).await;
        assert_eq!((refused.status, refused.text("/errors/0/code")), (400, code), "{query}");
    }
    let mut unknown = body.clone();
    unknown["tables"] = json!(["nothing"]);
    assert_eq!(preview(&user, "", &unknown).await.status, 400);
    let related = json!({
        "tables": ["coveo_searches"], "format": "csv", "filter": "customeventtype == 'copy'",
        "window": { "from": FROM, "to": TO },
    });
    let refused = preview(&user, "", &related).await;
    assert_eq!((refused.status, refused.text("/errors/0/code")), (400, "filter_not_previewed"));
    let other = user.send("GET", "/v1/preview", &[], None).await.unwrap();
    assert_eq!((other.status, other.header("allow")), (405, "POST"));
    let nobody = user
        .send("POST", "/v1/preview", &[("authorization", "")], Some(&body.to_string()))
        .await
        .unwrap();
    assert_eq!(nobody.status, 401);
}
