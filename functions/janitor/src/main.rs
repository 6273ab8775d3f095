//! Looks after exports that nobody else looks after: every minute, whatever is due.

mod app;
mod care;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::Value;

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let app = &App::new(&aws, settings)?;

    run(service_fn(async |_: LambdaEvent<EventBridgeEvent<Value>>| {
        Ok::<_, Error>(care::round(app, Timestamp::now()).await?)
    }))
    .await
}
