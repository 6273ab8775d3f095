//! Plans at services that answer as they are told to.

use std::sync::Arc;

use cloud::{ArchiveBucket, CatalogSource, LakeBucket};
use export::{ExportId, ExportRequest, Format, TableSelection, Window};
use fake_aws::{Call, FakeAws, Reply};
use jiff::{SignedDuration, Timestamp};
use service::Clock;

use super::*;

/// What a builder works with, at services that answer as `answer` says.
async fn app(answer: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static) -> (App, FakeAws) {
    let aws = FakeAws::start(answer).await.unwrap();
    let config = aws.config().await;
    let s3 = cloud::s3_client(&config);
    let clock = Clock::system();
    let lake = LakeBucket::new(s3.clone(), "lake".into());
    let catalogs = CatalogSource::load(&config, lake, None, clock.now()).await.unwrap();
    let app = App {
        clock,
        archives: ArchiveBucket::new(s3, "archives".into()),
        catalog: catalogs.loaded(),
        catalogs,
        kept_catalog: Arc::default(),
        compression_level: 1,
        workers: 1,
        step_bytes: 1 << 20,
        lookup_bytes: 1 << 20,
        max_objects: 10,
        keep_days: 0,
    };
    (app, aws)
}

/// An export that waits for a builder.
fn queued() -> Export {
    let now = Clock::system().now();
    let hour = SignedDuration::from_hours(1);
    let window = Window::new(now - hour, now).unwrap();
    let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
    let id = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
    Export::queued(id, "acme".parse().unwrap(), request, now, hour)
}

#[tokio::test]
async fn a_plan_is_followed_with_the_catalog_that_it_was_made_with() {
    const BEFORE: &str = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                          [[table]]\nname = \"before\"\ndataset = \"d\"\ncolumns = [\"a\"]\n";
    let (app, aws) = app(|call| {
        Some(if call.operation.contains("work/_catalogs/v1.toml") {
            Reply::ok(BEFORE)
        } else if call.operation.contains("plan.json") {
            Reply::ok(r#"{"catalog":"v1","steps":[]}"#)
        } else {
            Reply::ok("")
        })
    })
    .await;

    let planned = of(&app, &queued()).await.unwrap();
    assert!(planned.app.catalog.table("before").is_some());
    assert!(app.catalog.table("before").is_none(), "the one of now has it not");

    for _ in 0..2 {
        app.keep_catalog().await.unwrap();
    }
    let kept = format!("PUT /archives/work/_catalogs/{}.toml", app.catalog.version);
    let puts = aws.calls().into_iter().filter(|call| call.operation.starts_with(&kept));
    assert_eq!(puts.count(), 1, "one that was just kept is not kept again");
}
