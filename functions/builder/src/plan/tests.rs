//! Plans at services that answer as they are told to.

use export::{ExportId, ExportRequest, Format, TableSelection, Window};
use fake_aws::Reply;
use jiff::{SignedDuration, Timestamp};
use service::Clock;

use super::*;
use crate::testing::app;

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
