//! The first rows of exports, without making them: `POST /v1/preview`.
//!
//! It is a function of its own, so that the others that answer HTTP cannot read the lake.

mod app;
mod preview;
mod read;
mod routes;
mod walk;

use crate::app::App;

// Reading blocks a thread of its own.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
