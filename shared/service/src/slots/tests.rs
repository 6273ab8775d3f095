//! Slots over an AWS in memory.

use std::time::Duration;

use export::{Export, Failure};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::testing::Scene;

const SLOTS: u32 = 3;

async fn take(scene: &Scene, export: &Export) -> bool {
    let until = scene.now() + SignedDuration::from_hours(72);
    scene.exports.take_slot(&scene.acme, "day", SLOTS, export.id, until).await.unwrap()
}

async fn taken_and_stored(scene: &Scene) -> Export {
    let export = scene.put(Clone::clone).await;
    assert!(take(scene, &export).await);
    export
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_slots_however_many_ask_at_once() {
    let scene = Scene::new();
    let drafts: Vec<Export> = (0..10).map(|_| scene.draft()).collect();
    let taken = join_all(drafts.iter().map(|export| take(&scene, export))).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_failed_gives_its_slot_back() {
    let scene = Scene::new();
    let mut made = Vec::new();
    for _ in 0..SLOTS {
        made.push(taken_and_stored(&scene).await);
    }
    assert!(!take(&scene, &scene.draft()).await);

    let (failed, now) = (made.pop().unwrap(), scene.now());
    let fail = |export: &Export| Some(export.fail(now, Failure::internal()));
    scene.exports.table.change(&scene.acme, failed.id, fail).await.unwrap();

    assert!(take(&scene, &scene.draft()).await);
    assert!(!take(&scene, &scene.draft()).await);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_was_never_stored_gives_its_slot_back_after_a_minute() {
    let scene = Scene::new();
    for _ in 0..SLOTS {
        assert!(take(&scene, &scene.draft()).await);
    }
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(!take(&scene, &scene.draft()).await);

    tokio::time::advance(Duration::from_secs(1)).await;

    assert!(take(&scene, &scene.draft()).await);
}

#[tokio::test(start_paused = true)]
async fn when_all_slots_are_taken_two_calls_find_that_out_however_many_there_are() {
    let scene = Scene::new();
    for _ in 0..SLOTS {
        taken_and_stored(&scene).await;
    }
    let before = scene.aws.calls().len();
    assert!(!take(&scene, &scene.draft()).await);
    let calls: Vec<String> =
        scene.aws.calls()[before..].iter().map(|call| call.operation.clone()).collect();
    assert_eq!(calls, ["Query", "BatchGetItem"]);
}
