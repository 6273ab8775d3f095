//! Copies the files of exports into buckets of their users.

mod app;

use std::time::SystemTime;

use aws_lambda_events::sqs::SqsEvent;
use cloud::Job;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use tokio::time::Instant;

use crate::app::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let copier = &settings.copier(cloud::aws_config().await)?;

    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let ends = Instant::now() + left.unwrap_or_default();
        let copy = async |job: Job, _| copier.copy(&job, ends).await;
        Ok::<_, Error>(inbox::each(&copier.queue, event.payload, copy).await)
    }))
    .await
}
