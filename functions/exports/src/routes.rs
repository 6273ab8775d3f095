//! Every route we answer, on one page.

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{delete, get, post},
};
use web::{BaseUrl, Kit, Problem};

use crate::{
    app::App, audit, deliveries, explain, files, list, read, receipt_keys, shares, workspace, write,
};

/// The API's own description.
const OPENAPI: &str = include_str!("../openapi.json");

pub(crate) fn all() -> Router<Kit<App>> {
    Router::new()
        .route("/v1/exports", get(list::exports).post(write::create))
        .route("/v1/exports/{id}", get(read::export).delete(write::delete))
        .route("/v1/exports/{id}/cancel", post(write::cancel))
        .route("/v1/exports/{id}/download", get(read::download))
        .route("/v1/exports/{id}/bad-rows", get(read::bad_rows))
        .route("/v1/exports/{id}/receipt", get(read::receipt))
        .route("/v1/exports/{id}/files", get(files::list))
        .route("/v1/exports/{id}/files/{name}", get(files::download))
        .route("/v1/exports/{id}/shares", get(shares::list).post(shares::create))
        .route("/v1/exports/{id}/shares/{share}", delete(shares::revoke))
        .route("/v1/exports/{id}/deliveries", get(deliveries::list).post(deliveries::again))
        .route("/v1/workspace", get(workspace::read))
        .route("/v1/workspace/signing-secrets", post(workspace::add_secret))
        .route("/v1/workspace/signing-secrets/{id}", delete(workspace::remove_secret))
        .route("/v1/audit", get(audit::list))
        .route("/v1/receipt-keys", get(receipt_keys::list))
        .route("/v1/explain", post(explain::explain))
        .route("/v1/limits", get(read::limits))
        .route("/v1/tables", get(list::tables))
        .route("/v1/openapi.json", get(openapi))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
}

/// `GET /v1/openapi.json`: the description, with the URL under which it was found.
async fn openapi(base: BaseUrl) -> impl IntoResponse {
    let text = OPENAPI.replacen("\"url\": \"..\"", &format!("\"url\": \"{}\"", base.join("")), 1);
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "public, max-age=300"),
        ],
        text,
    )
}

async fn no_route() -> Problem {
    Problem::not_found(
        "route_not_found",
        "There is nothing at this path. GET /v1/openapi.json lists what there is.",
    )
}

async fn no_method() -> Problem {
    let detail = "This path does not take this method; see the Allow header.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use export::{Catalog, Limits, Order};
    use regex_lite::Regex;
    use serde_json::{Value, json};

    use super::OPENAPI;

    /// The schema of a field of a request.
    fn schema(pointer: &str) -> Value {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let place = pointer.replace('/', "/properties/");
        document.pointer(&format!("/components/schemas/Request{place}")).unwrap().clone()
    }

    fn takes(pointer: &str, value: &str) -> bool {
        let mut body = json!({
            "tables": ["liferay_page"], "format": "csv",
            "window": { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
        });
        let copy = json!({ "bucket": "acme", "access_key_id": "A", "secret_access_key": "b" });
        let role = json!({ "bucket": "acme", "role_arn": null });
        match pointer {
            "/callback/url" => body["callback"] = json!({ "url": value }),
            "/copy/role_arn" => {
                body["copy"] = role;
                body["copy"]["role_arn"] = json!(value);
            }
            _ if pointer.starts_with("/copy/") => {
                body["copy"] = copy;
                body["copy"][&pointer[6..]] = json!(value);
            }
            _ => body[&pointer[1..]] = json!(value),
        }
        let (catalog, now) = (Catalog::built_in().unwrap(), "2026-06-01T00:00:00Z".parse());
        Order::from_json(&body, &catalog, &[], &Limits::default(), now.unwrap()).is_ok()
    }

    #[test]
    fn the_description_refuses_nothing_that_the_api_takes() {
        for (pointer, values) in [
            (
                "/callback/url",
                &[
                    "https://hooks.slack.com/services/T000/B000/XXX",
                    "https://example.com/hook?tenant=7#a",
                    "http://127.0.0.1:46120/hook",
                    "https://Example.com",
                    "HTTPS://example.com:65535/a%20b",
                    "https://[2001:db8::1]/",
                ][..],
            ),
            ("/copy/bucket", &["acme", "acme.exports", "a1-b2"]),
            (
                "/copy/prefix",
                &["", "year=2026/", "v1.2/x", "größe und mehr/", "a+b,c&d", "'quoted'/"],
            ),
            (
                "/copy/role_arn",
                &[
                    "arn:aws:iam::111122223333:role/decant-exports-prod",
                    "arn:aws-us-gov:iam::111122223333:role/decant-exports",
                    "arn:aws-cn:iam::111122223333:role/decant-A+=,.@_-z",
                ],
            ),
            ("/copy/access_key_id", &["AKIAEXAMPLE", "minio_user", "a-b.c"]),
            ("/copy/secret_access_key", &["short", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"]),
            ("/name", &["Größe", "a/b", "売上"]),
            ("/description", &["two\nlines"]),
        ] {
            let schema = schema(pointer);
            let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
            for value in values {
                assert!(takes(pointer, value), "{pointer}: {value}");
                let described = pattern.as_ref().is_none_or(|pattern| pattern.is_match(value));
                let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
                assert!(described && value.chars().count() as u64 <= most, "{pointer}: {value}");
            }
        }
    }

    #[test]
    fn the_description_refuses_what_the_api_does() {
        for (pointer, value) in [
            ("/callback/url", "ftp://example.com"),
            ("/copy/bucket", "Acme"),
            ("/copy/prefix", "/a"),
            ("/copy/role_arn", "arn:aws:iam::111122223333:role/team/decant-exports"),
            ("/copy/access_key_id", "a/b"),
            ("/copy/secret_access_key", "a b"),
            ("/name", "two\nlines"),
        ] {
            let pattern = Regex::new(schema(pointer)["pattern"].as_str().unwrap()).unwrap();
            assert!(!takes(pointer, value) && !pattern.is_match(value), "{pointer}: {value}");
        }
    }
}
