//! What each change of an export sets: instants, leases, steps, and names that are stored.

use std::collections::BTreeMap;

use super::*;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn origin() -> Origin {
    Origin { dialect: "coveo".into(), requested_by: "ada".into(), params: BTreeMap::new() }
}

#[test]
fn a_new_export_is_looked_at_after_a_while_or_at_its_deadline() {
    let export = queued();
    assert_eq!(export.deadline, NOW + SignedDuration::from_hours(24));
    assert_eq!(export.due(), Some(NOW + RESEND_AFTER));

    let hasty = Export { deadline: NOW + SECOND, ..export };
    assert_eq!(hasty.due(), Some(NOW + SECOND));
    assert_eq!(hasty.claim(NOW).unwrap().due(), Some(NOW + SECOND));
}

#[test]
fn a_builder_that_does_not_renew_its_lease_has_abandoned_the_export() {
    let held = queued().claim(NOW).unwrap();
    assert!(!held.is_abandoned(NOW + BUILD_LEASE - SECOND));
    assert!(held.is_abandoned(NOW + BUILD_LEASE));
    assert!(!queued().is_abandoned(NOW + BUILD_LEASE));
}

#[test]
fn a_released_export_is_free_from_the_given_instant_and_looked_at_later() {
    let from = NOW + SECOND;
    let free = queued().claim(NOW).unwrap().release(from);
    assert!(!free.is_abandoned(NOW + BUILD_LEASE));
    assert_eq!(free.claim(NOW), Err(ClaimError::Held { until: from }));
    assert!(free.claim(from).is_ok());
    assert_eq!(free.due(), Some(from + RESEND_AFTER));

    let dispatched = queued().claim(NOW).unwrap().dispatched(from);
    assert!(dispatched.claim(from).is_ok());
    assert_eq!(dispatched.due(), Some(from + STEP_TIMEOUT));
}

#[test]
fn an_export_is_built_once_every_step_of_its_plan_is_done() {
    assert!(!queued().is_built(), "there is no plan");
    let mut export = queued().planned(2);
    for (step, is_built) in [(0, false), (1, true)] {
        assert!(!export.is_built());
        export.steps_done.insert(step);
        assert_eq!(export.is_built(), is_built, "{step}");
    }
}

#[test]
fn the_longer_an_export_waits_the_less_often_it_is_sent_again() {
    for export in [queued(), queued().claim(NOW).unwrap()] {
        assert_eq!(
            export.with_message_resent(NOW + SECOND).due(),
            Some(NOW + SECOND + RESEND_AFTER)
        );
        assert_eq!(export.with_message_resent(NOW + HOUR).due(), Some(NOW + HOUR + HOUR));
    }
}

#[test]
fn a_withdrawn_export_ends_and_forgets_how_it_was_asked_for() {
    let waiting = queued().with_origin(origin());
    assert_eq!(waiting.origin, Some(origin()));
    let ready = waiting.claim(NOW).unwrap().succeed(NOW, &archive());
    let failed = waiting.fail(NOW, Failure::internal());
    for (export, status) in
        [(waiting, Status::Cancelled), (ready, Status::Deleted), (failed, Status::Failed)]
    {
        let discarded = export.discard(NOW);
        assert_eq!((discarded.status(NOW), discarded.origin), (status, None));
    }
}

#[test]
fn an_archive_is_as_built_and_published_when_the_export_succeeds() {
    let ready = queued().succeed(NOW + HOUR, &archive());
    let expires_at = NOW + HOUR + ARCHIVE_LIFETIME;
    let want = Archive { published_at: NOW + HOUR, expires_at, ..archive() };
    assert_eq!(ready.archive(), Some(&want));
    let late = expires_at + HOUR;
    assert_eq!(ready.expire(late).unwrap().archive(), Some(&want));
    assert_eq!(ready.delete(NOW).unwrap().archive(), Some(&want));
    assert_eq!(queued().archive(), None);
}

#[test]
fn an_export_that_only_counts_is_not_shown() {
    let mut export = queued();
    assert!(export.is_shown());
    export.request.files = Files::Counts;
    assert!(!export.is_shown());
}

#[test]
fn names_are_stored_as_users_see_them() {
    let stored = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    assert_eq!(stored(serde_json::to_value(Lane::new("liferay")).unwrap()), "liferay");
    for (_, status) in Status::ALL {
        assert_eq!(status.name(), stored(serde_json::to_value(status).unwrap()));
        let is_unfinished = matches!(status, Status::Queued | Status::Running);
        assert_eq!(status.is_unfinished(), is_unfinished);
    }
}

#[test]
fn the_objects_of_a_deleted_export_are_removed_once() {
    let deleted = queued().succeed(NOW, &archive()).delete(NOW + SECOND).unwrap();
    assert_eq!((deleted.due(), deleted.due_kind()), (Some(NOW + SECOND), DueKind::Removal));
    let removed = deleted.removed().unwrap();
    assert_eq!((removed.status(NOW), removed.due()), (Status::Deleted, None));
    assert_eq!(removed.removed(), None);
    assert_eq!(queued().succeed(NOW, &archive()).removed(), None, "it was not to go");
}

#[test]
fn what_was_put_off_stays_so_until_it_is_done_or_the_export_has_other_work() {
    let postponed = queued().in_lane(lane()).cancel(NOW).unwrap().postpone(NOW);
    let until = Some(NOW + FIRST_BACKOFF);
    assert_eq!((postponed.due(), postponed.planned(1).due()), (until, until));
    assert_eq!(postponed.with_next_called().unwrap().backoff, None);

    let late = NOW + ARCHIVE_LIFETIME + REMOVAL_DELAY;
    let ready = queued().succeed(NOW, &archive()).postpone(late);
    assert_eq!(ready.expire(late).unwrap().backoff, None, "removing it has not failed yet");
}

#[test]
fn a_record_that_an_earlier_version_stored_is_read() {
    let origin = Origin { params: [("to".into(), vec!["1".into()])].into(), ..origin() };
    let export = Export {
        lane: Some(lane()),
        origin: Some(origin),
        backoff: Some(Backoff { failures: 2, until: NOW }),
        ..queued()
    };
    let mut stored = serde_json::to_value(&export).unwrap();
    let names = ["lane", "asked", "put_off"];
    let earlier = [
        serde_json::json!("liferay"),
        serde_json::json!({ "dialect": "coveo", "author": "ada", "words": { "to": ["1"] } }),
        serde_json::json!({ "times": 2, "until": NOW }),
    ];
    for (name, value) in names.into_iter().zip(earlier) {
        assert_eq!(stored[name].take(), value, "{name}");
        stored[name] = value;
    }
    assert_eq!(serde_json::from_value::<Export>(stored).unwrap(), export);
}
