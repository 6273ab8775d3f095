//! What decoders are held to.

use flate2::{Decompress, FlushDecompress, Status};

/// Returns the content of the deflate stream at the beginning of `data`, as zlib-rs reads it, and how many
/// bytes it takes; `None` if zlib-rs refuses it or it does not end.
pub fn zlib_reads(data: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut zlib, mut content) = (Decompress::new(false), Vec::new());
    loop {
        content.reserve(64 * 1024);
        let before = (zlib.total_in(), zlib.total_out());
        let read = usize::try_from(zlib.total_in()).ok()?;
        let status =
            zlib.decompress_vec(&data[read..], &mut content, FlushDecompress::None).ok()?;
        if status == Status::StreamEnd {
            return Some((content, usize::try_from(zlib.total_in()).ok()?));
        }
        if before == (zlib.total_in(), zlib.total_out()) {
            return None;
        }
    }
}
