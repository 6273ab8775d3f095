//! What the encoders that people have write.

use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// Gzip files of the same rows; `encoders/make.py` says how each was made. The rows are those of
/// `liferay_page` in the built-in catalog, all of the hour that begins at 2026-03-01T00:00:00Z.
const KEPT: [(&str, &[u8]); 20] = [
    ("zlib-1", include_bytes!("../encoders/zlib-1.gz")),
    ("zlib-9-small", include_bytes!("../encoders/zlib-9-small.gz")),
    ("zlib-fixed", include_bytes!("../encoders/zlib-fixed.gz")),
    ("zlib-huffman", include_bytes!("../encoders/zlib-huffman.gz")),
    ("zlib-flushes", include_bytes!("../encoders/zlib-flushes.gz")),
    ("gzip-9", include_bytes!("../encoders/gzip-9.gz")),
    ("gzip-rsyncable", include_bytes!("../encoders/gzip-rsyncable.gz")),
    ("gzip-members", include_bytes!("../encoders/gzip-members.gz")),
    ("pigz", include_bytes!("../encoders/pigz.gz")),
    ("pigz-independent", include_bytes!("../encoders/pigz-independent.gz")),
    ("java-sync-flush", include_bytes!("../encoders/java-sync-flush.gz")),
    ("go-6-flush", include_bytes!("../encoders/go-6-flush.gz")),
    ("go-1", include_bytes!("../encoders/go-1.gz")),
    ("go-huffman", include_bytes!("../encoders/go-huffman.gz")),
    ("7zip-9", include_bytes!("../encoders/7zip-9.gz")),
    ("isal-0", include_bytes!("../encoders/isal-0.gz")),
    ("isal-3", include_bytes!("../encoders/isal-3.gz")),
    ("libdeflate-1", include_bytes!("../encoders/libdeflate-1.gz")),
    ("libdeflate-12", include_bytes!("../encoders/libdeflate-12.gz")),
    ("zopfli", include_bytes!("../encoders/zopfli.gz")),
];

/// Returns gzip files, the name of their encoder before each. All have the same content.
pub fn files_of_encoders() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> =
        KEPT.iter().map(|(name, file)| ((*name).to_owned(), file.to_vec())).collect();
    let content = content_of_encoders();
    for level in [0, 1, 4, 6, 9] {
        let stream = miniz_oxide::deflate::compress_to_vec(&content, level);
        files.push((format!("miniz_oxide-{level}"), crate::member(&stream, &content)));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level.into()));
        let written = encoder.write_all(&content).and_then(|()| encoder.finish());
        files.push((format!("zlib-rs-{level}"), written.expect("memory takes everything")));
    }
    files
}

/// The content of those files, as zlib-rs reads the first of them.
pub fn content_of_encoders() -> Vec<u8> {
    // Ten bytes of header: it has no name.
    crate::zlib_reads(&KEPT[0].1[10..]).expect("zlib reads what zlib writes").0
}
