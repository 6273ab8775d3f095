//! Row counts before an export, and the limit of rows.

use super::*;

/// Asks for the rows of a day until they are counted.
async fn estimate(user: &User, query: &str) -> Reply {
    for _ in 0..20 {
        let reply = user.get(&format!("{EXPORTS}/estimate?{DAY}&{query}")).await.unwrap();
        if reply.status != 429 {
            return reply;
        }
        assert_eq!((reply.text("/type"), reply.header("retry-after")), ("TooManyRequests", "5"));
    }
    panic!("rows are not counted");
}

#[tokio::test]
async fn rows_are_counted_before_they_are_exported() {
    let user = user().await;
    put_visits(&user).await;
    let all = estimate(&user, "").await;
    assert_eq!(
        all.body["estimates"],
        json!({ "searches": 3, "clicks": 1, "custom_events": 3, "keywords": 3, "groups": 3 })
    );
    let copies = format!("tables=searches&f={}", encode("customEventType=='copy'"));
    let some = estimate(&user, &copies).await;
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
    let reply = estimate(&user, "tables=searches").await;
    assert_eq!(reply.body["estimates"], json!({ "searches": 333 }));
}

#[tokio::test]
async fn what_cannot_be_counted_is_named() {
    let user = user().await;
    let key = format!("coveo/clicks/{}/2026/03/01/10/cut.json.gz", user.workspace);
    let whole = gzip("{\"datetime\":\"2026-03-01T10:00:00Z\"}\n");
    user.stack.put_source(&key, whole[..whole.len() - 4].to_vec()).await.unwrap();
    let reply = estimate(&user, "tables=clicks").await;
    assert_eq!((reply.status, reply.text("/type")), (500, "InternalError"));
    assert!(reply.text("/message").contains(&key), "{}", reply.body);
}

#[tokio::test]
async fn an_export_has_so_many_rows_and_with_one_more_it_is_refused() {
    let user = user().await;
    let at = "2026-03-01T10:00:00Z";
    let row = json!({ "datetime": at, "visitId": "v1", "keywords": ["a", "b", "c"] });
    let row = format!("{row}\n");
    // Not compressed, so that it looks like as many as it has: a search and three keywords each.
    let key = format!("coveo/searches/{}/2026/03/01/10/rows.json", user.workspace);
    user.stack.put_source(&key, row.repeat(50_000).into_bytes()).await.unwrap();
    put(&user, "clicks", &[json!({ "datetime": at })]).await;
    let refused = async || {
        let reply = user.send("POST", &format!("{EXPORTS}?{DAY}"), &[], None).await?;
        if reply.status != 201 {
            return Ok(Some(reply));
        }
        // It was not counted in time, and is refused while it is made.
        let done = finished(&user, reply.text("/id")).await;
        assert_eq!(done.text("/status"), "FAILED");
        Ok(None)
    };
    let refused = until("the rows to be counted", refused).await.unwrap();
    let told = (refused.status, refused.text("/type"));
    assert_eq!(told, (400, "RowLimitExceeded"), "{}", refused.body);
    assert!(refused.text("/message").contains("200001 rows"), "{}", refused.body);
    let most = export(&user, "tables=searches&tables=keywords").await;
    assert_eq!(most.text("/status"), "AVAILABLE", "{}", most.body);
}
