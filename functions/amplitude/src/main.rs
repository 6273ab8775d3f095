//! The Amplitude dialect: one request, one ZIP of gzip files by hour.

mod answer;
mod ask;
mod client;
mod lake;
mod routes;
mod size;

use lambda_http::{Error, tracing};

use crate::routes::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let aws = cloud::aws_config().await;

    web::serve(routes::all(App::from_env(&aws).await?)).await
}
