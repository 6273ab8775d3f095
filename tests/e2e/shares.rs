//! Links that are shared: they need no credential, and end when they say.

use std::process::Command;

use export::{Privilege, ShareId, ShareSecret};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Reply, Stack, User};

use crate::{SMALL, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
/// What browsers send.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn user() -> User {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["liferay_page"], FROM.parse().unwrap(), 1).await.unwrap();
    user
}

/// Makes an export and waits for it.
async fn ready(user: &User, layout: &str) -> Reply {
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["layout"] = layout.into();
    user.finished(&user.create(&body).await.unwrap()).await.unwrap()
}

async fn share(user: &User, export: &Reply, body: Value) -> Reply {
    let share = user.post(export.text("/links/shares"), &body).await.unwrap();
    assert_eq!((share.status, share.header("cache-control")), (201, "no-store"), "{}", share.body);
    share
}

/// Opens a link as somebody without a token.
async fn open(user: &User, method: &str, url: &str, accept: &str) -> Reply {
    let headers = [("authorization", ""), ("accept", accept)];
    user.send(method, url, &headers, None).await.unwrap()
}

async fn listed(user: &User, export: &Reply) -> Value {
    let list = user.get(export.text("/links/shares")).await.unwrap();
    assert_eq!(list.status, 200, "{}", list.body);
    list.body["shares"].clone()
}

fn is_page(reply: &Reply) -> bool {
    reply.header("content-type").starts_with("text/html")
        && reply.header("content-security-policy").starts_with("default-src 'none'")
}

#[tokio::test]
async fn a_link_downloads_the_same_archive_without_a_token() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let own = user.download(export.text("/links/download")).await.unwrap().0;
    let share = share(&user, &export, json!({ "note": "for the auditors" })).await;
    let url = share.text("/url");
    assert_eq!(share.text("/expires_at"), export.text("/expires_at"));

    let led = open(&user, "GET", url, "*/*").await;
    assert_eq!((led.status, led.header("cache-control")), (302, "no-store"), "{}", led.body);
    assert_eq!(led.header("referrer-policy"), "no-referrer");
    assert_eq!(led.header("x-robots-tag"), "noindex, nofollow");
    let file = open(&user, "GET", led.header("location"), "*/*").await;
    assert_eq!((file.status, file.bytes == own), (200, true));

    let shown = open(&user, "GET", &format!("{url}?redirect=false"), BROWSER).await;
    assert_eq!(shown.status, 200);
    assert_eq!(open(&user, "GET", shown.text("/url"), "*/*").await.bytes, own);

    let head = open(&user, "HEAD", url, "*/*").await;
    let head = open(&user, "HEAD", head.header("location"), "*/*").await;
    assert_eq!((head.status, head.header("content-length")), (200, &*own.len().to_string()));

    let page = open(&user, "GET", url, BROWSER).await;
    assert!(page.status == 200 && is_page(&page), "{:?}", page.headers);
    assert!(String::from_utf8_lossy(&page.bytes).contains("<button"), "{:?}", page.bytes);
    let clicked = open(&user, "POST", url, BROWSER).await;
    assert_eq!(clicked.status, 303);
    assert_eq!(open(&user, "GET", clicked.header("location"), BROWSER).await.bytes, own);

    let list = listed(&user, &export).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((&list[0]["uses"], &list[0]["status"]), (&json!(3), &json!("live")));
    assert_eq!(list[0]["note"], "for the auditors");
    assert_eq!(list[0]["created_by"], "of a test");
    assert!(list[0]["last_used_at"].is_string() && list[0].get("url").is_none(), "{list}");
}

#[tokio::test]
async fn downloads_by_curl_and_wget_are_whole_and_go_on_where_they_broke_off() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let own = user.download(export.text("/links/download")).await.unwrap().0;
    let url = share(&user, &export, json!({})).await.text("/url").to_owned();
    let folder = std::env::temp_dir().join(format!("decant-{}", export.text("/id")));
    std::fs::create_dir_all(&folder).unwrap();
    for (program, arguments) in
        [("curl", &["-sSfLC", "-", "-o"][..]), ("wget", &["-q", "--no-proxy", "-c", "-O"])]
    {
        let path = folder.join(program);
        std::fs::write(&path, &own[..own.len() / 2]).unwrap();
        let ran = Command::new(program).args(arguments).arg(&path).arg(&url).output();
        let Ok(ran) = ran else { continue };
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
        assert!(std::fs::read(&path).unwrap() == own, "{program}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_link_for_one_use_is_used_up_by_a_click_and_not_by_looking() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let share = share(&user, &export, json!({ "once": true })).await;
    let url = share.text("/url");

    for (method, accept, status) in [
        ("GET", BROWSER, 200),
        ("HEAD", BROWSER, 200),
        ("GET", "*/*", 409),
        ("HEAD", "*/*", 409),
        ("GET", "image/webp", 409),
    ] {
        let looked = open(&user, method, url, accept).await;
        assert_eq!((looked.status, looked.header("location")), (status, ""), "{method} {accept}");
    }
    let wrong = open(&user, "POST", &format!("{url}?redirect=perhaps"), "*/*").await;
    assert_eq!(wrong.status, 400);

    let clicked = open(&user, "POST", url, BROWSER).await;
    assert_eq!(clicked.status, 303, "{}", clicked.body);
    let file = open(&user, "GET", clicked.header("location"), BROWSER).await;
    assert_eq!(file.status, 200);
    for (method, accept) in [("POST", BROWSER), ("GET", BROWSER), ("GET", "*/*"), ("POST", "*/*")] {
        let again = open(&user, method, url, accept).await;
        assert_eq!((again.status, is_page(&again)), (410, accept == BROWSER), "{method} {accept}");
    }
    assert_eq!(open(&user, "GET", url, "*/*").await.text("/code"), "link_used");
    let list = listed(&user, &export).await;
    assert_eq!((&list[0]["uses"], &list[0]["status"]), (&json!(1), &json!("used")));
}

#[tokio::test]
async fn of_many_clicks_at_once_on_a_link_for_one_use_one_downloads() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let url = share(&user, &export, json!({ "once": true })).await.text("/url").to_owned();
    let clicks = (0..6).map(|_| open(&user, "POST", &url, "*/*"));
    let statuses = futures_util::future::join_all(clicks).await;
    let mut statuses: Vec<u16> = statuses.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410, 410, 410, 410]);
}

#[tokio::test]
async fn a_revoked_or_ended_link_and_one_of_a_deleted_export_say_so() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let revoked = share(&user, &export, json!({})).await;
    let of_share = format!("{}/{}", export.text("/links/shares"), revoked.text("/id"));
    let of_other = user.stack.user().await.unwrap();
    assert_eq!(of_other.send("DELETE", &of_share, &[], None).await.unwrap().status, 404);
    assert_eq!(open(&user, "HEAD", revoked.text("/url"), "*/*").await.status, 302);
    for _ in 0..2 {
        assert_eq!(user.send("DELETE", &of_share, &[], None).await.unwrap().status, 204);
    }
    let answer = open(&user, "GET", revoked.text("/url"), "*/*").await;
    assert_eq!((answer.status, answer.text("/code")), (410, "link_revoked"));
    let page = open(&user, "GET", revoked.text("/url"), BROWSER).await;
    assert!(page.status == 410 && is_page(&page));

    let soon = Timestamp::now() + SignedDuration::from_secs(2);
    let brief = share(&user, &export, json!({ "expires_at": soon.to_string() })).await;
    assert_eq!(brief.text("/expires_at").parse::<Timestamp>().unwrap(), soon);
    let ended = async || {
        let answer = open(&user, "GET", brief.text("/url"), "*/*").await;
        Ok((answer.status == 410).then(|| answer.text("/code").to_owned()))
    };
    assert_eq!(tests::until("the link to end", ended).await.unwrap(), "link_expired");
    assert!(Timestamp::now() >= soon);

    let last = share(&user, &export, json!({})).await;
    let this = export.text("/links/self");
    assert_eq!(user.send("DELETE", this, &[], None).await.unwrap().status, 204);
    let answer = open(&user, "GET", last.text("/url"), "*/*").await;
    assert_eq!((answer.status, answer.text("/code")), (410, "link_deleted"));
    let late = user.post(export.text("/links/shares"), &json!({})).await.unwrap();
    assert_eq!((late.status, late.text("/code")), (410, "export_deleted"));
}

#[tokio::test]
async fn an_export_is_shared_in_the_request_that_makes_it_and_its_link_says_how_far_it_is() {
    let user = user().await;
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["share"] = json!({ "note": "early" });
    let headers = [("idempotency-key", "shared-once")];
    let sent = body.to_string();
    let made = user.send("POST", "/v1/exports", &headers, Some(&sent)).await.unwrap();
    assert_eq!(made.status, 202, "{}", made.body);
    let url = made.text("/share/url").to_owned();
    // It may be ready by now, but there is an answer either way.
    let early = open(&user, "GET", &url, BROWSER).await;
    assert!(early.status == 200 && is_page(&early), "{}", early.status);
    let program = open(&user, "GET", &url, "*/*").await;
    assert!(matches!(program.status, 302 | 409), "{}", program.status);

    let again = user.send("POST", "/v1/exports", &headers, Some(&sent)).await.unwrap();
    assert_eq!((again.header("idempotent-replayed"), again.body.get("share")), ("true", None));
    let done = user.finished(made.header("location")).await.unwrap();
    let led = open(&user, "GET", &url, "*/*").await;
    assert_eq!(led.status, 302, "{}", led.body);
    assert_eq!(open(&user, "GET", led.header("location"), "*/*").await.status, 200);
    assert_eq!(listed(&user, &done).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn several_files_are_listed_each_with_its_link() {
    let user = user().await;
    let export = ready(&user, "files").await;
    let own = user.get(export.text("/links/files")).await.unwrap();
    let own = user.get(own.text("/files/0/link")).await.unwrap();
    let own = open(&user, "GET", own.header("location"), "*/*").await.bytes;

    let many = share(&user, &export, json!({})).await;
    let list = open(&user, "GET", many.text("/url"), "*/*").await;
    assert_eq!(list.status, 200, "{}", list.body);
    let file = open(&user, "GET", list.text("/files/0/link"), "*/*").await;
    assert_eq!(open(&user, "GET", file.header("location"), "*/*").await.bytes, own);
    let page = open(&user, "GET", many.text("/url"), BROWSER).await;
    assert!(String::from_utf8_lossy(&page.bytes).contains(list.text("/files/0/link")));
    let none = open(&user, "GET", &format!("{}/files/other.csv", many.text("/url")), "*/*").await;
    assert_eq!((none.status, none.text("/code")), (404, "file_not_found"));

    let once = share(&user, &export, json!({ "once": true })).await;
    let link = list.text("/files/0/link").replace(many.text("/url"), once.text("/url"));
    assert_eq!(open(&user, "GET", &link, "*/*").await.status, 409);
    let taken = open(&user, "POST", once.text("/url"), "*/*").await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(open(&user, "GET", taken.text("/files/0/link"), "*/*").await.bytes, own);
    assert_eq!(open(&user, "POST", once.text("/url"), BROWSER).await.status, 410);
    assert_eq!(open(&user, "GET", &link, "*/*").await.status, 410);
}

#[tokio::test]
async fn a_guessed_link_leads_nowhere_and_no_secret_is_kept() {
    let user = user().await;
    let guessed = ShareSecret::from_random([9; 32]);
    for secret in [guessed.reveal(), "short", "%FF", "a%2Fb", "..", &"a".repeat(2000)] {
        let url = format!("{}/s/{secret}", user.stack.base_url());
        for (method, accept) in [("GET", "*/*"), ("GET", BROWSER), ("POST", "*/*")] {
            let answer = open(&user, method, &url, accept).await;
            assert_eq!(answer.status, 404, "{method} {secret}: {}", answer.body);
            assert_eq!(answer.header("cache-control") == "no-store", secret != "..", "{secret}");
        }
    }
    let wrong = open(&user, "PUT", &format!("{}/s/a", user.stack.base_url()), "*/*").await;
    assert_eq!(wrong.status, 405);

    let export = ready(&user, "zip").await;
    let share = share(&user, &export, json!({})).await;
    let secret: ShareSecret = share.text("/url").rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(share.text("/id").parse::<ShareId>(), Ok(secret.id()));
    for accept in ["*/*", BROWSER] {
        open(&user, "GET", share.text("/url"), accept).await;
    }
    assert_eq!(user.stack.places_of(secret.reveal()).await.unwrap(), Vec::<String>::new());
    let of_id = user.stack.places_of(share.text("/id")).await.unwrap();
    assert!(!of_id.is_empty(), "what is stored is found");
}

#[tokio::test]
async fn to_share_needs_the_privilege_to_edit_and_to_list_shares_that_to_view() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    let viewer = user.stack.user_of(user.workspace.clone(), &[Privilege::View]).await.unwrap();
    let link = export.text("/links/shares");
    let refused = viewer.post(link, &json!({})).await.unwrap();
    assert_eq!((refused.status, refused.text("/code")), (403, "privilege_missing"));
    // Nothing need be said, so a body need not be sent.
    let made = user.send("POST", link, &[], None).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let of_share = format!("{link}/{}", made.text("/id"));
    assert_eq!(viewer.send("DELETE", &of_share, &[], None).await.unwrap().status, 403);
    assert_eq!(listed(&viewer, &export).await.as_array().unwrap().len(), 1);

    let other = user.stack.user().await.unwrap();
    for (method, path) in [("GET", link), ("POST", link), ("DELETE", &of_share)] {
        let hidden = other.send(method, path, &[], Some("{}")).await.unwrap();
        assert_eq!(hidden.status, 404, "{method} {path}");
    }
    for id in ["x", &"0".repeat(64)] {
        let unknown = user.send("DELETE", &format!("{link}/{id}"), &[], None).await.unwrap();
        assert_eq!((unknown.status, unknown.text("/code")), (404, "share_not_found"));
    }
    let wrong = user.post(link, &json!({ "once": "yes", "days": 3 })).await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"].as_array().unwrap().len()), (400, 2));
}

#[tokio::test]
async fn an_export_has_100_shares_and_no_more() {
    let user = user().await;
    let export = ready(&user, "zip").await;
    for _ in 0..10 {
        let ten = (0..10).map(|_| share(&user, &export, json!({})));
        futures_util::future::join_all(ten).await;
    }
    let more = user.post(export.text("/links/shares"), &json!({})).await.unwrap();
    assert_eq!((more.status, more.text("/code")), (409, "too_many_shares"));
    assert_eq!(listed(&user, &export).await.as_array().unwrap().len(), 100);
}
