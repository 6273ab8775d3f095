//! What follows an end, over an AWS in memory.

use simulated_aws::Fault;

use crate::testing::Scene;

#[tokio::test(start_paused = true)]
async fn a_callback_is_sent_once_however_often_its_export_is_followed_up() {
    let scene = Scene::new();
    let export = scene
        .put(|export| export.clone().with_callback("http://a".parse().unwrap(), String::new()))
        .await;
    let ended = scene.publish(export.id).await;
    scene.follow_up.run(&ended).await;
    scene.follow_up.run(&scene.get(export.id).await).await;
    assert_eq!(scene.take_callbacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_an_export_that_has_not_ended() {
    let scene = Scene::new();
    let export = scene
        .put(|export| export.clone().with_callback("http://a".parse().unwrap(), String::new()))
        .await;
    scene.follow_up.try_run(&export).await.unwrap();
    assert!(scene.take_callbacks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_could_not_be_sent_is_still_due() {
    let scene = Scene::new();
    let export = scene
        .put(|export| export.clone().with_callback("http://a".parse().unwrap(), String::new()))
        .await;
    let ended = scene.publish(export.id).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        _ => Fault::None,
    });
    assert!(scene.follow_up.try_run(&ended).await.is_err());
    assert!(scene.get(export.id).await.callback_due_since().is_some());
}
