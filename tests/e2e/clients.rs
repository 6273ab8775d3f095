//! Published clients of the APIs that are spoken as dialects, run as they are.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tests::Stack;

use crate::coveo::put_visits;

#[tokio::test]
async fn npm_the_coveo_platform_client_makes_lists_downloads_and_deletes_exports() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    put_visits(&user).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new("node")
        .arg(root.join(".tools/clients/coveo.mjs"))
        .args([user.stack.base_url(), &user.token, user.workspace.as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(told["dimension"]["type"], "NUMBER");
    assert!(told["exportable"].as_u64().unwrap() > 50);
    let mut rest = told.clone();
    for name in ["dimension", "exportable"] {
        rest.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        rest,
        json!({
            "status": { "status": "online" }, "health": { "status": "up" },
            "limit": { "exportRowCountLimit": 200_000 },
            "filter": { "id": "WITH_CLICKS" }, "filters": ["WITH_CLICKS"],
            "estimate": { "estimates": { "searches": 3 } },
            "made": ["PENDING", "é & more", ["searches", "clicks"]],
            "shown": ["AVAILABLE", { "commonFilters": "$WITH_CLICKS" }],
            "listed": [1, 0],
            "zip": [200, "application/zip"],
            "error": { "title": "NotFound", "detail": "There is no export with this id in the organization.", "status": 404 },
        })
    );
}
