//! The Leanplum dialect: `exportData` and `getExportResults`.

mod app;
mod arguments;
mod calls;
mod error;
mod files;
mod request;
mod response;
mod routes;
mod unoffered;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
