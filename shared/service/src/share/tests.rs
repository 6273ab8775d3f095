//! Shares over an AWS in memory.

use jiff::SignedDuration;
use simulated_aws::Fault;

use super::*;
use crate::testing::{DAY, Scene, ana};

const MOST: usize = 3;

fn links(scene: &Scene) -> ShareLinks {
    let archives = scene.copier.archives.clone();
    let links = Links { archives, audit: scene.exports.audit.clone() };
    ShareLinks { table: scene.exports.table.clone(), links }
}

async fn share(scene: &Scene, export: &Export, request: ShareRequest) -> (Share, ShareSecret) {
    let shared = scene.exports.share(export, request, &ana(), scene.now(), MOST).await;
    shared.unwrap().expect("there is room")
}

async fn opened(scene: &Scene, secret: &ShareSecret) -> Opened {
    links(scene).open(secret, scene.now()).await.unwrap()
}

async fn gone(scene: &Scene, secret: &ShareSecret) -> Gone {
    match opened(scene, secret).await {
        Opened::Gone(gone) => gone,
        other => panic!("{other:?}"),
    }
}

async fn pass(time: SignedDuration) {
    tokio::time::advance(time.unsigned_abs()).await;
}

fn once() -> ShareRequest {
    ShareRequest { once: true, ..ShareRequest::default() }
}

#[tokio::test(start_paused = true)]
async fn a_link_leads_to_an_export_while_it_is_made_until_it_ends() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    let (_, secret) = share(&scene, &export, ShareRequest::default()).await;

    assert!(matches!(opened(&scene, &secret).await, Opened::Unfinished(_)));
    let export = scene.publish(export.id).await;
    let end = export.archive().unwrap().expires_at;
    let Opened::Ready(share, found, archive) = opened(&scene, &secret).await else { panic!() };
    assert_eq!((found.id, archive.expires_at, share.uses), (export.id, end, 0));
    pass(DAY + SignedDuration::from_millis(1)).await;
    assert_eq!(gone(&scene, &secret).await, Gone::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_share_that_ends_before_its_export_signs_no_link_beyond_its_end() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    scene.publish(export.id).await;
    let end = scene.now() + SignedDuration::from_secs(90);
    let request = ShareRequest { expires_at: Some(end), ..ShareRequest::default() };
    let (_, secret) = share(&scene, &export, request).await;

    pass(SignedDuration::from_secs(60)).await;
    let Opened::Ready(_, export, archive) = opened(&scene, &secret).await else { panic!() };
    let name = export.zip_name();
    let link = links(&scene)
        .links
        .sign(&archive, "exports/a", &name, cloud::LinkMethod::Get, scene.now())
        .await;
    assert_eq!(link.unwrap().expires_at, end);
    pass(SignedDuration::from_secs(30)).await;
    assert_eq!(gone(&scene, &secret).await, Gone::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_link_says_that_its_export_was_deleted_or_did_not_succeed() {
    let scene = Scene::new();
    let deleted = scene.put(Clone::clone).await;
    scene.publish(deleted.id).await;
    let (_, of_deleted) = share(&scene, &deleted, ShareRequest::default()).await;
    scene.exports.delete(&scene.acme, deleted.id, &ana(), scene.now()).await.unwrap();
    assert_eq!(gone(&scene, &of_deleted).await, Gone::Deleted);

    let cancelled = scene.put(Clone::clone).await;
    let (_, of_cancelled) = share(&scene, &cancelled, ShareRequest::default()).await;
    scene
        .exports
        .cancel(&scene.follow_up, &scene.acme, cancelled.id, &ana(), scene.now())
        .await
        .unwrap();
    assert_eq!(gone(&scene, &of_cancelled).await, Gone::Failed);

    let (_, of_none) = share(&scene, &scene.draft(), ShareRequest::default()).await;
    assert_eq!(gone(&scene, &of_none).await, Gone::Deleted);

    let guessed = ShareSecret::from_random([9; 32]);
    assert_eq!(opened(&scene, &guessed).await, Opened::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_share_for_one_use_is_used_once_though_answers_are_lost_and_many_click() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    scene.publish(export.id).await;
    let (share, secret) = share(&scene, &export, once()).await;
    let mut lost = false;
    scene.aws.set_faults(move |call| {
        let first = call.operation == "TransactWriteItems" && !std::mem::replace(&mut lost, true);
        if first { Fault::Unanswered } else { Fault::None }
    });

    for _ in 0..3 {
        assert!(matches!(opened(&scene, &secret).await, Opened::Ready(..)), "looking is no use");
    }
    let links = links(&scene);
    let clicked_at = scene.now();
    assert_eq!(links.take(&share, None, &ana(), clicked_at).await.unwrap(), Ok(()));
    let used = scene.exports.table.share(&share.id).await.unwrap().unwrap();
    assert_eq!((used.uses, used.last_used_at), (1, Some(clicked_at)));
    pass(SignedDuration::from_millis(1)).await;
    assert_eq!(links.take(&share, None, &ana(), scene.now()).await.unwrap(), Err(Gone::Used));
    assert_eq!(gone(&scene, &secret).await, Gone::Used);
}

#[tokio::test(start_paused = true)]
async fn every_use_is_counted_once_until_the_share_is_revoked() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    scene.publish(export.id).await;
    let (share, secret) = share(&scene, &export, ShareRequest::default()).await;
    let links = links(&scene);
    scene.aws.set_faults({
        let mut calls = 0;
        move |call| {
            calls += u32::from(call.operation == "TransactWriteItems");
            if call.operation == "TransactWriteItems" && calls % 2 == 1 {
                Fault::Unanswered
            } else {
                Fault::None
            }
        }
    });
    for uses in 1..=3 {
        pass(SignedDuration::from_millis(1)).await;
        assert_eq!(links.take(&share, None, &ana(), scene.now()).await.unwrap(), Ok(()));
        let used = scene.exports.table.share(&share.id).await.unwrap().unwrap();
        assert_eq!(used.uses, uses);
    }
    scene.aws.set_faults(|_| Fault::None);

    let of = (&scene.acme, export.id);
    for _ in 0..2 {
        assert!(scene.exports.revoke_share(of, &share.id, &ana(), scene.now()).await.unwrap());
    }
    assert_eq!(gone(&scene, &secret).await, Gone::Revoked);
    assert_eq!(links.take(&share, None, &ana(), scene.now()).await.unwrap(), Err(Gone::Revoked));
    let [listed] = &scene.exports.shares(&scene.acme, export.id, MOST).await.unwrap()[..] else {
        panic!()
    };
    assert_eq!((listed.uses, listed.status(scene.now())), (3, ShareStatus::Revoked));
}

#[tokio::test(start_paused = true)]
async fn shares_are_those_of_one_export_and_revoked_by_its_workspace_only() {
    let scene = Scene::new();
    let (one, other) = (scene.put(Clone::clone).await, scene.put(Clone::clone).await);
    let (first, _) = share(&scene, &one, ShareRequest::default()).await;
    pass(SignedDuration::from_secs(1)).await;
    let (second, _) = share(&scene, &one, once()).await;
    let (third, secret) = share(&scene, &other, ShareRequest::default()).await;

    let listed = async |export| scene.exports.shares(&scene.acme, export, MOST).await.unwrap();
    assert_eq!(listed(one.id).await, [second, first]);
    assert_eq!(listed(other.id).await, std::slice::from_ref(&third));

    let beta = "beta".parse().unwrap();
    for of in [(&beta, other.id), (&scene.acme, one.id)] {
        assert!(!scene.exports.revoke_share(of, &third.id, &ana(), scene.now()).await.unwrap());
    }
    assert!(matches!(opened(&scene, &secret).await, Opened::Unfinished(_)));
    assert_eq!(scene.exports.shares(&beta, other.id, MOST).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_export_has_so_many_shares_and_no_more() {
    let scene = Scene::new();
    let export = scene.put(Clone::clone).await;
    for _ in 0..MOST {
        share(&scene, &export, ShareRequest::default()).await;
    }
    let one_more = scene
        .exports
        .share(&export, ShareRequest::default(), &ana(), scene.now(), MOST)
        .await
        .unwrap();
    assert_eq!(one_more, None);
}
