//! The Amplitude dialect: one request, one ZIP of gzip files by hour.

mod answers;
mod repeats;

use std::{
    io::{Cursor, Read as _},
    process::Command,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use export::{Export, ExportId, Window};
use flate2::read::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tests::{
    Archive, Reply, Stack, User,
    sample::{Sample, gzip},
    until,
};
use zip::{CompressionMethod, ZipArchive};

use crate::{SMALL, at};

const BEGIN: &str = "2026-03-01T00:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// Asks with the key pair of the user's token, its id and itself, and again as long as the answer takes longer
/// than a request may.
async fn ask(user: &User, query: &str) -> Reply {
    let made = async || Ok(Some(ask_once(user, query).await).filter(|reply| reply.status != 503));
    until("the answer", made).await.unwrap()
}

async fn ask_once(user: &User, query: &str) -> Reply {
    sent(user, "GET", query, &[]).await
}

async fn sent(user: &User, method: &str, query: &str, headers: &[(&str, &str)]) -> Reply {
    let (url, pair) = (format!("/api/2/export?{query}"), pair(&user.token));
    let headers = [&[("authorization", pair.as_str())], headers].concat();
    user.send(method, &url, &headers, None).await.unwrap()
}

pub(crate) fn pair(token: &str) -> String {
    basic(&format!("{}:{token}", &token[4..20]))
}

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

/// Name, stored bytes and lines of each file of an archive, in order.
fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>, Vec<String>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let read = |index| {
        let mut file = archive.by_index(index).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Stored, "gzip is not compressed again");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let mut text = String::new();
        MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        (file.name().unwrap().into_owned(), bytes, text.lines().map(str::to_owned).collect())
    };
    (0..Archive(bytes.to_vec()).listing().unwrap().len()).map(read).collect()
}

/// Exports events, and returns all lines of all files.
pub(crate) async fn lines_of(user: &User, query: &str) -> String {
    let reply = ask(user, query).await;
    assert_eq!(reply.status, 200, "{query}: {}", String::from_utf8_lossy(&reply.bytes));
    let lines = files(&reply.bytes).into_iter().flat_map(|(_, _, lines)| lines);
    lines.map(|line| line + "\n").collect()
}

/// Exports events in vain, and returns what is said of it.
pub(crate) async fn failure_of(user: &User, query: &str) -> String {
    let reply = ask(user, query).await;
    let said = String::from_utf8_lossy(&reply.bytes).into_owned();
    assert_eq!(reply.status, 500, "{query}: {said}");
    said
}

fn source_key(user: &User, hour: u8, name: &str) -> String {
    format!("amplitude/events/workspace={}/date=2026-03-01/hour={hour:02}/{name}", user.workspace)
}

#[tokio::test]
async fn whole_hours_are_the_source_objects_as_they_are() {
    let user = user().await;
    let objects = user.seed(SMALL, &["amplitude_events"], at(BEGIN), 12).await.unwrap();

    let reply = ask(&user, "start=20260301T02&end=20260301T10&sort=asc").await;

    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "application/zip"),
        "{:?}",
        reply.bytes
    );
    let files = files(&reply.bytes);
    assert_eq!(files.len(), 18, "two objects an hour, both hours inside");
    let folder = files[0].0.split('/').next().unwrap().to_owned();
    assert!(folder.bytes().all(|b| b.is_ascii_digit()));
    let names: Vec<String> = (2..=10)
        .flat_map(|hour| (0..2).map(move |part| (hour, part)))
        .map(|(hour, part)| format!("{folder}/{folder}_2026-03-01_{hour}#{part}.json.gz"))
        .collect();
    assert_eq!(
        files.iter().map(|file| &file.0).collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    for (file, object) in files.iter().zip(&objects[4..]) {
        assert!(file.1 == object.bytes, "{} is not its source", file.0);
        let row: Value = serde_json::from_str(&file.2[0]).unwrap();
        assert_eq!(row.as_object().unwrap().len(), 55);
    }
    let listed = user.get("/v1/exports").await.unwrap();
    assert!(listed.body["exports"][0]["archive"].get("rows").is_none(), "no row was read");
    assert_eq!(
        ask(&user, "start=20260301T2&end=20260301T10").await.bytes,
        reply.bytes,
        "the same export"
    );
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_gzip_becomes_gzip() {
    let user = user().await;
    let row = "{\"server_upload_time\":\"2026-03-01 03:15:00.000000\",\"uuid\":\"1\"}\n";
    user.stack.put_source(&source_key(&user, 3, "a.json"), row.repeat(3).into()).await.unwrap();
    let zst = zstd::encode_all(row.as_bytes(), 3).unwrap();
    user.stack.put_source(&source_key(&user, 3, "b.json.zst"), zst).await.unwrap();
    user.stack.put_source(&source_key(&user, 3, "c.json.gz"), gzip(row)).await.unwrap();
    user.stack.put_source(&source_key(&user, 3, "d.json.gz"), Vec::new()).await.unwrap();
    user.stack.put_source(&source_key(&user, 3, "e.json.gz"), row.repeat(2).into()).await.unwrap();

    let files = files(&ask(&user, "start=20260301T03&end=20260301T03").await.bytes);

    assert_eq!(files.iter().map(|file| file.2.len()).collect::<Vec<_>>(), [3, 1, 1, 2]);
    assert!(files[2].0.ends_with("_2026-03-01_3#2.json.gz"));
    assert!(files[2].1 == gzip(row), "its neighbours go in as they are");
    assert_eq!(files[3].2, [row.trim_end(), row.trim_end()]);
}

#[tokio::test]
async fn lines_at_which_clients_fail_are_read_and_others_stay() {
    let user = user().await;
    let row = "{\"server_upload_time\":\"2026-03-01 03:15:00.000000\",\"uuid\":\"1\"}";
    let stays = gzip(&format!("{row}\r\nnot a record\n"));
    for (name, object) in [
        ("a.json.gz", gzip(&format!("\u{feff}{row}\n"))),
        ("b.json.gz", gzip(&format!("[{row},{row}]\n"))),
        ("c.json.gz", gzip(&format!("{row}\n\n{row}\nnot a record\n"))),
        ("d.json.gz", stays.clone()),
    ] {
        user.stack.put_source(&source_key(&user, 3, name), object).await.unwrap();
    }

    let reply = ask(&user, "start=20260301T03&end=20260301T03").await;

    assert_eq!(reply.header("decant-bad-rows"), "1", "that of the object whose rows are read");
    let files = files(&reply.bytes);
    let lines: Vec<_> = files.iter().map(|(_, _, lines)| lines.join("\n")).collect();
    assert_eq!(lines[0], row);
    assert_eq!((&lines[1], &lines[2]), (&format!("{row}\n{row}"), &format!("{row}\n{row}")));
    assert!(files[3].1 == stays, "a carriage return and a bad row are no reason");
}

#[tokio::test]
async fn a_gzip_object_that_is_cut_or_changed_is_never_passed_on() {
    let row = "{\"server_upload_time\":\"2026-03-01 04:15:00.000000\",\"uuid\":\"1\"}\n";
    let whole = gzip(&row.repeat(200));
    let cut = whole[..whole.len() - 6].to_vec();
    let mut changed = whole.clone();
    let at = changed.len() - 7;
    changed[at] ^= 1;
    for bytes in [cut, changed] {
        let user = user().await;
        user.stack.put_source(&source_key(&user, 4, "a.json.gz"), whole.clone()).await.unwrap();
        user.stack.put_source(&source_key(&user, 4, "b.json.gz"), bytes).await.unwrap();

        let reply = ask(&user, "start=20260301T04&end=20260301T04").await;

        assert_eq!(reply.status, 500);
        assert!(String::from_utf8(reply.bytes).unwrap().contains("b.json.gz is damaged"));
    }
}

#[tokio::test]
async fn an_hour_without_rows_is_no_data_and_one_without_a_last_line_end_gets_it() {
    let user = user().await;
    let row = "{\"server_upload_time\":\"2026-03-01 05:15:00.000000\",\"uuid\":\"1\"}";
    let open = gzip(&format!("{row}\n{row}"));
    user.stack.put_source(&source_key(&user, 4, "a.json.gz"), gzip("")).await.unwrap();
    user.stack.put_source(&source_key(&user, 5, "a.json.gz"), open.clone()).await.unwrap();

    let nothing = ask(&user, "start=20260301T04&end=20260301T04").await;
    assert_eq!(nothing.status, 404, "{:?}", nothing.bytes);

    let files = files(&ask(&user, "start=20260301T04&end=20260301T05").await.bytes);
    assert_eq!(files.len(), 1);
    assert!(files[0].1.starts_with(&open), "it goes in as it is, with something behind it");
    let mut text = String::new();
    MultiGzDecoder::new(&files[0].1[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("{row}\n{row}\n"));
}

#[tokio::test]
async fn an_hour_of_nothing_but_bad_rows_tells_of_them() {
    let user = user().await;
    let lines = b"not a record\nnor is this\n".to_vec();
    user.stack.put_source(&source_key(&user, 4, "a.json"), lines).await.unwrap();

    let nothing = ask(&user, "start=20260301T04&end=20260301T04").await;

    assert_eq!((nothing.status, nothing.header("decant-bad-rows")), (404, "2"));
}

#[tokio::test]
async fn a_source_object_that_only_calls_itself_gzip_is_never_passed_on() {
    let user = user().await;
    user.stack.put_source(&source_key(&user, 4, "a.json.gz"), b"text".to_vec()).await.unwrap();

    let reply = ask(&user, "start=20260301T04&end=20260301T04").await;

    assert_eq!(reply.status, 500);
    let said = String::from_utf8(reply.bytes).unwrap();
    assert!(said.contains("a.json.gz is damaged"), "{said}");

    // It is not built again and again while the lake is as it was.
    let hour = "start=20260301T04&end=20260301T04";
    let again = ask(&user, hour).await;
    assert_eq!((again.status, String::from_utf8(again.bytes).unwrap()), (500, said));
    assert_eq!(count_exports(&user).await, 1);
    user.stack.put_source(&source_key(&user, 4, "a.json.gz"), gzip("{}\n")).await.unwrap();
    assert_eq!(ask(&user, hour).await.status, 200, "it was mended");
}

async fn count_exports(user: &User) -> usize {
    user.get("/v1/exports").await.unwrap().body["exports"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_row_that_is_filed_late_is_in_the_next_answer() {
    let user = user().await;
    let row = "{\"server_upload_time\":\"2026-03-01 06:15:00.000000\"}\n";
    let hour = "start=20260301T06&end=20260301T06";
    user.stack.put_source(&source_key(&user, 6, "a.json.gz"), gzip(row)).await.unwrap();
    assert_eq!(files(&ask(&user, hour).await.bytes).len(), 1);
    assert_eq!(files(&ask(&user, hour).await.bytes).len(), 1);
    assert_eq!(count_exports(&user).await, 1, "the lake is the same");

    user.stack.put_source(&source_key(&user, 6, "late.json.gz"), gzip(row)).await.unwrap();
    assert_eq!(files(&ask(&user, hour).await.bytes).len(), 2);
    assert_eq!(count_exports(&user).await, 2);
}
