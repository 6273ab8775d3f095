//! Creating exports over an AWS in memory.

use std::time::Duration;

use export::{Lane, State};
use futures_util::future::join_all;
use simulated_aws::{Call, Fault};

use super::*;
use crate::testing::{Scene, ana};

fn key(key: &str, body: &str, request: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.into(), body: body.into(), request: request.into() }
}

/// Lets the first `most` calls of an operation go wrong.
fn first(most: usize, operation: &'static str, fault: Fault) -> impl FnMut(&Call) -> Fault + Send {
    let mut left = most;
    move |call| {
        let is_hit = call.operation == operation && left > 0;
        left -= usize::from(is_hit);
        if is_hit { fault } else { Fault::None }
    }
}

async fn unfinished(scene: &Scene) -> usize {
    scene.exports.table.export_usage(&scene.acme).await.unwrap().unfinished.len()
}

#[tokio::test(start_paused = true)]
async fn a_new_export_is_stored_and_a_message_asks_for_it_to_be_built() {
    let scene = Scene::new();
    let export = scene.draft();

    let created = scene.exports.create(&export, None, &ana()).await.unwrap();

    assert!(matches!(created, Created::New));
    assert_eq!(scene.get(export.id).await, export);
    assert_eq!(scene.take_builds(), [export.id]);
}

#[tokio::test(start_paused = true)]
async fn an_export_whose_message_is_lost_exists_and_the_janitor_sends_another() {
    let scene = Scene::new();
    let export = scene.draft();
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        _ => Fault::None,
    });

    let created = scene.exports.create(&export, None, &ana()).await.unwrap();

    assert!(matches!(created, Created::New));
    assert_eq!(scene.take_builds(), []);
    scene.aws.set_faults(|_| Fault::None);
    let due = scene.get(export.id).await.due().unwrap();
    tokio::time::advance(due.duration_since(scene.now()).unsigned_abs()).await;
    let ends = tokio::time::Instant::now() + Duration::from_mins(1);
    scene.sweeper.sweep(scene.now(), ends).await.unwrap();
    assert_eq!(scene.take_builds(), [export.id]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_does_not_make_a_second_export() {
    let scene = Scene::new();
    let export = scene.draft();
    scene.aws.set_faults(first(1, "TransactWriteItems", Fault::Unanswered));

    let created = scene.exports.create(&export, Some(&key("k", "b", "r")), &ana()).await.unwrap();

    assert!(!matches!(created, Created::OtherRequest), "{created:?}");
    assert_eq!(scene.get(export.id).await.id, export.id);
}

#[tokio::test(start_paused = true)]
async fn a_key_stands_for_one_request_for_a_day() {
    let scene = Scene::new();
    let (export, again) = (scene.draft(), scene.draft());
    scene.exports.create(&export, Some(&key("k", "body", "request")), &ana()).await.unwrap();

    for (same, what) in [
        (key("k", "body", "other"), "the same body"),
        (key("k", "in other order", "request"), "the same request"),
    ] {
        let created = scene.exports.create(&again, Some(&same), &ana()).await.unwrap();
        let Created::Before(before) = created else { panic!("{what}: {created:?}") };
        assert_eq!(before.id, export.id, "{what}");
    }
    let other = key("k", "other", "other");
    let created = scene.exports.create(&again, Some(&other), &ana()).await.unwrap();
    assert!(matches!(created, Created::OtherRequest), "{created:?}");
    assert_eq!(unfinished(&scene).await, 1, "what was not made is not counted");

    tokio::time::advance(Duration::from_hours(24)).await;
    let later = scene.draft();
    let created = scene.exports.create(&later, Some(&other), &ana()).await.unwrap();
    assert!(matches!(created, Created::New), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_found_by_key_and_body_until_the_key_ends() {
    let scene = Scene::new();
    let export = scene.draft();
    scene.exports.create(&export, Some(&key("k", "body", "request")), &ana()).await.unwrap();
    let found = async |key, body| {
        let found = scene.exports.replayed(&scene.acme, (key, body), scene.now()).await;
        found.unwrap().map(|export| export.id)
    };

    assert_eq!(found("k", "body").await, Some(export.id));
    assert_eq!(found("k", "other").await, None);
    assert_eq!(found("other", "body").await, None);
    tokio::time::advance(Duration::from_hours(24)).await;
    assert_eq!(found("k", "body").await, None);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_ask_for_a_natural_key_one_makes_the_export() {
    let scene = Scene::new();
    let drafts: Vec<Export> = (0..50).map(|_| scene.draft()).collect();
    let ana = ana();
    let joined =
        join_all(drafts.iter().map(|draft| scene.exports.join(draft, "key", |_| true, Some(&ana))));

    let joined: Vec<Joined> = joined.await.into_iter().map(Result::unwrap).collect();

    let made = joined.iter().filter(|joined| matches!(joined, Joined::New { .. })).count();
    assert_eq!(made, 1);
    assert_eq!((scene.take_builds().len(), unfinished(&scene).await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_not_to_be_kept_is_replaced_and_named() {
    let scene = Scene::new();
    let (first, second) = (scene.draft(), scene.draft());
    scene.exports.join(&first, "key", |_| true, Some(&ana())).await.unwrap();

    let joined = scene.exports.join(&second, "key", |_| false, Some(&ana())).await.unwrap();

    let Joined::New { before: Some(before) } = joined else { panic!("{joined:?}") };
    assert_eq!(before.id, first.id);
    let newest = scene.exports.table.newest(&scene.acme, "key").await.unwrap().unwrap();
    assert_eq!(newest.id, second.id);
}

#[tokio::test(start_paused = true)]
async fn in_a_lane_an_export_waits_for_those_before_it() {
    let scene = Scene::new();
    let lane = Lane::new("liferay");
    let drafts: Vec<Export> = (0..3).map(|_| scene.draft().in_lane(lane.clone())).collect();
    for draft in &drafts {
        scene.exports.create(draft, None, &ana()).await.unwrap();
    }
    scene.take_builds();

    for (draft, next) in drafts.iter().zip(drafts.iter().skip(1)) {
        let table = &scene.exports.table;
        let first = crate::first_in_lane(table, &scene.acme, &lane).await.unwrap().unwrap();
        assert_eq!(first.id, draft.id);
        let ended = scene.publish(draft.id).await;
        scene.follow_up.run(&ended).await;
        assert_eq!(scene.take_builds(), [next.id]);
        assert!(matches!(scene.get(next.id).await.state, State::Queued { .. }));
    }
}
