//! Batches of steps at services that answer as they are told to.

use std::sync::Arc;

use aws_lambda_events::sqs::SqsEvent;
use cloud::{ArchiveBucket, CatalogSource, ExportQueue, ExportTable, LakeBucket, Queue};
use export::{ExportId, ExportRequest, Format, TableSelection, Window};
use fake_aws::{Call, FakeAws, Reply};
use service::{Clock, FollowUp, Random};

use super::*;
use crate::watch::FAST;

/// A builder at services that answer as `answer` says.
async fn builder(
    answer: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
) -> (App, FakeAws) {
    let aws = FakeAws::start(answer).await.unwrap();
    let config = aws.config().await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let exports = ExportTable::new(aws_sdk_dynamodb::Client::new(&config), "exports".into());
    let queue = ExportQueue::new(sqs.clone(), "http://builds".into());
    let [notices, copies] =
        ["http://notices", "http://copies"].map(|url| Queue::new(sqs.clone(), url.into()));
    let s3 = cloud::s3_client(&config);
    let clock = Clock::system();
    let lake = LakeBucket::new(s3.clone(), "lake".into());
    let catalogs = CatalogSource::load(&config, lake, None, clock.now()).await.unwrap();
    let app = App {
        follow_up: FollowUp::new(exports.clone(), queue.clone(), notices, copies, clock),
        clock,
        random: Random::seeded(1),
        exports,
        queue,
        archives: ArchiveBucket::new(s3, "archives".into()),
        catalog: catalogs.loaded(),
        catalogs,
        kept_catalog: Arc::default(),
        compression_level: 1,
        workers: 1,
        step_bytes: 1 << 20,
        lookup_bytes: 1 << 20,
        most_objects: 10,
        keep_days: 0,
        pace: FAST,
    };
    (app, aws)
}

/// An export of two steps, of which none is done.
fn running() -> Export {
    let now = Clock::system().now();
    let hour = SignedDuration::from_hours(1);
    let window = Window::new(now - hour, now).unwrap();
    let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
    let id = ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
    let queued = Export::queued(id, "acme".parse().unwrap(), request, now, hour);
    queued.claim(now).unwrap().planned(2)
}

fn is_claim(call: &Call) -> bool {
    call.is("UpdateItem") && call.body.contains("ADD attempts")
}

#[tokio::test]
async fn steps_that_another_builder_took_over_are_left_to_it_and_their_message_comes_back() {
    let (app, aws) = builder(|call| match call {
        call if is_claim(call) => Some(Reply::ok(r#"{"Attributes":{"attempts":{"N":"1"}}}"#)),
        call if call.is("UpdateItem") => Some(Reply::fault(400, "ConditionalCheckFailedException")),
        // Reading the plan lasts until the lease is looked at.
        _ => None,
    })
    .await;
    let message = Message::of(app.queue.plain(), &SqsEvent::default());

    let after = run(&app, &running(), (0, 1), &message).await.unwrap();

    let comes_back = matches!(after, After::Settled(Outcome::ComeBack { seconds: 5, .. }));
    assert!(comes_back, "{after:?}");
    let written = aws.bodies("UpdateItem");
    assert_eq!(written.len(), 2, "what is no longer ours was changed: {written:?}");
    assert!(aws.bodies("PutItem").is_empty(), "the export was changed");
}

#[tokio::test]
async fn a_plan_is_followed_with_the_catalog_that_it_was_made_with() {
    const BEFORE: &str = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                          [[table]]\nname = \"before\"\ndataset = \"d\"\ncolumns = [\"a\"]\n";
    let (app, aws) = builder(|call| {
        Some(if call.operation.contains("work/_catalogs/v1.toml") {
            Reply::ok(BEFORE)
        } else if call.operation.contains("plan.json") {
            Reply::ok(r#"{"catalog":"v1","steps":[]}"#)
        } else {
            Reply::ok("")
        })
    })
    .await;

    let (_, planned) = plan::of(&app, &running()).await.unwrap();
    assert!(planned.catalog.table("before").is_some());
    assert!(app.catalog.table("before").is_none(), "the one of now has it not");

    for _ in 0..2 {
        app.keep_catalog().await.unwrap();
    }
    let kept = format!("PUT /archives/work/_catalogs/{}.toml", app.catalog.version);
    let puts = aws.calls().into_iter().filter(|call| call.operation.starts_with(&kept));
    assert_eq!(puts.count(), 1, "one that was just kept is not kept again");
}
