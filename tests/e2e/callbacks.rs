//! Callbacks: whoever asked is told that an export has ended, and nobody else is reached that way.

use std::{process::Command, time::Duration};

use export::{Export, FOLLOW_UP_AFTER, Failure, Limits, Order};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Answer, Receiver, Reply, Stack, User};

use crate::{SMALL, at, janitor, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

/// Verifies with the published library of Standard Webhooks.
const VERIFY: &str = "
import json, sys, standardwebhooks
secret, body, headers = sys.argv[1:]
standardwebhooks.Webhook(secret).verify(body, json.loads(headers))
";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

async fn secret(user: &User) -> Value {
    let reply = user.post("/v1/workspace/signing-secrets", &json!({})).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.body
}

fn body(url: &str) -> Value {
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["callback"] = json!({ "url": url });
    body
}

/// Makes an export with a callback and waits until so many attempts were made to post it.
async fn called(user: &User, url: &str, attempts: usize) -> (String, Reply) {
    let export = user.create(&body(url)).await.unwrap();
    let reply = self::attempts(user, &export, attempts).await;
    (export, reply)
}

/// Waits until so many attempts were made to post the callback of an export.
async fn attempts(user: &User, export: &str, attempts: usize) -> Reply {
    let path = format!("{export}/deliveries");
    for _ in 0..600 {
        let reply = user.get(&path).await.unwrap();
        if reply.body["deliveries"].as_array().unwrap().len() >= attempts {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} does not get {attempts} entries");
}

/// Stores an export with a callback for which no message is sent: nobody builds it.
async fn unbuilt(user: &User, receiver: &Receiver) -> Export {
    unbuilt_for(user, &receiver.url).await
}

async fn unbuilt_for(user: &User, url: &str) -> Export {
    let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
    let body = request("liferay_page", FROM, TO, "csv");
    let order = Order::from_json(&body, &user.stack.catalog, &[], &Limits::default(), now).unwrap();
    let id = tests::new_id();
    let export = Export::queued(id, user.workspace.clone(), order.request, now, day);
    let export = export.with_callback(url.parse().unwrap(), "https://example.com/e".into());
    user.stack.exports().store(&export, None, None).await.unwrap();
    export
}

fn is_signed(
    headers: &std::collections::BTreeMap<String, String>,
    body: &str,
    secret: &str,
) -> bool {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python");
    let headers = serde_json::to_string(headers).unwrap();
    let status =
        Command::new(python).args(["-c", VERIFY, secret, body, &headers]).output().unwrap();
    status.status.success()
}

#[tokio::test]
async fn a_callback_says_little_and_is_signed_with_the_two_newest_secrets() {
    let user = user().await;
    user.seed(SMALL, &["liferay_page"], at(FROM), 1).await.unwrap();
    let secrets = [secret(&user).await, secret(&user).await, secret(&user).await];
    let receiver = Receiver::start(vec![Answer::Status(204)]).await.unwrap();
    let (export, log) = called(&user, &receiver.url, 1).await;

    let posted = receiver.received(1).await.remove(0);
    let payload: Value = serde_json::from_str(&posted.body).unwrap();
    let shown = user.get(&export).await.unwrap();
    assert_eq!(payload["type"], "export.succeeded");
    assert_eq!(payload["timestamp"], shown.body["finished_at"]);
    let data = json!({ "id": shown.body["id"], "status": "succeeded", "url": shown.body["links"]["self"] });
    assert_eq!(payload["data"], data);
    let signed =
        secrets.map(|s| is_signed(&posted.headers, &posted.body, s["secret"].as_str().unwrap()));
    assert_eq!(signed, [false, true, true], "two are in use");

    let entry = &log.body["deliveries"][0];
    assert_eq!(
        (&entry["delivered"], &entry["status"], &entry["attempt"]),
        (&json!(true), &json!(204), &json!(1))
    );
    assert_eq!(shown.body["callback"], json!({ "url": receiver.url, "sent": true }));
    let listed = user.get("/v1/workspace").await.unwrap().body;
    assert_eq!(listed["signing_secrets"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("whsec_"), "a secret is shown once");
}

#[tokio::test]
async fn a_secret_that_was_removed_signs_no_more() {
    let user = user().await;
    let refused = user.post("/v1/exports", &body("http://127.0.0.1:9/")).await.unwrap();
    assert_eq!((refused.status, refused.text("/code")), (409, "signing_secret_missing"));
    let (old, new) = (secret(&user).await, secret(&user).await);
    let path = format!("/v1/workspace/signing-secrets/{}", old["id"].as_str().unwrap());
    assert_eq!(user.send("DELETE", &path, &[], None).await.unwrap().status, 204);
    assert_eq!(user.send("DELETE", &path, &[], None).await.unwrap().status, 404);
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    called(&user, &receiver.url, 1).await;
    let posted = receiver.received(1).await.remove(0);
    let signed =
        [old, new].map(|s| is_signed(&posted.headers, &posted.body, s["secret"].as_str().unwrap()));
    assert_eq!(signed, [false, true]);
}

#[tokio::test]
async fn a_receiver_that_changed_to_a_new_secret_is_told_with_that_one() {
    let user = user().await;
    let old = secret(&user).await;
    let receiver =
        Receiver::start(vec![Answer::Status(503), Answer::Status(401), Answer::Status(200)])
            .await
            .unwrap();
    called(&user, &receiver.url, 1).await;
    let new = secret(&user).await;
    let path = format!("/v1/workspace/signing-secrets/{}", old["id"].as_str().unwrap());
    assert_eq!(user.send("DELETE", &path, &[], None).await.unwrap().status, 204);
    let posted = receiver.received(2).await.remove(1);
    let signed =
        [old, new].map(|s| is_signed(&posted.headers, &posted.body, s["secret"].as_str().unwrap()));
    assert_eq!(signed, [false, true], "it is signed with what there is when it is posted");
}

#[tokio::test]
async fn a_callback_is_not_posted_once_its_last_secret_was_removed() {
    let user = user().await;
    let only = secret(&user).await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let export = unbuilt(&user, &receiver).await;
    let path = format!("/v1/workspace/signing-secrets/{}", only["id"].as_str().unwrap());
    assert_eq!(user.send("DELETE", &path, &[], None).await.unwrap().status, 204);
    let export = format!("/v1/exports/{}", export.id);
    user.send("POST", &format!("{export}/cancel"), &[], None).await.unwrap();
    let log = attempts(&user, &export, 1).await;
    let entry = &log.body["deliveries"][0];
    assert!(entry["error"].as_str().unwrap().contains("no signing secret"), "{entry}");
    assert!(entry["next_at"].is_string(), "there may be one by then: {entry}");
    assert!(receiver.so_far().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_is_asked_again_under_the_same_id() {
    let user = user().await;
    secret(&user).await;
    let answers = vec![Answer::Status(503), Answer::Status(200)];
    let receiver = Receiver::start(answers).await.unwrap();
    let (export, log) = called(&user, &receiver.url, 2).await;

    let posted = receiver.received(2).await;
    assert_eq!(posted[0].headers["webhook-id"], posted[1].headers["webhook-id"]);
    assert_eq!(posted[0].body, posted[1].body);
    let attempts = log.body["deliveries"].as_array().unwrap();
    assert_eq!((&attempts[1]["status"], &attempts[1]["delivered"]), (&json!(503), &json!(false)));
    assert!(attempts[1]["next_at"].is_string() && attempts[0].get("next_at").is_none());
    assert_eq!((&attempts[0]["attempt"], &attempts[0]["answer"]), (&json!(2), &json!("hello")));

    let again = user.send("POST", &format!("{export}/deliveries"), &[], None).await.unwrap();
    assert_eq!(again.status, 202);
    let posted = receiver.received(3).await;
    assert_eq!(posted[0].headers["webhook-id"], posted[2].headers["webhook-id"]);
}

#[tokio::test]
async fn what_a_server_should_not_answer_harms_nobody() {
    let user = user().await;
    secret(&user).await;
    let inside = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let redirect =
        format!("HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url);
    for (answer, error, is_retried) in [
        (
            Answer::Raw(redirect),
            "the server answered with status 307, and redirects are not followed",
            true,
        ),
        (Answer::Status(404), "the server answered with status 404", true),
        (Answer::Status(410), "the server answered with status 410", false),
        (Answer::Status(429), "the server answered with status 429", true),
        (Answer::Raw("SSH-2.0-OpenSSH\r\n".into()), "invalid", true),
        (Answer::Raw(String::new()), "connection closed", true),
    ] {
        let server = Receiver::start(vec![answer.clone()]).await.unwrap();
        let (_, log) = called(&user, &server.url, 1).await;
        let entry = &log.body["deliveries"].as_array().unwrap().last().unwrap().clone();
        assert!(entry["error"].as_str().unwrap().contains(error), "{answer:?}: {entry}");
        assert_eq!(entry["next_at"].is_string(), is_retried, "{answer:?}: {entry}");
    }
    assert!(inside.so_far().is_empty(), "a redirect was followed");

    let endless = Receiver::start(vec![Answer::Endless]).await.unwrap();
    let (_, log) = called(&user, &endless.url, 1).await;
    let entry = &log.body["deliveries"][0];
    assert_eq!((&entry["delivered"], &entry["status"]), (&json!(true), &json!(200)));
    assert_eq!(entry["answer"].as_str().unwrap().len(), 500);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_thirty_seconds() {
    let user = user().await;
    secret(&user).await;
    let silent = Receiver::start(vec![Answer::Silence]).await.unwrap();
    let (_, log) = called(&user, &silent.url, 1).await;
    let entry = &log.body["deliveries"][0];
    assert_eq!(entry["error"], "there was no whole answer within 30 seconds");
    assert!((30_000..40_000).contains(&entry["duration_ms"].as_u64().unwrap()), "{entry}");
}

#[tokio::test]
async fn hosts_that_are_not_allowed_are_never_connected_to() {
    let user = user().await;
    secret(&user).await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let port = receiver.url.split(['/', ':']).nth(4).unwrap().to_owned();
    for host in [
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        &format!("[::ffff:127.0.0.1]:{port}"),
        &format!("[::ffff:7f00:1]:{port}"),
        &format!("127.0.0.2:{port}"),
        "0.0.0.0",
        "0x0a000001",
    ] {
        let refused = user.post("/v1/exports", &body(&format!("http://{host}/"))).await.unwrap();
        assert_eq!(refused.status, 400, "{host}: {}", refused.body);
        assert_eq!(refused.text("/errors/0/code"), "forbidden_host", "{host}: {}", refused.body);

        // An export that was made before the list was: it is looked at again when it is posted.
        let export = unbuilt_for(&user, &format!("http://{host}/")).await;
        let failed = export.fail(Timestamp::now() - FOLLOW_UP_AFTER, Failure::internal());
        user.stack.exports().put(&failed).await.unwrap();
        janitor::round(&user.stack).await;
        let log = attempts(&user, &format!("/v1/exports/{}", export.id), 1).await;
        let entry = &log.body["deliveries"][0];
        assert!(
            entry["error"].as_str().unwrap().contains("not among the hosts"),
            "{host}: {entry}"
        );
        assert!(entry.get("next_at").is_none(), "{host}: {entry}");
    }
    assert!(receiver.so_far().is_empty());
    // However it is written, this one is.
    called(&user, &format!("http://2130706433:{port}/"), 1).await;
    receiver.received(1).await;
}

#[tokio::test]
async fn a_callback_that_was_lost_is_sent_by_the_janitor() {
    let user = user().await;
    secret(&user).await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let ended_at = Timestamp::now() - FOLLOW_UP_AFTER;
    let export = unbuilt(&user, &receiver).await;
    let (exports, id) = (user.stack.exports(), export.id);
    // As by a builder that was killed before it could send anything.
    exports.put(&export.fail(ended_at, Failure::internal())).await.unwrap();
    janitor::round(&user.stack).await;

    let posted: Value = serde_json::from_str(&receiver.received(1).await[0].body).unwrap();
    assert_eq!(
        (&posted["type"], &posted["data"]["url"]),
        (&json!("export.failed"), &json!("https://example.com/e"))
    );
    janitor::round(&user.stack).await;
    assert!(exports.get(&user.workspace, id).await.unwrap().unwrap().callback.unwrap().sent);
}

#[tokio::test]
async fn who_cancels_an_export_is_told_that_it_was() {
    let user = user().await;
    secret(&user).await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let export = format!("/v1/exports/{}", unbuilt(&user, &receiver).await.id);
    let early = user.send("POST", &format!("{export}/deliveries"), &[], None).await.unwrap();
    assert_eq!((early.status, early.text("/code")), (409, "callback_pending"));
    let cancelled = user.send("POST", &format!("{export}/cancel"), &[], None).await.unwrap();
    assert_eq!(cancelled.text("/status"), "cancelled", "{}", cancelled.body);
    let posted: Value = serde_json::from_str(&receiver.received(1).await[0].body).unwrap();
    assert_eq!(
        (&posted["type"], &posted["data"]["status"]),
        (&json!("export.cancelled"), &json!("cancelled"))
    );
}

#[tokio::test]
async fn what_cannot_be_posted_again_says_why() {
    let user = user().await;
    let plain = user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let reply = user.send("POST", &format!("{plain}/deliveries"), &[], None).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (409, "no_callback"));
    let log = user.get(&format!("{plain}/deliveries")).await.unwrap();
    assert_eq!(log.body, json!({ "deliveries": [] }));
    let unknown = format!("/v1/exports/{}/deliveries", tests::new_id());
    assert_eq!(user.get(&unknown).await.unwrap().status, 404);
    assert_eq!(user.send("POST", &unknown, &[], None).await.unwrap().status, 404);
}
