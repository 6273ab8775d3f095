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
    assert_eq!(link.headers.get("decant-bad-rows"), None);
}

/// Follows a link as a client that has no token for it.
async fn follow(user: &User, method: &str, url: &str) -> tests::Reply {
    user.send(method, url, &[("authorization", "")], None).await.unwrap()
}

/// Rows of an hour, one of which is no JSON.
async fn with_a_bad_row(user: &User) {
    let rows = "{\"eventDate\":\"2026-03-01T00:10:00Z\",\"title\":\"a\"}\n{\"eventDate\":\n";
    let key = format!("liferay/page/workspace={}/date=2026-03-01/hour=00/a.json", user.workspace);
    user.stack.put_source(&key, rows.into()).await.unwrap();
}

#[tokio::test]
async fn every_link_answers_head_and_is_shown_on_request() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    with_a_bad_row(&user).await;
    let zip = user.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let zip = user.finished(&zip).await.unwrap();
    let mut plain = request("liferay_page", FROM, TO, "csv");
    plain["layout"] = "files".into();
    let plain = user.finished(&user.create(&plain).await.unwrap()).await.unwrap();
    let files = user.get(plain.text("/links/files")).await.unwrap();

    for link in [
        zip.text("/links/download"),
        zip.text("/links/bad_rows"),
        files.text("/files/0/link"),
        plain.text("/links/bad_rows"),
    ] {
        let shown = user.get(&format!("{link}?redirect=false")).await.unwrap();
        assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"), "{link}");
        let end = at(shown.text("/expires_at")).duration_since(Timestamp::now());
        assert!(end > SignedDuration::from_mins(4) && end <= SignedDuration::from_mins(5), "{end}");
        let file = follow(&user, "GET", shown.text("/url")).await;
        assert_eq!(file.status, 200, "{link}");

        let led = user.send("HEAD", link, &[], None).await.unwrap();
        assert_eq!(led.status, 302, "{link}");
        let head = follow(&user, "HEAD", led.header("location")).await;
        assert_eq!(head.status, 200, "{link}");
        for name in ["content-length", "content-type", "content-disposition"] {
            assert_eq!(head.header(name), file.header(name), "{link}");
        }
        assert_eq!(head.header("content-length"), file.bytes.len().to_string());
        assert_eq!(led.header("decant-bad-rows"), "1");
        let list = led.header("link").trim_start_matches('<').split('>').next().unwrap();
        assert_eq!(user.get(list).await.unwrap().status, 302, "{}", led.header("link"));
    }
    let link = zip.text("/links/download");
    let wrong = user.get(&format!("{link}?redirect=perhaps")).await.unwrap();
    assert_eq!((wrong.status, wrong.text("/errors/0/code")), (400, "wrong_redirect"));
}

/// The local stack is as strict with links as S3, or the tests here would show nothing.
#[tokio::test]
async fn a_link_is_for_its_method_and_for_nobody_who_says_who_they_are_besides() {
    let (user, done) = ready().await;
    let link = user.get(done.text("/links/download")).await.unwrap();
    let url = link.header("location");

    assert_eq!(follow(&user, "HEAD", url).await.status, 403);
    let both = user.get(url).await.unwrap();
    let said = String::from_utf8_lossy(&both.bytes).into_owned();
    assert_eq!(both.status, 400);
    assert!(said.contains("InvalidArgument") && said.contains("one auth mechanism"), "{said}");
    assert_eq!(follow(&user, "GET", url).await.status, 200);
}

#[tokio::test]
async fn a_link_ends_with_its_archive() {
    let (user, done) = ready().await;
    let end = Timestamp::now() + SignedDuration::from_mins(2);
    move_end(&user, done.text("/id"), end).await;

    let link = format!("{}?redirect=false", done.text("/links/download"));
    let shown = user.get(&link).await.unwrap();

    assert!(at(shown.text("/expires_at")) <= end, "{} and {end}", shown.body);
    let seconds = shown.text("/url").split("X-Amz-Expires=").nth(1).unwrap();
    let seconds: u64 = seconds.split('&').next().unwrap().parse().unwrap();
    assert!((100..=120).contains(&seconds), "{seconds}");
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

    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"M_rz: \\\"pages\\\"-1.zip\"; filename*=UTF-8''M%C3%A4rz%3A%20%22pages%22-1.zip"
    );
}

/// Reads a Content-Disposition as mail programs do.
const PYTHON: &str = r"
import email.message, email.utils, sys
message = email.message.Message()
message['Content-Disposition'] = sys.argv[1]
names = [value for name, value in message.get_params(header='content-disposition') if name == 'filename']
print(email.utils.collapse_rfc2231_value(names[-1]), end='')
";

#[tokio::test]
async fn another_program_reads_the_names_of_downloads() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    for (name, want) in [
        ("売上レポート", "売上レポート.zip"),
        ("My \"best\" export", "My \"best\" export.zip"),
        ("report.zip", "report.zip"),
        ("CON", "_CON.zip"),
        ("../a\\b%41;c", "a-b%41;c.zip"),
    ] {
        let mut body = request("liferay_page", FROM, TO, "csv");
        body["name"] = name.into();
        let done = user.finished(&user.create(&body).await.unwrap()).await.unwrap();
        let id: ExportId = done.text("/id").parse().unwrap();
        let link = user.get(done.text("/links/download")).await.unwrap();
        let told = follow(&user, "GET", link.header("location")).await;
        // What is stored with the object says the same as the link.
        let key = export::ArchiveKey::of(&user.workspace, id).to_string();
        let stored = user.stack.stored_name(&key).await.unwrap();
        assert_eq!(told.header("content-disposition"), stored);
        let python = std::process::Command::new("python3").args(["-c", PYTHON, &stored]).output();
        let output = python.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), want, "{stored} {said}");
    }
}

#[tokio::test]
async fn an_archive_lives_24_hours_from_its_publication_to_the_second() {
    let (user, done) = ready().await;
    let published = at(done.text("/finished_at"));
    assert_eq!(at(done.text("/expires_at")), published + ARCHIVE_LIFETIME);

    let end = Timestamp::now() + SignedDuration::from_secs(2);
    move_end(&user, done.text("/id"), end).await;
    let etag = user.get(done.text("/links/self")).await.unwrap().header("etag").to_owned();

    let (mut leads, asked) = (0, async || {
        let sent = Timestamp::now();
        (sent, user.get(done.text("/links/download")).await.unwrap(), Timestamp::now())
    });
    let after = loop {
        let (sent, reply, received) = asked().await;
        if reply.status != 302 {
            assert!(received >= end, "it ends too soon");
            break reply;
        }
        assert!(sent < end, "it ends too late");
        leads += 1;
    };
    assert!(leads > 0, "it was there before its end");
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
    // The archive and its receipt.
    assert_eq!(user.stack.export_keys(&prefix).await.unwrap().len(), 2);

    for _ in 0..2 {
        let reply = user.send("DELETE", done.text("/links/self"), &[], None).await.unwrap();
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    crate::janitor::round(&user.stack).await;
    assert!(user.stack.export_keys(&prefix).await.unwrap().is_empty());
    let gone = user.get(done.text("/links/download")).await.unwrap();
    assert_eq!((gone.status, gone.text("/code")), (410, "export_deleted"));
    assert_eq!(user.get(done.text("/links/self")).await.unwrap().text("/status"), "deleted");
}
