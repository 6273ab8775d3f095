//! The Coveo dialect: data exports of Usage Analytics Read, version 15.

mod app;
mod ask;
mod choices;
mod count;
mod dimensions;
mod exports;
mod filters;
mod params;
mod refused;
mod route;
mod tables;
mod view;

use lambda_http::{Error, tracing};

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let aws = cloud::aws_config().await;

    web::serve(app::router(App::from_env(&aws).await?)).await
}
