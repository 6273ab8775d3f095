//! The Liferay Analytics Cloud dialect: one URL makes an export, tells where it is, and leads to it.

mod accept;
mod answer;
mod ask;
mod routes;

use lambda_http::{Error, tracing};
use web::{Services, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let aws = cloud::aws_config().await;

    serve(routes::all(Services::from_env(&aws).await?)).await
}
