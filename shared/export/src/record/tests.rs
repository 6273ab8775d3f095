//! Tests of the record and its changes.

mod life;

use proptest::prelude::*;

use super::*;
use crate::{Format, TableSelection, Window};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn queued() -> Export {
    let window = Window::new(NOW, NOW + SignedDuration::from_hours(1)).unwrap();
    let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
    let acme = "acme".parse().unwrap();
    Export::queued(
        ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
        acme,
        request,
        NOW,
        SignedDuration::from_hours(24),
    )
}

fn lane() -> Lane {
    Lane::new("liferay")
}

fn archive() -> Archive {
    Archive {
        published_at: NOW,
        expires_at: NOW,
        size_bytes: 22,
        crc32: 0,
        rows: None,
        table_files: None,
        table_rows: None,
        bad_rows: 0,
        receipt: None,
    }
}

#[test]
fn a_lane_is_called_as_it_was_made() {
    assert_eq!(lane().name(), "liferay");
}

#[test]
fn a_held_export_is_not_claimed_until_its_lease_lapses() {
    let held = queued().claim(NOW).unwrap();

    assert_eq!(held.claim(NOW), Err(ClaimError::Held { until: NOW + BUILD_LEASE }));
    let next = held.claim(NOW + BUILD_LEASE).unwrap();
    assert_eq!((next.version, next.leases), (3, 2));
}

#[test]
fn an_archive_lives_24_hours_to_the_second() {
    let second = SignedDuration::from_secs(1);
    let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
    let end = NOW + SignedDuration::from_hours(24);

    for living in [end - second, end] {
        assert_eq!(ready.status(living), Status::Succeeded);
    }
    assert_eq!(ready.status(end + second), Status::Expired);
}

#[test]
fn objects_stay_until_the_last_link_to_them_has_ended() {
    let second = SignedDuration::from_secs(1);
    let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
    let removable = NOW + SignedDuration::from_hours(24) + SignedDuration::from_mins(5);

    assert_eq!(ready.due(), Some(removable));
    assert_eq!(ready.expire(removable - second), None);
    let expired = ready.expire(removable).unwrap();
    assert_eq!((expired.status(removable), expired.due()), (Status::Expired, Some(removable)));
}

#[test]
fn a_url_stands_for_its_export_for_24_hours_and_for_the_next_one_after() {
    let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
    for (seconds, stands) in [(86_399, true), (86_400, true), (86_401, false)] {
        assert_eq!(ready.is_current(NOW + SignedDuration::from_secs(seconds)), stands, "{seconds}");
    }
    assert!(queued().is_current(NOW + ARCHIVE_LIFETIME), "who waits is never lost");
    assert!(!queued().cancel(NOW).unwrap().is_current(NOW));
}

#[test]
fn an_export_that_keeps_breaking_is_given_up() {
    let mut export = queued();
    for _ in 1..MAX_FAILURES {
        export = export.claim(NOW).unwrap().retry_or_fail(NOW, NOW);
        assert_eq!(export.status(NOW), Status::Running);
    }
    let given_up = export.claim(NOW).unwrap().retry_or_fail(NOW, NOW);
    assert_eq!((given_up.status(NOW), given_up.failures), (Status::Failed, MAX_FAILURES));
}

#[test]
fn builders_that_die_and_attempts_that_break_are_bounded_apart() {
    let mut export = queued();
    for _ in 1..MAX_DEATHS {
        export = export.claim(NOW).unwrap().after_death(NOW);
        assert_eq!(export.status(NOW), Status::Running);
    }
    assert_eq!((export.deaths, export.claim(NOW).unwrap().after_death(NOW).deaths), (9, 10));
    for _ in 1..MAX_FAILURES {
        export = export.claim(NOW).unwrap().retry_or_fail(NOW, NOW);
        assert_eq!(export.status(NOW), Status::Running, "deaths are no faults");
    }
    let held = export.claim(NOW).unwrap();
    for (ended, failure) in [
        (held.after_death(NOW), Failure::builders_died()),
        (held.retry_or_fail(NOW, NOW), Failure::internal()),
    ] {
        assert_eq!(ended.state, State::Failed { finished_at: NOW, failure });
    }
}

#[test]
fn a_message_that_could_not_be_sent_again_is_sent_again_soon() {
    let later = NOW + RESEND_AFTER;
    let queued = queued();
    let unsent = queued.with_message_unsent(NOW).unwrap();
    assert_eq!(unsent.state, State::Queued { resend_at: later });
    let unsent = queued.claim(NOW).unwrap().with_message_unsent(NOW).unwrap();
    assert!(matches!(unsent.state, State::Running { lease, .. } if lease.look_at == later));
    assert_eq!(queued.cancel(NOW).unwrap().with_message_unsent(NOW), None);
}

#[test]
fn an_export_of_a_lane_is_due_until_the_next_was_called() {
    let ended = queued().in_lane(lane()).cancel(NOW).unwrap();
    assert_eq!(ended.due(), Some(NOW + FOLLOW_UP_AFTER));
    let called = ended.with_next_called().unwrap();
    assert_eq!((called.due(), called.with_next_called()), (None, None));
    assert_eq!(queued().cancel(NOW).unwrap().due(), None, "who stands in no lane calls nobody");
    assert_eq!(queued().in_lane(lane()).with_next_called(), None, "it has not ended");
}

#[test]
fn what_keeps_failing_after_the_end_is_tried_later_and_later_up_to_an_hour() {
    let ready = queued().claim(NOW).unwrap().succeed(NOW, &archive());
    let over = NOW + ARCHIVE_LIFETIME + REMOVAL_DELAY;
    let mut gone = ready.expire(over).unwrap();
    let mut waits = Vec::new();
    for _ in 0..9 {
        gone = gone.postpone(over);
        waits.push(gone.due().unwrap().duration_since(over).as_secs() / 60);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let done = gone.removed().unwrap();
    assert_eq!((done.backoff, done.due()), (None, None));
}

#[test]
fn an_export_that_has_just_ended_is_not_due_for_its_callback() {
    let second = SignedDuration::from_secs(1);
    let url = "http://example.com".parse().unwrap();
    let running = queued().with_callback(url, String::new()).claim(NOW).unwrap();
    let failure = Failure { code: FailureCode::Internal, detail: String::new() };
    let ends = [
        running.succeed(NOW, &archive()),
        running.fail(NOW, failure),
        running.cancel(NOW).unwrap(),
    ];
    for ended in ends {
        assert_eq!(ended.callback_due_since(), Some(NOW), "whoever ended it sends it at once");
        let due = ended.due().unwrap();
        assert!(due > NOW + second, "the janitor sends it, too: {due}");
        assert!(due <= NOW + SignedDuration::from_mins(1), "it is lost for too long: {due}");
        assert_eq!(ended.due_kind(), DueKind::Unfinished);
    }
}

#[test]
fn a_callback_that_cannot_be_handed_over_does_not_delay_the_end_of_an_archive() {
    let url = "http://example.com".parse().unwrap();
    let ready = queued().with_callback(url, String::new()).claim(NOW).unwrap();
    let ready = ready.succeed(NOW, &archive());
    let due = Some(NOW + FOLLOW_UP_AFTER);
    assert_eq!((ready.due(), ready.due_kind()), (due, DueKind::Unfinished));
    let late = NOW + ARCHIVE_LIFETIME - SignedDuration::from_secs(1);
    let postponed = (0..9).fold(ready, |export, _| export.postpone(late));
    assert_eq!(postponed.due(), Some(NOW + ARCHIVE_LIFETIME + REMOVAL_DELAY));
    let told = postponed.with_callback_sent().unwrap();
    assert_eq!((told.backoff, told.due_kind()), (None, DueKind::Removal));
}

/// One of the ways an export can change, picked by a number.
fn change(export: &Export, pick: u8, now: Timestamp) -> Option<Export> {
    let failure = Failure { code: FailureCode::Internal, detail: String::new() };
    let running = matches!(export.state, State::Running { .. });
    let held = export.copy_held_until().is_some();
    match pick % 18 {
        0 => export.claim(now).ok(),
        1 => running.then(|| export.release(now)),
        2 => running.then(|| export.retry_or_fail(now, now)),
        3 | 4 => running.then(|| export.succeed(now, &archive())),
        5 => running.then(|| export.fail(now, failure)),
        6 => export.cancel(now),
        7 => export.expire(now).or_else(|| export.delete(now)),
        8 => export.callback_due_since().and_then(|_| export.with_callback_sent()),
        9 => export.copy_claimed(now),
        10 => held.then(|| export.copy_advanced(Some("no"))).flatten(),
        11 => held.then(|| export.copy_ended(now, None)).flatten(),
        12 => export.copy_resent(now),
        13 => export.callback_due_since().map(|_| export.postpone(now)),
        14 => export.callback_given_up(now),
        15 => export.with_next_called(),
        16 => running.then(|| export.after_death(now)),
        _ => export.removed(),
    }
}

/// Whether what opens a user's bucket is still kept.
fn keeps_credential(export: &Export) -> bool {
    serde_json::to_string(&export.copy).unwrap().contains("role/decant-x")
}

proptest! {
    #[test]
    fn whatever_happens_a_final_state_stays_and_versions_and_fences_grow(
        picks in prop::collection::vec((any::<u8>(), 0_i64..400), 0..60)
    ) {
        let target = crate::CopyTarget {
            bucket: "bucket".parse().unwrap(),
            prefix: crate::KeyPrefix::default(),
            gzip: false,
            manifest: false,
        };
        let role = crate::StoredCredentials::Role { arn: "role/decant-x".into() };
        let export = queued().in_lane(lane()).with_copy(target, role);
        let export = export.with_callback("http://example.com".parse().unwrap(), String::new());
        let (mut export, mut now) = (export, NOW);
        for (pick, minutes) in picks {
            now += SignedDuration::from_mins(minutes);
            let Some(next) = change(&export, pick, now) else { continue };
            prop_assert_eq!(next.version, export.version + 1);
            prop_assert!(next.leases >= export.leases);
            let (was, is) = (export.status(NOW), next.status(NOW));
            let allowed = match was {
                Status::Queued | Status::Running => is != Status::Queued,
                Status::Succeeded => is != Status::Queued && is != Status::Running,
                last => is == last,
            };
            prop_assert!(allowed, "{was:?} became {is:?}");
            let over = matches!(next.state, State::Failed { .. } | State::Cancelled { .. }
                | State::Expired { removed: true, .. } | State::Deleted { removed: true, .. });
            let told = next.callback.as_ref().is_some_and(|callback| !callback.is_open());
            let idle = over && told && next.next_called;
            prop_assert_eq!(next.due().is_none(), idle, "unfinished work is always in the index");
            let open = next.copy.as_ref().is_some_and(|copy| !copy.has_ended());
            prop_assert_eq!(keeps_credential(&next), open, "a credential is kept while it is needed");
            prop_assert!(!over || !open, "without files there is nothing to copy");
            prop_assert!(!open || next.callback_due_since().is_none(), "who is told of a copy that is not over?");
            export = next;
        }
    }
}
