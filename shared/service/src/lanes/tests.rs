//! Lanes over an AWS in memory.

use export::Export;
use simulated_aws::Fault;

use super::*;
use crate::testing::{Scene, ana};

fn lane() -> Lane {
    Lane::new("liferay")
}

async fn lined_up(scene: &Scene, number: usize) -> Vec<Export> {
    let mut made = Vec::new();
    for _ in 0..number {
        let export = scene.draft().in_lane(lane());
        scene.exports.create(&export, None, &ana()).await.unwrap();
        made.push(export);
    }
    scene.take_builds();
    made
}

#[tokio::test(start_paused = true)]
async fn places_of_exports_that_have_ended_are_passed_over() {
    let scene = Scene::new();
    let made = lined_up(&scene, 3).await;
    for ended in &made[..2] {
        scene.publish(ended.id).await;
    }
    let table = &scene.exports.table;
    let first = first_in_lane(table, &scene.acme, &lane()).await.unwrap().unwrap();
    assert_eq!(first.id, made[2].id);
    scene.publish(made[2].id).await;
    assert!(first_in_lane(table, &scene.acme, &lane()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_being_built_is_not_started_again() {
    let scene = Scene::new();
    let made = lined_up(&scene, 2).await;
    let ended = scene.publish(made[0].id).await;
    let (table, now) = (&scene.exports.table, scene.now());
    table.change(&scene.acme, made[1].id, |e| e.claim(now).ok()).await.unwrap();

    start_next(table, &scene.exports.queue, &ended).await.unwrap();

    assert_eq!(scene.take_builds(), []);
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_kept_in_order_though_answers_are_lost() {
    let scene = Scene::new();
    let mut calls = 0;
    scene.aws.set_faults(move |_| {
        calls += 1;
        if calls % 3 == 0 { Fault::Unanswered } else { Fault::None }
    });
    let made = lined_up(&scene, 3).await;
    let table = &scene.exports.table;
    for export in made {
        let first = first_in_lane(table, &scene.acme, &lane()).await.unwrap().unwrap();
        assert_eq!(first.id, export.id);
        scene.publish(export.id).await;
    }
}
