//! Sweeps every minute: does what is due about any export, and what others left undone.

mod app;
mod metrics;

use std::time::SystemTime;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use service::Clock;
use tokio::time::Instant;

use crate::app::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let clock = Clock::system();
    let sweeper = &settings.sweeper(&aws, clock)?;

    run(service_fn(async |event: LambdaEvent<EventBridgeEvent<Value>>| {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let (now, ends) = (clock.now(), Instant::now() + left.unwrap_or_default());
        let swept = sweeper.sweep(now, ends).await?;
        println!("{}", metrics::line(swept, &event.context.env_config.function_name, now)?);
        Ok::<_, Error>(swept)
    }))
    .await
}
