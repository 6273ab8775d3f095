//! Waiting over an AWS in memory, where pauses take no time.

use export::Export;
use futures_util::future::join;

use super::*;
use crate::testing::Scene;

async fn looks(scene: &Scene, export: Export, timeout: Duration) -> usize {
    let before = scene.aws.count("GetItem");
    scene.exports.wait_for(export, timeout).await.unwrap();
    scene.aws.count("GetItem") - before
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_takes_few_looks_and_a_short_one_is_noticed_soon() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    let short = looks(&scene, export.clone(), Duration::from_secs(1)).await;
    let long = looks(&scene, export, Duration::from_secs(25)).await;
    assert!(short >= 4 && long <= 20, "{short} {long}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_export_and_not_after_its_time() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    let begun = Instant::now();
    let waited = scene.exports.wait_for(export.clone(), Duration::from_secs(5)).await.unwrap();
    assert!(matches!(waited.state, State::Queued { .. }));
    assert_eq!(begun.elapsed(), Duration::from_secs(5));

    let publish = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        scene.publish(export.id).await
    };
    let (waited, _) =
        join(scene.exports.wait_for(export.clone(), Duration::from_mins(1)), publish).await;

    assert!(matches!(waited.unwrap().state, State::Succeeded { .. }));
    assert!(begun.elapsed() < Duration::from_secs(5 + 3) + MAX_PAUSE);
}
