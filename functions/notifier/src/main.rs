//! Posts callbacks to users' servers.
//!
//! What is posted, to where, is all in the message: this function reads no exports, only what their
//! callbacks are signed with. It connects to public addresses only.

mod app;
mod post;
mod resolver;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use outbox::WebhookMessage;

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let app = &App::new(&aws, settings)?;

    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let deliver =
            async |message: WebhookMessage, received| app.deliver(&message, received).await;
        Ok::<_, Error>(inbox::each(&app.deliverer.queue, event.payload, deliver).await)
    }))
    .await
}
