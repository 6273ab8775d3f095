//! Deliveries over an AWS in memory, to a receiver that answers as it is told to.

use std::{cell::Cell, time::Duration};

use export::Secret;
use outbox::Body;
use simulated_aws::Fault;

use super::*;
use crate::testing::Scene;

const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3";

/// Delivers a callback to a receiver that takes it, or not, as `posted` says. Returns how often it was posted, too.
async fn deliver(
    scene: &Scene,
    message: &WebhookMessage,
    received: u32,
    posted: Posted,
) -> (anyhow::Result<Outcome>, usize) {
    let posts = Cell::new(0);
    let post = async |_, _: &str| {
        posts.set(posts.get() + 1);
        posted
    };
    let outcome = scene.deliverer.deliver(message, received, post).await;
    (outcome, posts.get())
}

fn taken() -> Posted {
    Posted { status: Some(200), error: None, ..Posted::refused(String::new()) }
}

fn answered(status: u16) -> Posted {
    Posted { status: Some(status), again: true, ..Posted::refused(format!("status {status}")) }
}

fn message(scene: &Scene) -> WebhookMessage {
    WebhookMessage {
        workspace: scene.acme.clone(),
        export: scene.draft().id,
        id: "msg_1".into(),
        url: "http://receiver/hook".parse().unwrap(),
        body: Body::new("{}"),
        signed: true,
        posts: 0,
        due: None,
        until: scene.now() + SignedDuration::from_hours(24),
    }
}

/// Returns the log, oldest first.
async fn log(scene: &Scene, message: &WebhookMessage) -> Vec<Delivery> {
    let rows = scene.deliverer.deliveries.of(&message.workspace, message.export).await;
    rows.unwrap().into_iter().rev().collect()
}

fn sent(scene: &Scene) -> Vec<(WebhookMessage, u64)> {
    let read = |message: simulated_aws::Message| {
        (serde_json::from_str(&message.body).unwrap(), message.delay_seconds)
    };
    scene.take_callbacks().into_iter().map(read).collect()
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_kms_uses_up_no_post_and_is_logged() {
    let scene = Scene::new();
    scene.add_signing_secret(OLD).await;
    let message = message(&scene);
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "Decrypt" => Fault::Denied(400, "DisabledException"),
        _ => Fault::None,
    });
    for received in 1..=15 {
        let (outcome, posts) = deliver(&scene, &message, received, taken()).await;
        assert!(outcome.is_err() && posts == 0, "the queue keeps it");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let rows = log(&scene, &message).await;
    assert_eq!((rows.len(), rows[14].attempt), (15, 1));
    assert!(rows[14].error.as_ref().unwrap().contains("could not be signed"));
    assert!(rows[14].next_at.is_some());

    // The receiver has all its posts left.
    scene.aws.set_faults(|_| Fault::None);
    let (outcome, posts) = deliver(&scene, &message, 16, answered(500)).await;
    assert_eq!((outcome.unwrap(), posts), (Outcome::Done, 1));
    let (next, delay) = sent(&scene).remove(0);
    assert_eq!((next.posts, delay), (1, 5));
    assert_eq!(log(&scene, &message).await[15].attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_whose_last_secret_was_removed_is_not_posted_unsigned() {
    let scene = Scene::new();
    let signed = message(&scene);
    let (_, posts) = deliver(&scene, &signed, 1, taken()).await;
    assert_eq!(posts, 0);
    assert!(log(&scene, &signed).await[0].error.as_ref().unwrap().contains("no signing secret"));
    assert_eq!(sent(&scene).len(), 1, "there may be one later");

    let unsigned = WebhookMessage { signed: false, ..message(&scene) };
    let (_, posts) = deliver(&scene, &unsigned, 1, taken()).await;
    assert_eq!(posts, 1, "what needs no signature needs no secret");
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_signed_with_the_secrets_there_are_when_it_is_posted() {
    let scene = Scene::new();
    scene.add_signing_secret(OLD).await;
    let message = message(&scene);
    deliver(&scene, &message, 1, answered(401)).await.0.unwrap();
    scene.add_signing_secret(NEW).await;
    let (again, delay) = sent(&scene).remove(0);
    tokio::time::advance(Duration::from_secs(delay)).await;

    let mut signed = String::new();
    let post = async |seconds, signatures: &str| {
        assert_eq!(seconds, scene.now().as_second());
        signatures.clone_into(&mut signed);
        taken()
    };
    scene.deliverer.deliver(&again, 1, post).await.unwrap();

    let secrets = [NEW, OLD].map(|secret| Secret::new(secret.into()));
    let want = signatures(&again.id, scene.now(), again.body.text(), &secrets).unwrap();
    assert_eq!(signed, want);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_was_not_taken_is_made_again_when_the_receiver_wants_it() {
    for (posted, delay) in [
        (taken(), None),
        (answered(500), Some(5)),
        (Posted { retry_after: Some(120), ..answered(429) }, Some(120)),
        (Posted { again: false, ..answered(410) }, None),
    ] {
        let scene = Scene::new();
        scene.add_signing_secret(OLD).await;
        let status = posted.status;
        deliver(&scene, &message(&scene), 1, posted).await.0.unwrap();
        let delays: Vec<u64> = sent(&scene).into_iter().map(|(_, delay)| delay).collect();
        assert_eq!(delays, delay.into_iter().collect::<Vec<_>>(), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_not_due_is_hidden_until_it_is() {
    let scene = Scene::new();
    let later = message(&scene).posted(scene.now() + SignedDuration::from_secs(3600));
    let (outcome, posts) = deliver(&scene, &later, 1, taken()).await;
    assert!(matches!(outcome.unwrap(), Outcome::ComeBack { seconds: 3600, .. }));
    assert_eq!((posts, log(&scene, &later).await.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_given_up_after_a_day_and_says_so() {
    let scene = Scene::new();
    let message = message(&scene);
    tokio::time::advance(Duration::from_secs(24 * 3600 + 1)).await;
    let (outcome, posts) = deliver(&scene, &message, 90, taken()).await;
    assert_eq!((outcome.unwrap(), posts), (Outcome::Done, 0));
    let rows = log(&scene, &message).await;
    assert!(rows[0].error.as_ref().unwrap().contains("given up"));
    assert_eq!(rows[0].next_at, None);
}

#[tokio::test(start_paused = true)]
async fn a_next_message_that_is_not_taken_is_stood_in_for_by_this_one() {
    let scene = Scene::new();
    scene.add_signing_secret(OLD).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        _ => Fault::None,
    });
    let (outcome, _) = deliver(&scene, &message(&scene), 1, answered(500)).await;
    assert!(matches!(outcome.unwrap(), Outcome::ComeBack { seconds: 5, .. }));
}

#[test]
fn a_failure_of_ours_lasts_a_day_before_the_queue_gives_a_callback_up() {
    /// As in `template.yaml`; the tests of the template compare the two.
    const MAX_RECEIVES: u32 = 150;
    let pauses: i64 = (1..MAX_RECEIVES).map(|received| i64::from(retry_pause(received))).sum();
    assert!(pauses > SignedDuration::from_hours(24).as_secs());
}
