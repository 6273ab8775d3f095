//! Every page, and everything that a page does.

use axum::{
    Router,
    middleware::from_fn,
    routing::{get, post},
};
use console_kit::{Refusal, guard};
use pages::keep_private;
use web::{Kit, Problem};

use crate::{app::App, audit, export, exports, new, scripts, shares, sign_in, workspace};

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/console", get(exports::list))
        .route("/console/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/workspaces", get(sign_in::workspaces).post(sign_in::choose))
        .route("/console/new", get(new::page).post(new::create))
        .route("/console/new/filter", post(new::check_filter))
        .route("/console/exports/{id}", get(export::show))
        .route("/console/exports/{id}/progress", get(export::progress))
        .route("/console/exports/{id}/cancel", post(export::cancel))
        .route("/console/exports/{id}/delete", post(export::delete))
        .route("/console/exports/{id}/download", get(export::download))
        .route("/console/exports/{id}/bad-rows", get(export::bad_rows))
        .route("/console/exports/{id}/receipt", get(export::receipt))
        .route("/console/exports/{id}/files/{name}", get(export::file))
        .route("/console/exports/{id}/shares", post(shares::create))
        .route("/console/exports/{id}/shares/{share}/revoke", post(shares::revoke))
        .route("/console/workspace", get(workspace::show))
        .route("/console/workspace/secrets", post(workspace::add_secret))
        .route("/console/workspace/secrets/{id}/remove", post(workspace::remove_secret))
        .route("/console/audit", get(audit::list))
        .route("/console/htmx.js", get(scripts::htmx))
        .route("/console/console.js", get(scripts::own))
        .fallback(async || {
            let detail = "There is no such page. The links above lead to those there are.";
            Refusal::from(Problem::not_found("route_not_found", detail))
        })
        .method_not_allowed_fallback(async || {
            let detail = "This page cannot be used like this. Open it from the console.";
            Refusal::from(Problem::not_found("route_not_found", detail))
        })
        .layer(from_fn(guard))
        .layer(from_fn(keep_private))
}
