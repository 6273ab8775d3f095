//! The Amplitude dialect: one request, one ZIP of gzip files by hour.

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

#[tokio::test]
async fn a_head_has_all_of_the_answer_but_the_zip() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 1).await.unwrap();
    let hour = "start=20260301T00&end=20260301T00";
    let zip = ask(&user, hour).await;
    let head = sent(&user, "HEAD", hour, &[]).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    for name in ["content-type", "content-disposition", "cache-control"] {
        assert_eq!(head.header(name), zip.header(name), "{name}");
    }
    assert_eq!(head.header("content-length"), zip.bytes.len().to_string());
    assert_eq!(sent(&user, "HEAD", "start=20250301T00&end=20250301T01", &[]).await.status, 404);
}

#[tokio::test]
async fn a_client_without_accept_gets_the_zip_all_the_same() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 1).await.unwrap();
    let hour = "start=20260301T00&end=20260301T00";
    let zip = ask(&user, hour).await.bytes;
    let curl = |more: &[&str]| {
        let url = format!("{}/api/2/export?{hour}", user.stack.base_url());
        let pair = format!("{}:{}", &user.token[4..20], user.token);
        let fixed = ["-s", "-H", "Accept:", "-u", &pair, &url];
        Command::new("curl").args(fixed).args(more).output().unwrap().stdout
    };

    let link = curl(&["-w", "%{redirect_url}"]);
    let link = String::from_utf8(link).unwrap();
    let file = user.send("GET", &link, &[("authorization", "")], None).await.unwrap();
    assert!(file.bytes == zip, "the link leads to the same ZIP");
    // Which repeats its credential wherever it is led.
    assert!(curl(&["-A", "Python-urllib/3.11"]) == zip, "it is answered directly");
}

#[tokio::test]
async fn a_link_is_shown_on_request_and_what_there_is_no_link_to_is_told_as_ever() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 1).await.unwrap();
    let hour = "start=20260301T00&end=20260301T00";
    let zip = ask(&user, hour).await;
    assert_eq!(zip.status, 200);

    let shown = ask(&user, &format!("{hour}&redirect=false")).await;
    assert_eq!((shown.status, shown.header("cache-control")), (200, "no-store"));
    assert_eq!(shown.header("content-type"), "application/json");
    let left = at(shown.text("/expires_at")).duration_since(Timestamp::now());
    assert!(left > SignedDuration::from_mins(4) && left <= SignedDuration::from_mins(5), "{left}");
    assert!(shown.text("/url").contains(hour), "{}", shown.body);
    let stranger = [("authorization", "")];
    let file = user.send("GET", shown.text("/url"), &stranger, None).await.unwrap();
    assert!(file.bytes == zip.bytes, "the link needs no credential and leads to the same ZIP");

    // An hour of nothing but bad rows, one without any, and one with a damaged object.
    let lines = b"not a record\nnor is this\n".to_vec();
    user.stack.put_source(&source_key(&user, 4, "a.json"), lines).await.unwrap();
    let mut cut = gzip(&"{}\n".repeat(1000));
    cut.truncate(cut.len() - 4);
    user.stack.put_source(&source_key(&user, 6, "a.json.gz"), cut).await.unwrap();
    for (query, status, told, bad_rows) in [
        ("start=20260301T04&end=20260301T04", 404, "Raw data files were not found.", "2"),
        ("start=20260301T05&end=20260301T05", 404, "Raw data files were not found.", ""),
        ("start=20260301T06&end=20260301T06", 500, "a.json.gz is damaged", ""),
        ("start=20260301T06", 400, "The parameter end", ""),
    ] {
        let plain = ask(&user, query).await;
        let shown = ask(&user, &format!("{query}&redirect=false")).await;
        assert_eq!((plain.status, shown.status), (status, status), "{query}");
        let text = String::from_utf8(shown.bytes.clone()).unwrap();
        assert!(text.contains(told) && shown.bytes == plain.bytes, "{query}: {text}");
        assert_eq!(shown.header("decant-bad-rows"), bad_rows, "{query}");
    }
    for wrong in ["redirect=perhaps", "redirect=true&redirect=false"] {
        let refused = ask(&user, &format!("{hour}&{wrong}")).await;
        let text = String::from_utf8(refused.bytes).unwrap();
        assert!(refused.status == 400 && text.starts_with("redirect is"), "{wrong}: {text}");
    }
}

#[tokio::test]
async fn records_written_with_columns_have_objects_where_amplitude_has_them() {
    let user = user().await;
    let row = "{\"server_upload_time\":\"2026-03-01 07:15:00.000000\",\"groups\":null}\n";
    user.stack.put_source(&source_key(&user, 7, "a.json.gz"), gzip(row)).await.unwrap();
    let body = serde_json::json!({
        "tables": ["amplitude_events"], "format": "jsonl",
        "columns": { "amplitude_events": ["data", "groups", "global_user_properties", "uuid"] },
        "window": { "from": "2026-03-01T07:00:00Z", "to": "2026-03-01T08:00:00Z" },
    });
    let (_, archive) = user.export(&body).await.unwrap();
    let text = archive.text("amplitude_events.jsonl").unwrap();
    let want = "{\"data\":{},\"groups\":{},\"global_user_properties\":null,\"uuid\":null}\n";
    assert_eq!(text, want);
}

#[tokio::test]
async fn a_large_archive_is_led_to() {
    let user = user().await;
    let sample = Sample { seed: 5, rows_per_hour: 6000, objects_per_hour: 1 };
    let objects = user.seed(sample, &["amplitude_events"], at(BEGIN), 6).await.unwrap();
    assert!(objects.iter().map(|object| object.bytes.len()).sum::<usize>() > 5 << 20);

    let hours = "start=20260301T00&end=20260301T05";
    let reply = ask(&user, hours).await;

    assert_eq!(reply.status, 302);
    assert!(reply.header("location").contains(hours), "{}", reply.header("location"));
    let file =
        user.send("GET", reply.header("location"), &[("authorization", "")], None).await.unwrap();
    let head = sent(&user, "HEAD", hours, &[]).await;
    assert_eq!((head.status, head.bytes.len()), (302, 0));
    let size =
        user.send("HEAD", head.header("location"), &[("authorization", "")], None).await.unwrap();
    assert_eq!((size.status, size.header("content-length")), (200, file.header("content-length")));
    assert_eq!((file.status, file.header("content-type")), (200, "application/zip"));
    let files: Vec<Vec<u8>> = files(&file.bytes).into_iter().map(|file| file.1).collect();
    let want: Vec<Vec<u8>> = objects.into_iter().map(|object| object.bytes).collect();
    assert!(files == want, "each source object is there as it is, in order");
}

#[tokio::test]
async fn a_request_that_takes_too_long_goes_on_and_the_same_url_answers_later() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 1).await.unwrap();
    // A builder that does not exist holds the export that the URL stands for.
    let query = "start=20260301T00&end=20260301T00";
    let first = ask(&user, query).await;
    assert_eq!(first.status, 200);
    let id: ExportId =
        user.get("/v1/exports").await.unwrap().text("/exports/0/id").parse().unwrap();
    let built = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();
    let now = Timestamp::now();
    let day = SignedDuration::from_hours(24);
    let begun = Export::queued(id, user.workspace.clone(), built.request.clone(), now, day)
        .claim(now)
        .unwrap();
    let held = Export { version: built.version + 1, ..begun };
    user.stack.exports().put(&held).await.unwrap();

    let late = ask_once(&user, query).await;
    assert_eq!((late.status, late.header("retry-after")), (503, "10"));

    let done = Export { version: held.version + 1, ..built };
    user.stack.exports().put(&done).await.unwrap();
    let again = ask(&user, query).await;
    assert_eq!((again.status, again.bytes == first.bytes), (200, true));
}

#[tokio::test]
async fn no_data_is_told_in_the_words_that_clients_look_for() {
    let user = user().await;
    let now = Timestamp::now();
    let hour = |ago: i64| (now - SignedDuration::from_hours(ago)).strftime("%Y%m%dT%H").to_string();
    user.seed(SMALL, &["amplitude_events"], now - SignedDuration::from_hours(1), 1).await.unwrap();
    for query in [
        "start=20250301T00&end=20250301T23".to_owned(),
        // The last two hours are not complete yet, and the future is asked for all the same.
        format!("start={}&end={}", hour(1), hour(-24)),
    ] {
        let reply = ask(&user, &query).await;
        let text = String::from_utf8(reply.bytes).unwrap();
        assert_eq!(
            (reply.status, text.as_str()),
            (404, "Raw data files were not found."),
            "{query}"
        );
    }
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"], serde_json::json!([]));
}

#[tokio::test]
async fn who_has_no_good_key_is_told_so_and_who_has_one_may_write_it_as_the_documents_do() {
    let user = user().await;
    let other = user.stack.user().await.unwrap();
    let mixed = format!("{}{}", &other.token[..20], &user.token[20..]);
    let with_line_end = pair(&format!("{}\n", user.token));
    for (sent, status, text) in [
        (String::new(), 401, "Send your API key"),
        ("Bearer x".to_owned(), 401, "Send your API key"),
        (basic("key:secret"), 403, "Invalid API Key"),
        (pair(&mixed), 403, "Invalid API Key"),
        // Good, without padding or with a line end as in the documents: the query is what lacks.
        (pair(&user.token).replace('=', ""), 400, "The parameter start"),
        (with_line_end, 400, "The parameter start"),
        (basic(&format!("other:{}", user.token)), 403, "Invalid API Key"),
    ] {
        let reply =
            user.send("GET", "/api/2/export", &[("authorization", &sent)], None).await.unwrap();
        assert_eq!(reply.status, status, "{sent}");
        assert!(String::from_utf8(reply.bytes).unwrap().starts_with(text));
    }
}

#[tokio::test]
async fn a_range_that_is_too_large_is_told_in_ranges_that_fit() {
    let user = user().await;
    // The test stack's catalog allows 20 MB; only sizes count, so nothing here has to be gzip.
    for (hour, size) in
        [(1, 12_000_000), (2, 7_000_000), (4, 7_000_000), (5, 7_000_000), (6, 1_000_000)]
    {
        user.stack.put_source(&source_key(&user, hour, "a.json.gz"), vec![0; size]).await.unwrap();
    }

    let reply = ask(&user, "start=20260301T00&end=20260301T07").await;

    let text = String::from_utf8(reply.bytes).unwrap();
    let (told, urls) = text.split_once('\n').unwrap();
    assert_eq!(reply.status, 400);
    assert!(told.contains("too large") && told.contains("4GB"), "{told}");
    let base = user.stack.base_url();
    let want = ["start=20260301T00&end=20260301T03", "start=20260301T04&end=20260301T07"];
    assert_eq!(
        urls.lines().collect::<Vec<_>>(),
        want.map(|query| format!("{base}/api/2/export?{query}"))
    );
    assert_eq!(user.get("/v1/exports").await.unwrap().body["exports"], serde_json::json!([]));
}

#[tokio::test]
async fn ranges_that_are_none_are_refused() {
    let user = user().await;
    for query in [
        "",
        "start=20260301T00",
        "start=20260301&end=20260302",
        "start=20260302T00&end=20260301T00",
        "start=20240101T00&end=20260101T00",
    ] {
        let reply = ask(&user, query).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(!String::from_utf8(reply.bytes).unwrap().contains("too large"), "{query}");
    }
    let posted = user
        .send("POST", "/api/2/export", &[("authorization", &pair(&user.token))], None)
        .await
        .unwrap();
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn the_documented_command_works() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 2).await.unwrap();
    let command = format!(
        "curl -s --location --request GET '{}/api/2/export?start=20260301T00&end=20260301T01' -u '{}:{}'",
        user.stack.base_url(),
        &user.token[4..20],
        user.token
    );
    let output = Command::new("bash").arg("-c").arg(command).output().unwrap();
    assert_eq!(files(&output.stdout).len(), 4);
}

/// The hour that began so many hours ago, and how a query writes it.
fn hour_ago(hours: i64) -> (Timestamp, String) {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    (at, at.strftime("%Y%m%dT%H").to_string())
}

/// Files an event in the hour of an instant.
async fn put_event(user: &User, at: Timestamp) {
    let row =
        format!("{{\"server_upload_time\":\"{}\"}}\n", at.strftime("%Y-%m-%d %H:%M:%S.000000"));
    let hour = at.strftime("date=%Y-%m-%d/hour=%H");
    let key = format!("amplitude/events/workspace={}/{hour}/a.json.gz", user.workspace);
    user.stack.put_source(&key, gzip(&row)).await.unwrap();
}

/// Makes the newest export one that was made an hour ago, of the hours that were complete by then.
async fn as_of_an_hour_ago(user: &User, change: impl Fn(Export) -> Export) {
    let listed = user.get("/v1/exports").await.unwrap();
    let id: ExportId = listed.text("/exports/0/id").parse().unwrap();
    let older = |export: &Export| {
        let mut older = change(export.clone());
        let window = older.request.window;
        let to = window.to() - SignedDuration::from_hours(1);
        older.request.window = Window::new(window.from(), to).unwrap();
        Some(Export { version: export.version + 1, ..older })
    };
    user.stack.exports().change(&user.workspace, id, older).await.unwrap();
}

#[tokio::test]
async fn an_end_in_the_future_is_another_export_only_once_there_are_more_events() {
    let user = user().await;
    let (first, start) = hour_ago(8);
    put_event(&user, first).await;
    let query = format!("start={start}&end={}", hour_ago(-30).1);
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 1);

    // Another hour is complete, without events.
    as_of_an_hour_ago(&user, |export| export).await;
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 1);
    assert_eq!(count_exports(&user).await, 1);

    // And with events.
    put_event(&user, hour_ago(4).0).await;
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 2);
    assert_eq!(count_exports(&user).await, 2);
}

#[tokio::test]
async fn an_export_that_is_made_is_waited_for_though_another_hour_is_complete() {
    let user = user().await;
    put_event(&user, hour_ago(8).0).await;
    let query = format!("start={}&end={}", hour_ago(8).1, hour_ago(-30).1);
    assert_eq!(ask(&user, &query).await.status, 200);
    // A builder that does not exist holds it since an hour ago.
    let held = |export: Export| {
        let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
        let ago = now - SignedDuration::from_hours(1);
        let begun =
            Export::queued(export.id, export.workspace.clone(), export.request.clone(), ago, day);
        let begun = begun.claim(now).unwrap();
        Export { origin: export.origin, ..begun }
    };
    as_of_an_hour_ago(&user, held).await;
    put_event(&user, hour_ago(4).0).await;

    let waited = ask_once(&user, &query).await;

    assert_eq!(waited.status, 503, "{:?}", waited.bytes);
    assert_eq!(count_exports(&user).await, 1);
}

/// Two clients that others published, each with its base URL changed and nothing else.
const CLIENTS: &str = r#"
import io, sys, zipfile, gzip
base, key, secret, path = sys.argv[1:]

from amplitude.client import AmplitudeExport
AmplitudeExport.URL = base + "/api/2/export"
print(len(AmplitudeExport(key, secret).export("20260301T00", "20260301T01")))

from amplitude_data_wrapper import analytics_api
analytics_api.API_DOMAINS["eu"] = base
analytics_api.export_project_data("20260301T00", "20260301T01", key, secret, path)
with zipfile.ZipFile(path) as z:
    print(sum(len(gzip.decompress(z.read(name)).splitlines()) for name in z.namelist()))
"#;

#[tokio::test]
async fn published_clients_read_every_event() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 2).await.unwrap();
    let path = std::env::temp_dir().join(format!("decant-{}.zip", user.workspace));
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python"))
        .args([
            "-c",
            CLIENTS,
            user.stack.base_url(),
            &user.token[4..20],
            &user.token,
            path.to_str().unwrap(),
        ])
        .output()
        .expect("run Python, which make test sets up");
    std::fs::remove_file(path).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "120\n120\n", "{}", String::from_utf8_lossy(&output.stderr));
}
