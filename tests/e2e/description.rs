//! The API keeps to its own description.

use std::process::Command;

use tests::Stack;

#[tokio::test]
async fn schemathesis_finds_no_fault() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let base = user.stack.base_url();
    let output = Command::new(format!("{project}/.tools/check/bin/schemathesis"))
        .current_dir(project)
        .args([
            "run",
            &format!("{base}/v1/openapi.json"),
            "--url",
            base,
            "--max-examples",
            "20",
            "--no-color",
        ])
        .args(["--header", &format!("Authorization: Bearer {}", user.token)])
        .output()
        .expect("run schemathesis, which make test installs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Tested: 25"), "{said}");
}
