//! Admission over an AWS in memory.

use std::time::Duration;

use export::QuotaKind;
use futures_util::future::join_all;
use simulated_aws::Fault;

use super::*;
use crate::{
    Error,
    testing::{Scene, ana},
};

fn kind(refused: Result<impl std::fmt::Debug>) -> QuotaKind {
    match refused {
        Err(Error::QuotaExceeded(over)) => over.kind,
        other => panic!("{other:?}"),
    }
}

async fn create(scene: &Scene) -> Result<ExportId> {
    let export = scene.draft();
    scene.exports.create(&export, None, &ana()).await.map(|_| export.id)
}

#[tokio::test(start_paused = true)]
async fn a_workspace_has_so_many_unfinished_exports_and_gets_room_when_one_ends() {
    let scene = Scene::new();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(create(&scene).await.unwrap());
    }
    assert_eq!(kind(create(&scene).await), QuotaKind::ExportsAtOnce);

    scene.publish(made[1]).await;

    create(&scene).await.unwrap();
    assert_eq!(kind(create(&scene).await), QuotaKind::ExportsAtOnce);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_no_more_are_made_than_there_may_be() {
    let scene = Scene::new();
    let made = join_all((0..20).map(|_| create(&scene))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_workspace_makes_so_many_exports_a_day() {
    let scene = Scene::new();
    for _ in 0..10 {
        let id = create(&scene).await.unwrap();
        scene.publish(id).await;
    }
    assert_eq!(kind(create(&scene).await), QuotaKind::ExportsADay);

    // It is ten o'clock.
    tokio::time::advance(Duration::from_hours(14)).await;

    create(&scene).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_export_that_was_counted_and_never_stored_is_forgotten_after_a_minute() {
    let scene = Scene::new();
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "TransactWriteItems" => Fault::Denied(400, "ValidationException"),
        _ => Fault::None,
    });
    for _ in 0..3 {
        assert!(matches!(create(&scene).await, Err(Error::Failed(_))));
    }
    scene.aws.set_faults(|_| Fault::None);
    assert_eq!(kind(create(&scene).await), QuotaKind::ExportsAtOnce, "they may be on their way");

    tokio::time::advance(STORED_WITHIN.unsigned_abs()).await;

    create(&scene).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_requests_passes_and_then_as_many_as_are_allowed_a_second() {
    let scene = Scene::new();
    let spend = async || {
        let spent = scene.exports.spend(&scene.acme, RequestCost::Itself, scene.now()).await;
        spent.is_ok()
    };
    for _ in 0..20 {
        assert!(spend().await);
    }
    assert!(!spend().await);
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(spend().await && !spend().await);
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_set_counts_and_no_neighbour_is_held_up() {
    let scene = Scene::new();
    let own = export::QuotaOverride { exports_at_once: Some(1), ..Default::default() };
    scene.exports.table.set_own_quota(&scene.acme, own).await.unwrap();
    create(&scene).await.unwrap();
    assert_eq!(kind(create(&scene).await), QuotaKind::ExportsAtOnce);

    let neighbour = Export { workspace: "beta".parse().unwrap(), ..scene.draft() };
    scene.exports.create(&neighbour, None, &ana()).await.unwrap();
}
