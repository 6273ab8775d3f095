//! The calls about the service itself, which need no token.

use axum::Json;
use serde::Serialize;
use web::Public;

use crate::app::App;

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
}

/// `GET .../status`: `online`, or `unavailable`.
pub(crate) async fn status(app: Public<App>) -> Json<Health> {
    answer(&app, "online").await
}

/// `GET .../monitoring/health`: `up`, or `unavailable`.
pub(crate) async fn health(app: Public<App>) -> Json<Health> {
    answer(&app, "up").await
}

/// Answers `good` if exports can be read: if not, nothing else works.
async fn answer(app: &App, good: &'static str) -> Json<Health> {
    let reachable = match "health".parse() {
        Ok(workspace) => app.services.exports.table.newest(&workspace, "health").await.is_ok(),
        Err(_) => false,
    };
    Json(Health { status: if reachable { good } else { "unavailable" } })
}
