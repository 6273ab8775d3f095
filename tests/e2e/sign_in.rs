//! People sign in by the operator's `OpenID` provider: its tokens are exchanged for some of ours.

use std::process::{Child, Command, Stdio};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use tests::{Reply, Stack, User, until};

use crate::request;

const CLIENT: &str = "decant-test";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// A provider, where the stack expects it. It ends with the test.
struct Provider {
    process: Child,
    url: String,
    http: Client,
}

impl Drop for Provider {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl Provider {
    /// Starts one, and waits until its key is known: the provider of the test before had another.
    async fn start(user: &User) -> Self {
        let provider = Self::started(&user.stack).await;
        let claims = json!({ "editor_of": [user.workspace] });
        let token = provider.id_token("first", &claims, CLIENT).await;
        until("the key is known", async || {
            Ok((exchange(user, &token, &[]).await.status == 200).then_some(()))
        })
        .await
        .unwrap();
        provider
    }

    async fn started(stack: &Stack) -> Self {
        // As tests/local/stack.py says.
        let port = stack.base_url().split([':', '/']).find_map(|part| part.parse::<u16>().ok());
        let port = (port.unwrap() + 60).to_string();
        let program =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/oidc-provider-mock");
        let process = Command::new(program)
            .args(["--port", &port])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("run a provider, which make test installs");
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        let provider = Self { process, url: format!("http://127.0.0.1:{port}"), http };
        until("the provider", async || {
            let url = format!("{}/.well-known/openid-configuration", provider.url);
            Ok(provider.http.get(url).send().await.ok())
        })
        .await
        .unwrap();
        provider
    }

    /// Signs in as somebody with these claims, and returns the ID token that `client` gets.
    async fn id_token(&self, sub: &str, claims: &Value, client: &str) -> String {
        let user = self.http.put(format!("{}/users/{sub}", self.url)).body(claims.to_string());
        user.header("content-type", "application/json").send().await.unwrap();
        let back = "http://127.0.0.1/back";
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("response_type", "code"), ("client_id", client)])
            .extend_pairs([("redirect_uri", back), ("scope", "openid email")])
            .finish();
        let form = |fields: &[(&str, &str)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        };
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let signed_in = self.http.post(format!("{}/oauth2/authorize?{query}", self.url));
        let signed_in = signed_in.header(kind.0, kind.1).body(form(&[("sub", sub)]));
        let signed_in = signed_in.send().await.unwrap();
        let location = signed_in.headers()["location"].to_str().unwrap();
        let code = location.split_once("code=").unwrap().1.split('&').next().unwrap();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("client_id", client),
            ("client_secret", "anything"),
        ];
        let tokens = self.http.post(format!("{}/oauth2/token", self.url));
        let tokens = tokens.header(kind.0, kind.1).body(form(&fields)).send().await.unwrap();
        let tokens: Value = serde_json::from_slice(&tokens.bytes().await.unwrap()).unwrap();
        tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned()
    }
}

/// Asks for a token, without any credential but the provider's token.
async fn exchange(user: &User, token: &str, more: &[(&str, &str)]) -> Reply {
    let fields =
        [("grant_type", GRANT_TYPE), ("subject_token", token), ("subject_token_type", ID_TOKEN)];
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields.iter().chain(more))
        .finish();
    let headers = [("authorization", ""), ("content-type", "application/x-www-form-urlencoded")];
    user.send("POST", "/v1/tokens", &headers, Some(&body)).await.unwrap()
}

fn refused(reply: &Reply) -> (u16, &str) {
    assert_eq!(reply.body["error_description"], reply.body["detail"], "{}", reply.body);
    (reply.status, reply.text("/error"))
}

#[tokio::test]
async fn a_token_of_the_provider_is_exchanged_once_for_what_its_claims_allow() {
    let stack = Stack::connect().await.unwrap();
    let user = stack.user().await.unwrap();
    let provider = Provider::start(&user).await;
    let (mine, other) = (user.workspace.to_string(), "globex");
    let claims =
        json!({ "email": "ada@example.com", "editor_of": [mine], "viewer_of": [mine, other] });

    let id_token = provider.id_token("ada", &claims, CLIENT).await;
    let issued = exchange(&user, &id_token, &[("audience", &mine)]).await;
    assert_eq!(
        (issued.status, issued.header("cache-control")),
        (200, "no-store"),
        "{}",
        issued.body
    );
    assert_eq!(issued.text("/token_type"), "Bearer");
    assert_eq!(issued.text("/issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(
        (issued.text("/scope"), &issued.body["expires_in"]),
        ("view edit", &json!(8 * 3600))
    );
    assert_eq!(issued.body["workspaces"], json!([mine]));

    // It works as any other token, is named after whom it is of, and ends.
    let token = issued.text("/access_token").to_owned();
    let bearer = format!("Bearer {token}");
    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let headers = [("authorization", &*bearer)];
    let made = user.send("POST", "/v1/exports", &headers, Some(&body.to_string())).await.unwrap();
    assert_eq!(made.status, 202, "{}", made.body);
    let trail = user.get("/v1/audit").await.unwrap();
    let entries = trail.body["entries"].as_array().unwrap();
    let made_by: Vec<_> =
        entries.iter().take(2).map(|it| (&it["action"], &it["by"]["name"])).collect();
    let ada = json!("ada@example.com");
    assert_eq!(made_by, [(&json!("export_created"), &ada), (&json!("token_created"), &ada)]);
    let id = token.split('_').nth(1).unwrap();
    let record = stack.tokens().get(id).await.unwrap().unwrap();
    let left = record.expires_at.unwrap().duration_since(Timestamp::now());
    assert!((7 * 3600..=8 * 3600).contains(&left.as_secs()), "{left}");
    assert_eq!(stack.places_of(&token).await.unwrap(), [""; 0], "only its hash is stored");

    let again = exchange(&user, &id_token, &[("audience", &mine)]).await;
    assert_eq!(refused(&again), (400, "invalid_grant"));
    assert!(again.text("/detail").contains("exchanged before"), "{}", again.body);

    let id_token = provider.id_token("ada", &claims, CLIENT).await;
    let viewer = exchange(&user, &id_token, &[]).await;
    assert_eq!(viewer.text("/scope"), "view", "as much as is allowed in both workspaces");
    let bearer = format!("Bearer {}", viewer.text("/access_token"));
    let query = format!("/v1/exports?workspace={mine}");
    let list = user.send("GET", &query, &[("authorization", &bearer)], None).await;
    let headers = [("authorization", &*bearer), ("decant-workspace", &*mine)];
    let made = user.send("POST", "/v1/exports", &headers, Some(&body.to_string())).await.unwrap();
    assert_eq!(made.status, 403, "{} {:?}", made.body, list.map(|list| list.status));
}

#[tokio::test]
async fn what_the_provider_did_not_say_to_us_opens_nothing() {
    let stack = Stack::connect().await.unwrap();
    let user = stack.user().await.unwrap();
    let provider = Provider::start(&user).await;
    let mine = user.workspace.to_string();
    let claims = json!({ "editor_of": [mine] });

    let good = provider.id_token("ada", &claims, CLIENT).await;
    let [head, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let forged = encode(&json!({
        "iss": provider.url, "aud": CLIENT, "sub": "eve", "exp": 4_000_000_000_u64, "editor_of": [mine],
    }));
    let none = encode(&json!({ "alg": "none", "typ": "JWT" }));
    let elsewhere = provider.id_token("ada", &claims, "another-client").await;
    let nobody = provider.id_token("bob", &json!({}), CLIENT).await;
    for (name, token) in [
        ("altered", format!("{head}.{forged}.{signature}")),
        ("unsigned", format!("{none}.{forged}.")),
        ("for another client", elsewhere),
        ("of somebody without a workspace", nobody),
    ] {
        assert_eq!(refused(&exchange(&user, &token, &[]).await), (400, "invalid_grant"), "{name}");
    }
    let other = exchange(&user, &good, &[("audience", "globex")]).await;
    assert_eq!(refused(&other), (400, "invalid_target"));
    let wrong = exchange(&user, &good, &[("scope", "own")]).await;
    assert_eq!(refused(&wrong), (400, "invalid_scope"));
    let json = user.send("POST", "/v1/tokens", &[("authorization", "")], Some("{}")).await.unwrap();
    assert_eq!(refused(&json), (400, "invalid_request"));
    let get = user.send("GET", "/v1/tokens", &[("authorization", "")], None).await.unwrap();
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    assert_eq!(exchange(&user, &good, &[]).await.status, 200, "a refusal does not use it up");

    // A provider that starts anew has another key, which is learned within half a minute.
    drop(provider);
    let _provider = Provider::start(&user).await;
    assert_eq!(
        refused(&exchange(&user, &good, &[]).await),
        (400, "invalid_grant"),
        "the old key is gone"
    );
}
