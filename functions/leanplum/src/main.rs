//! The Leanplum dialect: `exportData` and `getExportResults`.

mod app;
mod arguments;
mod ask;
mod calls;
mod envelope;
mod files;
mod unoffered;

use lambda_http::{Error, tracing};

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    let aws = cloud::aws_config().await;

    web::serve(app::router(App::from_env(&aws).await?)).await
}
