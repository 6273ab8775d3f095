//! Who may do what: tokens, privileges, workspaces.

use export::Privilege;
use serde_json::json;
use tests::{Stack, User};

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

#[tokio::test]
async fn a_token_is_made_listed_and_revoked_by_the_admin_function() {
    let stack = Stack::connect().await.unwrap();
    let made = stack
        .admin(&json!({ "action": "create_token", "workspaces": ["acme"], "privileges": ["view"], "description": "d" }))
        .await
        .unwrap();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let holder =
        User { stack: stack.clone(), workspace: "acme".parse().unwrap(), token: token.to_owned() };
    assert_eq!(holder.get("/v1/limits").await.unwrap().status, 200);

    let (mut listed, mut action) = (Vec::new(), json!({ "action": "list_tokens" }));
    loop {
        let page = stack.admin(&action).await.unwrap();
        listed.extend(page["tokens"].as_array().unwrap().clone());
        match page.get("next") {
            Some(next) => action["after"] = next.clone(),
            None => break,
        }
    }
    let entry = listed.iter().find(|t| t["id"] == id).unwrap();
    assert_eq!((&entry["workspaces"], &entry["revoked_at"]), (&json!(["acme"]), &json!(null)));
    assert!(!json!(listed).to_string().contains(&token[21..]), "the secret is shown once");

    let revoked = stack.admin(&json!({ "action": "revoke_token", "id": id })).await.unwrap();
    assert_eq!(revoked["revoked"], id);
    let refused = holder.get("/v1/limits").await.unwrap();
    assert_eq!((refused.status, refused.text("/code")), (401, "token_ended"));
}

#[tokio::test]
async fn an_operator_is_told_what_is_wrong_with_an_action() {
    let stack = Stack::connect().await.unwrap();
    for (payload, want) in [
        (json!({ "action": "make_token" }), "unknown variant `make_token`"),
        (
            json!({ "action": "create_token", "workspaces": [], "privileges": ["view"] }),
            "at least one workspace",
        ),
        (
            json!({ "action": "create_token", "workspaces": ["A"], "privileges": ["view"] }),
            "a workspace is 1 to 63",
        ),
        (json!({ "action": "revoke_token", "id": "none" }), "there is no such token"),
    ] {
        let answer = stack.admin(&payload).await.unwrap();
        assert!(answer["errorMessage"].as_str().unwrap().contains(want), "{answer}");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_answered() {
    let user = user().await;
    let other_digit = if &user.token[30..31] == "0" { "1" } else { "0" };
    let forged = format!("{}{other_digit}{}", &user.token[..30], &user.token[31..]);
    let other =
        user.stack.token(std::slice::from_ref(&user.workspace), &[Privilege::View]).await.unwrap();
    // The id of one token with the secret of another: the checksum is right, the secret is not.
    let mixed = {
        let body = format!("{}{}", &other.reveal()[..21], &user.token[21..85]);
        let sum = crc32fast::hash(body.as_bytes());
        format!("{body}{sum:08x}")
    };
    for (header, code, challenge) in [
        (String::new(), "token_missing", "Bearer"),
        ("Basic YTpi".to_owned(), "token_missing", "Bearer"),
        ("Bearer nonsense".to_owned(), "token_invalid", "Bearer error=\"invalid_token\""),
        (format!("Bearer {forged}"), "token_invalid", "Bearer error=\"invalid_token\""),
        (format!("Bearer {mixed}"), "token_invalid", "Bearer error=\"invalid_token\""),
    ] {
        for (method, path) in
            [("GET", "/v1/exports"), ("POST", "/v1/exports"), ("GET", "/v1/tables")]
        {
            let reply = user.send(method, path, &[("authorization", &header)], None).await.unwrap();
            assert_eq!(
                (reply.status, reply.text("/code")),
                (401, code),
                "{method} {path}: {}",
                reply.body
            );
            assert_eq!(reply.header("www-authenticate"), challenge);
            assert_eq!(reply.header("content-type"), "application/problem+json");
        }
    }
}

#[tokio::test]
async fn the_privilege_to_view_is_not_that_to_edit() {
    let editor = user().await;
    let viewer = editor.stack.user_of(editor.workspace.clone(), &[Privilege::View]).await.unwrap();
    let url = editor.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();

    assert_eq!(viewer.get(&url).await.unwrap().status, 200);
    for (method, path) in [
        ("POST", "/v1/exports".to_owned()),
        ("POST", format!("{url}/cancel")),
        ("DELETE", url.clone()),
    ] {
        let reply = viewer.send(method, &path, &[], Some("{}")).await.unwrap();
        assert_eq!(
            (reply.status, reply.text("/code")),
            (403, "privilege_missing"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn another_workspaces_export_answers_like_an_unknown_one() {
    let (mine, theirs) = (user().await, user().await);
    let url = theirs.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let unknown = format!("/v1/exports/{}", tests::new_id());

    for (method, rest) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/download"),
        ("GET", "/bad-rows"),
        ("GET", "/receipt"),
    ] {
        let foreign = mine.send(method, &format!("{url}{rest}"), &[], None).await.unwrap();
        let missing = mine.send(method, &format!("{unknown}{rest}"), &[], None).await.unwrap();
        assert_eq!(foreign.status, 404);
        assert_eq!(
            (foreign.status, &foreign.body),
            (missing.status, &missing.body),
            "{method} {rest}"
        );
    }
    assert_eq!(mine.get("/v1/exports").await.unwrap().body["exports"], json!([]));
    assert_eq!(
        theirs.finished(&url).await.unwrap().text("/status"),
        "succeeded",
        "nobody cancelled it"
    );
}

#[tokio::test]
async fn a_token_for_several_workspaces_chooses_one_by_header() {
    let (first, second) = (user().await, user().await);
    let both = [first.workspace.clone(), second.workspace.clone()];
    let token = first.stack.token(&both, &[Privilege::View]).await.unwrap().reveal();
    let holder = User { token, ..first.clone() };
    let url = second.create(&request("liferay_page", FROM, TO, "csv")).await.unwrap();
    let get = async |workspace: &str| {
        let reply =
            holder.send("GET", &url, &[("decant-workspace", workspace)], None).await.unwrap();
        (reply.status, reply.text("/code").to_owned())
    };

    assert_eq!(get(second.workspace.as_ref()).await, (200, String::new()));
    assert_eq!(get(first.workspace.as_ref()).await, (404, "export_not_found".to_owned()));
    assert_eq!(get("acme").await, (403, "workspace_forbidden".to_owned()));
    assert_eq!(get("").await, (400, "workspace_required".to_owned()));
}

#[tokio::test]
async fn a_custom_domain_may_have_a_base_path() {
    let stack = Stack::connect().await.unwrap();
    for (function, path, resource, want) in [
        ("ExportsFunction", "/v1/openapi.json", "/v1/{proxy+}", 200),
        ("ExportsFunction", "/reports/v1/openapi.json", "/v1/{proxy+}", 200),
        ("ExportsFunction", "/reports/live/v1/openapi.json", "/v1/{proxy+}", 200),
        ("AmplitudeFunction", "/reports/api/2/export", "/api/2/export", 401),
    ] {
        // The domain leaves its base path, and the stage if the mapping names none, in both paths.
        let event = json!({
            "resource": resource, "path": path, "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
            "queryStringParameters": null, "multiValueQueryStringParameters": null,
            "pathParameters": { "proxy": "openapi.json" }, "stageVariables": null,
            "requestContext": {
                "resourcePath": resource, "path": path, "httpMethod": "GET", "stage": "live",
                "domainName": "data.example.com", "requestId": "r1", "identity": {},
                "accountId": "000000000000", "resourceId": "r", "apiId": "a", "protocol": "HTTP/1.1",
            },
            "body": null, "isBase64Encoded": false,
        });
        let answer = stack.invoke(function, &event).await.unwrap();
        assert_eq!(answer["statusCode"], want, "{path}: {answer}");
    }
}
