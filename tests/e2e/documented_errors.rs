//! `docs/errors.md` explains every code that the native API answers with, and no other.

use std::{collections::BTreeSet, fs, path::Path};

use regex_lite::Regex;

/// The folders whose code makes problems, faults and failures.
const FOLDERS: [&str; 6] = [
    "functions/exports/src",
    "functions/preview/src",
    "functions/shares/src",
    "functions/tokens/src",
    "shared/web/src",
    "shared/export/src",
];

/// The forms in which the code spells a code.
const FORMS: [&str; 4] = [
    r#"(?:Problem::\w+|Fault::\w+|Self::new|gone|ended|Invalid)\(\s*(?:[\w:]+,\s*)?"([a-z_]+)""#,
    r#"\(StatusCode::\w+, "([a-z_]+)"\)"#,
    r#"QuotaKind::\w+ => "([a-z_]+)""#,
    r#""code": "([a-z_]+)""#,
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Reads the code below a folder, without tests.
fn read(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, code);
        } else if path.extension().is_some_and(|suffix| suffix == "rs")
            && !path.ends_with("tests.rs")
        {
            let text = fs::read_to_string(&path).unwrap();
            code.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap());
        }
    }
}

/// The codes in backticks in the first cells of the tables.
fn explained(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let codes = cells.flat_map(|cell| cell.split(", "));
    codes.map(|code| code.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_code_is_explained_and_every_code_that_is_explained_exists() {
    let mut code = String::new();
    for folder in FOLDERS {
        read(&project().join(folder), &mut code);
    }
    let mut codes: BTreeSet<String> = BTreeSet::new();
    for form in FORMS {
        let form = Regex::new(form).unwrap();
        codes.extend(form.captures_iter(&code).map(|found| found[1].to_owned()));
    }
    let variants = code.split("pub enum FailureCode {").nth(1).unwrap().split('}').next().unwrap();
    let variants = variants.lines().filter_map(|line| line.trim().strip_suffix(','));
    codes.extend(variants.map(snake_case));

    let page = fs::read_to_string(project().join("docs/errors.md")).unwrap();
    let explained = explained(&page);
    let difference: Vec<_> = codes.symmetric_difference(&explained).collect();
    assert!(difference.is_empty(), "docs/errors.md and the code differ in {difference:?}");
    assert!(codes.len() > 70, "codes are no longer found: {codes:?}");
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}
