//! Any JSON as the body of a request: it is an order or has faults, and what is stored of an order is read
//! back as it was.
#![no_main]

use std::sync::LazyLock;

use export::{Catalog, ExportRequest, Limits, Order};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::built_in().unwrap());

fuzz_target!(|data: &[u8]| {
    let Ok(body) = serde_json::from_slice(data) else { return };
    let now = "2026-04-01T00:00:00Z".parse().unwrap();
    match Order::from_json(&body, &CATALOG, &[], &Limits::default(), now) {
        Ok(order) => {
            let stored = serde_json::to_string(&order.request).unwrap();
            assert_eq!(serde_json::from_str::<ExportRequest>(&stored).unwrap(), order.request);
        }
        Err(faults) => assert!(!faults.is_empty()),
    }
});
