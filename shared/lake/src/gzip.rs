//! Gzip files (RFC 1952): any number of members in a row.
//!
//! Zeros after a member are padding, as gzip and Python take them; files that were written in blocks of a
//! fixed size have it. Anything else after a member is damage.

use std::io::Read;

use archive::deflate::{BitReader, Block, DeflateError, Inflater, Receiver};

/// An object that is no gzip file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GzipError {
    #[error(transparent)]
    Deflate(#[from] DeflateError),
    #[error("it does not begin as gzip does, or a header in it is damaged")]
    Header,
    #[error("after its last member there is something that is neither a member nor zeros")]
    Garbage,
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

/// How much of headers and padding is read at a time, in bytes, before the receiver hears of it.
const PASSED: u64 = 64 * 1024;

/// Hands the content of all members on, and their streams as segments.
pub(crate) fn read<T: Receiver>(input: impl Read, to: &mut T) -> Result<Content, T::Error>
where
    T::Error: From<GzipError>,
{
    let (mut bits, mut inflater) = (BitReader::new(input), Inflater::default());
    let mut hasher = crc32fast::Hasher::new();
    let mut whole = 0;
    while begin_member(&mut bits, to)? {
        let mut member = Member { to, hasher: crc32fast::Hasher::new(), len: 0 };
        inflater.inflate(&mut bits, &mut member)?;
        let (crc32, len) = (member.hasher.clone().finalize(), member.len);
        hasher.combine(&member.hasher);
        whole += len;

        let mut outside = Outside::new(&mut bits, to);
        let found = (outside.number()?, outside.number()?);
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

    fn passed(&mut self, at: u64) -> Result<(), T::Error> {
        self.to.passed(at)
    }
}

/// Passes over padding and a member's header (section 2.3); false where there is no other member.
fn begin_member<R: Read, T: Receiver>(bits: &mut BitReader<R>, to: &mut T) -> Result<bool, T::Error>
where
    T::Error: From<GzipError>,
{
    let is_first = bits.position() == 0;
    let mut outside = Outside::new(bits, to);
    let mut next = outside.next()?;
    while next == Some(0) && !is_first {
        next = outside.next()?;
    }
    match next {
        None => return Ok(false),
        Some(0x1f) => {}
        Some(_) if is_first => return Err(GzipError::Header.into()),
        Some(_) => return Err(GzipError::Garbage.into()),
    }
    outside.header().map(|()| true)
}

/// Reads what lies outside of streams, and tells the receiver how far it is. Padding and a name may be long
/// as one likes.
struct Outside<'a, R, T> {
    bits: &'a mut BitReader<R>,
    to: &'a mut T,
    /// Where the receiver hears of it next.
    next_passed: u64,
    /// Of the header so far.
    hasher: crc32fast::Hasher,
}

impl<'a, R: Read, T: Receiver> Outside<'a, R, T>
where
    T::Error: From<GzipError>,
{
    fn new(bits: &'a mut BitReader<R>, to: &'a mut T) -> Self {
        let next_passed = bits.position() + PASSED;
        Self { bits, to, next_passed, hasher: crc32fast::Hasher::new() }
    }

    /// The rest of a header, of which the first byte was read.
    fn header(&mut self) -> Result<(), T::Error> {
        self.hasher = crc32fast::Hasher::new();
        self.hasher.update(&[0x1f]);
        let [magic, method, flags] = [self.byte()?, self.byte()?, self.byte()?];
        if (magic, method) != (0x8b, 8) || flags & 0xe0 != 0 {
            return Err(GzipError::Header.into());
        }
        for _ in 0..6 {
            self.byte()?;
        }
        if flags & 4 != 0 {
            let len = u16::from_le_bytes([self.byte()?, self.byte()?]);
            for _ in 0..len {
                self.byte()?;
            }
        }
        for text in [8, 16] {
            if flags & text != 0 {
                while self.byte()? != 0 {}
            }
        }
        if flags & 2 != 0 {
            let [low, high, ..] = self.hasher.clone().finalize().to_le_bytes();
            if [self.byte()?, self.byte()?] != [low, high] {
                return Err(GzipError::Header.into());
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<u32, T::Error> {
        Ok(u32::from_le_bytes([self.byte()?, self.byte()?, self.byte()?, self.byte()?]))
    }

    fn byte(&mut self) -> Result<u8, T::Error> {
        self.next()?.ok_or_else(|| GzipError::Deflate(DeflateError::Truncated).into())
    }

    /// The next byte; `None` at the end.
    fn next(&mut self) -> Result<Option<u8>, T::Error> {
        let byte = self.bits.byte()?;
        if let Some(byte) = byte {
            self.hasher.update(&[byte]);
        }
        if self.bits.position() >= self.next_passed {
            self.to.passed(self.bits.position())?;
            self.next_passed = self.bits.position() + PASSED;
        }
        Ok(byte)
    }
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
        assert!(matches!(read_all(&[&whole[..], b"more"].concat()), Err(GzipError::Garbage)));
        let cut = read_all(&whole[..whole.len() - 1]);
        assert!(matches!(cut, Err(GzipError::Deflate(DeflateError::Truncated))));
        assert_eq!(read_all(b"").unwrap().1, Content::default());
        // Both bytes that say that it is gzip, the method, and each bit that means nothing yet.
        for (at, flip) in [(0, 1), (1, 1), (2, 1), (3, 0x20), (3, 0x40), (3, 0x80)] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            let read = read_all(&changed);
            assert!(matches!(read, Err(GzipError::Header)), "byte {at} by {flip}");
        }
    }

    #[test]
    fn zeros_after_a_member_are_padding_and_nothing_else_is() {
        let (first, second) = (file(&[b"a\n".to_vec()], 6), file(&[b"b\n".to_vec()], 6));
        let zeros = vec![0; 200_000];
        for (parts, content) in [
            (&[&first[..], &zeros][..], &b"a\n"[..]),
            (&[&first, &[0]], b"a\n"),
            (&[&first, &zeros, &second], b"a\nb\n"),
            (&[&first, &zeros, &second, &zeros], b"a\nb\n"),
        ] {
            let (kept, whole) = read_all(&parts.concat()).unwrap();
            assert_eq!((&kept.content[..], whole.len), (content, content.len() as u64));
        }
        for tail in [&b"\0more"[..], b"\0\x1f", b"\0\x1f\x8b\x08", b"more\0"] {
            assert!(read_all(&[&first[..], tail].concat()).is_err(), "{tail:?}");
        }
        assert!(matches!(read_all(&zeros), Err(GzipError::Header)));
    }

    #[test]
    fn a_header_is_held_to_its_checksum() {
        let mut choices = streams::Choices::new(&[3; 4]);
        let mut whole = streams::member_with(&[3, 0], b"", &mut choices);
        assert_eq!(whole[3], 0b1_1110);
        assert_eq!(read_all(&whole).unwrap().1, Content::default());
        whole[4] ^= 1;
        assert!(matches!(read_all(&whole), Err(GzipError::Header)));
    }

    /// Remembers how far apart it heard something.
    #[derive(Default)]
    struct Listening {
        last: u64,
        farthest: u64,
    }

    impl Receiver for Listening {
        type Error = GzipError;

        fn content(&mut self, _: &[u8]) -> Result<(), GzipError> {
            Ok(())
        }

        fn stored(&mut self, _: &[u8], _: Option<u64>) {}

        fn passed(&mut self, at: u64) -> Result<(), GzipError> {
            self.farthest = self.farthest.max(at - self.last);
            self.last = at;
            Ok(())
        }
    }

    #[test]
    fn a_receiver_hears_how_far_endless_names_and_padding_were_read() {
        let mut named = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255];
        named.extend(vec![b'n'; 1 << 20]);
        named.extend([0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        named.extend(vec![0; 1 << 20]);
        let mut listening = Listening::default();
        read(&named[..], &mut listening).unwrap();
        assert!(listening.last > (2 << 20) - PASSED && listening.farthest < 2 * PASSED);
    }
}
