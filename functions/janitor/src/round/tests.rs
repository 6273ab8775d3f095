//! Rounds over a table that is played, where services fail as they are told to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use cloud::{ArchiveBucket, DeliveryTable, ExportQueue, ExportTable, Queue};
use export::{
    Archive, Export, ExportRequest, FOLLOW_UP_AFTER, Format, Lane, State, TableSelection, Window,
};
use fake_aws::{Call, FakeAws, Reply};
use outbox::Outbox;
use serde_json::{Value, json};

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Items by table and sort key.
type Items = Arc<Mutex<BTreeMap<(String, String), Value>>>;

/// A janitor among services that are played.
struct Scene {
    app: App,
    aws: FakeAws,
    items: Items,
}

impl Scene {
    /// `fault` may answer a call instead.
    async fn set(fault: impl Fn(&Call) -> Option<Option<Reply>> + Send + Sync + 'static) -> Self {
        let items = Items::default();
        let stored = Arc::clone(&items);
        let answer = move |call: &Call| fault(call).unwrap_or_else(|| Some(play(&stored, call)));
        let aws = FakeAws::start(answer).await.unwrap();
        let config = aws.config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let sqs = aws_sdk_sqs::Client::new(&config);
        let exports = ExportTable::new(dynamodb.clone(), "exports".into());
        let queue = ExportQueue::new(sqs.clone(), "http://builds".into());
        let [notices, copies] =
            ["http://notices", "http://copies"].map(|url| Queue::new(sqs.clone(), url.into()));
        let app = App {
            outbox: Outbox::new(exports.clone(), queue.clone(), notices, copies),
            exports,
            queue,
            archives: ArchiveBucket::new(cloud::s3_client(&config), "archives".into()),
            deliveries: DeliveryTable::new(dynamodb, "deliveries".into()),
        };
        Self { app, aws, items }
    }

    /// Stores an export as it is after `change`.
    async fn put(&self, change: impl FnOnce(&Export) -> Export) -> Export {
        let export = change(&queued());
        self.app.exports.put(&export).await.unwrap();
        export
    }

    async fn get(&self, export: &Export) -> Export {
        self.app.exports.get(&export.workspace, export.id).await.unwrap().unwrap()
    }

    async fn round(&self) -> Round {
        let ends = Instant::now() + MARGIN + Duration::from_secs(20);
        round(&self.app, now(), ends).await.unwrap()
    }
}

/// Answers as a table, a queue and a bucket would.
fn play(items: &Items, call: &Call) -> Reply {
    let mut items = items.lock().unwrap();
    let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| text(&value["N"]).parse::<i64>().ok();
    let at = |key: &Value| (text(&body["TableName"]), text(&key["sk"]["S"]));
    match call.operation.rsplit('.').next().unwrap_or_default() {
        "GetItem" => match items.get(&at(&body["Key"])) {
            Some(item) => Reply::ok(json!({ "Item": item }).to_string()),
            None => Reply::ok("{}"),
        },
        "PutItem" => {
            items.insert(at(&body["Item"]), body["Item"].clone());
            Reply::ok("{}")
        }
        "UpdateItem" => {
            let later = body["ExpressionAttributeValues"][":later"].clone();
            items.get_mut(&at(&body["Key"])).unwrap()["due_at"] = later;
            Reply::ok("{}")
        }
        "Query" => {
            let values = &body["ExpressionAttributeValues"];
            let is_due = |item: &&Value| {
                number(&item["due_shard"]).is_some()
                    && number(&item["due_shard"]) == number(&values[":shard"])
                    && number(&item["due_at"]) <= number(&values[":now"])
            };
            let found: Vec<&Value> = items.values().filter(is_due).collect();
            Reply::ok(json!({ "Items": found }).to_string())
        }
        _ => Reply::ok(if call.body.contains("<Delete") { "<DeleteResult/>" } else { "{}" }),
    }
}

fn now() -> Timestamp {
    "2026-03-03T00:00:00Z".parse().unwrap()
}

/// An export of two days ago, of which nobody has heard since.
fn queued() -> Export {
    let then = now() - DAY - DAY;
    let window = Window::new(then - DAY, then).unwrap();
    let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
    let id = ExportId::generate();
    Export::queued(id, "acme".parse().unwrap(), request, then, DAY + DAY + DAY)
}

/// One whose archive's time is over.
fn over(export: &Export) -> Export {
    let then = export.created_at;
    let built = Archive {
        published_at: then,
        expires_at: then,
        size_bytes: 1,
        crc32: 0,
        rows: None,
        table_files: None,
        table_rows: None,
        bad_rows: 0,
    };
    Export { version: 1, ..export.succeed(then, &built) }
}

fn is_delete(call: &Call) -> bool {
    call.body.contains("<Delete")
}

#[tokio::test]
async fn a_wave_of_expiries_does_not_stand_before_a_lost_message() {
    let scene = Scene::set(|_| None).await;
    for _ in 0..100 {
        scene.put(over).await;
    }
    let lost = scene.put(Clone::clone).await;
    assert_eq!(scene.round().await, Round { due: 101, broken: 0, unreadable: 0 });

    let calls = scene.aws.calls();
    let sent = calls.iter().position(|call| call.is("SendMessage")).unwrap();
    let deleted = calls.iter().position(is_delete).unwrap();
    assert!(sent < deleted, "{sent} {deleted}");
    assert!(calls[sent].body.contains(&lost.id.to_string()));
    assert_eq!(calls.iter().filter(|call| is_delete(call)).count(), 100);
    assert_eq!(scene.round().await.due, 0);
}

#[tokio::test]
async fn an_archive_that_cannot_be_removed_is_put_off_and_holds_up_no_other() {
    let stuck = Arc::new(Mutex::new(String::new()));
    let of_stuck = Arc::clone(&stuck);
    let scene = Scene::set(move |call| {
        let fails = is_delete(call) && call.body.contains(of_stuck.lock().unwrap().as_str());
        fails.then(|| Some(Reply::s3_fault(403, "AccessDenied")))
    })
    .await;
    let fails = scene.put(over).await;
    *stuck.lock().unwrap() = fails.id.to_string();
    let other = scene.put(over).await;
    assert_eq!(scene.round().await, Round { due: 2, broken: 1, unreadable: 0 });

    assert!(matches!(scene.get(&other).await.state, State::Expired { removed: true, .. }));
    let fails = scene.get(&fails).await;
    assert!(matches!(fails.state, State::Expired { removed: false, .. }));
    assert_eq!(fails.due(), Some(now() + SignedDuration::from_mins(1)));
    assert_eq!(scene.round().await.due, 0, "it is not its turn");
}

#[tokio::test]
async fn an_export_that_hangs_does_not_hold_up_the_others() {
    let stuck = Arc::new(Mutex::new("nothing yet".to_owned()));
    let of_stuck = Arc::clone(&stuck);
    let scene = Scene::set(move |call| {
        let hangs = is_delete(call) && call.body.contains(of_stuck.lock().unwrap().as_str());
        hangs.then_some(None)
    })
    .await;
    let hangs = scene.put(over).await;
    *stuck.lock().unwrap() = hangs.id.to_string();
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(scene.put(over).await);
    }
    let all_others = async {
        for other in others {
            while !matches!(scene.get(&other).await.state, State::Expired { removed: true, .. }) {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        went = scene.round() => panic!("it waited for what hangs: {went:?}"),
        () = all_others => {}
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_counted_and_does_not_stand_first_for_ever() {
    let scene = Scene::set(|_| None).await;
    let newer = scene.put(Clone::clone).await;
    let at = ("exports".to_owned(), format!("E#{}", newer.id));
    let state = json!({ "M": { "status": { "S": "of_another_version" } } });
    scene.items.lock().unwrap().get_mut(&at).unwrap()["state"] = state;

    assert_eq!(scene.round().await, Round { due: 1, broken: 0, unreadable: 1 });
    let later = (now() + UNREADABLE_PUT_OFF).as_second().to_string();
    assert_eq!(scene.items.lock().unwrap()[&at]["due_at"], json!({ "N": later }));
    assert_eq!(scene.round().await, Round::default());
}

#[tokio::test]
async fn a_callback_that_nobody_takes_is_given_up_after_a_day_and_that_is_written_down() {
    let scene = Scene::set(|call| {
        call.is("SendMessage").then(|| Some(Reply::fault(400, "InvalidMessageContents")))
    })
    .await;
    let hook =
        |export: &Export| export.clone().with_callback("http://a".parse().unwrap(), String::new());
    let ended = |ago: SignedDuration| {
        move |export: &Export| Export { version: 1, ..hook(export).cancel(now() - ago).unwrap() }
    };
    let late = scene.put(ended(DAY)).await;
    let early = scene.put(ended(DAY - SignedDuration::from_secs(1))).await;
    assert_eq!(scene.round().await, Round { due: 2, broken: 2, unreadable: 0 });

    let (late, early) = (scene.get(&late).await, scene.get(&early).await);
    assert_eq!(late.due(), None);
    assert!(late.callback.unwrap().given_up);
    assert_eq!(early.due(), Some(now() + SignedDuration::from_mins(1)));
    let items = scene.items.lock().unwrap();
    let rows: Vec<&Value> =
        items.iter().filter(|((table, _), _)| table == "deliveries").map(|(_, row)| row).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["pk"], json!({ "S": format!("acme#{}", late.id) }));
    assert!(rows[0]["error"]["S"].as_str().unwrap().contains("given up"));
}

#[tokio::test]
async fn a_lane_that_cannot_be_read_does_not_keep_back_a_callback() {
    let scene = Scene::set(|call| {
        let reads_lane = call.is("Query") && call.body.contains("Q#liferay");
        reads_lane.then(|| Some(Reply::fault(400, "ValidationException")))
    })
    .await;
    let ended = |export: &Export| {
        let url = "http://a".parse().unwrap();
        let asked = export.clone().in_lane(Lane::new("liferay")).with_callback(url, String::new());
        Export { version: 1, ..asked.cancel(now() - FOLLOW_UP_AFTER).unwrap() }
    };
    let export = scene.put(ended).await;
    assert_eq!(scene.round().await, Round { due: 1, broken: 1, unreadable: 0 });

    assert_eq!(scene.aws.bodies("SendMessage").len(), 1);
    let export = scene.get(&export).await;
    assert!(export.callback.as_ref().unwrap().sent);
    assert!(export.next_call_due_since().is_some(), "the lane is called once it can be read");
    assert_eq!(export.due(), Some(now() + SignedDuration::from_mins(1)));
}
