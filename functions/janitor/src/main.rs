//! Looks after exports that nobody else looks after: every minute, whatever is due.

mod app;
mod care;
mod metrics;
mod round;

use std::time::{Instant, SystemTime};

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

    run(service_fn(async |event: LambdaEvent<EventBridgeEvent<Value>>| {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let (now, ends) = (Timestamp::now(), Instant::now() + left.unwrap_or_default());
        let round = round::round(app, now, ends).await?;
        println!("{}", metrics::line(round, &event.context.env_config.function_name, now)?);
        Ok::<_, Error>(round)
    }))
    .await
}
