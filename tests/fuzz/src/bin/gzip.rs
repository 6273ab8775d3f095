//! Gzip objects of any bytes: what is taken over is what another decoder reads, and never damaged.
#![no_main]

use std::io::Read as _;

use export::Format;
use flate2::bufread::MultiGzDecoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [refer, object @ ..] = data else { return };
    // A header, so that every input gets as far as the stream.
    let object = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], object].concat();
    let poured = fuzz::pour("a.gz", &object, Format::Jsonl, refer % 2 == 1);
    // Most streams lack their checksum; without it, the decoder is compared by itself.
    let mut content = Vec::new();
    let theirs = MultiGzDecoder::new(&object[..]).read_to_end(&mut content);
    match poured {
        Ok(out) => {
            theirs.unwrap();
            assert!(!out.spliced || out.content == content);
            assert!(out.content == fuzz::wanted(&content).0);
        }
        Err(_) => assert!(theirs.is_err()),
    }
    stream(&object[10..]);
});

/// Decodes a raw stream by both decoders.
fn stream(data: &[u8]) {
    use archive::deflate::{BitReader, DeflateError, Receiver, inflate};

    #[derive(Default)]
    struct Content(Vec<u8>);

    impl Receiver for Content {
        type Error = DeflateError;

        fn content(&mut self, bytes: &[u8]) -> Result<(), DeflateError> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn stored(&mut self, _: &[u8], _: Option<u64>) {}
    }

    let mut ours = Content::default();
    let result = inflate(&mut BitReader::new(data), &mut ours);
    let mut theirs = Vec::new();
    let their_result = flate2::bufread::DeflateDecoder::new(data).read_to_end(&mut theirs);
    assert_eq!(result.is_ok(), their_result.is_ok(), "{result:?} {their_result:?}");
    if result.is_ok() {
        assert!(ours.0 == theirs);
    }
}
