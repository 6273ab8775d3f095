//! Counting over an AWS in memory.

use export::Failure;
use futures_util::future::join;

use super::*;
use crate::testing::Scene;

const SECOND: Duration = Duration::from_secs(1);

/// Counts while a builder does to the export that counts what `build` says.
async fn count(scene: &Scene, build: impl AsyncFn(export::ExportId)) -> Counted {
    let request = scene.draft().request;
    let counted = scene.exports.count_rows(&scene.acme, &request, 9 * SECOND, scene.now());
    let builder = async {
        tokio::time::sleep(SECOND).await;
        for id in scene.take_builds() {
            build(id).await;
        }
    };
    // The futures of the SDK are large.
    Box::pin(join(counted, builder)).await.0.unwrap()
}

#[tokio::test(start_paused = true)]
async fn rows_are_counted_once_a_minute() {
    let scene = Scene::new();
    let publish = async |id| drop(scene.publish(id).await);
    let never = async |id| panic!("{id} is built again");
    assert!(matches!(count(&scene, publish).await, Counted::Rows(rows) if rows == [3]));
    assert!(matches!(count(&scene, never).await, Counted::Rows(rows) if rows == [3]));

    tokio::time::advance(FRESH.unsigned_abs()).await;

    let built = std::cell::Cell::new(false);
    let counted = count(&scene, async |id| {
        built.set(true);
        publish(id).await;
    });
    assert!(matches!(counted.await, Counted::Rows(_)));
    assert!(built.get());
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_goes_on_and_is_told_to_who_asks_again() {
    let scene = Scene::new();
    let begun = std::cell::Cell::new(None);
    let slow = async |id| begun.set(Some(id));
    assert!(matches!(count(&scene, slow).await, Counted::Later));

    scene.publish(begun.take().unwrap()).await;

    let never = async |id| panic!("{id} is built again");
    assert!(matches!(count(&scene, never).await, Counted::Rows(_)));
}

#[tokio::test(start_paused = true)]
async fn why_rows_cannot_be_counted_is_told() {
    let scene = Scene::new();
    let fail = async |id| {
        let failed = |e: &Export| Some(e.fail(e.created_at, Failure::internal()));
        scene.exports.table.change(&scene.acme, id, failed).await.unwrap();
    };
    let counted = count(&scene, fail).await;
    assert!(matches!(&counted, Counted::Failed(why) if *why == Failure::internal().detail));
}
