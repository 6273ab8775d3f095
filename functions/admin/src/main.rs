//! What operators do by invoking a function that no route leads to: tokens, quotas, and a look at the lake.

mod actions;
mod app;
mod check;
mod suggest;

use export::Actor;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    cloud::start_log();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;
    let app = &App::new(&aws, settings)?;

    run(service_fn(async |event: LambdaEvent<Value>| {
        // The whole chain of causes: whoever invokes this function is an operator.
        let operator = Actor::operator(&event.context.request_id);
        Box::pin(actions::run(app, &operator, event.payload))
            .await
            .map_err(|error| Error::from(format!("failed to {error:#}")))
    }))
    .await
}
