//! Builders that die, meet each other, or whose calls fail, between any two of their calls.

use std::time::Duration;

use cloud::Job;
use export::{Export, ExportId, FailureCode, Status};
use futures_util::future::join_all;
use simulated_aws::Fault;
use tokio::time::{advance, sleep, timeout};

use crate::{
    Outcome,
    testing::{ARCHIVES, Scene, ToyEngine, ToyError, ana},
};

type MakeEngine = fn(&Scene) -> ToyEngine;
const ENGINES: [MakeEngine; 2] = [ToyEngine::small, ToyEngine::large];

/// Stores an export with a callback that waits for a builder.
async fn queued(scene: &Scene) -> Export {
    let callback = "http://a".parse().unwrap();
    scene.put(|draft| draft.clone().with_callback(callback, String::new())).await
}

/// Builders take these messages and those that follow from them, until there are none. Messages that would come
/// back are lost.
async fn build_all(scene: &Scene, engine: &ToyEngine, mut jobs: Vec<Job>) {
    while !jobs.is_empty() {
        let builds =
            jobs.iter().map(|job| Box::pin(scene.builder.run(engine, job, Some("receipt"))));
        join_all(builds).await;
        jobs = scene.take_jobs();
    }
}

/// Lets the janitor and builders do what is left, until the export has ended.
async fn recover(scene: &Scene, engine: &ToyEngine, id: ExportId) -> Export {
    for _ in 0..120 {
        scene.sweep().await;
        build_all(scene, engine, scene.take_jobs()).await;
        let export = scene.get(id).await;
        if !export.status(scene.now()).is_unfinished() && export.callback_due_since().is_none() {
            return export;
        }
        advance(Duration::from_mins(2)).await;
    }
    panic!("the export has not ended: {:?}", scene.get(id).await)
}

/// Builds an export while its calls from number `first` on fail so, `count` of them. Returns it as it is after
/// all faults are over, and whether any call failed.
async fn build_with_faults(
    make: MakeEngine,
    first: usize,
    count: usize,
    fault: Fault,
) -> (Export, bool) {
    let scene = Scene::new();
    let engine = make(&scene);
    let export = queued(&scene).await;
    let mut calls = 0;
    scene.aws.set_faults(move |_| {
        calls += 1;
        let fails = calls > first && calls - first <= count;
        if fails { fault } else { Fault::None }
    });
    let before = scene.aws.calls().len();
    let builds = build_all(&scene, &engine, vec![Job::of(&export)]);
    // Those that wait for an answer are dead.
    let _ = timeout(Duration::from_secs(45), builds).await;
    let any_failed = scene.aws.calls().len() - before > first;
    scene.aws.set_faults(|_| Fault::None);
    let export = recover(&scene, &engine, export.id).await;
    let archive = format!("exports/acme/{}", export.id);
    let has_archive = scene.aws.keys(ARCHIVES).iter().any(|key| key.contains(&archive));
    assert!(has_archive, "{first}: {:?}", scene.aws.keys(ARCHIVES));
    assert!(!scene.take_callbacks().is_empty(), "{first}: nobody was told of {export:?}");
    (export, any_failed)
}

/// Builds exports, the first of which fail at their first call, the next `stride` calls later, and so on.
async fn build_failing_at_calls(stride: usize, count: usize, fault: Fault) {
    for make in ENGINES {
        let mut tried = 0;
        for first in (0..).step_by(stride) {
            let (export, any_failed) = build_with_faults(make, first, count, fault).await;
            let archive = export.archive().unwrap_or_else(|| panic!("{first}: {export:?}"));
            assert_eq!(archive.rows, Some(3), "{first}");
            if !any_failed {
                break;
            }
            tried = first + 1;
        }
        assert!(tried > 10, "only {tried} calls were made");
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_whose_builders_die_at_any_point_is_built_by_others() {
    build_failing_at_calls(2, usize::MAX, Fault::Hangs).await;
}

#[tokio::test(start_paused = true)]
async fn an_export_is_built_though_any_call_is_refused() {
    // Each call has three attempts.
    build_failing_at_calls(3, 3, Fault::Refused).await;
}

#[tokio::test(start_paused = true)]
async fn an_export_is_built_though_the_answer_to_any_call_is_lost() {
    build_failing_at_calls(3, 1, Fault::Unanswered).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_delivered_twice_at_once_builds_once() {
    for make in ENGINES {
        let scene = Scene::new();
        let engine = make(&scene);
        let job = Job::of(&queued(&scene).await);

        build_all(&scene, &engine, vec![job.clone(), job.clone()]).await;
        build_all(&scene, &engine, vec![job]).await;

        assert_eq!(engine.assembled.get(), 1);
        let mut done = engine.done.borrow().clone();
        done.sort_unstable();
        assert_eq!(done, (0..done.len()).map(|n| u32::try_from(n).unwrap()).collect::<Vec<_>>());
        assert_eq!(scene.take_callbacks().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_is_done_before_any_other_step() {
    let scene = Scene::new();
    let engine = ToyEngine::large(&scene);
    let job = Job::of(&queued(&scene).await);

    build_all(&scene, &engine, vec![job]).await;

    let done = engine.done.borrow();
    assert!(done.len() == 4 && done[..2].iter().all(|number| *number < 2), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_published_leaves_nothing_of_its_work() {
    for make in ENGINES {
        let scene = Scene::new();
        let job = Job::of(&queued(&scene).await);

        build_all(&scene, &make(&scene), vec![job]).await;

        let keys = scene.aws.keys(ARCHIVES);
        assert!(keys.len() == 1 && keys[0].starts_with("exports/"), "{keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_cancelled_while_it_is_built_leaves_nothing_to_download() {
    for make in ENGINES {
        let scene = Scene::new();
        let mut engine = make(&scene);
        engine.step_seconds = 100;
        let export = queued(&scene).await;
        let build = build_all(&scene, &engine, vec![Job::of(&export)]);
        let cancel = async {
            sleep(Duration::from_secs(30)).await;
            let exports = &scene.exports;
            exports
                .cancel(&scene.follow_up, &scene.acme, export.id, &ana(), scene.now())
                .await
                .unwrap();
        };

        tokio::join!(build, cancel);

        assert_eq!(scene.get(export.id).await.status(scene.now()), Status::Cancelled);
        assert_eq!(engine.assembled.get(), 0, "work went on for an export that nobody wants");
        assert!(engine.done.borrow().is_empty(), "{:?}", engine.done);
    }
}

#[tokio::test(start_paused = true)]
async fn steps_that_another_builder_took_over_are_left_to_it_and_their_message_comes_back() {
    let scene = Scene::new();
    let mut engine = ToyEngine::large(&scene);
    engine.step_seconds = 100;
    let export = scene.put(|draft| draft.claim(scene.now()).unwrap().planned(4)).await;
    scene.aws.set_faults(|call| {
        let is_renewal = call.operation == "UpdateItem" && !call.body.contains("ADD attempts");
        let taken = Fault::Denied(400, "ConditionalCheckFailedException");
        if is_renewal { taken } else { Fault::None }
    });
    let job = Job { steps: Some((0, 1)), ..Job::of(&export) };

    let outcome = scene.builder.run(&engine, &job, None).await.unwrap();

    assert!(matches!(outcome, Outcome::ComeBack { seconds: 5, .. }), "{outcome:?}");
    assert_eq!(scene.get(export.id).await, export, "the export was changed");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_attempt_changes_ends_an_export_at_once() {
    for make in ENGINES {
        let scene = Scene::new();
        let engine = make(&scene);
        engine.error.set(Some(ToyError::Final));
        let export = queued(&scene).await;

        build_all(&scene, &engine, vec![Job::of(&export)]).await;

        let export = scene.get(export.id).await;
        let export::State::Failed { failure, .. } = &export.state else { panic!("{export:?}") };
        assert_eq!(failure.code, FailureCode::SourceCorrupt);
        assert_eq!(scene.take_callbacks().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_whose_attempts_all_fail_ends_as_a_fault_of_ours() {
    for make in ENGINES {
        let scene = Scene::new();
        let engine = make(&scene);
        engine.error.set(Some(ToyError::Passing));
        let export = queued(&scene).await;

        let export = recover(&scene, &engine, export.id).await;

        let export::State::Failed { failure, .. } = &export.state else { panic!("{export:?}") };
        assert_eq!(failure.code, FailureCode::Internal);
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_of_more_rows_than_it_may_have_fails() {
    for make in ENGINES {
        let scene = Scene::new();
        let engine = make(&scene);
        let mut draft = scene.draft();
        draft.request.max_rows = Some(15);
        let export = scene.put(|_| draft.clone()).await;

        build_all(&scene, &engine, vec![Job::of(&export)]).await;

        let export = scene.get(export.id).await;
        let export::State::Failed { failure, .. } = &export.state else { panic!("{export:?}") };
        assert_eq!(failure.code, FailureCode::TooManyRows);
    }
}
