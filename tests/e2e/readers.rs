//! Archives are read by the programs that people have, with what the encoders that people have wrote in them.

use std::{path::PathBuf, process::Command};

use serde_json::json;
use tests::Stack;

use crate::{SMALL, at, request};

const JAVA: &str = r#"
import java.io.*; import java.util.zip.*;
class Read { public static void main(String[] a) throws Exception {
  try (var zip = new ZipInputStream(new FileInputStream(a[0]))) {
    for (ZipEntry e; (e = zip.getNextEntry()) != null; )
      System.out.println(e.getName() + " " + zip.readAllBytes().length);
  } } }
"#;
const GO: &str = r#"
package main
import ("archive/zip"; "fmt"; "io"; "log"; "os")
func main() {
	z, err := zip.OpenReader(os.Args[1])
	if err != nil { log.Fatal(err) }
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil { log.Fatal(err) }
		n, err := io.Copy(io.Discard, r)
		if err != nil { log.Fatal(f.Name, err) }
		fmt.Println(f.Name, n)
	}
}
"#;
const PYTHON: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for i in z.infolist(): print(i.filename, len(z.read(i)))
";

/// Builds an archive and writes it and what is in it to files of this test's own.
async fn archive(test: &str) -> (PathBuf, String) {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["liferay_page", "coveo_searches"], at("2026-03-01T00:00:00Z"), 2)
        .await
        .unwrap();
    let hour = "date=2026-03-01/hour=00";
    for (name, file) in streams::files_of_encoders() {
        let key = format!("liferay/page/workspace={}/{hour}/{name}.json.gz", user.workspace);
        user.stack.put_source(&key, file).await.unwrap();
    }
    let mut body = request("liferay_page", "2026-02-28T22:00:00Z", "2026-03-01T02:00:00Z", "jsonl");
    body["tables"] = json!(["liferay_page", "coveo_keywords", "coveo_clicks"]);
    let (_, archive) = user.export(&body).await.unwrap();

    let path = std::env::temp_dir().join(format!("decant-{test}-{}.zip", user.workspace));
    std::fs::write(&path, &archive.0).unwrap();
    let listing = archive.listing().unwrap();
    assert_eq!(listing.len(), 3);
    (path, listing.iter().map(|(name, size)| format!("{name} {size}\n")).collect())
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("run {program}: {e}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn python_reads_it() {
    let (path, listing) = archive("python").await;
    assert_eq!(run("python3", &["-c", PYTHON, path.to_str().unwrap()]), listing);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn unzip_reads_it() {
    let (path, _) = archive("unzip").await;
    let said = run("unzip", &["-t", path.to_str().unwrap()]);
    assert!(said.contains("No errors detected"), "{said}");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn java_reads_it_as_a_stream() {
    let (path, listing) = archive("java").await;
    let source = path.with_extension("java");
    std::fs::write(&source, JAVA).unwrap();
    assert_eq!(run("java", &[source.to_str().unwrap(), path.to_str().unwrap()]), listing);
    std::fs::remove_file(source).unwrap();
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn go_reads_it() {
    let (path, listing) = archive("go").await;
    let source = path.with_extension("go");
    std::fs::write(&source, GO).unwrap();
    assert_eq!(run("go", &["run", source.to_str().unwrap(), path.to_str().unwrap()]), listing);
    std::fs::remove_file(source).unwrap();
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn sevenzip_reads_it() {
    let (path, _) = archive("sevenzip").await;
    let said = run("7z", &["t", path.to_str().unwrap()]);
    assert!(said.contains("Everything is Ok"), "{said}");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn bsdtar_reads_it() {
    let (path, listing) = archive("bsdtar").await;
    let names: String =
        listing.lines().map(|line| format!("{}\n", line.split(' ').next().unwrap())).collect();
    assert_eq!(run("bsdtar", &["-tf", path.to_str().unwrap()]), names);
    run("bsdtar", &["-xOf", path.to_str().unwrap()]);
    std::fs::remove_file(path).unwrap();
}
