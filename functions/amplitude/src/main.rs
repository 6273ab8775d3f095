//! The Amplitude dialect: one request, one ZIP of gzip files by hour.

mod answer;
mod app;
mod ask;
mod client;
mod lake;
mod routes;
mod size;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
