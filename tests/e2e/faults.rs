//! What goes wrong between the lake and the archive has a clear outcome.

use cloud::Claim;
use export::{
    BUILD_LEASE, Export, ExportId, Limits, MAX_DEATHS, MAX_FAILURES, Order, SourceObject, State,
    Window, WorkKey,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{Message, Reply, Stack, User, sample::gzip, until};

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
const GOOD: &str = "{\"eventDate\":\"2026-03-01T00:30:00Z\",\"title\":\"good\"}\n";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

fn key(user: &User, name: &str) -> String {
    format!("liferay/page/workspace={}/date=2026-03-01/hour=00/{name}", user.workspace)
}

fn body() -> Value {
    request("liferay_page", FROM, TO, "jsonl")
}

/// What becomes of an export over one good object and this one.
async fn outcome(name: &str, bytes: Vec<u8>) -> (User, Reply) {
    let user = user().await;
    user.stack.put_source(&key(&user, "a.json.gz"), gzip(GOOD)).await.unwrap();
    user.stack.put_source(&key(&user, name), bytes).await.unwrap();
    let url = user.create(&body()).await.unwrap();
    let done = user.finished(&url).await.unwrap();
    (user, done)
}

/// A record as the API would make it, without its message.
fn unsent(user: &User, now: Timestamp) -> Export {
    let request = Order::from_json(&body(), &user.stack.catalog, &[], &Limits::default(), now)
        .unwrap()
        .request;
    let time_limit = SignedDuration::from_hours(24);
    Export::queued(tests::new_id(), user.workspace.clone(), request, now, time_limit)
}

/// The list of an export's bad rows.
async fn bad_rows(user: &User, done: &Reply) -> Vec<Value> {
    let link = user.get(done.text("/links/bad_rows")).await.unwrap();
    let list =
        user.send("GET", link.header("location"), &[("authorization", "")], None).await.unwrap();
    assert_eq!(list.header("content-type"), "application/x-ndjson");
    let lines = str::from_utf8(&list.bytes).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn bad_rows_are_counted_listed_and_told() {
    let text =
        format!("{GOOD}{{\"eventDate\":\"2026-03-01T00:3\n{{\"title\":\"untimed\"}}\n{GOOD}");
    let (user, done) = outcome("b.json.gz", gzip(&text)).await;

    assert_eq!(done.text("/status"), "succeeded");
    assert_eq!(
        (&done.body["archive"]["rows"], &done.body["archive"]["bad_rows"]),
        (&json!(3), &json!(2))
    );
    let archive = user.download(done.text("/links/download")).await.unwrap();
    assert_eq!(archive.text("liferay_page.jsonl").unwrap(), GOOD.repeat(3));
    let rows = bad_rows(&user, &done).await;
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["line"], &rows[1]["line"]), (&json!(2), &json!(3)));
    assert_eq!(rows[1]["reason"], "it has no time: eventDate is missing");
    assert_eq!(rows[0]["object"], key(&user, "b.json.gz"));
}

#[tokio::test]
async fn a_row_in_a_folder_where_no_export_of_its_time_looks_is_listed() {
    // The catalog admits that pages are filed an hour late.
    let late = GOOD.replace("2026-03-01T00:30", "2026-02-28T23:30");
    let misfiled = GOOD.replace("2026-03-01T00:30", "2026-02-28T22:30");
    let (user, done) = outcome("b.json.gz", gzip(&[GOOD, &late, &misfiled].concat())).await;

    assert_eq!(done.body["archive"]["rows"], 2);
    let rows = bad_rows(&user, &done).await;
    let want = json!([{
        "table": "liferay_page", "object": key(&user, "b.json.gz"), "line": 3, "exported": false,
        "reason": "it is misfiled: its time is 2026-02-28T22:30:00Z, and its folder is that of 2026-03-01T00",
    }]);
    assert_eq!(Value::from(rows), want);
}

#[tokio::test]
async fn an_export_without_bad_rows_has_no_list_of_them() {
    let (user, done) = outcome("b.json", GOOD.into()).await;

    assert!(done.body["links"].get("bad_rows").is_none());
    let missing = user.get(&format!("{}/bad-rows", done.text("/links/self"))).await.unwrap();
    assert_eq!((missing.status, missing.text("/code")), (404, "no_bad_rows"));
}

#[tokio::test]
async fn a_damaged_source_object_fails_the_export_and_is_named() {
    let whole = gzip(&GOOD.repeat(100));
    for (name, bytes) in
        [("cut.json.gz", whole[..whole.len() - 6].to_vec()), ("text.json.gz", b"no rows".to_vec())]
    {
        let (user, done) = outcome(name, bytes).await;

        assert_eq!(
            (done.text("/status"), done.text("/failure/code")),
            ("failed", "source_corrupt")
        );
        assert!(done.text("/failure/detail").contains(&key(&user, name)), "{}", done.body);
        let refused = user.get(&format!("{}/download", done.text("/links/self"))).await.unwrap();
        assert_eq!((refused.status, refused.text("/code")), (409, "export_failed"));
        assert!(
            user.stack
                .export_keys(&format!("exports/{}/", user.workspace))
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_source_object_that_is_not_json_lines_fails_the_export_by_what_it_is() {
    let (user, done) = outcome("b.json", b"Obj\x01\x04\x15\x10".to_vec()).await;

    assert_eq!(
        (done.text("/status"), done.text("/failure/code")),
        ("failed", "source_unsupported")
    );
    let detail = done.text("/failure/detail");
    assert!(detail.contains(&key(&user, "b.json")) && detail.contains("Avro"), "{detail}");
}

#[tokio::test]
async fn an_object_of_which_hardly_a_row_can_be_read_fails_the_export() {
    let (user, done) = outcome("b.json", "title,eventDate\n".repeat(100).into()).await;

    assert_eq!(
        (done.text("/status"), done.text("/failure/code")),
        ("failed", "source_unsupported")
    );
    let detail = done.text("/failure/detail");
    let told = format!("Of the 100 rows of the source object {}, 100 cannot", key(&user, "b.json"));
    assert!(detail.starts_with(&told) && detail.contains("on line 1: it is not"), "{detail}");
}

#[tokio::test]
async fn what_programs_leave_in_a_partition_is_not_data() {
    let user = user().await;
    for (name, bytes) in [
        ("part-0", gzip(GOOD)),
        ("_SUCCESS", Vec::new()),
        (".part-0.crc", b"crc\0\0\0\x02\0".to_vec()),
        ("_committed_1", b"{\"added\":[]}\n".to_vec()),
        ("_temporary/0/part-0", gzip(GOOD)),
    ] {
        user.stack.put_source(&key(&user, name), bytes).await.unwrap();
    }
    let (done, archive) = user.export(&body()).await.unwrap();

    assert_eq!(archive.text("liferay_page.jsonl").unwrap(), GOOD);
    assert_eq!(done.body["archive"]["bad_rows"], 0);
    let explained = user.post("/v1/explain", &body()).await.unwrap();
    assert_eq!(explained.body["tables"][0]["ways"][0]["objects"], 1, "{}", explained.body);
}

#[tokio::test]
async fn a_source_object_that_changed_after_the_plan_fails_the_export() {
    for removed in [true, false] {
        let user = user().await;
        if !removed {
            user.stack.put_source(&key(&user, "a.json"), GOOD.into()).await.unwrap();
        }
        let export = unsent(&user, Timestamp::now());
        let object = SourceObject {
            bucket: None,
            key: key(&user, "a.json"),
            etag: "\"0\"".into(),
            size_bytes: 9,
        };
        let planned = lake::PlannedObject {
            object,
            way: lake::Way::Transcode,
            refer: false,
            partition: None,
            file: None,
        };
        let plan =
            json!({ "steps": [{ "makes": { "rows": 0 }, "inside": true, "objects": [planned] }] });
        let plan_key = WorkKey::plan(&user.workspace, export.id);
        user.stack.archives().write_work(&plan_key, plan.to_string().into()).await.unwrap();
        user.stack.exports().put(&export).await.unwrap();
        user.stack.queue().send(&export, 0).await.unwrap();

        let done = user.finished(&format!("/v1/exports/{}", export.id)).await.unwrap();

        assert_eq!(
            (done.text("/status"), done.text("/failure/code")),
            ("failed", "source_changed")
        );
        assert!(done.text("/failure/detail").contains("a.json"), "{}", done.body);
    }
}

#[tokio::test]
async fn a_source_object_that_changed_before_it_was_copied_fails_the_export() {
    let user = user().await;
    let export = unsent(&user, Timestamp::now());
    let size_bytes = 12_u64 << 20;
    let bytes = vec![b' '; usize::try_from(size_bytes).unwrap()];
    user.stack.put_source(&key(&user, "a.json.gz"), bytes).await.unwrap();
    let object = SourceObject {
        bucket: None,
        key: key(&user, "a.json.gz"),
        etag: "\"0\"".into(),
        size_bytes,
    };
    let planned = lake::PlannedObject {
        object,
        way: lake::Way::Splice,
        refer: true,
        partition: None,
        file: None,
    };
    let plan =
        json!({ "steps": [{ "makes": { "rows": 0 }, "inside": true, "objects": [planned] }] });
    let segment = json!({
        "crc32": 0, "raw_bytes": size_bytes, "stored_crc32": 0, "stored_bytes": size_bytes, "rows": 1,
    });
    let referred = json!({ "object": { "object": 0, "offset": 0, "len": size_bytes } });
    let report = json!({
        "piece": WorkKey::piece(&user.workspace, export.id, 0), "made_at": Timestamp::now(),
        "made": [{ "poured": [segment, [referred]] }],
        "bad_rows": 0, "listed": [], "outside": 0, "times": null,
    });
    let work = user.stack.archives();
    let (plan_key, report_key) =
        (WorkKey::plan(&user.workspace, export.id), WorkKey::report(&user.workspace, export.id, 0));
    work.write_work(&plan_key, plan.to_string().into()).await.unwrap();
    work.write_work(&report_key, report.to_string().into()).await.unwrap();
    user.stack.exports().put(&export).await.unwrap();
    user.stack.queue().send(&export, 0).await.unwrap();

    let done = user.finished(&format!("/v1/exports/{}", export.id)).await.unwrap();

    assert_eq!((done.text("/status"), done.text("/failure/code")), ("failed", "source_changed"));
    assert!(done.text("/failure/detail").contains("a.json.gz"), "{}", done.body);
}

#[tokio::test]
async fn a_message_delivered_twice_builds_once() {
    let user = user().await;
    let url = user.create(&body()).await.unwrap();
    let first = user.finished(&url).await.unwrap();
    let id = first.text("/id").parse().unwrap();
    let export = user.stack.exports().get(&user.workspace, id).await.unwrap().unwrap();

    user.stack.queue().send(&export, 0).await.unwrap();
    user.stack.left_alone(id).await.unwrap();

    let second = user.get(&url).await.unwrap();
    assert_eq!((first.text("/status"), &first.body), ("succeeded", &second.body));
    assert_eq!(first.header("etag"), second.header("etag"));
}

/// Waits until a builder has received the message about an export and returned it to the queue, to come
/// again by then: long before the queue would give it to another builder.
async fn returned(user: &User, id: ExportId, by: Timestamp) {
    let returned = async || {
        let messages = user.stack.messages_about(id).await?;
        let is_returned =
            |message: &Message| message.received > 0 && message.visible_at <= by.as_second();
        Ok(messages.iter().any(is_returned).then_some(()))
    };
    until("the message to be returned", returned).await.unwrap();
}

#[tokio::test]
async fn a_message_before_its_record_waits_for_it() {
    let user = user().await;
    let export = unsent(&user, Timestamp::now());
    user.stack.queue().send(&export, 0).await.unwrap();
    returned(&user, export.id, Timestamp::now() + SignedDuration::from_secs(60)).await;

    user.stack.exports().put(&export).await.unwrap();

    let done = user.finished(&format!("/v1/exports/{}", export.id)).await.unwrap();
    assert_eq!(done.text("/status"), "succeeded");
}

#[tokio::test]
async fn a_message_that_is_not_ours_ends_in_the_dead_letter_queue() {
    let user = user().await;
    let strange = format!("{{\"not\":\"ours {}\"}}", user.workspace);
    user.stack.send_raw(&strange).await.unwrap();
    let url = user.create(&body()).await.unwrap();
    assert_eq!(
        user.finished(&url).await.unwrap().text("/status"),
        "succeeded",
        "its neighbours go on"
    );

    let arrived = async || Ok(user.stack.dead_letters().await?.contains(&strange).then_some(()));
    until("the message among the dead letters", arrived).await.unwrap();
}

#[tokio::test]
async fn an_export_another_builder_holds_is_left_alone() {
    let user = user().await;
    let now = Timestamp::now();
    let export = unsent(&user, now);
    user.stack.exports().put(&export).await.unwrap();
    let held = export.claim(now).unwrap();
    user.stack.exports().put(&held).await.unwrap();

    user.stack.queue().send(&held, 0).await.unwrap();
    // Whoever holds it needs no help, so the message is done with.
    let done = async || Ok(user.stack.messages_about(export.id).await?.is_empty().then_some(()));
    until("the message to be done with", done).await.unwrap();

    let found = user.stack.exports().get(&user.workspace, export.id).await.unwrap().unwrap();
    assert_eq!(found, held);
    let ended = held.cancel(now).unwrap();
    user.stack.exports().put(&ended).await.unwrap();
}

/// A running export whose plan has one step, and a batch of one that is not there.
async fn with_a_batch_that_breaks(user: &User) -> Export {
    let queued = unsent(user, Timestamp::now());
    let claimed = queued.claim(queued.created_at).unwrap();
    user.stack.exports().put(&queued).await.unwrap();
    user.stack.exports().put(&claimed).await.unwrap();
    let running = claimed.planned(2);
    user.stack.exports().put(&running).await.unwrap();
    let plan_key = WorkKey::plan(&user.workspace, running.id);
    user.stack.archives().write_work(&plan_key, b"{\"steps\":[]}".into()).await.unwrap();
    running
}

#[tokio::test]
async fn more_objects_than_are_held_are_not_listed() {
    let user = user().await;
    for name in ["a", "b", "c"] {
        user.stack.put_source(&key(&user, name), gzip(GOOD)).await.unwrap();
    }
    let catalog = &user.stack.catalog;
    let dataset = catalog.dataset_of(catalog.table("liferay_page").unwrap());
    let window = Window::new(FROM.parse().unwrap(), TO.parse().unwrap()).unwrap();
    let listed = async |most| user.stack.lake().filed(dataset, &user.workspace, window, most).await;

    let objects: usize = listed(3).await.unwrap().iter().map(|(_, objects)| objects.len()).sum();
    assert_eq!(objects, 3);
    let refused = listed(2).await;
    assert!(matches!(refused, Err(cloud::Error::TooManyObjects)), "{refused:?}");
}

#[tokio::test]
async fn a_batch_whose_lease_lapsed_is_lost_to_its_old_holder_and_taken_by_another() {
    let user = user().await;
    let (exports, now) = (user.stack.exports(), Timestamp::now());
    let export = unsent(&user, now);
    let claim = async |at| match exports
        .claim_batch(&export, 0, tests::new_id().to_string(), at)
        .await
        .unwrap()
    {
        Claim::Ours { holder, .. } => Some(holder),
        Claim::Held(_) => None,
    };
    let renew =
        async |holder: &str, until| exports.renew_batch(&export, 0, holder, until).await.unwrap();
    let old = claim(now).await.unwrap();
    let lapses = now + BUILD_LEASE + BUILD_LEASE;
    assert!(renew(&old, lapses).await, "it is renewed as long as nobody has taken it over");
    assert_eq!(claim(lapses - SignedDuration::from_millis(1)).await, None);

    let new = claim(lapses).await.unwrap();

    let later = lapses + BUILD_LEASE;
    assert!(!renew(&old, later).await, "it is lost");
    assert!(renew(&new, later).await);
}

/// Claims the first batch of an export so many hours ago, as a builder does of which nothing is heard again.
async fn claimed(user: &User, export: &Export, hours: u32) -> Claim {
    let earlier = Timestamp::now() - SignedDuration::from_hours(hours.into());
    user.stack.exports().claim_batch(export, 0, "dead".to_owned(), earlier).await.unwrap()
}

#[tokio::test]
async fn a_batch_that_keeps_breaking_fails_the_export() {
    let user = user().await;
    let export = with_a_batch_that_breaks(&user).await;
    for hours in (1..MAX_FAILURES).rev() {
        let claim = claimed(&user, &export, hours).await;
        let Claim::Ours { holder, .. } = claim else { panic!("{claim:?}") };
        let give_back = async || {
            let free_at = Timestamp::UNIX_EPOCH;
            user.stack.exports().return_batch(&export, 0, &holder, free_at).await.unwrap()
        };
        assert_eq!((give_back().await, give_back().await), (true, false), "it is given back once");
    }
    user.stack.queue().send_batches(&export, &[(0, 1)]).await.unwrap();

    let done = user.finished(&format!("/v1/exports/{}", export.id)).await.unwrap();

    assert_eq!((done.text("/status"), done.text("/failure/code")), ("failed", "internal"));
    assert!(done.text("/failure/detail").contains("broke several times"), "{}", done.body);
}

#[tokio::test]
async fn builders_that_died_are_no_faults_of_their_steps() {
    let user = user().await;
    let export = with_a_batch_that_breaks(&user).await;
    for hours in (1..=MAX_FAILURES).rev() {
        claimed(&user, &export, hours).await;
    }
    user.stack.queue().send_batches(&export, &[(0, 1)]).await.unwrap();
    returned(&user, export.id, Timestamp::now() + BUILD_LEASE).await;

    let exports = user.stack.exports();
    let found = exports.get(&user.workspace, export.id).await.unwrap().unwrap();
    assert!(matches!(found.state, State::Running { .. }), "{:?}", found.state);
    let cancel = |e: &Export| e.cancel(Timestamp::now());
    exports.change(&user.workspace, export.id, cancel).await.unwrap();
}

#[tokio::test]
async fn an_export_at_whose_steps_every_builder_dies_fails_and_says_so() {
    let user = user().await;
    let export = with_a_batch_that_breaks(&user).await;
    for hours in (1..=MAX_DEATHS).rev() {
        let claim = claimed(&user, &export, hours).await;
        let died = MAX_DEATHS - hours;
        assert!(matches!(claim, Claim::Ours { deaths, .. } if deaths == died), "{claim:?}");
    }
    user.stack.queue().send_batches(&export, &[(0, 1)]).await.unwrap();

    let done = user.finished(&format!("/v1/exports/{}", export.id)).await.unwrap();

    assert_eq!((done.text("/status"), done.text("/failure/code")), ("failed", "internal"));
    assert!(done.text("/failure/detail").contains("builders stopped"), "{}", done.body);
}

#[tokio::test]
async fn a_batch_that_broke_once_is_free_for_another_attempt() {
    let user = user().await;
    let export = with_a_batch_that_breaks(&user).await;
    let exports = user.stack.exports();
    user.stack.queue().send_batches(&export, &[(0, 1)]).await.unwrap();
    returned(&user, export.id, Timestamp::now() + BUILD_LEASE).await;

    // A builder that holds it does so for its lease; one that gave it up, for seconds.
    let now = Timestamp::now();
    let claim = exports.claim_batch(&export, 0, "other".to_owned(), now).await.unwrap();
    let is_freed = matches!(claim, Claim::Held(until) if until < now + BUILD_LEASE / 2);
    assert!(is_freed, "{claim:?}");
    let cancel = |e: &Export| e.cancel(now);
    exports.change(&user.workspace, export.id, cancel).await.unwrap();
}
