//! Gzip files (RFC 1952): any number of members in a row.

use std::io::Read;

use archive::deflate::{BitReader, Block, DeflateError, Inflater, Receiver};

/// An object that is no gzip file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GzipError {
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    #[error("it does not begin as gzip does")]
    Header,
    #[error("its checksum or length does not match its content")]
    Checksum,
}

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// CRC-32.
    pub(crate) crc32: u32,
    /// Length in bytes.
    pub(crate) len: u64,
}

/// Hands the content of all members on, and their streams as segments.
pub(crate) fn read<T: Receiver>(input: impl Read, to: &mut T) -> Result<Content, T::Error>
where
    T::Error: From<GzipError>,
{
    let (mut bits, mut inflater) = (BitReader::new(input), Inflater::default());
    let mut hasher = crc32fast::Hasher::new();
    let mut whole = 0;
    while header(&mut bits).map_err(T::Error::from)? {
        let mut member = Member { to, hasher: crc32fast::Hasher::new(), len: 0 };
        inflater.inflate(&mut bits, &mut member)?;
        let (crc32, len) = (member.hasher.clone().finalize(), member.len);
        hasher.combine(&member.hasher);
        whole += len;

        let found = (number(&mut bits)?, number(&mut bits)?);
        #[expect(clippy::cast_possible_truncation, reason = "the length counts modulo 2^32")]
        if found != (crc32, len as u32) {
            return Err(GzipError::Checksum.into());
        }
    }
    Ok(Content { crc32: hasher.finalize(), len: whole })
}

/// Counts what it passes on.
struct Member<'a, T> {
    to: &'a mut T,
    hasher: crc32fast::Hasher,
    len: u64,
}

impl<T: Receiver> Receiver for Member<'_, T> {
    type Error = T::Error;

    fn content(&mut self, bytes: &[u8]) -> Result<(), T::Error> {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        self.to.content(bytes)
    }

    fn stored(&mut self, bytes: &[u8], at: Option<u64>) {
        self.to.stored(bytes, at);
    }

    const BLOCKS: bool = T::BLOCKS;

    fn block(&mut self, block: Block) {
        self.to.block(block);
    }
}

/// Passes over a member's header (section 2.3); false where there is no other member.
fn header<R: Read>(bits: &mut BitReader<R>) -> Result<bool, GzipError> {
    match bits.byte()? {
        None => return Ok(false),
        Some(0x1f) => {}
        Some(_) => return Err(GzipError::Header),
    }
    if (bits.byte()?, bits.byte()?) != (Some(0x8b), Some(8)) {
        return Err(GzipError::Header);
    }
    let flags = byte(bits)?;
    if flags & 0xe0 != 0 {
        return Err(GzipError::Header);
    }
    for _ in 0..6 {
        byte(bits)?;
    }
    if flags & 4 != 0 {
        let len = u16::from_le_bytes([byte(bits)?, byte(bits)?]);
        for _ in 0..len {
            byte(bits)?;
        }
    }
    for text in [8, 16] {
        if flags & text != 0 {
            while byte(bits)? != 0 {}
        }
    }
    if flags & 2 != 0 {
        byte(bits)?;
        byte(bits)?;
    }
    Ok(true)
}

fn number<R: Read>(bits: &mut BitReader<R>) -> Result<u32, GzipError> {
    Ok(u32::from_le_bytes([byte(bits)?, byte(bits)?, byte(bits)?, byte(bits)?]))
}

fn byte<R: Read>(bits: &mut BitReader<R>) -> Result<u8, GzipError> {
    bits.byte()?.ok_or(GzipError::Deflate(DeflateError::Truncated))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder, read::DeflateDecoder, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Kept {
        content: Vec<u8>,
        stored: Vec<u8>,
    }

    impl Receiver for Kept {
        type Error = GzipError;

        fn content(&mut self, bytes: &[u8]) -> Result<(), GzipError> {
            self.content.extend_from_slice(bytes);
            Ok(())
        }

        fn stored(&mut self, bytes: &[u8], _: Option<u64>) {
            self.stored.extend_from_slice(bytes);
        }
    }

    fn read_all(file: &[u8]) -> Result<(Kept, Content), GzipError> {
        let mut kept = Kept::default();
        let content = read(file, &mut kept)?;
        Ok((kept, content))
    }

    fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let content = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..3000),
            "([a-z]{1,8} ){0,5000}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(content, 0..4)
    }

    fn file(contents: &[Vec<u8>], level: u32) -> Vec<u8> {
        let mut file = Vec::new();
        for content in contents {
            let mut encoder = GzEncoder::new(&mut file, Compression::new(level));
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap();
        }
        file
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_streams_of_all_members_read_back_as_one(contents in contents(), level in 0_u32..10) {
            let (mut kept, content) = read_all(&file(&contents, level)).unwrap();
            let want = contents.concat();
            prop_assert!(kept.content == want);
            prop_assert_eq!(content, Content { crc32: crc32fast::hash(&want), len: want.len() as u64 });

            kept.stored.extend(archive::END_OF_MEMBER);
            let (mut decoder, mut read) = (DeflateDecoder::new(&kept.stored[..]), Vec::new());
            decoder.read_to_end(&mut read).unwrap();
            prop_assert!(read == want);
            prop_assert_eq!(decoder.total_in(), kept.stored.len() as u64);
        }

        #[test]
        fn a_changed_file_is_never_passed_on(
            contents in contents(), level in 0_u32..10, at in any::<prop::sample::Index>(), flip in 1_u8..
        ) {
            let mut file = file(&contents, level);
            prop_assume!(!file.is_empty());
            let at = at.index(file.len());
            file[at] ^= flip;
            // Some bits mean nothing (a time, say, or those before a stored block's length); a change
            // of any other is noticed.
            if let Ok((mut kept, _)) = read_all(&file) {
                prop_assert!(kept.content == contents.concat(), "byte {} of {}", at, file.len());
                kept.stored.extend(archive::END_OF_MEMBER);
                let mut read = Vec::new();
                DeflateDecoder::new(&kept.stored[..]).read_to_end(&mut read).unwrap();
                prop_assert!(read == kept.content);
            }
        }
    }

    #[test]
    fn headers_may_have_all_their_parts() {
        let mut encoder = GzBuilder::new()
            .filename("a.json")
            .comment("c")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::fast());
        encoder.write_all(b"{}\n").unwrap();
        assert_eq!(read_all(&encoder.finish().unwrap()).unwrap().0.content, b"{}\n");
    }

    #[test]
    fn what_is_no_gzip_is_told() {
        let whole = file(&[b"rows".to_vec()], 6);
        assert!(matches!(read_all(b"{}"), Err(GzipError::Header)));
        assert!(matches!(read_all(&[&whole[..], b"more"].concat()), Err(GzipError::Header)));
        let cut = read_all(&whole[..whole.len() - 1]);
        assert!(matches!(cut, Err(GzipError::Deflate(DeflateError::Truncated))));
        assert_eq!(read_all(b"").unwrap().1, Content::default());
    }
}
