//! Sweeps over an AWS in memory, where calls fail as they are told to.

use export::{Export, FOLLOW_UP_AFTER, Lane, MAX_RESEND_PAUSE, RESEND_AFTER, State};
use simulated_aws::{Call, Fault};

use super::*;
use crate::testing::{DAY, Scene, archive};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Sweeps with twenty seconds to spare.
async fn sweep(scene: &Scene) -> Swept {
    let ends = Instant::now() + MARGIN + Duration::from_secs(20);
    scene.sweeper.sweep(scene.now(), ends).await.unwrap()
}

/// An export of two days ago whose message was lost.
fn lost(export: &Export) -> Export {
    let then = export.created_at - DAY - DAY;
    let request = export.request.clone();
    Export::queued(export.id, export.workspace.clone(), request, then, DAY + DAY + DAY)
}

/// An export of two days ago whose archive has expired.
fn over(export: &Export) -> Export {
    let then = export.created_at - DAY - DAY;
    export.succeed(then, &archive(then))
}

fn removes(call: &Call, id: &str) -> bool {
    call.operation.starts_with("POST") && call.body.contains("<Delete") && call.body.contains(id)
}

#[tokio::test(start_paused = true)]
async fn a_wave_of_expiries_does_not_stand_before_a_lost_message() {
    let scene = Scene::new();
    for _ in 0..100 {
        scene.put(over).await;
    }
    let lost = scene.put(lost).await;

    assert_eq!(sweep(&scene).await, Swept { due: 101, broken: 0, unreadable: 0 });

    let calls = scene.aws.calls();
    let sent = calls.iter().position(|call| call.operation == "SendMessage").unwrap();
    let removed = calls.iter().position(|call| removes(call, "")).unwrap();
    assert!(sent < removed, "{sent} {removed}");
    assert_eq!(scene.take_builds(), [lost.id]);
    assert_eq!(calls.iter().filter(|call| removes(call, "")).count(), 100);
    assert_eq!(sweep(&scene).await.due, 0);
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_cannot_be_removed_is_put_off_and_holds_up_no_other() {
    let scene = Scene::new();
    let (stuck, other) = (scene.put(over).await, scene.put(over).await);
    let id = stuck.id.to_string();
    scene.aws.set_faults(move |call| {
        if removes(call, &id) { Fault::Denied(403, "AccessDenied") } else { Fault::None }
    });
    let swept = scene.now();

    assert_eq!(sweep(&scene).await, Swept { due: 2, broken: 1, unreadable: 0 });

    assert!(matches!(scene.get(other.id).await.state, State::Expired { removed: true, .. }));
    let stuck = scene.get(stuck.id).await;
    assert!(matches!(stuck.state, State::Expired { removed: false, .. }));
    assert_eq!(stuck.due(), Some(swept + MINUTE));
    assert_eq!(sweep(&scene).await.due, 0, "it is not its turn");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_hangs_does_not_hold_up_the_others() {
    let scene = Scene::new();
    let hangs = scene.put(over).await.id.to_string();
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(scene.put(over).await.id);
    }
    scene.aws.set_faults(
        move |call| {
            if removes(call, &hangs) { Fault::Hangs } else { Fault::None }
        },
    );

    let swept = sweep(&scene).await;

    assert_eq!(swept, Swept { due: 21, broken: 1, unreadable: 0 });
    for other in others {
        assert!(matches!(scene.get(other).await.state, State::Expired { removed: true, .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_counted_and_does_not_stand_first_for_ever() {
    let scene = Scene::new();
    let newer = scene.put(lost).await;
    scene.break_record(newer.id).await;

    assert_eq!(sweep(&scene).await, Swept { due: 1, broken: 0, unreadable: 1 });

    assert_eq!(sweep(&scene).await, Swept::default(), "it is put off");
    tokio::time::advance(UNREADABLE_PUT_OFF.unsigned_abs()).await;
    assert_eq!(sweep(&scene).await.unreadable, 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_cannot_be_sent_is_given_up_after_a_day_and_that_is_logged() {
    let scene = Scene::new();
    let ended = |ago: SignedDuration| {
        move |export: &Export| {
            let url = "http://a".parse().unwrap();
            let asked = export.clone().with_callback(url, String::new());
            asked.cancel(export.created_at - ago).unwrap()
        }
    };
    let late = scene.put(ended(DAY)).await;
    let early = scene.put(ended(DAY - SECOND)).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Denied(400, "InvalidMessageContents"),
        _ => Fault::None,
    });
    let swept = scene.now();

    assert_eq!(sweep(&scene).await, Swept { due: 2, broken: 2, unreadable: 0 });

    let (late, early) = (scene.get(late.id).await, scene.get(early.id).await);
    assert_eq!(late.due(), None);
    assert!(late.callback.unwrap().given_up);
    assert_eq!(early.due(), Some(swept + MINUTE));
    let logged = async |id| scene.sweeper.deliveries.of(&scene.acme, id).await.unwrap();
    let rows = logged(late.id).await;
    assert!(rows[0].error.as_ref().unwrap().contains("given up"), "{rows:?}");
    assert_eq!((rows.len(), logged(early.id).await.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_cannot_be_read_does_not_keep_back_a_callback() {
    let scene = Scene::new();
    let ended = |export: &Export| {
        let url = "http://a".parse().unwrap();
        let asked = export.clone().in_lane(Lane::new("liferay")).with_callback(url, String::new());
        asked.cancel(export.created_at - FOLLOW_UP_AFTER).unwrap()
    };
    let export = scene.put(ended).await;
    scene.aws.set_faults(|call| {
        let reads_lane = call.operation == "Query" && call.body.contains("Q#liferay");
        if reads_lane { Fault::Denied(400, "ValidationException") } else { Fault::None }
    });
    let swept = scene.now();

    assert_eq!(sweep(&scene).await, Swept { due: 1, broken: 1, unreadable: 0 });

    assert_eq!(scene.take_callbacks().len(), 1);
    let export = scene.get(export.id).await;
    assert!(export.callback.as_ref().unwrap().sent);
    assert!(export.next_call_due_since().is_some(), "the lane is read again later");
    assert_eq!(export.due(), Some(swept + MINUTE));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_while_calls_fail_is_done_once_they_do_not() {
    let scene = Scene::new();
    let lost = scene.put(lost).await;
    let over = scene.put(over).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        "PutItem" => Fault::Unanswered,
        _ => Fault::None,
    });
    sweep(&scene).await;
    scene.aws.set_faults(|_| Fault::None);
    tokio::time::advance(MAX_RESEND_PAUSE.unsigned_abs()).await;

    let swept = sweep(&scene).await;

    assert_eq!(swept.broken, 0, "{swept:?}");
    assert_eq!(scene.take_builds(), [lost.id]);
    assert!(matches!(scene.get(over.id).await.state, State::Expired { removed: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_sent_again_is_sent_soon() {
    let scene = Scene::new();
    let lost = scene.put(lost).await;
    scene.aws.set_faults(|call| match call.operation.as_str() {
        "SendMessage" => Fault::Refused,
        _ => Fault::None,
    });
    assert_eq!(sweep(&scene).await.broken, 1);
    scene.aws.set_faults(|_| Fault::None);

    tokio::time::advance((RESEND_AFTER + SECOND).unsigned_abs()).await;

    assert_eq!(sweep(&scene).await, Swept { due: 1, broken: 0, unreadable: 0 });
    assert_eq!(scene.take_builds(), [lost.id]);
}
