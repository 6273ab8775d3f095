//! The audit trail tells who did what through which API, and from where.

use export::{Action, Actor, Privilege, Subject};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Stack, User};

use crate::{SMALL, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

/// Reads the trail of a workspace, oldest first.
async fn trail(user: &User, query: &str) -> Vec<Value> {
    let page = user.get(&format!("/v1/audit?limit=1000&{query}")).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.body.get("next_cursor"), None);
    page.body["entries"].as_array().unwrap().iter().rev().cloned().collect()
}

/// By which API each was done, and what, as `native export_created`.
fn told(trail: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |entry: &Value| format!("{} {}", text(&entry["by"]["api"]), text(&entry["action"]));
    trail.iter().map(told).collect()
}

async fn user() -> User {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["liferay_page"], FROM.parse().unwrap(), 1).await.unwrap();
    user
}

#[tokio::test]
async fn what_is_done_through_the_native_api_is_told_with_who_and_from_where() {
    let user = user().await;
    let agent = [("user-agent", "audited/1.0")];
    let made = request("liferay_page", FROM, TO, "csv").to_string();
    let made = user.send("POST", "/v1/exports", &agent, Some(&made)).await.unwrap();
    let done = user.finished(made.header("location")).await.unwrap();
    let id = done.text("/id");
    user.get(done.text("/links/download")).await.unwrap();
    let secret = user.post("/v1/workspace/signing-secrets", &json!({})).await.unwrap();
    let of_secret = format!("/v1/workspace/signing-secrets/{}", secret.text("/id"));
    user.send("DELETE", &of_secret, &[], None).await.unwrap();
    let share = user.post(done.text("/links/shares"), &json!({})).await.unwrap();
    let anybody = [("authorization", ""), ("accept", "text/html"), ("user-agent", "browser")];
    user.send("GET", share.text("/url"), &anybody, None).await.unwrap();
    user.send("POST", share.text("/url"), &anybody, None).await.unwrap();
    user.send("HEAD", share.text("/url"), &[("authorization", "")], None).await.unwrap();
    let of_share = format!("{}/{}", done.text("/links/shares"), share.text("/id"));
    for _ in 0..2 {
        user.send("DELETE", &of_share, &[], None).await.unwrap();
        user.send("DELETE", done.text("/links/self"), &[], None).await.unwrap();
    }

    let trail = trail(&user, "").await;
    assert_eq!(
        told(&trail),
        [
            "native export_created",
            "native link_given",
            "native signing_secret_created",
            "native signing_secret_removed",
            "native share_created",
            "shares share_opened",
            "shares share_used",
            "native share_revoked",
            "native export_deleted",
        ]
    );
    let token = &user.token["dct_".len()..][..16];
    let created = &trail[0];
    assert_eq!((&created["export"], &created["by"]["token"]), (&json!(id), &json!(token)));
    assert_eq!(created["by"]["name"], "of a test");
    assert_eq!(created["by"]["agent"], "audited/1.0");
    assert_eq!(created["by"]["request"], made.header("x-request-id"));
    assert!(created["by"]["address"].as_str().is_some_and(|it| !it.is_empty()), "{created}");
    let at: Timestamp = created["at"].as_str().unwrap().parse().unwrap();
    assert!(Timestamp::now().duration_since(at) < SignedDuration::from_mins(2));
    let by_link = &trail[6];
    assert_eq!(
        (&by_link["by"]["share"], &by_link["by"]["agent"]),
        (&share.body["id"], &json!("browser"))
    );
    assert_eq!(by_link["by"].get("token"), None);
    assert_eq!(trail[4]["subject"], share.body["id"]);
    let all = json!(trail).to_string();
    for secret in
        [&user.token, share.text("/url").rsplit('/').next().unwrap(), secret.text("/secret")]
    {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn the_trail_is_read_by_time_export_and_person_page_by_page_and_by_its_workspace_only() {
    let user = user().await;
    let colleague = user
        .stack
        .user_of(user.workspace.clone(), &[Privilege::View, Privilege::Edit])
        .await
        .unwrap();
    let mut ids = Vec::new();
    for by in [&user, &colleague, &user] {
        let made = by.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
        ids.push(made.rsplit('/').next().unwrap().to_owned());
    }
    let exports = |trail: &[Value]| -> Vec<String> {
        trail.iter().map(|entry| entry["export"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(exports(&trail(&user, "").await), ids);
    let person = format!("by={}", &colleague.token["dct_".len()..][..16]);
    assert_eq!(exports(&trail(&user, &person).await), [&*ids[1]]);
    assert_eq!(exports(&trail(&user, &format!("export={}", ids[2])).await), [&*ids[2]]);
    let second = trail(&user, &person).await[0]["at"].as_str().unwrap().to_owned();
    assert_eq!(exports(&trail(&user, &format!("to={second}")).await), [&*ids[0]]);
    assert_eq!(exports(&trail(&user, &format!("from={second}")).await), ids[1..]);

    let mut paged = Vec::new();
    let mut path = "/v1/audit?limit=2".to_owned();
    loop {
        let page = user.get(&path).await.unwrap();
        paged.extend(exports(page.body["entries"].as_array().unwrap()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/audit?limit=2&cursor={cursor}");
    }
    ids.reverse();
    assert_eq!(paged, ids);

    let other = user.stack.user().await.unwrap();
    assert_eq!(trail(&other, "").await, Vec::<Value>::new());
    assert_eq!(trail(&other, &format!("export={}", ids[0])).await, Vec::<Value>::new());
    let viewer = user.stack.user_of(user.workspace.clone(), &[Privilege::View]).await.unwrap();
    let refused = viewer.get("/v1/audit").await.unwrap();
    assert_eq!((refused.status, refused.text("/code")), (403, "privilege_missing"));
}

#[tokio::test]
async fn a_token_that_was_revoked_is_told_when_it_is_tried_and_so_are_operators() {
    let user = user().await;
    let workspaces = json!([user.workspace]);
    let token =
        json!({ "action": "create_token", "workspaces": workspaces, "privileges": ["view"] });
    let token = user.stack.admin(&token).await.unwrap();
    let revoke = json!({ "action": "revoke_token", "id": token["id"] });
    user.stack.admin(&revoke).await.unwrap();
    let quota = json!({ "action": "set_quota", "workspace": user.workspace, "quota": { "exports_a_day": 7 } });
    user.stack.admin(&quota).await.unwrap();
    let header = format!("Bearer {}", token["token"].as_str().unwrap());
    for _ in 0..2 {
        let refused =
            user.send("GET", "/v1/exports", &[("authorization", &header)], None).await.unwrap();
        assert_eq!(refused.status, 401);
    }
    let trail = trail(&user, "").await;
    let refused = trail.iter().find(|entry| entry["action"] == "sign_in_refused").unwrap();
    assert_eq!((&refused["by"]["token"], &refused["by"]["api"]), (&token["id"], &json!("native")));
    let mut told = told(&trail);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "native sign_in_refused",
            "operator quota_set",
            "operator token_created",
            "operator token_revoked",
        ]
    );
}

#[tokio::test]
async fn a_page_outside_of_its_range_is_empty_and_a_range_that_is_none_is_refused() {
    let user = user().await;
    user.create(&crate::request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let first = user.get("/v1/audit?limit=1").await.unwrap();
    let cursor = first.text("/next_cursor");
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let outside = user.get(&format!("/v1/audit?from={later}&cursor={cursor}")).await.unwrap();
    assert_eq!((outside.status, &outside.body["entries"]), (200, &json!([])), "{}", outside.body);
    let reversed = user.get("/v1/audit?from=2026-04-01T00:00:00Z&to=0419-03-21T01:23:13Z").await;
    let reversed = reversed.unwrap();
    assert_eq!((reversed.status, reversed.text("/errors/0/code")), (400, "window_reversed"));
}

#[tokio::test]
async fn a_page_of_the_trail_looks_through_5000_entries_and_no_more() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let audit = user.stack.service().audit;
    // Not so long ago that DynamoDB removes them.
    let first = Timestamp::now() - SignedDuration::from_mins(1);
    let put = async |n: i64| {
        let at = first + SignedDuration::from_millis(n);
        let what = (Action::QuotaSet, Subject::other(n));
        audit.record(&user.workspace, &Actor::default(), what, at).await.unwrap();
    };
    for hundred in 0..50 {
        join_all((0..100).map(|n| put(hundred * 100 + n))).await;
    }
    put(5000).await;
    let page = user.get("/v1/audit?by=nobody").await.unwrap();
    let cursor = page.text("/next_cursor");
    assert_eq!((page.body["entries"].as_array().unwrap().len(), cursor.is_empty()), (0, false));
    let rest = user.get(&format!("/v1/audit?cursor={cursor}")).await.unwrap();
    let [last] = &rest.body["entries"].as_array().unwrap()[..] else { panic!("{}", rest.body) };
    assert_eq!((&last["subject"], rest.body.get("next_cursor")), (&json!("0"), None));
    let most = user.get("/v1/audit?limit=1000").await.unwrap();
    assert_eq!(most.body["entries"].as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn a_page_of_long_entries_fits_an_answer() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let audit = user.stack.service().audit;
    let long = Some("\u{1f980}".repeat(300));
    let (name, address) = (long.clone(), long.clone());
    let actor = Actor { name, address, agent: long.clone(), ..Actor::default() };
    for hundred in 0..10 {
        join_all((0..100).map(|n| {
            let at = Timestamp::now() + SignedDuration::from_millis(hundred * 100 + n);
            let what = (Action::QuotaSet, Subject::other(long.as_deref().unwrap()));
            audit.record(&user.workspace, &actor, what, at)
        }))
        .await;
    }
    let page = user.get("/v1/audit?limit=1000").await.unwrap();
    let first = page.body["entries"].as_array().unwrap().len();
    assert!(page.bytes.len() <= (4 << 20) + 1000, "{}", page.bytes.len());
    let rest = format!("/v1/audit?limit=1000&cursor={}", page.text("/next_cursor"));
    let rest = user.get(&rest).await.unwrap();
    let last = rest.body["entries"].as_array().unwrap().len();
    assert_eq!((first < 1000, first + last, rest.body.get("next_cursor")), (true, 1000, None));
}
