//! Attempts against services that fail as they are told to.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cloud::{DeliveryTable, ExportTable, KmsCipher, Queue};
use export::{CallbackHosts, ExportId, Secret};
use fake_aws::{FakeAws, Reply};
use outbox::Body;
use serde_json::{Value, json};

use super::*;
use crate::post::Poster;

const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3";

/// A notifier among services that are played.
struct Scene {
    app: App,
    aws: FakeAws,
    receiver: FakeAws,
    /// What KMS is asked to open gives this many-th of: a fault, nothing stored, the old secret, the new one.
    secret: Arc<AtomicU16>,
    /// What the receiver answers.
    status: Arc<AtomicU16>,
}

const KMS_IS_DOWN: u16 = 0;
const NO_SECRET: u16 = 1;
const OLD_SECRET: u16 = 2;
const NEW_SECRET: u16 = 3;

impl Scene {
    async fn set() -> Self {
        let secret = Arc::new(AtomicU16::new(OLD_SECRET));
        let status = Arc::new(AtomicU16::new(200));
        let (of_kms, of_receiver) = (Arc::clone(&secret), Arc::clone(&status));
        let aws = FakeAws::start(move |call| {
            let secret = of_kms.load(Ordering::SeqCst);
            let items = if secret == NO_SECRET { "" } else { "{\"sealed\":{\"S\":\"c2VhbGVk\"}}" };
            let text = BASE64_STANDARD.encode(if secret == NEW_SECRET { NEW } else { OLD });
            Some(match call.operation.rsplit('.').next().unwrap() {
                "Query" => Reply::ok(format!("{{\"Items\":[{items}],\"Count\":1}}")),
                "Decrypt" if secret == KMS_IS_DOWN => Reply::fault(400, "DisabledException"),
                "Decrypt" => Reply::ok(format!("{{\"Plaintext\":\"{text}\"}}")),
                _ => Reply::ok("{}"),
            })
        });
        let receiver = FakeAws::start(move |_| {
            let status = of_receiver.load(Ordering::SeqCst);
            Some(Reply::fault(status, "as told").header("Retry-After", "120"))
        });
        let (aws, receiver) = (aws.await.unwrap(), receiver.await.unwrap());
        let config = aws.config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let app = App {
            queue: Queue::new(aws_sdk_sqs::Client::new(&config), "http://queue".into()),
            deliveries: DeliveryTable::new(dynamodb.clone(), "deliveries".into()),
            exports: ExportTable::new(dynamodb, "exports".into()),
            seal: KmsCipher::new(aws_sdk_kms::Client::new(&config), "key".into()),
            poster: Poster::new("127.0.0.1".parse::<CallbackHosts>().unwrap()).unwrap(),
        };
        Self { app, aws, receiver, secret, status }
    }

    fn notice(&self) -> WebhookMessage {
        WebhookMessage {
            workspace: "acme".parse().unwrap(),
            export: ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            id: "msg_1".into(),
            url: format!("{}/hook", self.receiver.url()).parse().unwrap(),
            body: Body::new("{}"),
            signed: true,
            posts: 0,
            due: None,
            until: Timestamp::now() + SignedDuration::from_hours(24),
        }
    }

    /// Returns the rows that were written.
    fn rows(&self) -> Vec<Value> {
        let read = |body: &String| serde_json::from_str::<Value>(body).unwrap()["Item"].clone();
        self.aws.bodies("PutItem").iter().map(read).collect()
    }

    /// Returns the messages that were sent, and how much each is delayed.
    fn sent(&self) -> Vec<(WebhookMessage, Value)> {
        let read = |body: &String| {
            let call: Value = serde_json::from_str(body).unwrap();
            let notice = serde_json::from_str(call["MessageBody"].as_str().unwrap()).unwrap();
            (notice, call["DelaySeconds"].clone())
        };
        self.aws.bodies("SendMessage").iter().map(read).collect()
    }

    fn posts(&self) -> usize {
        self.receiver.calls().len()
    }
}

#[tokio::test]
async fn an_outage_of_kms_uses_up_no_post_and_is_written_down() {
    let scene = Scene::set().await;
    let notice = scene.notice();
    scene.secret.store(KMS_IS_DOWN, Ordering::SeqCst);
    for received in 1..=15 {
        assert!(run(&scene.app, &notice, received).await.is_err(), "the queue keeps it");
    }
    let rows = scene.rows();
    assert_eq!((scene.posts(), rows.len()), (0, 15));
    assert_eq!(rows[14]["attempt"], json!({ "N": "1" }));
    assert!(rows[14]["error"]["S"].as_str().unwrap().contains("could not be signed"));
    assert!(rows[14]["next_at"]["S"].is_string());

    // The receiver has all its posts left, the first of which is answered by 503.
    scene.secret.store(OLD_SECRET, Ordering::SeqCst);
    scene.status.store(500, Ordering::SeqCst);
    assert!(matches!(run(&scene.app, &notice, 16).await.unwrap(), Outcome::Done));
    assert_eq!(scene.posts(), 1);
    let (next, delay) = scene.sent().remove(0);
    assert_eq!((next.posts, delay), (1, json!(5)));
    assert_eq!(scene.rows()[15]["attempt"], json!({ "N": "1" }));
}

#[tokio::test]
async fn a_callback_whose_last_secret_was_removed_is_not_posted_unsigned() {
    let scene = Scene::set().await;
    scene.secret.store(NO_SECRET, Ordering::SeqCst);
    run(&scene.app, &scene.notice(), 1).await.unwrap();
    assert_eq!(scene.posts(), 0);
    assert!(scene.rows()[0]["error"]["S"].as_str().unwrap().contains("no signing secret"));
    assert_eq!(scene.sent().len(), 1, "there may be one later");

    // What needs no signature needs no secret.
    run(&scene.app, &WebhookMessage { signed: false, ..scene.notice() }, 1).await.unwrap();
    assert_eq!(scene.posts(), 1);
}

#[tokio::test]
async fn a_callback_is_signed_with_the_secrets_there_are_when_it_is_posted() {
    let scene = Scene::set().await;
    scene.status.store(401, Ordering::SeqCst);
    run(&scene.app, &scene.notice(), 1).await.unwrap();
    scene.secret.store(NEW_SECRET, Ordering::SeqCst);
    let (again, _) = scene.sent().remove(0);
    let at = Timestamp::now();
    let now = sign(&scene.app, &again, at).await.unwrap().unwrap();
    let with = |secret: &str| {
        signatures(&again.id, at, again.body.text(), &[Secret::new(secret.into())]).unwrap()
    };
    assert_eq!(now, with(NEW));
    assert_ne!(now, with(OLD));
}

#[tokio::test]
async fn whatever_a_receiver_answers_but_that_it_is_gone_is_posted_again() {
    for (status, delay) in [
        (200, None),
        (204, None),
        (302, Some(5)),
        (400, Some(5)),
        (401, Some(5)),
        (404, Some(5)),
        (410, None),
        (429, Some(120)),
        (500, Some(5)),
        (503, Some(120)),
    ] {
        let scene = Scene::set().await;
        scene.status.store(status, Ordering::SeqCst);
        run(&scene.app, &scene.notice(), 1).await.unwrap();
        let delays: Vec<Value> = scene.sent().into_iter().map(|(_, delay)| delay).collect();
        assert_eq!(delays, delay.map(Value::from).into_iter().collect::<Vec<_>>(), "{status}");
    }
}

#[tokio::test]
async fn a_callback_that_is_not_due_is_hidden_until_it_is() {
    let scene = Scene::set().await;
    let later = scene.notice().posted(Timestamp::now() + SignedDuration::from_secs(3600));
    let outcome = run(&scene.app, &later, 1).await.unwrap();
    assert!(matches!(outcome, Outcome::ComeBack { seconds: 3599..=3600, .. }), "{outcome:?}");
    assert_eq!((scene.posts(), scene.rows().len()), (0, 0));
}

#[tokio::test]
async fn a_callback_is_given_up_after_a_day_and_says_so() {
    let scene = Scene::set().await;
    let over = Timestamp::now() - SignedDuration::from_secs(1);
    let late = WebhookMessage { until: over, ..scene.notice() };
    assert!(matches!(run(&scene.app, &late, 90).await.unwrap(), Outcome::Done));
    assert_eq!(scene.posts(), 0);
    assert!(scene.rows()[0]["error"]["S"].as_str().unwrap().contains("given up"));
    assert!(scene.rows()[0].get("next_at").is_none());
}

#[test]
fn a_failure_of_ours_lasts_a_day_before_the_queue_gives_a_callback_up() {
    /// As in `template.yaml`; the tests of the template compare the two.
    const MAX_RECEIVES: u32 = 150;
    let pauses: i64 = (1..MAX_RECEIVES).map(|received| i64::from(pause(received))).sum();
    assert!(pauses > SignedDuration::from_hours(24).as_secs());
}
