//! Any text as a filter: it is read or refused, and what is read means the same when it is written.

#![no_main]

use std::sync::LazyLock;

use export::{Catalog, Filter, Scope};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::built_in().unwrap());

fuzz_target!(|text: &str| {
    let named = [
        ("A".to_owned(), "$B OR city == 'a'".to_owned()),
        ("B".to_owned(), "region == null".to_owned()),
    ];
    let tables = ["coveo_searches", "coveo_keywords", "coveo_custom_events"];
    let scope = Scope::new(&CATALOG, tables, "coveo_", &named);
    if let Ok(Some(filter)) = Filter::read(text, &scope) {
        assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
    }
});
