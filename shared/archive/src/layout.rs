//! The exact bytes of a ZIP archive, from what is known of its members.
//!
//! After PKWARE's APPNOTE 6.3.10. Sizes and checksums stand in the local header, there are no data
//! descriptors and no directory entries, zip64 appears only where a number needs it, and every
//! timestamp is the same: each of these broke a reader when done otherwise.

use crate::{END_OF_MEMBER, Extent, MemberName, segment::join_crc32};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const EXTRA_64: u16 = 0x0001;

/// 1980-01-01, midnight: the earliest that MS-DOS can say.
const DOS_TIME: u16 = 0;
const DOS_DATE: u16 = 0x0021;
/// A plain file that everybody may read, in the upper half as Unix says it.
const ATTRIBUTES: u32 = 0o100_644 << 16;
const MADE_ON_UNIX: u16 = 3 << 8;

/// One file of an archive.
#[derive(Clone, Debug)]
pub struct Member<S> {
    /// What it is called.
    pub name: MemberName,
    /// How it is stored.
    pub method: Method,
    /// CRC-32 of its content.
    pub crc32: u32,
    /// Length of its content in bytes.
    pub raw_bytes: u64,
    /// Where its stored bytes lie, in order.
    pub content: Vec<Extent<S>>,
    /// CRC-32 of its stored bytes.
    pub stored_crc32: u32,
}

/// How a member is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// As segments; the layout adds the end of the stream.
    Deflate,
}

/// A whole archive, laid out.
#[derive(Clone, Debug)]
pub struct Layout<S> {
    /// Its bytes, in order.
    pub extents: Vec<Extent<S>>,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// CRC-32 of the whole.
    pub crc32: u32,
}

/// Lays out an archive of `members`, in their order.
pub fn layout<S: Clone>(members: Vec<Member<S>>) -> Layout<S> {
    let mut out = Layout { extents: Vec::new(), size_bytes: 0, crc32: 0 };
    let mut directory = Vec::new();
    let count = members.len() as u64;
    for mut member in members {
        if member.method == Method::Deflate {
            member.content.push(Extent::Bytes(END_OF_MEMBER.to_vec()));
            member.stored_crc32 = join_crc32(
                member.stored_crc32,
                crc32fast::hash(&END_OF_MEMBER),
                END_OF_MEMBER.len() as u64,
            );
        }
        let stored_bytes = member.content.iter().map(Extent::len).sum();
        let entry = Entry {
            name: &member.name,
            method: member.method,
            crc32: member.crc32,
            raw_bytes: member.raw_bytes,
            stored_bytes,
            offset: out.size_bytes,
        };
        directory.extend(entry.central_header());
        out.push_bytes(entry.local_header());
        out.extents.extend(member.content.into_iter().filter(|extent| !extent.is_empty()));
        out.size_bytes += stored_bytes;
        out.crc32 = join_crc32(out.crc32, member.stored_crc32, stored_bytes);
    }
    directory.extend(end(count, directory.len() as u64, out.size_bytes));
    out.push_bytes(directory);
    out
}

impl<S> Layout<S> {
    fn push_bytes(&mut self, bytes: Vec<u8>) {
        self.size_bytes += bytes.len() as u64;
        self.crc32 = join_crc32(self.crc32, crc32fast::hash(&bytes), bytes.len() as u64);
        self.extents.push(Extent::Bytes(bytes));
    }
}

struct Entry<'a> {
    name: &'a MemberName,
    method: Method,
    crc32: u32,
    raw_bytes: u64,
    stored_bytes: u64,
    offset: u64,
}

impl Entry<'_> {
    fn local_header(&self) -> Vec<u8> {
        // A local header names both sizes in zip64 or none (APPNOTE 4.5.3).
        let large = self.raw_bytes.max(self.stored_bytes) >= u64::from(u32::MAX);
        let sizes = if large { vec![self.raw_bytes, self.stored_bytes] } else { Vec::new() };
        let mut out = Vec::new();
        put_u32(&mut out, LOCAL);
        self.put_common(
            &mut out,
            large,
            &sizes,
            if large { [u32::MAX; 2] } else { self.sizes_32() },
        );
        out.extend(self.name.as_bytes());
        put_extra_64(&mut out, &sizes);
        out
    }

    fn central_header(&self) -> Vec<u8> {
        let wide: Vec<u64> = [self.raw_bytes, self.stored_bytes, self.offset]
            .into_iter()
            .filter(|value| *value >= u64::from(u32::MAX))
            .collect();
        let mut out = Vec::new();
        put_u32(&mut out, CENTRAL);
        put_u16(&mut out, MADE_ON_UNIX | version(!wide.is_empty()));
        self.put_common(&mut out, !wide.is_empty(), &wide, self.sizes_32());
        put_u16(&mut out, 0); // comment
        put_u16(&mut out, 0); // disk
        put_u16(&mut out, 0); // internal attributes
        put_u32(&mut out, ATTRIBUTES);
        put_u32(&mut out, clamp(self.offset));
        out.extend(self.name.as_bytes());
        put_extra_64(&mut out, &wide);
        out
    }

    /// Writes what both headers have in common.
    fn put_common(&self, out: &mut Vec<u8>, large: bool, wide: &[u64], sizes: [u32; 2]) {
        put_u16(out, version(large));
        put_u16(out, if self.name.is_ascii() { 0 } else { 1 << 11 });
        put_u16(out, if self.method == Method::Stored { 0 } else { 8 });
        put_u16(out, DOS_TIME);
        put_u16(out, DOS_DATE);
        put_u32(out, self.crc32);
        put_u32(out, sizes[1]);
        put_u32(out, sizes[0]);
        put_u16(out, short(self.name.as_bytes().len()));
        put_u16(out, if wide.is_empty() { 0 } else { short(4 + 8 * wide.len()) });
    }

    fn sizes_32(&self) -> [u32; 2] {
        [clamp(self.raw_bytes), clamp(self.stored_bytes)]
    }
}

/// The records after the central directory: `count` entries of `size` bytes at `offset`.
fn end(count: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if count >= u64::from(u16::MAX) || size.max(offset) >= u64::from(u32::MAX) {
        put_u32(&mut out, END_64);
        put_u64(&mut out, 44); // what follows of this record
        put_u16(&mut out, MADE_ON_UNIX | version(true));
        put_u16(&mut out, version(true));
        put_u32(&mut out, 0); // this disk
        put_u32(&mut out, 0); // the directory's disk
        put_u64(&mut out, count);
        put_u64(&mut out, count);
        put_u64(&mut out, size);
        put_u64(&mut out, offset);
        put_u32(&mut out, LOCATOR_64);
        put_u32(&mut out, 0); // the disk of the record above
        put_u64(&mut out, offset + size);
        put_u32(&mut out, 1); // disks
    }
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    put_u32(&mut out, END);
    put_u16(&mut out, 0); // this disk
    put_u16(&mut out, 0); // the directory's disk
    put_u16(&mut out, count);
    put_u16(&mut out, count);
    put_u32(&mut out, clamp(size));
    put_u32(&mut out, clamp(offset));
    put_u16(&mut out, 0); // comment
    out
}

fn put_extra_64(out: &mut Vec<u8>, wide: &[u64]) {
    if wide.is_empty() {
        return;
    }
    put_u16(out, EXTRA_64);
    put_u16(out, short(8 * wide.len()));
    for value in wide {
        put_u64(out, *value);
    }
}

/// The version a reader must have: 2.0 for deflate, 4.5 for zip64.
fn version(large: bool) -> u16 {
    if large { 45 } else { 20 }
}

/// A number for a field of 32 bits, all ones where zip64 has to say it.
fn clamp(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A length that a [`MemberName`] or a fixed record cannot make too large.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_le_bytes());
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use proptest::prelude::*;

    use super::*;
    use crate::{Segment, SegmentEncoder};

    /// Lays out members of `contents` and writes the archive to memory.
    fn written(contents: &[(String, Vec<u8>, bool)]) -> (Layout<()>, Vec<u8>) {
        let members = contents
            .iter()
            .map(|(name, raw, deflate)| {
                let mut stored = Vec::new();
                let segment = SegmentEncoder::new(6).encode(raw, 0, &mut stored);
                let crc32 = crc32fast::hash(raw);
                let (method, stored, stored_crc32) = if *deflate {
                    (Method::Deflate, stored, segment.stored_crc32)
                } else {
                    (Method::Stored, raw.clone(), crc32)
                };
                let content = vec![Extent::Bytes(stored)];
                let name = name.parse().unwrap();
                Member { name, method, crc32, raw_bytes: raw.len() as u64, content, stored_crc32 }
            })
            .collect();
        let layout = layout(members);
        let bytes = layout
            .extents
            .iter()
            .flat_map(|extent| match extent {
                Extent::Bytes(bytes) => bytes.clone(),
                Extent::Range { .. } => unreachable!("the test stores no objects"),
            })
            .collect();
        (layout, bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_independent_reader_finds_every_member_as_it_was(
            contents in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..3000), any::<bool>()), 0..8)
        ) {
            let contents: Vec<_> = contents.into_iter().enumerate()
                .map(|(i, (raw, deflate))| (format!("größe/{i}.jsonl"), raw, deflate)).collect();
            let (layout, bytes) = written(&contents);
            prop_assert_eq!(layout.size_bytes, bytes.len() as u64);
            prop_assert_eq!(layout.crc32, crc32fast::hash(&bytes));

            let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
            prop_assert_eq!(archive.len(), contents.len());
            for (i, (name, raw, _)) in contents.iter().enumerate() {
                let mut file = archive.by_index(i).unwrap();
                prop_assert_eq!(file.name().unwrap(), name.as_str());
                let mut read = Vec::new();
                file.read_to_end(&mut read).unwrap();
                prop_assert_eq!(&read, raw);
            }
        }
    }

    #[test]
    fn an_empty_file_adds_its_headers_only() {
        let (layout, _) = written(&[("a".to_owned(), Vec::new(), false)]);
        // The local header, and the directory with its end.
        assert_eq!(layout.extents.iter().map(Extent::len).collect::<Vec<_>>(), [31, 47 + 22]);
    }

    fn entry(name: &MemberName, raw_bytes: u64, stored_bytes: u64, offset: u64) -> Entry<'_> {
        Entry { name, method: Method::Deflate, crc32: 0, raw_bytes, stored_bytes, offset }
    }

    #[test]
    fn zip64_appears_only_where_a_number_needs_it() {
        let name: MemberName = "a".parse().unwrap();
        let large = u64::from(u32::MAX);

        assert_eq!(entry(&name, large - 1, 9, large - 1).local_header().len(), 31);
        assert_eq!(entry(&name, large, 9, 0).local_header().len(), 31 + 20);
        assert_eq!(entry(&name, large - 1, 9, large - 1).central_header().len(), 47);
        assert_eq!(entry(&name, large, 9, 0).central_header().len(), 47 + 12);
        assert_eq!(entry(&name, large, large, large).central_header().len(), 47 + 28);
        assert_eq!(end(65_534, 9, large - 1).len(), 22);
        assert_eq!(end(65_535, 9, 9).len(), 22 + 76);
        assert_eq!(end(1, 9, large).len(), 22 + 76);
        assert_eq!(end(1, large, 9).len(), 22 + 76);
        // What does not compress may be larger stored than it is.
        assert_eq!(entry(&name, large - 1, large, 0).local_header().len(), 31 + 20);
    }

    /// Numbers of so many bytes each, the lowest first.
    fn numbers(fields: &[(usize, u64)]) -> Vec<u8> {
        fields.iter().flat_map(|(len, value)| value.to_le_bytes()[..*len].to_vec()).collect()
    }

    #[test]
    fn headers_say_what_readers_look_for() {
        for (name, method, flags, code) in [
            ("a.csv", Method::Deflate, 0, 8),
            ("a.csv", Method::Stored, 0, 0),
            // Bit 11 says that a name is in UTF-8.
            ("größe.csv", Method::Deflate, 0x0800, 8),
        ] {
            let name_len = name.len() as u64;
            let name = &name.parse().unwrap();
            let entry =
                Entry { name, method, crc32: 7, raw_bytes: 300, stored_bytes: 200, offset: 9 };
            // Version, flags, method, time, date, checksum, sizes, lengths of name and extra field.
            let common = [
                (2, 20),
                (2, flags),
                (2, code),
                (2, 0),
                (2, 0x21),
                (4, 7),
                (4, 200),
                (4, 300),
                (2, name_len),
                (2, 0),
            ];
            let head = [&[(4, 0x0403_4b50)][..], &common].concat();
            assert_eq!(entry.local_header(), [&numbers(&head), name.as_bytes()].concat());

            // Made on Unix by version 2.0; comment, disk, kind, attributes, offset.
            let head = [&[(4, 0x0201_4b50), (2, 0x0314)][..], &common].concat();
            let rest = [(2, 0), (2, 0), (2, 0), (4, 0o100_644 << 16), (4, 9)];
            let want = [&numbers(&[&head[..], &rest].concat()), name.as_bytes()].concat();
            assert_eq!(entry.central_header(), want);
        }
        let ends = [(4, 0x0605_4b50), (2, 0), (2, 0), (2, 3), (2, 3), (4, 150), (4, 700), (2, 0)];
        assert_eq!(end(3, 150, 700), numbers(&ends));
    }

    #[test]
    fn large_numbers_stand_in_zip64_and_nowhere_else() {
        let name = "a".parse().unwrap();
        let (raw, stored, offset) = (10 << 32, 6 << 32, 8 << 32);
        let head = |entry: Entry<'_>| entry.central_header()[4..].to_vec();
        // Version, flags, method, time, date, checksum.
        let begin = [(2, 45), (2, 0), (2, 8), (2, 0), (2, 0x21), (4, 0)];
        let small = u64::from(u32::MAX);
        for (entry, sizes, at, extra) in [
            (entry(&name, raw, stored, offset), [small, small], small, &[raw, stored, offset][..]),
            (entry(&name, raw, 200, 9), [200, small], 9, &[raw]),
            (entry(&name, 300, 200, offset), [200, 300], small, &[offset]),
        ] {
            let len = 8 * extra.len() as u64;
            let sizes = [(4, sizes[0]), (4, sizes[1]), (2, 1), (2, 4 + len)];
            let rest = [(2, 0), (2, 0), (2, 0), (4, 0o100_644 << 16), (4, at)];
            let extra: Vec<_> = extra.iter().map(|value| (8, *value)).collect();
            let extra = [&[(2, 1), (2, len)], &extra[..]].concat();
            let fields = [&[(2, 0x032d)], &begin[..], &sizes, &rest].concat();
            assert_eq!(head(entry), [numbers(&fields), b"a".to_vec(), numbers(&extra)].concat());
        }
        let local = entry(&name, raw, 200, 9).local_header();
        let sizes = [(4, small), (4, small), (2, 1), (2, 20)];
        let extra = [(2, 1), (2, 16), (8, raw), (8, 200)];
        let fields = numbers(&[&begin[..], &sizes].concat());
        assert_eq!(local[4..], [fields, b"a".to_vec(), numbers(&extra)].concat());

        let (count, size, offset) = (70_000, 5 << 32, 7 << 32);
        let want = numbers(&[
            // The record: its length, versions, disks, counts, size, offset.
            (4, 0x0606_4b50),
            (8, 44),
            (2, 0x032d),
            (2, 45),
            (4, 0),
            (4, 0),
            (8, count),
            (8, count),
            (8, size),
            (8, offset),
            // Where the record is.
            (4, 0x0706_4b50),
            (4, 0),
            (8, offset + size),
            (4, 1),
            // The end that everybody looks for.
            (4, 0x0605_4b50),
            (2, 0),
            (2, 0),
            (2, 0xffff),
            (2, 0xffff),
            (4, small),
            (4, small),
            (2, 0),
        ]);
        assert_eq!(end(count, size, offset), want);
    }

    #[test]
    fn a_member_of_many_segments_is_one_file() {
        let mut stored = Vec::new();
        let mut encoder = SegmentEncoder::new(6);
        let rows = ["{\"a\":1}\n", "{\"a\":2}\n"];
        let whole = rows.iter().fold(Segment::default(), |sum, row| {
            sum.join(encoder.encode(row.as_bytes(), 1, &mut stored))
        });
        let layout = layout(vec![Member {
            name: "rows.jsonl".parse().unwrap(),
            method: Method::Deflate,
            crc32: whole.crc32,
            raw_bytes: whole.raw_bytes,
            content: vec![Extent::Range { source: "work/0", offset: 0, len: whole.stored_bytes }],
            stored_crc32: whole.stored_crc32,
        }]);
        let bytes: Vec<u8> = layout
            .extents
            .into_iter()
            .flat_map(|extent| match extent {
                Extent::Bytes(bytes) => bytes,
                Extent::Range { .. } => stored.clone(),
            })
            .collect();
        assert_eq!(layout.crc32, crc32fast::hash(&bytes));

        let mut read = String::new();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        archive.by_index(0).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, rows.concat());
    }
}
