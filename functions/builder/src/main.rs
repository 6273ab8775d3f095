//! Builds exports: a message is one of them, or a batch of the steps of a large one.

mod app;
mod archive;
mod batch;
mod build;
mod extents;
mod failure;
mod message;
mod parts;
mod plan;
mod portions;
mod pouring;
mod progress;
mod related;
mod report;
mod sources;
mod step;
mod watch;
mod work;

use aws_lambda_events::sqs::SqsEvent;
use cloud::Job;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

use crate::{
    app::{App, Settings},
    message::Message,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let app = &App::new(&aws, settings).await?;

    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let message = &Message::of(app.queue.plain(), &event.payload);
        let build = async |job: Job, _| Box::pin(build::run(app, &job, message)).await;
        Ok::<_, Error>(inbox::each(app.queue.plain(), event.payload, build).await)
    }))
    .await
}
