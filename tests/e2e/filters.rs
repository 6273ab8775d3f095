//! Filters of the native API: the same language on any table.

use serde_json::{Value, json};
use tests::{Stack, User, sample::gzip};

async fn user_with_pages() -> User {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let rows: String = (0..100)
        .map(|n| {
            let title = if n % 2 == 0 { json!("Über uns") } else { Value::Null };
            json!({ "eventDate": "2026-03-01T10:00:00Z", "title": title, "views": n, "url": format!("/{n}") })
        })
        .map(|row| format!("{row}\n"))
        .collect();
    let key =
        format!("liferay/page/workspace={}/date=2026-03-01/hour=10/a.json.gz", user.workspace);
    user.stack.put_source(&key, gzip(&rows)).await.unwrap();
    user
}

fn body(filter: &str) -> Value {
    json!({
        "tables": ["liferay_page"], "format": "jsonl", "filter": filter,
        "window": { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
    })
}

#[tokio::test]
async fn rows_are_chosen_by_their_columns_and_stay_as_they_are() {
    let user = user_with_pages().await;
    let (done, archive) =
        user.export(&body("title =~ 'ÜBER UNS' AND (views < 10 OR views >= '98')")).await.unwrap();

    assert_eq!(done.text("/filter"), "title =~ 'ÜBER UNS' AND (views < 10 OR views >= '98')");
    assert_eq!(done.body["archive"]["table_rows"], json!({ "liferay_page": 6 }));
    let text = archive.text("liferay_page.jsonl").unwrap();
    let views: Vec<i64> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["views"].as_i64().unwrap())
        .collect();
    assert_eq!(views, [0, 2, 4, 6, 8, 98]);
    // The same export without its filter is another one, and not made of the same segments.
    let (_, whole) = user.export(&body("")).await.unwrap();
    assert_eq!(whole.text("liferay_page.jsonl").unwrap().lines().count(), 100);

    let explained = user.post("/v1/explain", &body("title != null")).await.unwrap();
    assert_eq!(explained.body["tables"][0]["ways"][0]["reason"], "filtered", "{}", explained.body);
}

#[tokio::test]
async fn csv_is_written_in_the_style_that_is_asked_for() {
    let user = user_with_pages().await;
    let mut body = body("views == 0");
    body["format"] = json!("csv");
    body["columns"] = json!({ "liferay_page": ["title", "views"] });
    body["csv"] = json!({ "style": "excel", "display_names": true });
    let (done, archive) = user.export(&body).await.unwrap();

    assert_eq!(done.body["csv"], json!({ "style": "excel", "display_names": true }));
    assert_eq!(archive.text("liferay_page.csv").unwrap(), "\u{feff}title,views\nÜber uns,0\n");
}

#[tokio::test]
async fn a_filter_that_cannot_be_used_is_told_with_its_place() {
    let user = user_with_pages().await;
    for (filter, says) in [
        ("titel == 'x'", "at character 1: titel is no column of liferay_page"),
        ("title == 'x' AND views > 'many'", "at character 18: views is a number"),
        ("$HOME", "there is no named filter $HOME"),
        (&"(".repeat(100_000), "a filter has at most 65536 bytes"),
        (&"(".repeat(60_000), "brackets nest at most 100 deep"),
    ] {
        let reply = user.post("/v1/exports", &body(filter)).await.unwrap();
        assert_eq!((reply.status, reply.text("/errors/0/code")), (400, "wrong_filter"));
        assert_eq!(reply.text("/errors/0/pointer"), "/filter");
        assert!(reply.text("/detail").contains(says), "{}", reply.text("/detail"));
    }
}
