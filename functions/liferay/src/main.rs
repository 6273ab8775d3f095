//! The Liferay Analytics Cloud dialect: one URL makes an export, tells where it is, and leads to it.

mod accept;
mod app;
mod error;
mod request;
mod response;
mod routes;

use crate::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    web::start(App::from_env, routes::all()).await
}
