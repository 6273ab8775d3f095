//! Copies of an export's files in a bucket of its user, who has an account of their own.

use std::{io::Read as _, time::Duration};

use cloud::Purpose;
use export::{COPY_LEASE, CopyState, CopyTarget, Export, Secret, StoredCredentials, external_id};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Answer, Customer, Receiver, Reply, Stack, User, until};

use crate::{
    SMALL, at, janitor,
    leanplum::{call, finished, morning, put, session},
    request,
};

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

async fn customer_of(user: &User) -> Customer {
    user.stack.customer(&external_id(&user.workspace)).await.unwrap()
}

/// Somebody with a session in the lake, their bucket, and the day of the session.
async fn with_a_session() -> (User, Customer, String) {
    let user = user().await;
    let customer = customer_of(&user).await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    (user, customer, day)
}

/// Waits until the copy of an export has ended, and returns the export.
async fn copied(user: &User, url: &str) -> Reply {
    for _ in 0..600 {
        let reply = user.get(url).await.unwrap();
        assert_ne!(reply.text("/status"), "failed", "{}", reply.body);
        if ["succeeded", "failed"].contains(&reply.text("/copy/status")) {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the copy of {url} does not end");
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn escaped(text: &str) -> String {
    text.replace('/', "%2F")
}

#[tokio::test]
async fn a_job_copies_its_files_tells_where_they_are_and_keeps_no_secret() {
    let (user, customer, day) = with_a_session().await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let keys = &customer.keys;
    let made = call(
        &user,
        "exportData",
        &format!(
            "startDate={day}&exportFormat=csv&callbackUrl={}&s3BucketName={}&s3AccessId={}&s3AccessKey={}\
             &s3ObjectPrefix=in/dir/&compressData=true",
            receiver.url.replace('&', "%26"), keys.bucket, keys.key_id, escaped(&keys.secret)
        ),
    )
    .await;
    assert_eq!(made.status, 200, "{}", made.body);
    let job = made.text("/response/0/jobId");
    let done = finished(&user, job).await;

    assert_eq!(done["state"], "FINISHED", "{done}");
    let objects = customer.objects().await.unwrap();
    let told = done["s3CopyStatus"]["success"].as_array().unwrap();
    assert_eq!((told.len(), objects.len()), (6, 6));
    assert!(done["s3CopyStatus"].get("failure").is_none());
    for file in told {
        let (source, dest) =
            (file["sourceFile"].as_str().unwrap(), file["destFile"].as_str().unwrap());
        assert!(done["files"].as_array().unwrap().contains(&json!(source)));
        let name = source.rsplit('/').next().unwrap();
        assert_eq!(dest, format!("in/dir/{name}.gz"));
        let lead = user.send("GET", source, &[("authorization", "")], None).await.unwrap();
        let file = user
            .send("GET", lead.header("location"), &[("authorization", "")], None)
            .await
            .unwrap();
        assert_eq!(gunzip(&objects[dest]), file.bytes);
    }

    // What is posted is what is answered, to the letter.
    let posted = receiver.received(1).await.remove(0);
    let answered = call(&user, "getExportResults", &format!("jobId={job}")).await;
    assert_eq!(posted.body.as_bytes(), answered.bytes);
    assert!(!posted.headers.contains_key("webhook-signature"));

    let key = export::sha256_hex(format!("leanplum/{job}").as_bytes());
    let record = user.stack.exports().newest(&user.workspace, &key).await.unwrap().unwrap();
    assert!(matches!(record.copy.unwrap().state, CopyState::Ended { failure: None, .. }));
    assert_eq!(user.stack.places_of(&keys.secret).await.unwrap(), [""; 0]);
    // The search does find what is there.
    assert!(!user.stack.places_of(job).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bucket_that_stays_closed_fails_the_job_and_leaves_its_files() {
    let (user, customer, day) = with_a_session().await;
    let receiver = Receiver::start(vec![Answer::Status(200)]).await.unwrap();
    let keys = &customer.keys;
    let wrong = format!("Q{}", &keys.secret[1..]);
    for (bucket, id, secret, prefix, said) in [
        (
            keys.bucket.as_str(),
            keys.key_id.as_str(),
            wrong.as_str(),
            "in/",
            "SignatureDoesNotMatch",
        ),
        (&keys.bucket, "AKIANOSUCHKEY", &wrong, "in/", "InvalidAccessKeyId"),
        (&keys.bucket, &keys.key_id, &keys.secret, "out/", "AccessDenied"),
        ("no-such-bucket-of-ours", &keys.key_id, &keys.secret, "in/", "NoSuchBucket"),
    ] {
        let rest = format!(
            "startDate={day}&s3BucketName={bucket}&s3AccessId={id}&s3AccessKey={}&s3ObjectPrefix={prefix}&callbackUrl={}",
            escaped(secret),
            receiver.url
        );
        let made = call(&user, "exportData", &rest).await;
        let done = finished(&user, made.text("/response/0/jobId")).await;
        assert_eq!((&done["state"], &done["success"]), (&json!("FAILED"), &json!(true)), "{done}");
        let message = done["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(said), "{message}");
        let failed = &done["s3CopyStatus"]["failure"][0];
        assert_eq!(failed["error"], message);
        assert!(failed["destFile"].as_str().unwrap().starts_with(prefix));
        let link = done["files"][0].as_str().unwrap();
        assert_eq!(
            user.send("GET", link, &[("authorization", "")], None).await.unwrap().status,
            302
        );
    }
    assert!(customer.objects().await.unwrap().is_empty());
    let told: Vec<Value> =
        receiver.received(4).await.iter().map(|r| serde_json::from_str(&r.body).unwrap()).collect();
    assert!(told.iter().all(|told| told["response"][0]["state"] == "FAILED"));
    for secret in [&wrong, &keys.secret] {
        assert_eq!(user.stack.places_of(secret).await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_role_is_taken_on_for_its_workspace_and_a_list_is_written_last() {
    let user = user().await;
    let customer = customer_of(&user).await;
    user.seed(SMALL, &["liferay_page"], at(FROM), 1).await.unwrap();
    let shown = user.get("/v1/workspace").await.unwrap();
    assert_eq!(shown.text("/external_id"), external_id(&user.workspace));
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["copy"] = json!({ "bucket": customer.keys.bucket, "prefix": "in/", "role_arn": customer.keys.role_arn });
    let url = user.create(&body).await.unwrap();
    let done = copied(&user, &url).await;

    assert_eq!(
        (done.text("/copy/status"), &done.body["copy"]["files_done"]),
        ("succeeded", &json!(1))
    );
    let id = done.text("/id");
    let objects = customer.objects().await.unwrap();
    let zip = user.download(done.text("/links/download")).await.unwrap();
    assert_eq!(objects[&format!("in/{id}.zip")], zip.0);
    let list: Value = serde_json::from_slice(&objects[&format!("in/{id}.manifest.json")]).unwrap();
    let receipt = format!("in/{id}.receipt.json");
    let want = json!({ "export": id, "files": [format!("in/{id}.zip")], "receipt": receipt });
    assert_eq!(list, want);
    assert_eq!(export::sha256_hex(&objects[&receipt]), done.text("/archive/receipt/sha256"));

    // Another workspace that names the same role is not let in.
    let other = user.stack.user().await.unwrap();
    other.seed(SMALL, &["liferay_page"], at(FROM), 1).await.unwrap();
    let url = other.create(&body).await.unwrap();
    let refused = copied(&other, &url).await;
    assert_eq!((refused.text("/status"), refused.text("/copy/status")), ("succeeded", "failed"));
    assert!(refused.text("/copy/failure").starts_with("AccessDenied"), "{}", refused.body);
    other.download(refused.text("/links/download")).await.unwrap();
    assert_eq!(
        customer.objects().await.unwrap().len(),
        3,
        "only the ZIP of the first, its receipt and its manifest"
    );
}

#[tokio::test]
async fn a_copy_of_which_every_file_failed_has_none_done_and_is_told_to_have_failed() {
    let user = user().await;
    let customer = customer_of(&user).await;
    user.seed(SMALL, &["liferay_page"], at(FROM), 1).await.unwrap();
    let mut body = request("liferay_page", FROM, TO, "csv");
    body["tables"] = json!(["liferay_page", "liferay_segment"]);
    body["layout"] = json!("files");
    // The local stack has a conflict there for each file, of which none says anything of the others.
    body["copy"] = json!({
        "bucket": customer.keys.bucket, "prefix": "in/conflict/", "role_arn": customer.keys.role_arn,
    });
    let url = user.create(&body).await.unwrap();
    let done = copied(&user, &url).await;

    let copy = &done.body["copy"];
    assert_eq!((&copy["status"], &copy["files_done"]), (&json!("failed"), &json!(0)), "{copy}");
    assert!(copy.get("failure").is_none(), "{copy}");
    let failed = copy["failed_files"].as_array().unwrap();
    let keys: Vec<&str> = failed.iter().map(|file| file["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["in/conflict/liferay_page-0.csv", "in/conflict/liferay_segment-0.csv"]);
    for file in failed {
        assert!(file["detail"].as_str().unwrap().starts_with("OperationAborted"), "{file}");
    }
    assert!(customer.objects().await.unwrap().is_empty(), "nor is there a list of what is there");
    let logged = async || {
        let line = format!("ended the copy of export {}", done.text("/id"));
        let lines = user.stack.places_of(&line).await?;
        Ok(lines.into_iter().next())
    };
    let logged = until("the courier's log", logged).await.unwrap();
    let says = |field: &str| logged.replace([' ', '"'], "").replace('=', ":").contains(field);
    assert!(says("failed:true") && says("copied:0") && says("failed_files:2"), "{logged}");
}

#[tokio::test]
async fn large_files_are_copied_in_parts() {
    let user = user().await;
    let customer = customer_of(&user).await;
    let large = tests::sample::Sample { seed: 3, rows_per_hour: 25_000, objects_per_hour: 1 };
    user.seed(large, &["amplitude_events"], at(FROM), 1).await.unwrap();
    let mut body = request("amplitude_events", FROM, TO, "jsonl");
    let keys = &customer.keys;
    body["layout"] = json!("files");
    body["copy"] = json!({
        "bucket": keys.bucket, "prefix": "in/", "access_key_id": keys.key_id, "secret_access_key": keys.secret
    });
    let url = user.create(&body).await.unwrap();
    let done = copied(&user, &url).await;
    assert_eq!(done.text("/copy/status"), "succeeded", "{}", done.body);
    let files = user.get(done.text("/links/files")).await.unwrap();
    let file = &files.body["files"][0];
    assert!(file["size_bytes"].as_u64().unwrap() > 8 << 20, "{file}");
    let objects = customer.objects().await.unwrap();
    let lead = user.get(file["link"].as_str().unwrap()).await.unwrap();
    let there =
        user.send("GET", lead.header("location"), &[("authorization", "")], None).await.unwrap();
    assert!(objects[&format!("in/{}", file["name"].as_str().unwrap())] == there.bytes);
}

#[tokio::test]
async fn a_courier_that_died_is_replaced_and_goes_on_where_it_was() {
    let (user, customer, day) = with_a_session().await;
    let made = call(&user, "exportData", &format!("startDate={day}&exportFormat=csv")).await;
    let job = made.text("/response/0/jobId");
    finished(&user, job).await;
    let key = export::sha256_hex(format!("leanplum/{job}").as_bytes());
    let exports = user.stack.exports();
    let id = exports.newest(&user.workspace, &key).await.unwrap().unwrap().id;
    // As by a courier that was killed after two of the six files, and whose lease lapsed.
    let ago = Timestamp::now() - COPY_LEASE - SignedDuration::from_secs(1);
    let target = CopyTarget {
        bucket: customer.keys.bucket.parse().unwrap(),
        prefix: "in/".parse().unwrap(),
        gzip: false,
        manifest: false,
    };
    let role = StoredCredentials::Role { arn: customer.keys.role_arn.clone() };
    let held = |export: &Export| {
        let held = export.clone().with_copy(target.clone(), role.clone()).copy_claimed(ago)?;
        let held = held.copy_advanced(None)?.copy_advanced(None)?;
        Some(Export { version: export.version + 1, ..held })
    };
    exports.change(&user.workspace, id, held).await.unwrap();
    janitor::round(&user.stack).await;

    let done = copied(&user, &format!("/v1/exports/{id}")).await;
    assert_eq!(
        (done.text("/copy/status"), &done.body["copy"]["files_done"]),
        ("succeeded", &json!(6))
    );
    assert_eq!(customer.objects().await.unwrap().len(), 4, "two were dealt with before");
}

#[tokio::test]
async fn what_was_sealed_for_one_export_opens_for_no_other() {
    let user = user().await;
    let (one, other) = (tests::new_id(), tests::new_id());
    let seal = user.stack.seal();
    let secret = Secret::new("wJalr/+x".to_owned());
    let sealed = seal.seal(&secret, Purpose::Copy(&user.workspace, one)).await.unwrap();

    assert!(!sealed.contains("wJalr"));
    assert_eq!(seal.open(&sealed, Purpose::Copy(&user.workspace, one)).await.unwrap(), secret);
    let another = "another".parse().unwrap();
    for purpose in [
        Purpose::Copy(&user.workspace, other),
        Purpose::Copy(&another, one),
        Purpose::Callback(&user.workspace),
    ] {
        assert!(seal.open(&sealed, purpose).await.is_err(), "{purpose:?}");
    }
}
