//! Single sign-on: `POST /v1/tokens` exchanges a token of the operator's OpenID provider for one of ours (RFC 8693).

mod app;
mod exchange;
mod fault;
mod provider;
mod request;
mod routes;
mod rules;
mod signatures;
mod verify;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    signatures::install();
    web::start(async |aws| App::from_env(aws), routes::all()).await
}
