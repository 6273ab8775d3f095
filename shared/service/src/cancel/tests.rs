//! Cancelling and deleting over an AWS in memory.

use export::{Lane, State};
use simulated_aws::Fault;

use super::*;
use crate::testing::{Scene, ana};

async fn discard(scene: &Scene, id: ExportId) -> Export {
    let discarded =
        scene.exports.discard(&scene.follow_up, &scene.acme, id, &ana(), scene.now()).await;
    discarded.unwrap().unwrap()
}

async fn cancel(scene: &Scene, id: ExportId) -> Export {
    let cancelled =
        scene.exports.cancel(&scene.follow_up, &scene.acme, id, &ana(), scene.now()).await;
    cancelled.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_cancelled_or_discarded_lets_the_next_of_its_lane_in_and_calls_back_once()
{
    for discards in [false, true] {
        lets_the_next_in_and_calls_back_once(discards).await;
    }
}

async fn lets_the_next_in_and_calls_back_once(discards: bool) {
    let scene = Scene::new();
    let asked = |export: &Export| {
        let url = "http://a".parse().unwrap();
        export.clone().in_lane(Lane::new("liferay")).with_callback(url, String::new())
    };
    let (first, second) = (asked(&scene.draft()), asked(&scene.draft()));
    for export in [&first, &second] {
        scene.exports.create(export, None, &ana()).await.unwrap();
    }
    scene.take_builds();

    for _ in 0..2 {
        let ended =
            if discards { discard(&scene, first.id).await } else { cancel(&scene, first.id).await };
        assert!(matches!(ended.state, State::Cancelled { .. }));
    }

    assert_eq!(scene.take_builds(), [second.id]);
    assert_eq!(scene.take_callbacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_has_ended_is_not_cancelled() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    scene.publish(export.id).await;
    assert!(matches!(cancel(&scene, export.id).await.state, State::Succeeded { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_export_is_cancelled_though_what_follows_fails() {
    let scene = Scene::new();
    let export = scene
        .put(|export| export.clone().with_callback("http://a".parse().unwrap(), String::new()))
        .await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        _ => Fault::None,
    });
    let cancelled = cancel(&scene, export.id).await;
    assert!(matches!(cancelled.state, State::Cancelled { .. }));
    assert!(scene.get(export.id).await.due().is_some(), "the janitor posts the callback");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_archive_stays_deleted_and_nothing_else_is_deleted() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    let delete = async || {
        let deleted = scene.exports.delete(&scene.acme, export.id, &ana(), scene.now()).await;
        deleted.unwrap().unwrap().state
    };
    assert!(matches!(delete().await, State::Queued { .. }));
    scene.publish(export.id).await;
    for _ in 0..2 {
        assert!(matches!(delete().await, State::Deleted { removed: false, .. }));
    }
    let other = "beta".parse().unwrap();
    let of_other = scene.exports.delete(&other, export.id, &ana(), scene.now()).await.unwrap();
    assert!(of_other.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_discarded_export_is_not_shown_whatever_it_was() {
    let scene = Scene::new();
    let (queued, ready) = (scene.put(Clone::clone).await, scene.put(Clone::clone).await);
    scene.publish(ready.id).await;
    for id in [queued.id, ready.id] {
        assert!(!discard(&scene, id).await.status(scene.now()).is_unfinished());
    }
}
