//! The first rows of exports, without making them: `POST /v1/preview`, and what the console shows of them.
//!
//! It is a function of its own, so that the others that answer HTTP cannot read the lake.

mod app;
mod console;
#[cfg(test)]
mod fake_lake;
mod preview;
mod read;
mod routes;
mod walk;

use crate::{app::App, console::Console};

// Reading blocks a thread of its own.
#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let of_console = |app: &App| web::router(Console(app.clone()), routes::of_console());
    web::start_with(App::from_env, routes::all(), of_console).await
}
