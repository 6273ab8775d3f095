//! Deflate streams of any structure: our decoder takes and refuses what zlib does, and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streams::Choices;

fuzz_target!(|data: &[u8]| {
    fuzz::compare_with_zlib(&streams::any_stream(&mut Choices::new(data)));
});
