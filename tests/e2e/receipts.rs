//! A receipt says what an export took of which source objects, and can be checked by who was shown it.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use export::{ExportId, State, sha256_hex};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use tests::{Reply, Stack, User, sample::gzip, until};
use zip::ZipArchive;

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

fn key(user: &User, name: &str) -> String {
    format!("liferay/page/workspace={}/date=2026-03-01/hour=00/{name}", user.workspace)
}

fn row(time: &str, title: &str) -> String {
    format!("{{\"eventDate\":\"{time}\",\"title\":\"{title}\"}}\n")
}

/// Makes an export and returns it with its receipt, as it was stored.
async fn with_receipt(user: &User, body: &Value) -> (Reply, Vec<u8>) {
    let done = user.finished(&user.create(body).await.unwrap()).await.unwrap();
    assert_eq!(done.text("/status"), "succeeded", "{}", done.body);
    let lead = user.get(done.text("/links/receipt")).await.unwrap();
    assert_eq!(lead.status, 302);
    let stored =
        user.send("GET", lead.header("location"), &[("authorization", "")], None).await.unwrap();
    assert_eq!((stored.status, stored.header("content-type")), (200, "application/json"));
    (done, stored.bytes)
}

/// What a receipt says of each source object: how many rows were taken, outside of the window, and bad.
fn counts(receipt: &Value) -> BTreeMap<String, [u64; 3]> {
    let of = |source: &Value| {
        let count = |field: &str| source[field].as_u64().unwrap();
        let counts = [count("rows"), count("outside"), count("bad_rows")];
        (source["key"].as_str().unwrap().to_owned(), counts)
    };
    receipt["sources"].as_array().unwrap().iter().map(of).collect()
}

/// A file: its name, its size in bytes, its CRC-32 and its rows.
type File = (String, u64, String, u64);

/// What a receipt, or the list of files, says of each file.
fn files(list: &Value) -> Vec<File> {
    let of = |file: &Value| {
        let text = |field: &str| file[field].as_str().unwrap().to_owned();
        let count = |field: &str| file[field].as_u64().unwrap();
        (text("name"), count("size_bytes"), text("crc32"), count("rows"))
    };
    list["files"].as_array().unwrap().iter().map(of).collect()
}

/// Three objects: one of which every row is wanted, one with rows that are not, and one that is not compressed.
/// Returns what is to be taken of each.
async fn put_objects(user: &User) -> BTreeMap<String, [u64; 3]> {
    let inside = "2026-03-01T00:30:00Z";
    let whole: String = (0..500).map(|n| row(inside, &format!("whole {n}"))).collect();
    let mixed: String = (0..400)
        .map(|n| match n % 10 {
            3 => row("2026-03-01T01:10:00Z", "later"),
            7 => "{\"eventDate\":\n".to_owned(),
            _ => row(inside, &format!("mixed {n}")),
        })
        .collect();
    let plain = row(inside, "plain").repeat(3);
    for (name, bytes) in
        [("a.json.gz", gzip(&whole)), ("b.json.gz", gzip(&mixed)), ("c.json", plain.into_bytes())]
    {
        user.stack.put_source(&key(user, name), bytes).await.unwrap();
    }
    [("a.json.gz", [500, 0, 0]), ("b.json.gz", [320, 40, 40]), ("c.json", [3, 0, 0])]
        .map(|(name, counts)| (key(user, name), counts))
        .into()
}

#[tokio::test]
async fn a_receipt_tells_how_many_rows_were_taken_of_each_object_in_every_format() {
    let user = user().await;
    let want = put_objects(&user).await;
    for format in ["jsonl", "csv", "parquet"] {
        for layout in ["zip", "files"] {
            let mut body = request("liferay_page", FROM, TO, format);
            body["layout"] = layout.into();
            let (done, stored) = with_receipt(&user, &body).await;
            let receipt: Value = serde_json::from_slice(&stored).unwrap();

            assert_eq!(done.text("/archive/receipt/sha256"), sha256_hex(&stored), "{format}");
            assert_eq!(done.body["archive"]["receipt"]["size_bytes"], stored.len());
            let found = counts(&receipt);
            assert_eq!(found, want, "{format} {layout}");
            assert_eq!(receipt["totals"]["rows"], 823);
            assert_eq!(
                (&receipt["totals"]["outside"], &receipt["totals"]["bad_rows"]),
                (&json!(40), &json!(40))
            );
            assert_eq!(receipt["tables"][0]["rows"], 823);
            assert_eq!(receipt["export"], done.text("/id"));
            assert_eq!(receipt["workspace"], user.workspace.to_string());
            assert_eq!(files(&receipt), [downloaded(&user, &done).await], "{format} {layout}");
        }
    }
}

/// The only file of an export as it is downloaded.
async fn downloaded(user: &User, done: &Reply) -> File {
    let whole = |name: &str, bytes: &[u8]| {
        let crc32 = format!("{:08x}", crc32fast::hash(bytes));
        (name.to_owned(), bytes.len() as u64, crc32, 823)
    };
    let Some(list) = done.body["links"]["files"].as_str() else {
        let archive = user.download(done.text("/links/download")).await.unwrap();
        let mut archive = ZipArchive::new(Cursor::new(archive.0)).unwrap();
        let mut file = archive.by_index(0).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        return whole(&file.name().unwrap(), &bytes);
    };
    let list = user.get(list).await.unwrap();
    let lead = user.get(list.text("/files/0/link")).await.unwrap();
    let file =
        user.send("GET", lead.header("location"), &[("authorization", "")], None).await.unwrap();
    let found = whole(list.text("/files/0/name"), &file.bytes);
    assert_eq!(files(&list.body), std::slice::from_ref(&found), "the list says the same");
    found
}

#[tokio::test]
async fn whoever_is_shown_a_receipt_can_check_its_signature_without_a_token() {
    let user = user().await;
    put_objects(&user).await;
    let (done, stored) = with_receipt(&user, &request("liferay_page", FROM, TO, "csv")).await;
    let keys = user.send("GET", "/v1/receipt-keys", &[("authorization", "")], None).await.unwrap();
    assert_eq!(keys.status, 200, "{}", keys.body);

    let signature = done.text("/archive/receipt/signature");
    let (header, signature) = signature.split_once("..").unwrap();
    let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let said: Value = serde_json::from_slice(&decoded(header)).unwrap();
    let key = &keys.body["keys"][0];
    assert_eq!((&said["alg"], &said["b64"]), (&json!("ES256"), &json!(false)));
    assert_eq!((&said["crit"], &said["kid"]), (&json!(["b64"]), &key["kid"]));
    let point = [vec![4], decoded(key["x"].as_str().unwrap()), decoded(key["y"].as_str().unwrap())];
    let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.concat());
    let signed = |receipt: &[u8]| [header.as_bytes(), b".", receipt].concat();
    let signature = decoded(signature);
    assert!(verifier.verify(&signed(&stored), &signature).is_ok());
    let mut forged = stored.clone();
    let at = forged.len() / 2;
    forged[at] ^= 1;
    assert!(verifier.verify(&signed(&forged), &signature).is_err());
}

#[tokio::test]
async fn a_receipt_says_until_when_rows_may_still_be_added() {
    let user = user().await;
    let (_, stored) = with_receipt(&user, &request("liferay_page", FROM, TO, "csv")).await;
    let old: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!((&old["complete_through"], &old["warnings"]), (&json!(TO), &json!([])));
    // Pages are filed an hour late at most, and arrive a quarter of an hour after that hour.
    assert_eq!(old["may_change_until"], "2026-03-01T02:15:00Z");

    let hour = SignedDuration::from_hours(1);
    let now = Timestamp::now();
    let (from, to) = ((now - hour * 3).to_string(), now.to_string());
    let (_, stored) = with_receipt(&user, &request("liferay_page", &from, &to, "csv")).await;
    let new: Value = serde_json::from_slice(&stored).unwrap();
    let at = |field: &str| new[field].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(new["warnings"][0]["code"], "may_change", "{new}");
    assert!(at("complete_through") <= now - hour, "{new}");
    assert!(at("may_change_until") > at("listed_at"), "{new}");
}

#[tokio::test]
async fn an_export_of_a_version_without_receipts_says_that_it_has_none() {
    let user = user().await;
    let (done, _) = with_receipt(&user, &request("liferay_page", FROM, TO, "csv")).await;
    let id: ExportId = done.text("/id").parse().unwrap();
    let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
    let State::Succeeded { archive } = export.state.clone() else { panic!("{export:?}") };
    let archive = export::Archive { receipt: None, ..archive };
    let version = export.version + 1;
    let earlier = export::Export { version, state: State::Succeeded { archive }, ..export.clone() };
    user.stack.exports().put(&earlier).await.unwrap();

    let shown = user.get(done.text("/links/self")).await.unwrap();
    assert_eq!(shown.body["links"].get("receipt"), None);
    let none = user.get(done.text("/links/receipt")).await.unwrap();
    assert_eq!((none.status, none.text("/code")), (404, "no_receipt"));
}

#[tokio::test]
async fn a_receipt_is_deleted_with_its_export() {
    let user = user().await;
    let (done, _) = with_receipt(&user, &request("liferay_page", FROM, TO, "csv")).await;
    let key = format!("exports/{}/{}.receipt.json", user.workspace, done.text("/id"));
    assert!(user.stack.read_export_object(&key).await.is_ok());
    user.send("DELETE", done.text("/links/self"), &[], None).await.unwrap();
    until("the receipt is gone", async || {
        Ok(user.stack.export_keys(&key).await?.is_empty().then_some(()))
    })
    .await
    .unwrap();
}
