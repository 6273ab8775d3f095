//! `make smoke` tells of every promise whether a deployed stack keeps it, and who looks on learns no secret.

use std::path::Path;

use export::{Privilege, external_id};
use tests::{Answer, Receiver, Stack, User};
use tokio::process::Command;

use crate::{SMALL, at};

const FROM: &str = "2026-03-01T00:00:00Z";

/// Runs it with a token and options, and returns its exit status and its lines.
async fn smoke(user: &User, token: &str, options: &str) -> (Option<i32>, Vec<String>) {
    let output = Command::new("make")
        .args(["--no-print-directory", "smoke"])
        .arg(format!("API={}", user.stack.base_url()))
        .arg(format!("SMOKE=--from {FROM} --table liferay_page {options}"))
        .env("TOKEN", token)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    for secret in [token, "X-Amz-Signature", "/s/", "whsec_"] {
        assert!(!said.contains(secret), "{said}");
    }
    (output.status.code(), said.lines().map(str::to_owned).collect())
}

fn beginning<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with(word)).collect()
}

#[tokio::test]
async fn a_stack_that_works_keeps_every_promise_and_keeps_nothing_of_the_smoke_test() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["liferay_page", "amplitude_events"], at(FROM), 1).await.unwrap();
    let customer = user.stack.customer(&external_id(&user.workspace)).await.unwrap();
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let keys = &customer.keys;
    let options = format!(
        "--callback {} --copy-to s3://{}/in/ --copy-role {} --amplitude",
        receiver.url, keys.bucket, keys.role_arn
    );

    let (status, lines) = smoke(&user, &user.token, &options).await;

    assert_eq!((status, lines.last().unwrap().as_str()), (Some(0), "No promise is broken."));
    assert_eq!(beginning(&lines, "ok ").len(), lines.len() - 1, "{lines:#?}");
    let finished = lines.iter().find(|line| line.contains("the export is finished")).unwrap();
    assert!(!finished.contains(" 0 rows"), "{finished}");
    assert_eq!(receiver.so_far().len(), 1);
    assert_eq!(customer.objects().await.unwrap().len(), 3, "an archive, its receipt, its manifest");
    let left = user.get("/v1/exports?status=succeeded&search=smoke").await.unwrap();
    assert_eq!(left.body["exports"].as_array().unwrap().len(), 0, "{}", left.body);
    let workspace = user.get("/v1/workspace").await.unwrap();
    assert_eq!(workspace.body["signing_secrets"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_wrong_token_breaks_one_promise_which_is_named_and_the_rest_is_left_out() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let (before, after) = user.token.split_at(40);
    let other = if after.starts_with('0') { "1" } else { "0" };
    let wrong = format!("{before}{other}{}", &after[1..]);

    let (status, lines) = smoke(&user, &wrong, "").await;

    // That of make, where a command fails.
    assert_eq!(status, Some(2), "{lines:#?}");
    let broken = beginning(&lines, "BROKEN ");
    // Where it was tried, and in the summary.
    assert_eq!(broken.len(), 2, "{lines:#?}");
    assert!(broken[0].contains("the token that was given opens a workspace"), "{}", broken[0]);
    assert!(broken[0].contains("401") && broken[0].contains("token_invalid"), "{}", broken[0]);
    assert_eq!(broken[0], broken[1]);
    assert!(lines.iter().any(|line| line.starts_with("1 of ")), "{lines:#?}");
    assert_eq!(beginning(&lines, "ok ").len(), 5, "{lines:#?}");
}

#[tokio::test]
async fn promises_that_need_no_more_than_a_token_gives_are_tried_after_one_that_is_broken() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let viewer = user.stack.user_of(user.workspace.clone(), &[Privilege::View]).await.unwrap();

    let (status, lines) = smoke(&user, &viewer.token, "--quick").await;

    assert_eq!(status, Some(2), "{lines:#?}");
    let broken = beginning(&lines, "BROKEN ");
    let made =
        |line: &&str| line.contains("an export of one hour is made") && line.contains("edit");
    assert!(broken.iter().any(made), "{broken:#?}");
    for promise in ["tables are listed", "an export is explained", "the first rows"] {
        assert!(lines.iter().any(|l| l.starts_with("ok ") && l.contains(promise)), "{promise}");
    }
}
