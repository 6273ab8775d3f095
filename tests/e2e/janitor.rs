//! What nobody else looks after, the janitor does, within a minute or so.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use cloud::StoreOutcome;
use export::{
    Archive, ArchiveKey, BUILD_LEASE, Export, ExportId, FOLLOW_UP_AFTER, Failure, Lane, Limits,
    MAX_DEATHS, Order, REMOVAL_DELAY, RESEND_AFTER, State, WorkKey,
};
use jiff::{SignedDuration, Timestamp};
use tests::{Stack, User};

use crate::{column, field, request};

const PATIENCE: Duration = Duration::from_secs(150);

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// An export made some time ago, of which only the record is left.
fn old(user: &User, ago: SignedDuration, time_limit: SignedDuration) -> Export {
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let now = Timestamp::now();
    let request =
        Order::from_json(&body, &user.stack.catalog, &[], &Limits::default(), now).unwrap().request;
    Export::queued(tests::new_id(), user.workspace.clone(), request, now - ago, time_limit)
}

/// Waits until the export's record is as wanted.
async fn until(user: &User, id: ExportId, wanted: impl Fn(&Export) -> bool) -> Export {
    let begun = Instant::now();
    loop {
        let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
        if wanted(&export) {
            return export;
        }
        assert!(begun.elapsed() < PATIENCE, "the janitor did not come: {:?}", export.state);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn an_export_whose_message_was_lost_is_built() {
    let user = user().await;
    let export = old(&user, RESEND_AFTER, SignedDuration::from_hours(24));
    user.stack.exports().put(&export).await.unwrap();

    // This one waits for the schedule; in the others, the test calls the janitor.
    let built = until(&user, export.id, |e| matches!(e.state, State::Succeeded { .. })).await;

    assert_eq!(built.failures, 0);
}

#[tokio::test]
async fn an_export_whose_builder_died_is_built_by_another() {
    let user = user().await;
    let export = old(&user, BUILD_LEASE, SignedDuration::from_hours(24));
    user.stack.exports().put(&export).await.unwrap();
    let held = export.claim(export.created_at).unwrap();
    user.stack.exports().put(&held).await.unwrap();
    round(&user.stack).await;

    let built = until(&user, export.id, |e| matches!(e.state, State::Succeeded { .. })).await;

    assert_eq!((built.deaths, built.failures, built.leases), (1, 0, 2));
}

#[tokio::test]
async fn the_next_of_a_lane_is_called_though_the_builder_before_it_died_at_its_end() {
    let user = user().await;
    let now = Timestamp::now();
    let exports = user.stack.exports();
    let waiting = |export: Export| Export {
        state: State::Queued { resend_at: now + SignedDuration::from_hours(6) },
        ..export.in_lane(Lane::new("liferay"))
    };
    let first = waiting(old(&user, SignedDuration::ZERO, SignedDuration::from_hours(24)));
    let second = waiting(old(&user, SignedDuration::ZERO, SignedDuration::from_hours(24)));
    for export in [&first, &second] {
        assert_eq!(exports.store(export, None, None).await.unwrap(), StoreOutcome::Yes);
    }
    // It has ended, and nobody called the next.
    exports.put(&first.fail(now - FOLLOW_UP_AFTER, Failure::internal())).await.unwrap();

    round(&user.stack).await;

    until(&user, second.id, |e| matches!(e.state, State::Succeeded { .. })).await;
    let ended = exports.get(&user.workspace, first.id).await.unwrap().unwrap();
    assert_eq!((ended.next_called, ended.due()), (true, None));
}

#[tokio::test]
async fn an_export_past_its_deadline_fails_with_a_reason() {
    let user = user().await;
    let export = old(&user, SignedDuration::from_hours(1), SignedDuration::from_hours(1));
    user.stack.exports().put(&export).await.unwrap();
    round(&user.stack).await;

    until(&user, export.id, |e| matches!(e.state, State::Failed { .. })).await;

    let shown = user.get(&format!("/v1/exports/{}", export.id)).await.unwrap();
    assert_eq!(shown.text("/failure/code"), "deadline_exceeded");
}

#[tokio::test]
async fn an_archive_past_its_time_is_removed() {
    let user = user().await;
    let (done, _) = user
        .export(&request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv"))
        .await
        .unwrap();
    let id: ExportId = done.text("/id").parse().unwrap();
    let key = ArchiveKey::of(&user.workspace, id).to_string();
    assert_eq!(user.stack.export_keys(&key).await.unwrap().len(), 1);

    let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
    let State::Succeeded { archive } = &export.state else { panic!("{:?}", export.state) };
    let removable = Timestamp::now() - REMOVAL_DELAY;
    let archive = Archive { expires_at: removable, ..archive.clone() };
    let over = Export {
        version: export.version + 1,
        state: State::Succeeded { archive },
        ..export.clone()
    };
    user.stack.exports().put(&over).await.unwrap();
    round(&user.stack).await;

    let expired =
        until(&user, id, |e| matches!(e.state, State::Expired { removed: true, .. })).await;
    assert_eq!(expired.due(), None);
    assert!(user.stack.export_keys(&key).await.unwrap().is_empty());
}

/// Has the janitor make its round, without waiting for the schedule.
pub(crate) async fn round(stack: &Stack) {
    let event = serde_json::json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "000000000000",
        "time": "2026-03-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {},
    });
    let round = stack.invoke("JanitorFunction", &event).await.unwrap();
    assert_eq!(round["broken"], 0, "{round}");
}

/// Kills every builder of the stack, as a machine that fails would, and returns how many. The test runs
/// alone.
fn kill_builders(stack: &Stack) -> usize {
    let builders = stack.builders().unwrap();
    if !builders.is_empty() {
        let killed = Command::new("kill").arg("-9").args(&builders).status().unwrap();
        assert!(killed.success(), "kill {builders:?}: {killed}");
    }
    builders.len()
}

/// All leases of builders that were killed lapse, as they do in time.
async fn lapse(user: &User, export: &Export) {
    let now = Timestamp::now();
    let plan_key = WorkKey::plan(&user.workspace, export.id);
    if let Some(plan) = user.stack.archives().read_work(&plan_key).await.unwrap() {
        let plan: lake::Plan = serde_json::from_slice(&plan).unwrap();
        for batch in plan.batches(1 << 20) {
            let first = u32::try_from(batch.start).unwrap();
            user.stack.lapse_batch(export, first).await.unwrap();
        }
    }
    let lapsed = |export: &Export| {
        let mut next = export.planned(export.steps_total);
        let State::Running { lease, .. } = &mut next.state else { return None };
        (lease.until, lease.look_at) = (now, now);
        Some(next)
    };
    user.stack.exports().change(&user.workspace, export.id, lapsed).await.unwrap();
}

/// The janitor is to look now at an export that waits for the builders of its steps.
async fn hurry(user: &User, export: &Export) {
    let due = |export: &Export| {
        let mut next = export.planned(export.steps_total);
        let State::Running { lease, .. } = &mut next.state else { return None };
        lease.look_at = Timestamp::now();
        lease.released.then_some(next)
    };
    user.stack.exports().change(&user.workspace, export.id, due).await.unwrap();
}

/// Kills the builders of an export whenever it has come a step further: while it is planned, in the
/// middle of each step, while its archive is put together. Returns how many steps were done each time.
async fn kill_at_every_step(user: &User, id: ExportId) -> Vec<usize> {
    let (begun, mut killed_at, mut killed) = (Instant::now(), Instant::now(), Vec::new());
    loop {
        assert!(begun.elapsed() < 3 * PATIENCE, "nobody goes on with it: {killed:?}");
        let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
        let done = export.steps_done.len();
        match &export.state {
            State::Queued { .. } => {}
            State::Running { .. } if killed.last().is_none_or(|last| *last < done) => {
                if kill_builders(&user.stack) > 0 {
                    killed.push(done);
                    lapse(user, &export).await;
                    round(&user.stack).await;
                    killed_at = Instant::now();
                }
            }
            // Builders that live on put off when the janitor looks, so it may take another time.
            State::Running { .. } if killed_at.elapsed() > Duration::from_secs(5) => {
                hurry(user, &export).await;
                round(&user.stack).await;
                killed_at = Instant::now();
            }
            State::Running { .. } => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => return killed,
        }
    }
}

#[tokio::test]
async fn a_killed_builder_is_replaced_in_every_step_and_the_archive_is_whole() {
    let user = user().await;
    let sample = tests::sample::Sample { seed: 11, rows_per_hour: 4000, objects_per_hour: 4 };
    let begin = crate::at("2026-03-01T00:00:00Z");
    // Fewer steps than builders may die at one of them.
    let objects = user.seed(sample, &["amplitude_events"], begin, 6).await.unwrap();
    let body = request("amplitude_events", "2026-03-01T00:00:00Z", "2026-03-01T06:00:00Z", "csv");
    let url = user.create(&body).await.unwrap();
    let id = url.rsplit('/').next().unwrap().parse().unwrap();
    let killed = kill_at_every_step(&user, id).await;

    let built = user.get(&url).await.unwrap();
    let steps = built.body["progress"]["steps_total"].as_u64().unwrap();
    assert!(steps < u64::from(MAX_DEATHS), "{steps}");
    assert!(killed.len() > 3 && killed[0] == 0, "{killed:?} of {steps}");
    let rows: usize = objects.iter().map(|object| object.rows.len()).sum();
    assert_eq!(
        (built.text("/status"), &built.body["archive"]["rows"]),
        ("succeeded", &serde_json::json!(rows)),
        "{killed:?} of {steps}"
    );
    let archive = user.download(built.text("/links/download")).await.unwrap();
    let text = archive.text("amplitude_events.csv").unwrap();
    let all: Vec<&str> = objects.iter().flat_map(|o| o.rows.iter().map(String::as_str)).collect();
    let time = "server_upload_time";
    assert!(column(&text, time) == field(&all, time), "every row is there, once and in its place");
}
