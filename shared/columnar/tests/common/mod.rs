//! Where the tests find their files.

use std::path::PathBuf;

/// Reads a fixture.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect();
    std::fs::read(path).unwrap()
}
