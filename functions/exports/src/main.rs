//! The native API: everything below `/v1`.

mod app;
mod idempotency;
mod list;
mod read;
mod routes;
mod view;
mod write;

use lambda_http::{Error, run, tracing};

use crate::app::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let settings = Settings::from_env()?;
    let aws = cloud::aws_config().await;

    run(routes::all(App::new(&aws, settings).await?)).await
}
