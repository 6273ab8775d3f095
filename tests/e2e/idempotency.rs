//! Asking twice with one key makes one export.

use futures_util::future::join_all;
use serde_json::Value;
use tests::{Reply, Stack, User};

use crate::request;

async fn create(user: &User, key: &str, body: &Value) -> Reply {
    user.send("POST", "/v1/exports", &[("idempotency-key", key)], Some(&body.to_string()))
        .await
        .unwrap()
}

fn body(format: &str) -> Value {
    request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", format)
}

#[tokio::test]
async fn the_same_key_and_body_give_the_same_export() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let first = create(&user, "\"k-1\"", &body("csv")).await;
    let second = create(&user, "k-1", &body("csv")).await;
    let other = create(&user, "k-2", &body("csv")).await;

    assert_eq!((first.status, second.status, other.status), (202, 202, 202));
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(
        (first.header("idempotent-replayed"), second.header("idempotent-replayed")),
        ("", "true")
    );
    assert_ne!(first.header("location"), other.header("location"));
    assert_ne!(first.header("retry-after"), "");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    create(&user, "k", &body("csv")).await;
    let refused = create(&user, "k", &body("jsonl")).await;

    assert_eq!((refused.status, refused.text("/code")), (422, "idempotency_key_reused"));
    let neighbour = user.stack.user().await.unwrap();
    assert_eq!(
        create(&neighbour, "k", &body("jsonl")).await.status,
        202,
        "keys belong to a workspace"
    );
}

#[tokio::test]
async fn many_at_once_make_one_export() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let body = body("csv");
    let replies = join_all((0..12).map(|_| create(&user, "race", &body))).await;

    let mut made: Vec<&str> = replies.iter().map(|reply| reply.header("location")).collect();
    assert!(
        replies.iter().all(|reply| reply.status == 202),
        "{:?}",
        replies.iter().map(|r| r.status).collect::<Vec<_>>()
    );
    made.dedup();
    assert_eq!(made.len(), 1);
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let long = "x".repeat(256);
    for key in ["\"\"", "a\"b", &long] {
        let refused = create(&user, key, &body("csv")).await;
        assert_eq!(
            (refused.status, refused.text("/code")),
            (400, "idempotency_key_invalid"),
            "{key}"
        );
    }
}
