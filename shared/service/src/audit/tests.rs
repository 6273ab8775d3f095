//! The audit trail over an AWS in memory.

use std::time::Duration;

use export::{ExportId, Privilege};
use simulated_aws::Fault;
use uuid::Uuid;

use super::*;
use crate::testing::{Scene, ana};

/// All entries of a workspace, oldest first, in which each was done to what.
async fn told(scene: &Scene) -> Vec<(Action, Option<ExportId>)> {
    let table = &scene.exports.audit.table;
    let all = table.list(&scene.acme, (Uuid::nil(), Uuid::max()), None, 100).await.unwrap().0;
    all.into_iter().rev().map(|entry| (entry.action, entry.export)).collect()
}

async fn pass() {
    tokio::time::advance(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_told_once_and_what_changes_nothing_is_not() {
    let scene = Scene::new();
    let (exports, acme) = (&scene.exports, &scene.acme);
    let first = scene.draft();
    exports.create(&first, None, &ana()).await.unwrap();
    pass().await;
    let second = scene.draft();
    exports.create(&second, None, &ana()).await.unwrap();
    for _ in 0..2 {
        pass().await;
        exports.cancel(&scene.follow_up, acme, first.id, &ana(), scene.now()).await.unwrap();
    }
    scene.publish(second.id).await;
    for _ in 0..2 {
        pass().await;
        exports.delete(acme, second.id, &ana(), scene.now()).await.unwrap();
    }
    exports.count_rows(acme, &first.request, Duration::ZERO, scene.now()).await.unwrap();
    assert_eq!(
        told(&scene).await,
        [
            (Action::ExportCreated, Some(first.id)),
            (Action::ExportCreated, Some(second.id)),
            (Action::ExportCancelled, Some(first.id)),
            (Action::ExportDeleted, Some(second.id)),
        ],
        "an export that only counts rows is one that nobody sees"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_that_cannot_be_told_and_nothing_told_twice_that_was_not_answered() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    let cancel = async || {
        let (exports, follow_up) = (&scene.exports, &scene.follow_up);
        exports.cancel(follow_up, &scene.acme, export.id, &ana(), scene.now()).await
    };
    scene.aws.set_faults(|call| {
        let tells = call.body.contains("export_cancelled");
        if tells { Fault::Denied(400, "AccessDeniedException") } else { Fault::None }
    });
    assert!(cancel().await.is_err());
    assert!(scene.get(export.id).await.status(scene.now()).is_unfinished());
    assert_eq!(told(&scene).await, []);

    let mut unanswered = 0;
    scene.aws.set_faults(move |call| {
        let tells = call.operation == "TransactWriteItems";
        unanswered += u32::from(tells);
        if tells && unanswered < 3 { Fault::Unanswered } else { Fault::None }
    });
    cancel().await.unwrap();
    assert!(!scene.get(export.id).await.status(scene.now()).is_unfinished());
    assert_eq!(told(&scene).await, [(Action::ExportCancelled, Some(export.id))]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_told_once_a_minute_in_each_of_its_workspaces() {
    let scene = Scene::new();
    let token = TokenRecord {
        id: "0707070707070707".into(),
        secret_sha256: String::new(),
        workspaces: vec![scene.acme.clone(), "beta".parse().unwrap()],
        privileges: vec![Privilege::View],
        description: "ana".into(),
        created_at: scene.now(),
        expires_at: None,
        revoked_at: None,
    };
    for seconds in [0, 10, 55] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let audit = &scene.exports.audit;
        audit.record_refused_sign_in(&token, &Actor::default(), scene.now()).await.unwrap();
    }
    let table = &scene.exports.audit.table;
    for workspace in &token.workspaces {
        let told = table.list(workspace, (Uuid::nil(), Uuid::max()), None, 100).await.unwrap().0;
        assert_eq!(told.len(), 2, "{workspace}");
        assert!(told.iter().all(|entry| entry.is_by("ana") && entry.is_by(&token.id)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_dynamodb_ends_before_its_time_says_where_the_next_goes_on() {
    let scene = Scene::new();
    let long = "\u{1f980}".repeat(300);
    let actor = Actor { agent: Some(long.clone()), name: Some(long.clone()), ..ana() };
    for _ in 0..600 {
        pass().await;
        let what = (Action::QuotaSet, Subject::other(&long));
        scene.exports.audit.record(&scene.acme, &actor, what, scene.now()).await.unwrap();
    }
    let table = &scene.exports.audit.table;
    let (mut found, mut before) = (0, None);
    loop {
        let all = (Uuid::nil(), Uuid::max());
        let (page, next) = table.list(&scene.acme, all, before, 1000).await.unwrap();
        found += page.len();
        before = next;
        if before.is_none() {
            break;
        }
        assert!(page.len() < 600, "600 entries of 3.6 KB are more than 1 MB");
    }
    assert_eq!(found, 600);
}
