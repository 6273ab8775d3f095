//! Whatever says whose rows a dataset has: those of another workspace never appear.

use serde_json::{Value, json};
use tests::{Stack, User};

const WINDOW: (&str, &str) = ("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z");

/// The workspaces that the stack's catalog names, with privileges for both.
async fn users(stack: &Stack) -> [User; 2] {
    let both = [export::Privilege::View, export::Privilege::Edit];
    let user = async |name: &str| stack.user_of(name.parse().unwrap(), &both).await.unwrap();
    [user("tenant-a").await, user("tenant-b").await]
}

/// Puts rows of both workspaces where each kind of dataset has them: `a` and `b`, and those of nobody.
async fn put_rows(stack: &Stack) {
    let row = |whose: &str| {
        format!(
            "{{\"at\":\"2026-03-01T00:10:00Z\",\"page\":\"of {whose}\",\"tenant\":{{\"id\":\"tenant-{whose}\"}}}}\n"
        )
    };
    let nobody = "{\"at\":\"2026-03-01T00:10:00Z\",\"page\":\"of nobody\"}\n";
    for (key, rows) in [
        ("tenants/path/tenant-a/2026/03/01/00/r.json", row("a")),
        ("tenants/path/tenant-b/2026/03/01/00/r.json", row("b")),
        ("tenants/path/tenant-ab/2026/03/01/00/r.json", row("ab")),
        ("tenants/names/lakeA1/2026/03/01/00/r.json", row("a")),
        ("tenants/names/lakeB2/2026/03/01/00/r.json", row("b")),
        ("tenants/names/tenant-b/2026/03/01/00/r.json", row("of a folder that no name leads to")),
        ("tenants/one/2026/03/01/00/r.json", row("a")),
        ("tenants/field/2026/03/01/00/r.json", [&row("a"), nobody, &row("b"), &row("ab")].concat()),
    ] {
        stack.put_source(key, rows.into_bytes()).await.unwrap();
    }
}

/// What a workspace gets of a table, in a format, with a filter or without one.
async fn exported(user: &User, table: &str, format: &str, filter: Option<&str>) -> String {
    let mut body = crate::request(table, WINDOW.0, WINDOW.1, format);
    if let Some(filter) = filter {
        body["filter"] = json!(filter);
    }
    let (done, archive) = user.export(&body).await.unwrap();
    assert_eq!(done.text("/status"), "succeeded", "{}", done.body);
    archive.text(&format!("{table}.{format}")).unwrap()
}

#[tokio::test]
async fn rows_of_another_workspace_never_appear() {
    let stack = Stack::connect().await.unwrap();
    let [a, b] = users(&stack).await;
    put_rows(&stack).await;
    for (table, of_b) in [
        ("tenants_path", true),
        ("tenants_names", true),
        ("tenants_one", false),
        ("tenants_field", true),
    ] {
        for format in ["jsonl", "csv"] {
            let (rows_a, rows_b) =
                (exported(&a, table, format, None).await, exported(&b, table, format, None).await);
            let pages = |text: &str| {
                text.matches("\"of ").count() + text.lines().filter(|l| l.contains(",of ")).count()
            };
            assert_eq!(pages(&rows_a), 1, "{table}: {rows_a}");
            assert!(rows_a.contains("of a") && !rows_a.contains("of ab"), "{table}: {rows_a}");
            assert_eq!(pages(&rows_b), usize::from(of_b), "{table}: {rows_b}");
            assert_eq!(rows_b.contains("of b"), of_b, "{table}: {rows_b}");
        }
    }
}

#[tokio::test]
async fn no_filter_of_a_request_widens_what_a_workspace_has() {
    let stack = Stack::connect().await.unwrap();
    let [a, _] = users(&stack).await;
    put_rows(&stack).await;
    for table in ["tenants_path", "tenants_names", "tenants_one", "tenants_field"] {
        for filter in ["page == 'of b'", "page != 'of a'", "page == 'of nobody' OR page == 'of b'"]
        {
            let rows = exported(&a, table, "jsonl", Some(filter)).await;
            assert_eq!(rows, "", "{filter}");
        }
    }
    // An operator's check counts rows of this workspace alone.
    let payload = json!({ "action": "check_catalog", "workspace": "tenant-b" });
    let answer: Value = stack.admin(&payload).await.unwrap();
    let checked = answer["checked"].as_array().unwrap();
    let one = checked.iter().find(|one| one["dataset"] == "tenants_one").unwrap();
    assert_eq!(one["found"][0], "The dataset has no rows of the workspace tenant-b.");
}
