//! The native API: everything below `/v1`.

mod app;
mod audit;
mod deliveries;
mod download;
mod explain;
mod files;
mod find;
mod forbidden;
mod idempotency;
mod list;
mod path;
mod prefer;
mod read;
mod receipt_keys;
mod response;
mod routes;
mod shares;
mod workspace;
mod write;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
