//! Decompresses pages, never to more than they say that they have.

use std::io::Read;

use bytes::Bytes;
use parquet::basic::Compression;

use crate::ParquetFault;

/// Decompresses a page, or the part of it that is compressed, into exactly `len` bytes.
pub(crate) fn decompress(
    codec: Compression,
    stored: Bytes,
    len: usize,
) -> Result<Bytes, ParquetFault> {
    let damaged = |_: String| ParquetFault::damaged("a page cannot be decompressed");
    let content = match codec {
        Compression::UNCOMPRESSED => stored,
        // Nothing may be stored as nothing.
        _ if stored.is_empty() && len == 0 => stored,
        Compression::SNAPPY => {
            if snap::raw::decompress_len(&stored).ok() != Some(len) {
                return Err(ParquetFault::damaged("a page has another size than it says"));
            }
            let mut content = vec![0; len];
            let written = snap::raw::Decoder::new()
                .decompress(&stored, &mut content)
                .map_err(|error| damaged(error.to_string()))?;
            content.truncate(written);
            content.into()
        }
        Compression::GZIP(_) => bounded(flate2::read::MultiGzDecoder::new(&stored[..]), len)?,
        // In one piece, so that no window has to be held, however large a frame says that it is.
        Compression::ZSTD(_) => {
            zstd::bulk::decompress(&stored, len).map_err(|error| damaged(error.to_string()))?.into()
        }
        Compression::LZ4_RAW => lz4_block(&stored, len)?,
        // The framing of Hadoop, or what older writers took for it.
        Compression::LZ4 => hadoop_lz4(&stored, len).map_or_else(|| lz4_block(&stored, len), Ok)?,
        Compression::LZO | Compression::BROTLI(_) => {
            let name = if matches!(codec, Compression::LZO) { "LZO" } else { "Brotli" };
            let why = format!("its columns are compressed with {name}, which is not read");
            return Err(ParquetFault::unsupported(why));
        }
    };
    if content.len() == len {
        return Ok(content);
    }
    Err(ParquetFault::damaged("a page has another size than it says"))
}

/// Reads one byte more than there should be, at most.
fn bounded(decoder: impl Read, len: usize) -> Result<Bytes, ParquetFault> {
    let mut content = Vec::with_capacity(len);
    decoder
        .take(len as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|_| ParquetFault::damaged("a page cannot be decompressed"))?;
    Ok(content.into())
}

fn lz4_block(stored: &[u8], len: usize) -> Result<Bytes, ParquetFault> {
    let mut content = vec![0; len];
    let written = lz4_flex::block::decompress_into(stored, &mut content)
        .map_err(|_| ParquetFault::damaged("a page cannot be decompressed"))?;
    content.truncate(written);
    Ok(content.into())
}

/// Decompresses blocks that each stand behind their content's length and their own, both of four bytes.
fn hadoop_lz4(mut stored: &[u8], len: usize) -> Option<Bytes> {
    let mut content = vec![0; len];
    let mut at = 0;
    while at < len {
        let (head, rest) = stored.split_first_chunk::<8>()?;
        let size = |part: &[u8]| Some(u32::from_be_bytes(part.try_into().ok()?) as usize);
        let (raw, packed) = (size(&head[..4])?, size(&head[4..])?);
        let (block, rest) = rest.split_at_checked(packed)?;
        let into = content.get_mut(at..at.checked_add(raw)?)?;
        if lz4_flex::block::decompress_into(block, into).ok()? != raw || raw == 0 {
            return None;
        }
        (at, stored) = (at + raw, rest);
    }
    stored.is_empty().then(|| content.into())
}
