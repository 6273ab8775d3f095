//! Lines of any bytes: each is a row as it is, outside of the window, blank, or bad.
#![no_main]

use export::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What begins as another kind of file does is not read.
    let Ok(out) = fuzz::pour("a.json", data, Format::Jsonl, false) else { return };
    fuzz::check(&out, data);
    assert_eq!(out.rows, out.content.iter().filter(|byte| **byte == b'\n').count() as u64);
});
