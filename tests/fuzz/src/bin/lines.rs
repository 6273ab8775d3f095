//! Lines of any bytes: each is a row as it is, outside of the window, blank, or bad.
#![no_main]

use export::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let out = fuzz::pour("a.json", data, Format::Jsonl, false).unwrap();
    let (rows, bad) = fuzz::wanted(data);
    assert_eq!(String::from_utf8_lossy(&out.content), String::from_utf8_lossy(&rows));
    assert_eq!(out.bad_rows, bad);
    assert_eq!(out.rows, rows.iter().filter(|byte| **byte == b'\n').count() as u64);
});
