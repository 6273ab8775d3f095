//! Shared links: everything below `/s`. Who has a link needs no credential.

mod app;
mod download;
mod list;
mod open;
mod page;
mod refuse;
mod routes;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(async |aws| App::from_env(aws), routes::all()).await
}
