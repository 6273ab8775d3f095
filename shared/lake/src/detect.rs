//! Detects how an object is stored, from its first bytes and its key.

use std::io::{self, Read};

use export::Compression;

/// How much of an object is looked at, in bytes: a tar archive is told from its 257th byte on.
const HEAD_BYTES: u64 = 512;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const SNAPPY: &[u8] = b"\xff\x06\0\0sNaPpY";
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// How files begin that are not JSON Lines, and are met in lakes.
const FOREIGN: [(&[u8], &str); 19] = [
    (b"PAR1", "Parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
    (b"ARROW1", "Arrow"),
    (b"SEQ\x06", "a Hadoop sequence file"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "LZMA"),
    (b"\x02\x21\x4c\x18", "LZ4 of the legacy kind"),
    (b"\x89LZO", "LZO"),
    (b"\x1f\x9d", "compress"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"SQLite format 3\0", "SQLite"),
    (b"%PDF-", "PDF"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\0\0\xfe\xff", "UTF-32"),
];

/// Reads the beginning of an object. Returns it, and what reads the whole.
pub(crate) fn peek<R: Read>(mut input: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok((head.clone(), io::Cursor::new(head).chain(input)))
}

/// Returns how an object is compressed that begins with `head`, or what it is if it cannot be JSON Lines.
/// What the catalog says is not doubted, unless it says that nothing is compressed.
pub(crate) fn detect(
    compression: Compression,
    key: &str,
    head: &[u8],
) -> Result<Compression, &'static str> {
    let found = compression_of(head);
    match (compression, found) {
        (Compression::Auto, Some(found)) => Ok(found),
        (Compression::None, Some(found)) => Err(name(found)),
        // These have no mark, and begin with zeros.
        (Compression::Auto, None)
            if by_key(key) == Compression::HadoopSnappy && !looks_like_json(head) =>
        {
            Ok(Compression::HadoopSnappy)
        }
        (Compression::Auto | Compression::None, None) => match foreign(head) {
            Some(what) => Err(what),
            None if compression == Compression::Auto && !looks_like_json(head) => Ok(by_key(key)),
            None => Ok(Compression::None),
        },
        (said, _) => Ok(said),
    }
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Zlib => "zlib",
        Compression::Zstd => "Zstandard",
        Compression::Snappy | Compression::HadoopSnappy => "Snappy",
        Compression::Bzip2 => "bzip2",
        Compression::Lz4 => "LZ4",
        Compression::Auto | Compression::None => "plain",
    }
}

/// Tells whether the object `key` is likely to be stored as gzip. For certain, its bytes tell.
pub fn is_gzip(compression: Compression, key: &str) -> bool {
    match compression {
        Compression::Auto => by_key(key) == Compression::Gzip,
        named => named == Compression::Gzip,
    }
}

fn by_key(key: &str) -> Compression {
    let suffix = key.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let is = |known: &[&str]| known.iter().any(|known| suffix.eq_ignore_ascii_case(known));
    let suffixes: [(&[&str], Compression); 6] = [
        (&["gz", "gzip"], Compression::Gzip),
        (&["zst", "zstd"], Compression::Zstd),
        (&["zz", "zlib"], Compression::Zlib),
        (&["bz2", "bzip2"], Compression::Bzip2),
        // Framed Snappy is known by its first bytes; the blocks of Hadoop have no mark.
        (&["snappy", "hsnappy"], Compression::HadoopSnappy),
        (&["lz4"], Compression::Lz4),
    ];
    let known = suffixes.iter().find(|(suffixes, _)| is(suffixes));
    known.map_or(Compression::None, |(_, compression)| *compression)
}

fn compression_of(head: &[u8]) -> Option<Compression> {
    // Zstandard also begins with frames that are to be skipped (RFC 8878, section 3.1.2).
    let skippable = matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    if head.starts_with(GZIP) {
        Some(Compression::Gzip)
    } else if head.starts_with(ZSTD) || skippable {
        Some(Compression::Zstd)
    } else if head.starts_with(SNAPPY) {
        Some(Compression::Snappy)
    } else if head.starts_with(LZ4) {
        Some(Compression::Lz4)
    } else if matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', b'1' | 0x17, ..]) {
        Some(Compression::Bzip2)
    } else if matches!(head, [0x78, 0x01 | 0x9c | 0xda, ..]) {
        // The second byte tells the level. A fourth one, a circumflex, could be text.
        Some(Compression::Zlib)
    } else {
        None
    }
}

/// Tells what begins with `head`, if it is nothing that rows could begin with.
pub(crate) fn foreign(head: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| match magic {
        // These could be the first letters of a text as well.
        b"ORC" => head.starts_with(magic) && head.get(3).is_none_or(|byte| !is_printable(*byte)),
        _ => head.starts_with(magic),
    };
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| begins(magic)) {
        return Some(what);
    }
    match head {
        _ if compression_of(head).is_some() => Some("compressed twice"),
        // Without a mark, every other byte of what stands for ASCII is zero.
        [0, b'{' | b'[' | b' ' | b'\n', ..] | [b'{' | b'[' | b' ' | b'\n', 0, ..] => Some("UTF-16"),
        _ if head.get(257..262) == Some(b"ustar") => Some("tar"),
        // No text has a zero at its beginning.
        _ if !looks_like_json(head) && head.iter().take(16).any(|byte| *byte == 0) => {
            Some("binary data")
        }
        _ => None,
    }
}

fn is_printable(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

fn looks_like_json(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'[' | b'"' | 0x1e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_says_more_than_the_key() {
        use Compression::{Auto, Bzip2, Gzip, HadoopSnappy, Lz4, None, Snappy, Zlib, Zstd};
        let (gzip, zstd, json) =
            (&[0x1f, 0x8b, 8][..], &[0x28, 0xb5, 0x2f, 0xfd][..], &b" {\"a\":1}"[..]);
        for (compression, key, head, want) in [
            (Auto, "a", gzip, Ok(Gzip)),
            (Auto, "a.json", gzip, Ok(Gzip)),
            (Auto, "a.JSON.GZ", gzip, Ok(Gzip)),
            (Auto, "a.gz", zstd, Ok(Zstd)),
            (Auto, "a", &[0x5a, 0x2a, 0x4d, 0x18], Ok(Zstd)),
            (Auto, "a.gz", json, Ok(None)),
            (Auto, "a.GZ", b"\x1fcut", Ok(Gzip)),
            (Auto, "a.Zstd", b"", Ok(Zstd)),
            (Auto, "a.json", b"text", Ok(None)),
            (Auto, "a.json", b"ORCHID", Ok(None)),
            (Auto, "a.json", b"ORC\x0a\x12", Err("ORC")),
            (Auto, "a.json", b"BZh is no row", Ok(None)),
            (Gzip, "a", json, Ok(Gzip)),
            (None, "a", json, Ok(None)),
            (None, "a.gz", gzip, Err("gzip")),
            (Auto, "a.gz", b"BZh91AY&SY", Ok(Bzip2)),
            (None, "a.gz", b"BZh91AY&SY", Err("bzip2")),
            (Auto, "a", b"\x78\x9c\xab", Ok(Zlib)),
            (Auto, "a", b"x^2,1", Ok(None)),
            (Auto, "a.ZLIB", b"x^", Ok(Zlib)),
            (Auto, "a.snappy", b"\xff\x06\0\0sNaPpY", Ok(Snappy)),
            (Auto, "a.snappy", b"\0\0\0\x05\0\0\0\x04", Ok(HadoopSnappy)),
            (Auto, "a.hsnappy", b"", Ok(HadoopSnappy)),
            (Auto, "a", b"\x04\x22\x4d\x18", Ok(Lz4)),
            (HadoopSnappy, "a", b"text", Ok(HadoopSnappy)),
            (None, "a.json", b"PAR1\x15", Err("Parquet")),
            (Auto, "a.json", b"{\0\"\0", Err("UTF-16")),
            (Auto, "a.json", b"\xff\xfe{\0", Err("UTF-16")),
            (Auto, "a.json", b"\x12\x34\0\0\x56", Err("binary data")),
        ] {
            assert_eq!(detect(compression, key, head), want, "{key} {head:?}");
        }
        assert!(is_gzip(Auto, "a.GZ") && !is_gzip(Auto, "gz") && is_gzip(Gzip, "a"));
    }

    #[test]
    fn what_cannot_be_rows_is_named_and_what_can_is_not() {
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let zero_at = |at: usize| (0..20).map(|i| if i == at { 0 } else { b'a' }).collect();
        let mut json = b"\xef\xbb\xbf {\"a\":1}".to_vec();
        json.push(0);
        let cases: [(Vec<u8>, Option<&str>); 8] = [
            (tar, Some("tar")),
            (vec![b'a'; 512], None),
            (vec![0x1f, 0x8b, 8], Some("compressed twice")),
            (zero_at(15), Some("binary data")),
            (zero_at(16), None),
            (json, None),
            (b"ORC is no mark".to_vec(), None),
            (b"ORC".to_vec(), Some("ORC")),
        ];
        for (head, want) in cases {
            assert_eq!(foreign(&head), want, "{head:?}");
        }
    }

    #[test]
    fn nothing_is_lost_by_a_look() {
        for len in [0, 1, 512, 513, 5000] {
            let object: Vec<u8> = (0..len).map(|n: u32| n.to_le_bytes()[0]).collect();
            let (head, mut input) = peek(&object[..]).unwrap();
            let mut read = Vec::new();
            input.read_to_end(&mut read).unwrap();
            assert!(object.starts_with(&head) && read == object, "{len}");
        }
    }
}
