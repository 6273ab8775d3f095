//! The Amplitude dialect: one request, one ZIP of gzip files by hour.

mod app;
mod client;
mod error;
mod lake;
mod request;
mod response;
mod routes;
mod size;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
