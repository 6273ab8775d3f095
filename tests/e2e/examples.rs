//! The documented examples run as they are printed: each makes an export, waits for it, and downloads it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tests::{Archive, Stack, User};

use crate::{SMALL, at};

/// An hour before the first object: some rows are filed late.
const FROM: &str = "2026-02-28T23:00:00Z";
const BEGIN: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T02:00:00Z";

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// An empty folder for what an example writes.
fn folder(name: &str) -> PathBuf {
    let folder = project().join(".local/examples").join(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs an example in a folder: without a token it shows what the server answers, and with one it downloads every
/// row that lies in the lake.
async fn works(example: impl Fn() -> Command, folder: &Path) {
    let user: User = Stack::connect().await.unwrap().user().await.unwrap();
    let objects = user.seed(SMALL, &["liferay_page"], at(BEGIN), 2).await.unwrap();
    let rows: usize = objects.iter().map(|object| object.rows.len()).sum();
    let run = |token: &str| {
        let output = example()
            .args(["liferay_page", FROM, TO])
            .env("DECANT_URL", user.stack.base_url())
            .env("DECANT_TOKEN", token)
            .current_dir(folder)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        (output.status.success(), said.concat())
    };

    let (succeeded, said) = run("dct_wrong");
    assert!(!succeeded && said.contains("token_invalid"), "{said}");
    assert_eq!(run(&user.token), (true, format!("liferay_page.zip: {rows} rows\n")));

    let archive = Archive(fs::read(folder.join("liferay_page.zip")).unwrap());
    let csv = archive.text("liferay_page.csv").unwrap();
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().count(), rows);
}

#[tokio::test]
async fn jq_the_example_in_shell_works() {
    let example = || {
        let mut bash = Command::new("bash");
        bash.arg(project().join("docs/examples/export.sh"));
        bash
    };
    works(example, &folder("shell")).await;
}

#[tokio::test]
async fn the_example_in_python_works() {
    let example = || {
        let mut python = Command::new(project().join(".tools/check/bin/python"));
        python.arg(project().join("docs/examples/export.py"));
        python
    };
    works(example, &folder("python")).await;
}

/// The types are checked, and it is compiled for whichever Node there is.
#[tokio::test]
async fn npm_the_example_in_typescript_works() {
    let folder = folder("typescript");
    let modules = project().join(".tools/clients/node_modules");
    let compiled = Command::new("node")
        .arg(modules.join("typescript/bin/tsc"))
        .args(["--strict", "--target", "es2022", "--module", "esnext", "--types", "node"])
        .args(["--moduleResolution", "bundler", "--typeRoots"])
        .arg(modules.join("@types"))
        .arg("--outDir")
        .arg(&folder)
        .arg(project().join("docs/examples/export.ts"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    let module = folder.join("export.mjs");
    fs::rename(folder.join("export.js"), &module).unwrap();
    let example = || {
        let mut node = Command::new("node");
        node.arg(&module);
        node
    };
    works(example, &folder).await;
}
