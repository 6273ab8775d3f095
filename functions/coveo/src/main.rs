//! The Coveo dialect: data exports of Usage Analytics Read, version 15.

mod app;
mod choices;
mod count;
mod dimensions;
mod error;
mod exports;
mod extract;
mod filters;
mod health;
mod params;
mod request;
mod response;
mod routes;
mod tables;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
