//! A lake of Parquet is exported as one of JSON Lines.

use tests::Stack;

use crate::request;

const PAGES: &[u8] = include_bytes!("../../shared/columnar/tests/fixtures/pages.parquet");

#[tokio::test]
async fn rows_of_parquet_are_exported_beside_those_of_json() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let folder = format!("liferay/page/workspace={}/date=2026-03-01/hour=00", user.workspace);
    let put = async |name: &str, bytes: Vec<u8>| {
        user.stack.put_source(&format!("{folder}/{name}"), bytes).await.unwrap();
    };
    // By its first bytes, by its name, and in between a row of JSON.
    put("a", PAGES.to_vec()).await;
    put(
        "b.json",
        b"{\"eventDate\":\"2026-03-01T00:20:00Z\",\"title\":\"b\",\"views\":2}\n".to_vec(),
    )
    .await;
    put("c.parquet", PAGES.to_vec()).await;

    let mut body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T00:30:00Z", "csv");
    body["columns"] = serde_json::json!({ "liferay_page": ["title", "views", "eventDate"] });
    let (done, archive) = user.export(&body).await.unwrap();

    let pages =
        "\"a, \"\"1\"\"\",1,2026-03-01T00:10:00Z\nGröße,12345678901,2026-03-01T00:29:59.999999Z\n";
    let text = archive.text("liferay_page.csv").unwrap();
    assert_eq!(text, format!("title,views,eventDate\n{pages}b,2,2026-03-01T00:20:00Z\n{pages}"));
    // Of each file, the row without a time is bad, and the one of another time is outside.
    assert_eq!(
        (done.body["archive"]["rows"].as_u64(), done.body["archive"]["bad_rows"].as_u64()),
        (Some(5), Some(2))
    );
}

#[tokio::test]
async fn damaged_parquet_fails_the_export_by_name() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let key =
        format!("liferay/page/workspace={}/date=2026-03-01/hour=00/a.parquet", user.workspace);
    user.stack.put_source(&key, PAGES[..PAGES.len() - 9].to_vec()).await.unwrap();

    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let done = user.finished(&user.create(&body).await.unwrap()).await.unwrap();

    assert_eq!(done.text("/failure/code"), "source_corrupt", "{}", done.body);
    let detail = done.text("/failure/detail");
    assert!(detail.contains(&key) && detail.contains("it does not end with PAR1"), "{detail}");
}
