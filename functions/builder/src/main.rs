//! Builds exports: a message is one of them, or a batch of the steps of a large one.
//!
//! What is done when is decided by `service::Builder`; here is the engine that it runs.

mod app;
mod archive;
mod convert;
mod encoding;
mod engine;
mod extents;
mod failure;
mod kept;
mod parquet;
mod parts;
mod plan;
mod receipt;
mod report;
mod rows;
mod semi_join;
mod slices;
mod step;
#[cfg(test)]
mod testing;
mod work;

use aws_lambda_events::sqs::SqsEvent;
use cloud::Job;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let (builder, app) = &App::start(&aws, settings).await?;

    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let receipt = &receipt(&event.payload);
        let build = async |job: Job, _| Box::pin(builder.run(app, &job, receipt.as_deref())).await;
        Ok::<_, Error>(inbox::each(builder.queue.plain(), event.payload, build).await)
    }))
    .await
}

/// Returns the receipt of the message of an event. `template.yaml` gives builders one at a time.
fn receipt(event: &SqsEvent) -> Option<String> {
    match &event.records[..] {
        [only] => only.receipt_handle.clone(),
        _ => None,
    }
}
