//! The life of an export, who may see it, and errors.

use super::*;

#[tokio::test]
async fn links_answer_head_and_end_and_lacking_rows_are_told() {
    let user = user().await;
    put_visits(&user).await;
    let key = format!("coveo/searches/{}/2026/03/01/10/bad.json", user.workspace);
    user.stack.put_source(&key, b"{\"datetime\":\n".to_vec()).await.unwrap();
    let done = export(&user, "filename=My+%22best%22+export&tables=searches").await;
    assert_eq!((&done.body["badRows"], done.header("decant-bad-rows")), (&json!(1), "1"));
    let list = done.header("link").trim_start_matches('<').split('>').next().unwrap();
    assert_eq!(user.get(list).await.unwrap().status, 302);

    let (link, stranger) = (done.text("/downloadLink"), [("authorization", "")]);
    let shown = user.get(&format!("{EXPORTS}/{}/downloadlink", done.text("/id"))).await.unwrap();
    let end = shown.body["expirationDate"].as_i64().unwrap();
    let left = end - jiff::Timestamp::now().as_millisecond();
    assert!((240_000..=300_000).contains(&left), "{left}");
    let file = user.send("GET", shown.text("/downloadLink"), &stranger, None).await.unwrap();
    let led = user.send("HEAD", link, &[], None).await.unwrap();
    assert_eq!((led.status, led.header("decant-bad-rows")), (303, "1"));
    let head = user.send("HEAD", led.header("location"), &stranger, None).await.unwrap();
    assert_eq!((file.status, head.status), (200, 200));
    assert_eq!(head.header("content-length"), file.bytes.len().to_string());
    let name = "attachment; filename=\"My \\\"best\\\" export.zip\"";
    assert_eq!(
        (file.header("content-disposition"), head.header("content-disposition")),
        (name, name)
    );
}

#[tokio::test]
async fn who_may_edit_reads_what_they_made() {
    let stack = Stack::connect().await.unwrap();
    let viewer = stack.user().await.unwrap();
    let editor = stack.user_of(viewer.workspace.clone(), &[Privilege::Edit]).await.unwrap();
    put_visits(&editor).await;
    download(&editor, &export(&editor, "tables=clicks").await).await;
    assert_eq!(editor.get("/v1/exports").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_export_is_shown_with_all_its_keys() {
    let user = user().await;
    put_visits(&user).await;
    let query = format!(
        "f={}&f={}&fs={}&dimensions=originLevel1&dimensions=visitId&tables=CLICKS&d=mine",
        encode("city != 'x'"),
        encode("city IN ['Québec','Quebec']"),
        encode("clickRank>1")
    );
    let done = export(&user, &query).await;
    let mut shown = done.body.clone();
    let id = done.text("/id").to_owned();
    let link = format!("{}/rest/ua/v15/exports/{id}?redirect=true", user.stack.base_url());
    assert_eq!(shown["downloadLink"], json!(link));
    assert!(shown["size"].as_u64().unwrap() > 100 && shown["startDate"].as_i64().unwrap() > 0);
    for unknown in ["id", "downloadLink", "size", "startDate"] {
        shown[unknown] = Value::Null;
    }
    assert_eq!(
        shown,
        json!({
            "id": null, "author": "of a test", "downloadLink": null, "startDate": null,
            "from": 1_772_323_200_000_i64, "to": 1_772_409_599_999_i64,
            "filters": {
                "commonFilters": "(city != 'x') AND (city IN ['Québec','Quebec'])",
                "searchesFilters": "clickRank>1",
            },
            "description": "mine", "size": null, "status": "AVAILABLE", "tables": ["clicks"],
            "downloadable": true, "dimensions": ["originLevel1", "visitId"], "replayable": false,
            "usingDisplayNames": false, "scheduleId": null,
        })
    );
    assert!(!done.header("x-request-id").is_empty());
    let list = user.get(&format!("{EXPORTS}/?org={}", user.workspace)).await.unwrap();
    assert_eq!(list.body.as_array().unwrap(), &[done.body]);
    let link = user.get(&format!("{EXPORTS}/{id}/downloadlink")).await.unwrap();
    assert_eq!(link.text("/id"), id);
    let stranger = [("authorization", "")];
    let file = user.send("GET", link.text("/downloadLink"), &stranger, None).await.unwrap();
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{id}.zip\""));
    assert_eq!(Archive(file.bytes).listing().unwrap().len(), 1);
}

#[tokio::test]
async fn an_export_can_be_created_by_a_body_and_deleted() {
    let user = user().await;
    put_visits(&user).await;
    let body = json!({
        "from": "2026-03-01T00:00:00.000Z", "to": "2026-03-01T23:59:59.999Z", "tables": ["SEARCHES"],
        "searchesFilters": ["city == 'Quebec'"], "exportFormat": "EXCEL", "dimensions": null,
        "useDisplayNames": false, "filename": "mine",
    });
    let created = user
        .post(&format!("/rest/v15/exports/create?org={}", user.workspace), &body)
        .await
        .unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    let done = finished(&user, created.text("/id")).await;
    assert_eq!(column(&download(&user, &done).await, "searches.csv", "id"), ["s2"]);

    let url = format!("{EXPORTS}/{}", created.text("/id"));
    assert_eq!(user.send("DELETE", &url, &[], None).await.unwrap().status, 204);
    assert_eq!(user.get(&url).await.unwrap().text("/type"), "NotFound");
    assert_eq!(user.send("DELETE", &url, &[], None).await.unwrap().status, 404);
    assert_eq!(user.get(EXPORTS).await.unwrap().body, json!([]));
    crate::janitor::round(&user.stack).await;
    let prefix = format!("exports/{}/", user.workspace);
    assert_eq!(user.stack.export_keys(&prefix).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn errors_are_told_in_one_shape() {
    let user = user().await;
    let deep = json!({ "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "commonFilters": ["(".repeat(100_000)] }).to_string();
    let pending = user.send("POST", &format!("{EXPORTS}?{DAY}"), &[], None).await.unwrap();
    let unknown = tests::new_id();
    for (method, path, body, status, kind) in [
        ("POST", format!("{EXPORTS}?from=2026-03-01T00:00:00Z"), None, 400, "MissingParameter"),
        ("POST", format!("{EXPORTS}?from=2026-03-01&to=2026-03-02"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&format=PDF"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&filename=..%2Fa"), None, 400, "InvalidParameter"),
        ("POST", format!("{EXPORTS}?{DAY}&f=city"), None, 400, "InvalidFilter"),
        ("POST", format!("{EXPORTS}?{DAY}&dimensions=nothing"), None, 400, "InvalidDimension"),
        ("POST", format!("{EXPORTS}/create"), Some("{"), 400, "InvalidJson"),
        ("POST", format!("{EXPORTS}/create"), Some("[]"), 400, "InvalidObject"),
        ("POST", format!("{EXPORTS}/create"), Some(r#"{"from":1}"#), 400, "InvalidObject"),
        ("POST", format!("{EXPORTS}/create"), Some("{}"), 400, "MissingParameter"),
        ("POST", format!("{EXPORTS}/create"), Some(&deep), 400, "InvalidFilter"),
        ("GET", format!("{EXPORTS}/{unknown}"), None, 404, "NotFound"),
        ("GET", format!("{EXPORTS}/nothing"), None, 404, "NotFound"),
        ("GET", format!("{EXPORTS}/schedules"), None, 404, "NotFound"),
        ("POST", format!("{EXPORTS}/visits"), None, 404, "NotFound"),
        ("PATCH", format!("{EXPORTS}/{unknown}"), None, 405, "MethodNotAllowed"),
        (
            "GET",
            format!("{EXPORTS}/{}?redirect=maybe", pending.text("/id")),
            None,
            400,
            "InvalidParameter",
        ),
        ("GET", format!("{EXPORTS}?org=another"), None, 403, "AccessDenied"),
    ] {
        let reply = user.send(method, &path, &[], body).await.unwrap();
        assert_eq!(
            (reply.status, reply.text("/type")),
            (status, kind),
            "{method} {path}: {}",
            reply.body
        );
        let keys: Vec<&String> = reply.body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "type"]);
        assert!(!reply.header("x-request-id").is_empty());
    }
    let plain = [("content-type", "text/plain")];
    let reply = user.send("POST", &format!("{EXPORTS}/create"), &plain, Some("{}")).await.unwrap();
    assert_eq!(reply.status, 415);
    let stranger = [("authorization", "Bearer nobody")];
    let reply = user.send("GET", EXPORTS, &stranger, None).await.unwrap();
    assert_eq!((reply.status, reply.text("/type")), (401, "InvalidToken"));
}

#[tokio::test]
async fn privileges_and_organizations_are_those_of_the_token() {
    let stack = Stack::connect().await.unwrap();
    let owner = stack.user().await.unwrap();
    let viewer = stack.user_of(owner.workspace.clone(), &[Privilege::View]).await.unwrap();
    let created = owner.send("POST", &format!("{EXPORTS}?{DAY}"), &[], Some("{}")).await.unwrap();
    let url = format!("{EXPORTS}/{}", created.text("/id"));
    assert_eq!(viewer.get(&url).await.unwrap().status, 200);
    for (method, path) in [("POST", format!("{EXPORTS}?{DAY}")), ("DELETE", url.clone())] {
        let reply = viewer.send(method, &path, &[], None).await.unwrap();
        assert_eq!((reply.status, reply.text("/type")), (403, "AccessDenied"));
    }
    let other = stack.user().await.unwrap();
    assert_eq!(other.get(&url).await.unwrap().text("/type"), "NotFound");

    let both = [owner.workspace.clone(), other.workspace.clone()];
    let token = stack.token(&both, &[Privilege::View]).await.unwrap().reveal();
    let wide = User { token, ..owner.clone() };
    assert_eq!(wide.get(EXPORTS).await.unwrap().text("/type"), "MissingParameter");
    let of = async |org: &str| wide.get(&format!("{EXPORTS}?org={org}")).await.unwrap();
    assert_eq!(of(owner.workspace.as_ref()).await.body.as_array().unwrap().len(), 1);
    assert_eq!(of(other.workspace.as_ref()).await.body, json!([]));
    assert_eq!(of("nobody").await.status, 403);
}

#[tokio::test]
async fn an_export_of_the_native_api_is_none_of_this_dialect() {
    let user = user().await;
    user.seed(SMALL, &["coveo_searches"], at("2026-03-01T00:00:00Z"), 1).await.unwrap();
    let body =
        crate::request("coveo_searches", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let url = user.create(&body).await.unwrap();
    let id = url.rsplit('/').next().unwrap();
    assert_eq!(user.get(&format!("{EXPORTS}/{id}")).await.unwrap().status, 404);
    assert_eq!(user.get(EXPORTS).await.unwrap().body, json!([]));
}

#[tokio::test]
async fn dimensions_and_health_are_told() {
    let user = user().await;
    let dimensions = user.get("/rest/ua/v15/dimensions/?includeCustom=true").await.unwrap();
    let city = json!({
        "type": "TEXT", "displayName": "City",
        "apiNames": ["SEARCHES.CITY", "CUSTOM_EVENTS.CITY", "CLICKS.CITY"], "returnName": "city",
        "custom": false, "eventTypes": ["searches", "custom_events", "clicks"], "status": "AVAILABLE",
    });
    assert!(dimensions.body.as_array().unwrap().contains(&city), "{}", dimensions.body);
    assert_eq!(user.get("/rest/ua/v15/dimensions/CLICKS.CITY").await.unwrap().body, city);
    for (path, word) in [
        ("exports/status", "online"),
        ("exports/monitoring/health", "up"),
        ("dimensions/status", "online"),
        ("filters/monitoring/health", "up"),
    ] {
        let (path, stranger) = (format!("/rest/ua/v15/{path}"), [("authorization", "")]);
        let reply = user.send("GET", &path, &stranger, None).await.unwrap();
        assert_eq!(reply.body, json!({ "status": word }));
    }
}
