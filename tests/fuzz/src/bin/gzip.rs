//! Gzip objects of any bytes: what is taken over is what another decoder reads, and never damaged.
#![no_main]

use std::io::{self, Read as _};

use export::Format;
use flate2::bufread::GzDecoder;
use lake::ObjectError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [refer, object @ ..] = data else { return };
    // A header, so that every input gets as far as the stream.
    let object = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], object].concat();
    let poured = fuzz::pour("a.gz", &object, Format::Jsonl, refer % 2 == 1);
    let theirs = members(&object);
    match poured {
        Ok(out) => {
            let content = theirs.unwrap();
            assert!(!out.spliced || out.content == content);
            fuzz::check(&out, &content);
        }
        // What it holds begins as another kind of file does.
        Err(ObjectError::Foreign { .. }) => {}
        Err(_) => assert!(theirs.is_err()),
    }
    // Most streams lack their checksum; without it, the decoder is compared by itself.
    fuzz::compare_with_zlib(&object[10..]);
});

/// The content of all members. Zeros after each are padding, which flate2 takes for damage.
fn members(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    while !rest.is_empty() {
        let mut member = GzDecoder::new(rest);
        member.read_to_end(&mut content)?;
        rest = member.into_inner();
        rest = &rest[rest.iter().take_while(|byte| **byte == 0).count()..];
    }
    Ok(content)
}
