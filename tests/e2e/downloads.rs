//! Archives can be downloaded for 24 hours, and then no more.

use export::{ARCHIVE_LIFETIME, ExportId, State};
use jiff::{SignedDuration, Timestamp};
use tests::{Stack, User};

use crate::{at, request};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

async fn ready() -> (User, tests::Reply) {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let url = user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let done = user.finished(&url).await.unwrap();
    (user, done)
}

/// Moves the end of an archive's life, as time would.
async fn move_end(user: &User, id: &str, end: Timestamp) {
    let id: ExportId = id.parse().unwrap();
    let moved = |export: &export::Export| match &export.state {
        State::Succeeded { archive } => {
            let archive = export::Archive { expires_at: end, ..archive.clone() };
            Some(export::Export {
                version: export.version + 1,
                state: State::Succeeded { archive },
                ..export.clone()
            })
        }
        _ => None,
    };
    let mut done = false;
    while !done {
        let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
        done = user.stack.exports().put(&moved(&export).unwrap()).await.is_ok();
    }
}

#[tokio::test]
async fn a_download_is_a_redirect_to_a_link_of_five_minutes() {
    let (user, done) = ready().await;

    let link = user.get(done.text("/links/download")).await.unwrap();

    assert_eq!((link.status, link.header("cache-control")), (302, "no-store"));
    assert!(link.header("location").contains("X-Amz-Expires=300"), "{}", link.header("location"));
    let file =
        user.send("GET", link.header("location"), &[("authorization", "")], None).await.unwrap();
    assert_eq!((file.status, file.header("content-type")), (200, "application/zip"));
    let name = format!("attachment; filename=\"export-{}.zip\"", done.text("/id"));
    assert_eq!(file.header("content-disposition"), name);
    let head = user.send("HEAD", done.text("/links/download"), &[], None).await.unwrap();
    assert_eq!(head.status, 302);
}

#[tokio::test]
async fn an_archive_is_named_after_its_export() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["name"] = "März: \"pages\"/1".into();
    let done = user.finished(&user.create(&body).await.unwrap()).await.unwrap();

    let link = user.get(done.text("/links/download")).await.unwrap();
    let file =
        user.send("GET", link.header("location"), &[("authorization", "")], None).await.unwrap();

    assert_eq!(file.header("content-disposition"), "attachment; filename=\"M-rz---pages--1.zip\"");
}

#[tokio::test]
async fn an_archive_lives_24_hours_from_its_publication_to_the_second() {
    let (user, done) = ready().await;
    let published = at(done.text("/finished_at"));
    assert_eq!(at(done.text("/expires_at")), published + ARCHIVE_LIFETIME);

    let end = Timestamp::now() + SignedDuration::from_secs(2);
    move_end(&user, done.text("/id"), end).await;
    let before = user.get(done.text("/links/download")).await.unwrap();
    assert_eq!(before.status, 302);
    let etag = user.get(done.text("/links/self")).await.unwrap().header("etag").to_owned();

    tokio::time::sleep(end.duration_since(Timestamp::now()).unsigned_abs()).await;
    let after = user.get(done.text("/links/download")).await.unwrap();
    assert_eq!((after.status, after.text("/code")), (410, "export_expired"));
    assert!(after.text("/detail").contains("Create the export again"));
    let shown = user
        .send("GET", done.text("/links/self"), &[("if-none-match", &etag)], None)
        .await
        .unwrap();
    assert_eq!(
        (shown.status, shown.text("/status")),
        (200, "expired"),
        "no 304 for what has changed"
    );
    assert!(shown.body["links"].get("download").is_none());
}

#[tokio::test]
async fn a_deleted_archive_is_gone_and_deleting_it_again_changes_nothing() {
    let (user, done) = ready().await;
    let prefix = format!("exports/{}/", user.workspace);
    assert_eq!(user.stack.export_keys(&prefix).await.unwrap().len(), 1);

    for _ in 0..2 {
        let reply = user.send("DELETE", done.text("/links/self"), &[], None).await.unwrap();
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    assert!(user.stack.export_keys(&prefix).await.unwrap().is_empty());
    let gone = user.get(done.text("/links/download")).await.unwrap();
    assert_eq!((gone.status, gone.text("/code")), (410, "export_deleted"));
    assert_eq!(user.get(done.text("/links/self")).await.unwrap().text("/status"), "deleted");
}
