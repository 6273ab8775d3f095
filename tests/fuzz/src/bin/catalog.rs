//! Any text as a catalog: it is read or refused with a line that it has, and every table of what is read
//! has its dataset.
#![no_main]

use export::Catalog;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Catalog::parse("catalog.toml", text) {
        Ok(catalog) => {
            for table in catalog.tables() {
                assert_eq!(catalog.dataset_of(table).name, table.dataset);
                assert!(!table.columns.is_empty());
            }
        }
        Err(error) => {
            assert!((1..=text.lines().count().max(1) + 1).contains(&error.line), "{error}")
        }
    }
});
