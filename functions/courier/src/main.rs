//! Copies the files of exports into buckets of their users.

mod app;
mod carry;
mod pieces;

use std::time::{Instant, SystemTime};

use aws_lambda_events::sqs::SqsEvent;
use cloud::Job;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let app = &App::new(aws, settings)?;

    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let left = event.context.deadline().duration_since(SystemTime::now());
        let ends = Instant::now() + left.unwrap_or_default();
        let carry = async |job: Job, _| carry::run(app, &job, ends).await;
        Ok::<_, Error>(inbox::each(&app.queue, event.payload, carry).await)
    }))
    .await
}
