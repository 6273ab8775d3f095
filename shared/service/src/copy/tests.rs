//! Copies over an AWS in memory, in which the user's bucket is, too.

use export::{Archive, BucketCredentials, Files, Parts, Receipt, Secret, State, StoredCredentials};
use simulated_aws::Fault;

use super::*;
use crate::testing::{ARCHIVES, CUSTOMER, Scene, archive};

const TEN_MINUTES: Duration = Duration::from_mins(10);

/// An export whose ZIP waits to be copied.
async fn ready(scene: &Scene) -> Export {
    let credential = BucketCredentials::Key { id: "AKIA".into(), secret: Secret::new("s".into()) };
    let draft = scene.draft();
    let credential = scene.copier.seal.credential(&draft, credential).await.unwrap();
    ready_with(scene, &draft, credential).await
}

async fn ready_with(scene: &Scene, draft: &Export, credential: StoredCredentials) -> Export {
    let target = CopyTarget {
        bucket: CUSTOMER.parse().unwrap(),
        prefix: "in/".parse().unwrap(),
        gzip: false,
        manifest: true,
    };
    let export = draft.clone().with_copy(target, credential);
    let callback = "http://a".parse().unwrap();
    let export = export.with_callback(callback, String::new());
    scene.exports.table.put(&export).await.unwrap();
    let export = scene.publish(export.id).await;
    for file in export.files_to_copy() {
        scene.aws.put_object(ARCHIVES, &file.key, "a ZIP");
    }
    export
}

async fn copy(scene: &Scene, export: &Export, time: Duration) -> Outcome {
    let ends = Instant::now() + time;
    scene.copier.copy(&Job::of(export), ends).await.unwrap()
}

fn state(export: &Export) -> &CopyState {
    &export.copy.as_ref().unwrap().state
}

#[tokio::test(start_paused = true)]
async fn files_are_copied_then_their_manifest_then_the_callback_is_posted() {
    let scene = Scene::new();
    let export = ready(&scene).await;

    assert_eq!(copy(&scene, &export, TEN_MINUTES).await, Outcome::Done);

    let after = scene.get(export.id).await;
    assert!(matches!(state(&after), CopyState::Ended { failure: None, .. }), "{after:?}");
    let names: Vec<String> =
        export.files_to_copy().iter().map(|file| format!("in/{}", file.name)).collect();
    let written: Vec<String> = scene
        .aws
        .calls()
        .into_iter()
        .filter_map(|call| Some(call.operation.strip_prefix("PUT /customer/")?.to_owned()))
        .collect();
    assert_eq!(written.last().unwrap(), &format!("in/{}.manifest.json", export.id));
    assert_eq!(written[..written.len() - 1], names);
    assert_eq!(scene.aws.object(CUSTOMER, &names[0]).unwrap(), b"a ZIP");
    assert_eq!(scene.take_callbacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_copied_before_the_manifest_that_names_it() {
    let scene = Scene::new();
    let export = ready(&scene).await;
    let with_receipt = |export: &Export| {
        let State::Succeeded { archive } = &export.state else { return None };
        let receipt = Receipt { size_bytes: 2, sha256: "ab".repeat(32), signature: None };
        let archive = Archive { receipt: Some(receipt), ..archive.clone() };
        let version = export.version + 1;
        Some(Export { version, state: State::Succeeded { archive }, ..export.clone() })
    };
    let changed = scene.exports.table.change(&export.workspace, export.id, with_receipt).await;
    let export = changed.unwrap().unwrap();
    let receipt = export.receipt_to_copy().unwrap();
    scene.aws.put_object(ARCHIVES, &receipt.key, "{}");

    assert_eq!(copy(&scene, &export, TEN_MINUTES).await, Outcome::Done);

    let calls = scene.aws.calls().into_iter();
    let written: Vec<String> = calls
        .filter_map(|call| Some(call.operation.strip_prefix("PUT /customer/")?.to_owned()))
        .collect();
    let id = export.id;
    let want = ["zip", "receipt.json", "manifest.json"].map(|end| format!("in/{id}.{end}"));
    assert_eq!(written, want);
    let manifest = scene.aws.object(CUSTOMER, &want[2]).unwrap();
    let want = serde_json::json!({ "export": id, "files": [&want[0]], "receipt": &want[1] });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&manifest).unwrap(), want);
    let counted = scene.get(id).await.copy.unwrap().copied();
    assert_eq!(counted, 1, "the receipt is none of the files");
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_twice_copies_once() {
    let scene = Scene::new();
    let export = ready(&scene).await;
    for _ in 0..2 {
        assert_eq!(copy(&scene, &export, TEN_MINUTES).await, Outcome::Done);
    }
    let puts = scene.aws.calls().iter().filter(|call| call.operation.starts_with("PUT")).count();
    assert_eq!((puts, scene.take_callbacks().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn without_enough_time_another_courier_is_asked_for() {
    let scene = Scene::new();
    let export = ready(&scene).await;

    assert_eq!(copy(&scene, &export, Duration::from_mins(1)).await, Outcome::Done);

    assert_eq!(scene.take_copies(), [export.id]);
    assert!(scene.aws.keys(CUSTOMER).is_empty());
    copy(&scene, &export, TEN_MINUTES).await;
    assert!(matches!(state(&scene.get(export.id).await), CopyState::Ended { failure: None, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_ends_the_copy_in_its_words_and_the_files_stay() {
    let scene = Scene::new();
    let export = ready(&scene).await;
    scene.aws.set_faults(|call| {
        if call.operation.starts_with("PUT /customer/") {
            Fault::Denied(403, "AccessDenied")
        } else {
            Fault::None
        }
    });

    assert_eq!(copy(&scene, &export, TEN_MINUTES).await, Outcome::Done);

    let after = scene.get(export.id).await;
    assert!(matches!(after.state, export::State::Succeeded { .. }));
    let ended = format!("{:?}", state(&after));
    assert!(ended.contains("AccessDenied"), "{ended}");
    assert!(!ended.contains("AKIA"), "the credential is gone: {ended}");
    assert_eq!(scene.take_callbacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_is_tried_again_and_not_told_as_the_users() {
    let scene = Scene::new();
    let export = ready(&scene).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "Decrypt" => Fault::Refused,
        _ => Fault::None,
    });

    let outcome = copy(&scene, &export, TEN_MINUTES).await;

    assert!(matches!(outcome, Outcome::ComeBack { .. }), "{outcome:?}");
    assert!(matches!(
        state(&scene.get(export.id).await),
        CopyState::Running { .. } | CopyState::Waiting { .. }
    ));
    scene.aws.set_faults(|_| Fault::None);
    tokio::time::advance(COPY_LEASE.unsigned_abs()).await;
    copy(&scene, &export, TEN_MINUTES).await;
    assert!(matches!(state(&scene.get(export.id).await), CopyState::Ended { failure: None, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_courier_whose_claim_lapsed_changes_nothing_any_more() {
    let scene = Scene::new();
    let export = ready(&scene).await;
    let now = scene.now();
    let table = &scene.exports.table;
    let old = table.change(&scene.acme, export.id, |e| e.copy_claimed(now)).await.unwrap().unwrap();
    tokio::time::advance(COPY_LEASE.unsigned_abs()).await;
    copy(&scene, &export, TEN_MINUTES).await;

    let late = scene.copier.change(&old, |e| e.copy_ended(now, Some("late".into()))).await;

    assert!(late.unwrap_err().is::<Lost>());
    assert!(matches!(state(&scene.get(export.id).await), CopyState::Ended { failure: None, .. }));
    let _ = archive(now);
}

/// An export of so many plain files, which wait to be copied.
async fn ready_files(scene: &Scene, count: u32) -> Export {
    let mut draft = scene.draft();
    draft.request.files = Files::Parts(Parts { max_bytes: 1, max_rows: None, suffix: true });
    let credential = BucketCredentials::Key { id: "AKIA".into(), secret: Secret::new("s".into()) };
    let credential = scene.copier.seal.credential(&draft, credential).await.unwrap();
    let (bucket, prefix) = (CUSTOMER.parse().unwrap(), "in/".parse().unwrap());
    let target = CopyTarget { bucket, prefix, gzip: false, manifest: true };
    let now = scene.now();
    let archive = Archive { table_files: Some(vec![count]), ..archive(now) };
    let export = draft.with_copy(target, credential).claim(now).unwrap().succeed(now, &archive);
    let export = Export { version: 1, ..export };
    scene.exports.table.put(&export).await.unwrap();
    for file in export.files_to_copy() {
        scene.aws.put_object(ARCHIVES, &file.key, "a file");
    }
    export
}

#[tokio::test(start_paused = true)]
async fn a_hundred_files_may_fail_and_one_more_ends_the_copy() {
    for (files, is_given_up) in [(100, false), (101, true)] {
        let scene = Scene::new();
        let export = ready_files(&scene, files).await;
        scene.aws.set_faults(|call| {
            if call.operation.starts_with("PUT /customer/") {
                Fault::Denied(429, "SlowDown")
            } else {
                Fault::None
            }
        });

        assert_eq!(copy(&scene, &export, Duration::from_hours(2)).await, Outcome::Done);

        let after = scene.get(export.id).await;
        let copy = after.copy.as_ref().unwrap();
        let CopyState::Ended { failure, .. } = &copy.state else { panic!("{copy:?}") };
        assert_eq!((failure.is_some(), copy.failed.len()), (is_given_up, 100), "{failure:?}");
        assert_eq!(after.copy.as_ref().unwrap().copied(), 0);
    }
}
