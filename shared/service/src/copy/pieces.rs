//! A file as pieces of the size that S3 wants of parts, compressed on the way if that is asked for.

use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, StreamExt as _, stream};

/// The least that a piece has, but for the last, in bytes.
const MIN_PIECE_BYTES: u64 = 8 << 20;
/// The most pieces of a file. S3 takes 10,000 parts.
const MAX_PIECES: u64 = 9000;

/// Returns how large the pieces of a file of `size` bytes are.
pub(super) fn piece_size(size: u64) -> usize {
    usize::try_from(size.div_ceil(MAX_PIECES).max(MIN_PIECE_BYTES)).unwrap_or(usize::MAX)
}

/// Cuts a stream into pieces of `size` bytes, the last of which may be shorter.
pub(super) fn pieces<E>(
    source: impl Stream<Item = Result<Bytes, E>> + Unpin,
    size: usize,
    gzip: bool,
) -> impl Stream<Item = Result<Bytes, E>> {
    let cutter = Cutter { source, size, ready: BytesMut::new(), pack: Pack::new(gzip) };
    stream::try_unfold(cutter, async |mut cutter| {
        let piece = cutter.next().await?;
        Ok(piece.map(|piece| (piece, cutter)))
    })
}

struct Cutter<S> {
    source: S,
    size: usize,
    /// What is not handed out yet.
    ready: BytesMut,
    pack: Pack,
}

/// How bytes go on.
enum Pack {
    Plain,
    Gzip(Box<GzEncoder<Vec<u8>>>),
    /// The source has ended.
    Done,
}

impl Pack {
    fn new(gzip: bool) -> Self {
        if gzip {
            Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default())))
        } else {
            Self::Plain
        }
    }
}

impl<E, S: Stream<Item = Result<Bytes, E>> + Unpin> Cutter<S> {
    async fn next(&mut self) -> Result<Option<Bytes>, E> {
        while self.ready.len() < self.size && !matches!(self.pack, Pack::Done) {
            match (self.source.next().await, &mut self.pack) {
                (Some(Err(e)), _) => return Err(e),
                (Some(Ok(bytes)), Pack::Gzip(encoder)) => {
                    // A Vec takes everything.
                    let _ = encoder.write_all(&bytes);
                    self.ready.extend_from_slice(&std::mem::take(encoder.get_mut()));
                }
                (Some(Ok(bytes)), _) => self.ready.extend_from_slice(&bytes),
                (None, _) => {
                    if let Pack::Gzip(encoder) = std::mem::replace(&mut self.pack, Pack::Done) {
                        self.ready.extend_from_slice(&encoder.finish().unwrap_or_default());
                    }
                }
            }
        }
        let len = self.ready.len().min(self.size);
        Ok((len > 0).then(|| self.ready.split_to(len).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io::Read as _};

    use futures_util::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_full_but_the_last_and_all_of_the_file(
            chunks in prop::collection::vec(prop::collection::vec(0_u8..4, 0..50), 0..20),
            size in 1_usize..40,
            gzip: bool,
        ) {
            let source = chunks.iter().map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk.clone())));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let cut = pieces(stream::iter(source), size, gzip).try_collect();
            let cut: Vec<Bytes> = runtime.block_on(cut).unwrap();
            let (last, full) = cut.split_last().map_or((0, &[][..]), |(last, full)| (last.len(), full));
            prop_assert!(full.iter().all(|piece| piece.len() == size) && last <= size);
            let mut whole = cut.concat();
            if gzip {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&whole[..]).read_to_end(&mut plain).unwrap();
                whole = plain;
            }
            prop_assert_eq!(whole, chunks.concat());
        }

        #[test]
        fn no_file_has_more_pieces_than_s3_takes(size in 0_u64..50 << 40) {
            prop_assert!(size.div_ceil(piece_size(size) as u64) <= MAX_PIECES);
        }
    }
}
