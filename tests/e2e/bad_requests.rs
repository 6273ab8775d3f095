//! What is wrong with a request is said, all of it, so that it can be mended.

use insta::assert_json_snapshot;
use serde_json::json;
use tests::{Stack, User};

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

#[tokio::test]
async fn all_faults_come_in_one_answer_with_place_value_and_suggestion() {
    let body = json!({
        "tables": ["coveo_keywords", "coveo_gruops"],
        "columns": { "coveo_keywords": ["keyord"] },
        "window": { "from": TO, "to": FROM },
        "fromat": "csv",
    });
    let reply = user().await.post("/v1/exports", &body).await.unwrap();

    assert_eq!((reply.status, reply.header("content-type")), (400, "application/problem+json"));
    assert_json_snapshot!(reply.body, { ".errors[].allowed" => "[...]" }, @r#"
    {
      "code": "invalid_request",
      "detail": "The request has 5 faults; see errors.",
      "errors": [
        {
          "allowed": "[...]",
          "code": "unknown_field",
          "detail": "There is no field \"fromat\" here. Remove it or correct its name.",
          "pointer": "/fromat",
          "suggestion": "format"
        },
        {
          "allowed": "[...]",
          "code": "unknown_table",
          "detail": "There is no table \"coveo_gruops\".",
          "pointer": "/tables/1",
          "suggestion": "coveo_groups",
          "value": "coveo_gruops"
        },
        {
          "allowed": "[...]",
          "code": "unknown_column",
          "detail": "Table \"coveo_keywords\" has no column \"keyord\".",
          "pointer": "/columns/coveo_keywords/0",
          "suggestion": "keyword",
          "value": "keyord"
        },
        {
          "code": "window_reversed",
          "detail": "The window ends before it begins. Swap from and to.",
          "pointer": "/window",
          "value": {
            "from": "2026-03-01T01:00:00Z",
            "to": "2026-03-01T00:00:00Z"
          }
        },
        {
          "allowed": "[...]",
          "code": "required",
          "detail": "Say how rows are to be written.",
          "pointer": "/format"
        }
      ],
      "status": 400,
      "title": "Bad Request",
      "type": "urn:decant:problem:invalid_request"
    }
    "#);
}

#[tokio::test]
async fn windows_that_cannot_be_exported_are_refused() {
    let user = user().await;
    for (from, to, code) in [
        (FROM, FROM, "window_empty"),
        (TO, FROM, "window_reversed"),
        (FROM, "2100-01-01T00:00:00Z", "window_in_future"),
        ("2024-01-01T00:00:00Z", FROM, "window_too_long"),
        ("yesterday", TO, "not_an_instant"),
    ] {
        let reply =
            user.post("/v1/exports", &request("liferay_page", from, to, "csv")).await.unwrap();
        assert_eq!((reply.status, reply.text("/errors/0/code")), (400, code), "{}", reply.body);
    }
}

#[tokio::test]
async fn bodies_are_limited_before_they_are_parsed() {
    let user = user().await;
    let good = request("liferay_page", FROM, TO, "csv").to_string();
    let deep = format!("{{\"tables\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(300_000));
    let nested = good.replace("\"csv\"", "[[[[[[[[[\"csv\"]]]]]]]]]");
    for (body, kind, status, code) in [
        ("{", "application/json", 400, "not_json"),
        ("", "application/json", 400, "not_json"),
        ("null", "application/json", 400, "not_an_object"),
        (r#"{"name":"a","name":"b"}"#, "application/json", 400, "not_json"),
        (&deep, "application/json", 400, "body_too_deep"),
        (&nested, "application/json", 400, "body_too_deep"),
        (&large, "application/json", 413, "body_too_large"),
        (&good, "text/plain", 415, "media_type_unsupported"),
        (&good, "application/x-www-form-urlencoded", 415, "media_type_unsupported"),
    ] {
        let reply =
            user.send("POST", "/v1/exports", &[("content-type", kind)], Some(body)).await.unwrap();
        let told = if code == reply.text("/code") { "/code" } else { "/errors/0/code" };
        assert_eq!((reply.status, reply.text(told)), (status, code), "{}", reply.body);
        assert_ne!(reply.header("x-request-id"), "");
    }
}

#[tokio::test]
async fn lists_say_what_is_wrong_with_their_parameters() {
    let user = user().await;
    for (query, code) in [
        ("status=done", "unknown_status"),
        ("limit=101", "wrong_limit"),
        ("limit=x", "wrong_limit"),
        ("cursor=abc", "wrong_cursor"),
        ("page=2", "unknown_parameter"),
    ] {
        let reply = user.get(&format!("/v1/exports?{query}")).await.unwrap();
        assert_eq!((reply.status, reply.text("/errors/0/code")), (400, code), "{}", reply.body);
    }
}

#[tokio::test]
async fn every_path_and_method_is_answered_in_the_same_shape() {
    let user = user().await;
    for (method, path, status, code) in [
        ("GET", "/v1/nothing", 404, "route_not_found"),
        ("GET", "/v1/exports/not-an-id", 404, "export_not_found"),
        ("GET", "/v1/exports/01A1FC3B-87FD-7463-8213-B59AF0378F08", 404, "export_not_found"),
        ("PUT", "/v1/exports", 405, "method_not_allowed"),
        ("PATCH", "/v1/limits", 405, "method_not_allowed"),
        ("DELETE", "/v1/exports/x/cancel", 405, "method_not_allowed"),
    ] {
        let reply = user.send(method, path, &[], None).await.unwrap();
        assert_eq!((reply.status, reply.text("/code")), (status, code), "{method} {path}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_ne!(reply.header("x-request-id"), "");
        assert_eq!(status == 405, !reply.header("allow").is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn limits_and_tables_say_what_can_be_asked_for() {
    let user = user().await;
    let limits = user.get("/v1/limits").await.unwrap();
    assert_eq!((limits.status, &limits.body["window_days"]), (200, &json!(366)));

    let tables = user.get("/v1/tables").await.unwrap();
    let names: Vec<&str> = tables.body["tables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["name"].as_str())
        .collect();
    // Beside those of the built-in catalog there are some of other tests.
    assert!(user.stack.catalog.tables().all(|table| names.contains(&&table.name[..])));
    let column = tables.body["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "coveo_keywords")
        .unwrap();
    assert_eq!(
        column["columns"][0],
        json!({ "name": "searchId", "display_name": "Search Id", "type": "string" })
    );
}
