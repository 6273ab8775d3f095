//! The Coveo dialect: data exports of Usage Analytics Read, version 15.

mod app;
mod ask;
mod choices;
mod count;
mod dimensions;
mod exports;
mod filters;
mod health;
mod params;
mod refused;
mod request;
mod routes;
mod tables;
mod view;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
