//! What the Amplitude dialect answers beside files: heads, links, and what is wrong.

use super::*;

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
