//! The native API: everything below `/v1`.

mod app;
mod deliveries;
mod download;
mod explain;
mod files;
mod forbidden;
mod idempotency;
mod list;
mod path;
mod read;
mod routes;
mod view;
mod workspace;
mod write;

use lambda_http::{Error, tracing};

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let aws = cloud::aws_config().await;

    web::serve(routes::all(App::from_env(&aws).await?)).await
}
