//! The console without scripts: pages and forms, as a browser sends them.

use std::{path::Path, process::Command};

use export::Privilege;
use regex_lite::Regex;
use serde_json::{Value, json};
use tests::{Archive, Reply, Stack, User};

use crate::SMALL;

const FROM: &str = "2026-03-01T00:00:00Z";

/// Somebody with a browser, which keeps a cookie.
struct Browser {
    user: User,
    cookie: String,
}

impl Browser {
    /// Signs in by a user's token.
    async fn of(user: User) -> Self {
        let mut browser = Self { user, cookie: String::new() };
        let token = browser.user.token.clone();
        let signed_in = browser.post("/sign-in", &[("token", &token)]).await;
        assert_eq!(signed_in.status, 303, "{}", text(&signed_in));
        browser.take_cookie(&signed_in);
        browser
    }

    fn take_cookie(&mut self, reply: &Reply) {
        let cookie = reply.header("set-cookie");
        for part in ["HttpOnly", "Secure", "SameSite=Strict", "/live/console;"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            return path.to_owned();
        }
        format!("{}/console{path}", self.user.stack.base_url())
    }

    async fn get(&self, path: &str) -> Reply {
        let headers = [("authorization", ""), ("accept", "text/html"), ("cookie", &self.cookie)];
        self.user.send("GET", &self.url(path), &headers, None).await.unwrap()
    }

    async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let headers = [
            ("authorization", ""),
            ("accept", "text/html"),
            ("cookie", &*self.cookie),
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.user.send("POST", &self.url(path), &headers, Some(&body)).await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let base = self.user.stack.base_url();
        let origin = base.split('/').take(3).collect::<Vec<_>>().join("/");
        self.post_from(&origin, path, fields).await
    }

    /// Makes an export by the form, and returns its page's path.
    async fn make(&self, more: &[(&str, &str)]) -> String {
        let fields = [
            ("table", "liferay_page"),
            ("window", "own"),
            ("from", "2026-03-01T00:00"),
            ("to", "2026-03-01T01:00:00"),
            ("zone", "UTC"),
            ("format", "csv"),
            ("style", "rfc4180"),
            ("layout", "zip"),
        ];
        let fields: Vec<_> = more.iter().chain(&fields).copied().collect();
        let made = self.post("/new", &fields).await;
        assert_eq!(made.status, 303, "{}", text(&made));
        made.header("location").to_owned()
    }

    /// Waits until the page of an export says that it has ended.
    async fn ended(&self, page: &str) -> Reply {
        let look = async || {
            let shown = self.get(page).await;
            Ok((!text(&shown).contains("hx-trigger=\"every 2s\"")).then_some(shown))
        };
        tests::until("the export to end", look).await.unwrap()
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.bytes).into_owned()
}

/// The URL of the first link whose URL ends like this.
fn link(page: &Reply, end: &str) -> String {
    let links = Regex::new(r#"href="([^"]+)""#).unwrap();
    let page = text(page);
    let found = links.captures_iter(&page).map(|found| found[1].to_owned());
    found.into_iter().find(|url| url.ends_with(end)).unwrap_or_else(|| panic!("{end}: {page}"))
}

async fn user() -> User {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["liferay_page"], FROM.parse().unwrap(), 1).await.unwrap();
    user
}

#[tokio::test]
async fn a_person_makes_watches_shares_and_downloads_an_export_by_pages_alone() {
    let mut browser = Browser::of(user().await).await;
    let list = browser.get("").await;
    assert_eq!(list.status, 200);
    assert!(text(&list).contains("There are no exports here"), "{}", text(&list));
    let tables = browser.get("/new").await;
    assert!(text(&tables).contains("value=\"liferay_page\""));
    let form = browser.get("/new?table=liferay_page").await;
    assert!(text(&form).contains("Columns of liferay_page"), "{}", text(&form));

    let columns = [("columns.liferay_page", "title"), ("name", "for Ana")];
    let page = browser.make(&columns).await;
    let done = browser.ended(&page).await;
    assert!(text(&done).contains("it can be downloaded"), "{}", text(&done));
    let led = browser.get(&link(&done, "/download")).await;
    assert_eq!((led.status, led.header("cache-control")), (302, "no-store"));
    let file = browser.user.send("GET", led.header("location"), &[("authorization", "")], None);
    let archive = Archive(file.await.unwrap().bytes);
    assert!(archive.text("liferay_page.csv").unwrap().starts_with("title\n"));

    let shared = browser.post(&format!("{page}/shares"), &[("note", "x"), ("once", "true")]).await;
    let shown = text(&shared);
    let url =
        Regex::new(r#"value="([^"]+/s/[^"]+)""#).unwrap().captures(&shown).unwrap()[1].to_owned();
    let opened = browser.user.send("POST", &url, &[("authorization", "")], None).await.unwrap();
    assert_eq!(opened.status, 303);
    let again = text(&browser.get(&page).await);
    assert!(
        again.contains("1 of 1") && !again.contains(url.rsplit('/').next().unwrap()),
        "{again}"
    );

    let list = text(&browser.get("?status=succeeded").await);
    assert!(list.contains("for Ana") && list.contains("succeeded"), "{list}");
    let audit = text(&browser.get("/audit").await);
    for told in ["export created", "link given", "share created", "share used"] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
    assert_eq!(browser.post(&format!("{page}/delete"), &[]).await.status, 303);
    assert!(text(&browser.get(&page).await).contains("its files were removed"));
    let out = browser.post("/sign-out", &[]).await;
    browser.take_cookie(&out);
    assert!(browser.get("").await.header("location").ends_with("/console/sign-in"));
}

#[tokio::test]
async fn a_form_that_was_sent_from_elsewhere_does_nothing() {
    let browser = Browser::of(user().await).await;
    let fields =
        [("table", "liferay_page"), ("window", "hour"), ("format", "csv"), ("layout", "zip")];
    for origin in ["https://example.com", "null", "http://localhost", ""] {
        let refused = browser.post_from(origin, "/new", &fields).await;
        assert_eq!(refused.status, 403, "{origin}: {}", text(&refused));
    }
    assert!(text(&browser.get("").await).contains("There are no exports here"));
}

#[tokio::test]
async fn who_has_not_signed_in_is_led_to_sign_in_and_no_other_token_signs_in() {
    let user = user().await;
    let browser = Browser { user: user.clone(), cookie: String::new() };
    for path in ["", "/new", "/exports/x", "/workspace", "/audit"] {
        let led = browser.get(path).await;
        assert_eq!(led.status, 303, "{path}");
        assert!(led.header("location").ends_with("/console/sign-in"), "{path}");
    }
    let fragment = [("authorization", ""), ("hx-request", "true")];
    let url = browser.url("/exports/x/progress");
    let fragment = user.send("GET", &url, &fragment, None).await.unwrap();
    assert!(fragment.header("hx-redirect").ends_with("/console/sign-in"));
    for token in ["", "letmein", &user.token[..90], "a; Path=/"] {
        let refused = browser.post("/sign-in", &[("token", token)]).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (401, ""), "{token}");
        assert!(text(&refused).contains("This is no token that can be used"));
    }
    let api = user.send("GET", &browser.url(""), &[], None).await.unwrap();
    assert_eq!(api.status, 303, "the console takes no other credential than its cookie");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_and_what_was_typed_stays() {
    let browser = Browser::of(user().await).await;
    let fields = [
        ("table", "liferay_page"),
        ("window", "own"),
        ("from", "2026-03-02T00:00"),
        ("to", "2026-03-01T00:00"),
        ("format", "csv"),
        ("layout", "zip"),
        ("filter", "titel == \"<b>\""),
    ];
    let told = browser.post("/new", &fields).await;
    let page = text(&told);
    assert_eq!(told.status, 400);
    assert!(page.contains("role=\"alert\"") && page.contains("Swap from and to"), "{page}");
    assert!(page.contains("titel == &quot;&lt;b&gt;&quot;"), "{page}");
    assert!(page.contains("value=\"2026-03-02T00:00\""), "{page}");

    let check = async |filter| {
        let fields = [("table", "liferay_page"), ("filter", filter)];
        text(&browser.post("/new/filter", &fields).await)
    };
    assert!(check("title == 'a'").await.contains("can be used"));
    assert!(check("titel == '<b>'").await.contains("cannot be used"));
    assert!(!check("titel == '<b>'").await.contains("<b>"));
}

#[tokio::test]
async fn hostile_names_are_shown_as_text() {
    let browser = Browser::of(user().await).await;
    let name = "<script>alert(1)</script>\u{202e}\"'&";
    let page = browser.make(&[("name", name)]).await;
    browser.post(&format!("{page}/shares"), &[("note", name)]).await;
    for shown in [browser.get("").await, browser.get(&page).await, browser.get("/audit").await] {
        assert!(!text(&shown).contains("<script>alert"), "{}", text(&shown));
        let policy = shown.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("script-src 'self'; connect-src 'self'"), "{policy}");
        assert_eq!(shown.header("cache-control"), "no-store");
        // With another, browsers would not say of a form that it comes from here.
        assert_eq!(shown.header("referrer-policy"), "same-origin");
    }
    assert!(text(&browser.get(&page).await).contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[tokio::test]
async fn pages_and_forms_of_another_workspace_lead_nowhere() {
    let mine = Browser::of(user().await).await;
    let page = mine.make(&[]).await;
    mine.ended(&page).await;
    mine.post(&format!("{page}/shares"), &[]).await;
    let shared = link(&mine.get(&page).await, "/download");
    let other = Browser::of(user().await).await;
    for path in [
        page.clone(),
        format!("{page}/progress"),
        shared,
        format!("{page}/bad-rows"),
        format!("{page}/receipt"),
    ] {
        assert_eq!(other.get(&path).await.status, 404, "{path}");
    }
    let revoke = format!("/shares/{}/revoke", "0".repeat(64));
    for path in ["/cancel", "/delete", "/shares", &revoke] {
        let refused = other.post(&format!("{page}{path}"), &[]).await;
        assert_eq!(refused.status, 404, "{path}: {}", text(&refused));
    }
    assert!(!text(&other.get("").await).contains(&page));
    assert!(text(&mine.get(&page).await).contains("it can be downloaded"));
}

#[tokio::test]
async fn who_may_only_view_is_told_so_and_a_token_for_several_workspaces_chooses_one() {
    let user = user().await;
    let viewer = user.stack.user_of(user.workspace.clone(), &[Privilege::View]).await.unwrap();
    let viewer = Browser::of(viewer).await;
    let fields =
        [("table", "liferay_page"), ("window", "hour"), ("format", "csv"), ("layout", "zip")];
    let refused = viewer.post("/new", &fields).await;
    assert_eq!(refused.status, 403);
    assert!(text(&refused).contains("You may not do this"));

    let other = user.stack.user().await.unwrap().workspace;
    let both = [user.workspace.clone(), other.clone()];
    let token = user.stack.token(&both, &[Privilege::View]).await.unwrap().reveal();
    let mut browser = Browser::of(User { token, ..user.clone() }).await;
    assert!(browser.get("").await.header("location").ends_with("/console/workspaces"));
    let choice = text(&browser.get("/workspaces").await);
    assert!(
        choice.contains(user.workspace.as_ref()) && choice.contains(other.as_ref()),
        "{choice}"
    );
    let chosen = browser.post("/workspaces", &[("workspace", other.as_ref())]).await;
    assert_eq!(chosen.status, 303, "{}", text(&chosen));
    browser.take_cookie(&chosen);
    let list = text(&browser.get("").await);
    assert!(list.contains(other.as_ref()) && !list.contains(user.workspace.as_ref()), "{list}");
    let foreign = browser.post("/workspaces", &[("workspace", "somebody-elses")]).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (303, ""));
}

#[tokio::test]
async fn secrets_of_callbacks_are_shown_once() {
    let browser = Browser::of(user().await).await;
    let made = text(&browser.post("/workspace/secrets", &[]).await);
    let secret = Regex::new("whsec_[A-Za-z0-9+/=]+").unwrap();
    let secret = secret.find(&made).unwrap().as_str().to_owned();
    let page = browser.get("/workspace").await;
    assert!(!text(&page).contains(&secret));
    assert!(text(&page).contains("External id"));
    let remove = Regex::new(r#"action="([^"]+/remove)""#).unwrap();
    let remove = remove.captures(&text(&page)).unwrap()[1].to_owned();
    assert_eq!(browser.post(&remove, &[]).await.status, 303);
    assert_eq!(browser.post(&remove, &[]).await.status, 404);
    assert!(text(&browser.get("/workspace").await).contains("There are none."));
}

#[tokio::test]
async fn the_policies_of_a_role_for_copies_are_shown_for_this_workspace_and_deployment() {
    let browser = Browser::of(user().await).await;
    let page = text(&browser.get("/workspace").await);
    let policy = |id: &str| -> Value {
        let found = Regex::new(&format!("(?s)<pre id=\"{id}\">(.*?)</pre>")).unwrap();
        let found = found.captures(&page).unwrap_or_else(|| panic!("{id}: {page}"))[1].to_owned();
        serde_json::from_str(&found.replace("&quot;", "\"")).unwrap()
    };
    let trust = policy("trust-policy")["Statement"][0].clone();
    let id = format!("decant-{}", browser.user.workspace);
    assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], id);
    let role = trust["Principal"]["AWS"].as_str().unwrap();
    assert!(role.starts_with("arn:aws:iam::") && role.contains("CourierRole"), "{role}");
    let granted = policy("permissions-policy")["Statement"][0].clone();
    assert_eq!(granted["Action"], json!(["s3:PutObject", "s3:AbortMultipartUpload"]));
    assert_eq!(granted["Resource"], "arn:aws:s3:::YOUR-BUCKET/decant/*");
}

#[tokio::test]
async fn exports_are_searched_in_the_console() {
    let browser = Browser::of(user().await).await;
    browser.make(&[("name", "Pages & more")]).await;
    browser.make(&[("name", "clicks")]).await;
    let found = text(&browser.get("?search=pages+%26").await);
    assert!(found.contains("Pages &amp; more") && !found.contains(">clicks<"), "{found}");
    assert!(found.contains(r#"value="pages &amp;""#), "what was typed stays: {found}");
    let none = text(&browser.get("?search=nothing").await);
    assert!(none.contains("None of these matches"), "{none}");
}

#[tokio::test]
async fn the_first_rows_are_shown_beside_the_form_or_on_a_page_of_their_own() {
    let browser = Browser::of(user().await).await;
    let fields = [
        ("table", "liferay_page"),
        ("window", "own"),
        ("from", "2026-03-01T00:00"),
        ("to", "2026-03-01T01:00"),
        ("format", "csv"),
        ("layout", "zip"),
    ];
    let shown = browser.post("/new/preview", &fields).await;
    let page = text(&shown);
    assert_eq!(shown.status, 200, "{page}");
    assert!(
        page.contains("First rows of liferay_page") && page.contains("files of the lake"),
        "{page}"
    );
    assert!(page.contains("<nav"), "a page of its own, with the links of the others");
    assert_eq!(page.matches("<tr>").count(), 21, "{page}");
    let wrong =
        browser.post("/new/preview", &[&fields[..], &[("filter", "titel == 'a'")]].concat()).await;
    assert!(text(&wrong).contains("titel"), "{}", text(&wrong));
    let none = browser.post("/new/preview", &fields[1..]).await;
    assert!(text(&none).contains("Choose a table first"), "{}", text(&none));

    let other = Stack::connect().await.unwrap().user().await.unwrap();
    let mut other = Browser::of(other).await;
    let foreign = text(&other.post("/new/preview", &fields).await);
    assert!(foreign.contains("No row of the lake"), "{foreign}");
    other.cookie.clear();
    let nobody = other.post("/new/preview", &fields).await;
    assert_eq!(nobody.status, 303, "who has not signed in is led to do so");
    let elsewhere = browser.post_from("https://example.com", "/new/preview", &fields).await;
    assert_eq!(elsewhere.status, 403);
}

#[tokio::test]
async fn chromium_shows_every_page_to_everybody_and_runs_nothing_that_a_name_says() {
    let user = user().await;
    let hostile =
        ["<img src=x onerror=alert(1)>".to_owned(), "\u{202e}txt.exe".into(), "x".repeat(10_000)];
    let rows: String = hostile
        .iter()
        .map(|title| {
            json!({ "eventDate": "2026-03-01T00:30:00Z", "title": title }).to_string() + "\n"
        })
        .collect();
    let key = format!("liferay/page/workspace={}/date=2026-03-01/hour=00/0.json", user.workspace);
    user.stack.put_source(&key, rows.into()).await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pictures = root.join(".local/test/console");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node")
        .arg(root.join(".tools/clients/console.mjs"))
        .arg("/usr/bin/chromium")
        .args([&format!("{}/console", user.stack.base_url()), &user.token])
        .arg(&pictures)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["violations"], json!([]));
    assert_eq!(told["refusals"], json!([]));
    assert_eq!(told["seen"].as_array().unwrap().len(), 11, "{}", told["seen"]);
    assert!(told["local"].as_str().unwrap().ends_with(" UTC)"), "{}", told["local"]);
    assert_eq!(told["shown"], 21, "a row of names, and twenty of values");
    assert_eq!(told["signedOut"], "Sign in to Decant");
    assert_eq!(told["again"], "This link has ended");
    assert_eq!(told["firstStop"], "Skip to the content");
    assert_eq!(told["without scripts.zip"], "without scripts.zip");
    assert_eq!(told["linked"], "Pages of March.zip");
}
