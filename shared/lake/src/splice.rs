//! A gzip object as segments of deflate, without compressing anything again.
//!
//! The object is decoded to verify it and to see its rows; what is kept is its compressed stream, in
//! which only the end is changed: the bit that calls the last block the last is cleared, and an empty
//! stored block brings the stream to a byte boundary. (A stored block is three header bits, zeros up
//! to the byte, and the lengths 0 and !0; RFC 1951, section 3.2.4.)

use crate::inflate::{DeflateError, inflate};

/// An object that is no gzip file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GzipError {
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    #[error("it does not begin as gzip does")]
    Header,
    #[error("its checksum or length does not match its content")]
    Checksum,
}

/// What is known of a spliced object's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// CRC-32.
    pub(crate) crc32: u32,
    /// Length in bytes.
    pub(crate) len: u64,
}

/// Appends the compressed streams of all members of the gzip file `data` to `out`, and hands their
/// content on to `each`.
pub(crate) fn splice<E: From<GzipError>>(
    data: &[u8],
    out: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Content, E> {
    let mut hasher = crc32fast::Hasher::new();
    let (mut whole, mut rest) = (0, data);
    while !rest.is_empty() {
        let deflate = after_header(rest).ok_or(GzipError::Header)?;
        let (mut member, mut len) = (crc32fast::Hasher::new(), 0_u64);
        let stream = inflate(deflate, |chunk| {
            member.update(chunk);
            len += chunk.len() as u64;
            each(chunk).map_err(Stopped::By)
        });
        let stream = stream.map_err(|stopped| match stopped {
            Stopped::By(error) => error,
            Stopped::Damaged(error) => E::from(GzipError::from(error)),
        })?;
        let end = stream.end_bit.div_ceil(8);
        let trailer =
            deflate.get(end..end + 8).ok_or(GzipError::Deflate(DeflateError::Truncated))?;
        let crc32 = member.clone().finalize();
        #[expect(clippy::cast_possible_truncation, reason = "the length counts modulo 2^32")]
        if trailer[..4] != crc32.to_le_bytes() || trailer[4..] != (len as u32).to_le_bytes() {
            return Err(GzipError::Checksum.into());
        }
        hasher.combine(&member);
        whole += len;

        let begin = out.len();
        out.extend_from_slice(&deflate[..end]);
        out[begin + stream.final_bit / 8] &= !(1 << (stream.final_bit % 8));
        close(out, stream.end_bit % 8);
        rest = &deflate[end + 8..];
    }
    Ok(Content { crc32: hasher.finalize(), len: whole })
}

/// Why the decoder stopped: its own reasons, or those of whoever took the content.
enum Stopped<E> {
    Damaged(DeflateError),
    By(E),
}

impl<E> From<DeflateError> for Stopped<E> {
    fn from(error: DeflateError) -> Self {
        Self::Damaged(error)
    }
}

/// Ends a stream on a byte boundary; `used` bits of its last byte count, 0 for all of them.
fn close(out: &mut Vec<u8>, used: usize) {
    if used == 0 {
        out.push(0);
    } else {
        if let Some(last) = out.last_mut() {
            *last &= (1 << used) - 1;
        }
        // The three bits of the header may reach into another byte.
        if used > 5 {
            out.push(0);
        }
    }
    out.extend([0, 0, 0xff, 0xff]);
}

/// Returns what follows a member's header (RFC 1952, section 2.3).
fn after_header(data: &[u8]) -> Option<&[u8]> {
    let [0x1f, 0x8b, 8, flags, ..] = *data else { return None };
    let mut rest = data.get(10..)?;
    if flags & 0xe0 != 0 {
        return None;
    }
    if flags & 4 != 0 {
        let len = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + len..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::{Compression, GzBuilder, read::DeflateDecoder};
    use proptest::prelude::*;

    use super::*;
    use crate::inflate::tests::streams;

    /// A member of a gzip file around a deflate stream.
    fn member(content: &[u8], stored: &[u8]) -> Vec<u8> {
        let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        file.extend(stored);
        file.extend(crc32fast::hash(content).to_le_bytes());
        file.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        file
    }

    fn spliced(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>, Content), GzipError> {
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        let content = splice(file, &mut out, |chunk| {
            seen.extend_from_slice(chunk);
            Ok::<_, GzipError>(())
        })?;
        Ok((out, seen, content))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn spliced_members_read_back_as_one_stream(members in prop::collection::vec(streams(), 0..4)) {
            let file: Vec<u8> = members.iter().flat_map(|(content, stored)| member(content, stored)).collect();
            let want: Vec<u8> = members.iter().flat_map(|(content, _)| content.clone()).collect();

            let (mut out, seen, content) = spliced(&file).unwrap();
            prop_assert!(seen == want);
            prop_assert_eq!(content, Content { crc32: crc32fast::hash(&want), len: want.len() as u64 });

            out.extend(archive::END_OF_MEMBER);
            let (mut decoder, mut read) = (DeflateDecoder::new(&out[..]), Vec::new());
            decoder.read_to_end(&mut read).unwrap();
            prop_assert!(read == want);
            prop_assert_eq!(decoder.total_in(), out.len() as u64);
        }

        #[test]
        fn a_changed_file_is_never_passed_on(
            (content, stored) in streams(), at in any::<prop::sample::Index>(), flip in 1_u8..
        ) {
            let mut file = member(&content, &stored);
            let at = 10 + at.index(file.len() - 10);
            file[at] ^= flip;
            // Some bits mean nothing (those before a stored block's length, say); a change of any
            // other is noticed.
            if let Ok((mut out, seen, _)) = spliced(&file) {
                prop_assert!(seen == content, "byte {} of {}", at, file.len());
                out.extend(archive::END_OF_MEMBER);
                let mut read = Vec::new();
                DeflateDecoder::new(&out[..]).read_to_end(&mut read).unwrap();
                prop_assert!(read == content);
            }
        }
    }

    #[test]
    fn headers_may_have_all_their_parts() {
        use std::io::Write as _;
        let mut encoder = GzBuilder::new()
            .filename("a.json")
            .comment("c")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::fast());
        encoder.write_all(b"{}\n").unwrap();
        assert_eq!(spliced(&encoder.finish().unwrap()).unwrap().1, b"{}\n");
    }

    #[test]
    fn what_is_no_gzip_is_told() {
        let whole = member(b"", &[3, 0]);
        assert_eq!(spliced(b"{}"), Err(GzipError::Header));
        assert_eq!(spliced(&[&whole[..], b"more"].concat()), Err(GzipError::Header));
        assert_eq!(
            spliced(&whole[..whole.len() - 1]),
            Err(GzipError::Deflate(DeflateError::Truncated))
        );
    }
}
