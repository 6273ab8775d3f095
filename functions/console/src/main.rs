//! The console: pages for people who make, watch, share and download exports, below `/console`.
//!
//! Every page works without scripts. What a page does is a form, which is taken from this origin only.

mod app;
mod audit;
mod export;
mod exports;
mod new;
mod routes;
mod scripts;
mod shares;
mod sign_in;
mod workspace;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
