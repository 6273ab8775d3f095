//! What nobody else looks after, the janitor does, within a minute or so.

use std::time::{Duration, Instant};

use export::{
    Archive, ArchiveKey, Export, ExportId, ExportRequest, LEASE, Limits, RESEND_AFTER, State,
};
use jiff::{SignedDuration, Timestamp};
use tests::{Stack, User};

use crate::request;

const PATIENCE: Duration = Duration::from_secs(150);

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// An export made some time ago, of which only the record is left.
fn old(user: &User, ago: SignedDuration, patience: SignedDuration) -> Export {
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let now = Timestamp::now();
    let request =
        ExportRequest::from_json(&body, &user.stack.catalog, &Limits::default(), now).unwrap();
    Export::queued(ExportId::generate(), user.workspace.clone(), request, now - ago, patience)
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

    let built = until(&user, export.id, |e| matches!(e.state, State::Succeeded { .. })).await;

    assert_eq!(built.failures, 0);
}

#[tokio::test]
async fn an_export_whose_builder_died_is_built_by_another() {
    let user = user().await;
    let export = old(&user, LEASE, SignedDuration::from_hours(24));
    user.stack.exports().put(&export).await.unwrap();
    let held = export.claim(export.created_at).unwrap();
    user.stack.exports().put(&held).await.unwrap();

    let built = until(&user, export.id, |e| matches!(e.state, State::Succeeded { .. })).await;

    assert_eq!((built.failures, built.leases), (1, 2));
}

#[tokio::test]
async fn an_export_past_its_deadline_fails_with_a_reason() {
    let user = user().await;
    let export = old(&user, SignedDuration::from_hours(1), SignedDuration::from_hours(1));
    user.stack.exports().put(&export).await.unwrap();

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
    let archive = Archive { expires_at: Timestamp::now(), ..archive.clone() };
    let over = Export {
        version: export.version + 1,
        state: State::Succeeded { archive },
        ..export.clone()
    };
    user.stack.exports().put(&over).await.unwrap();

    let expired =
        until(&user, id, |e| matches!(e.state, State::Expired { removed: true, .. })).await;
    assert_eq!(expired.due(), None);
    assert!(user.stack.export_keys(&key).await.unwrap().is_empty());
}
