//! Reads the beginning of an object, to tell what is in it.

use export::Compression;

use crate::{
    ObjectError,
    decode::{Stop, decode},
    detect::{detect, foreign},
};

/// What an object begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How it is compressed.
    pub compression: Compression,
    /// Its first bytes, decompressed.
    pub content: Vec<u8>,
}

/// Returns what an object begins with, as much of it as `stored` has, and little more than `limit` bytes. What is
/// missing behind `stored` is no fault.
pub fn head(
    compression: Compression,
    key: &str,
    stored: &[u8],
    limit: usize,
) -> Result<Head, ObjectError> {
    let unreadable = |what| ObjectError::Foreign { key: key.to_owned(), what };
    let compression = detect(compression, key, stored).map_err(unreadable)?;
    let mut content = Vec::new();
    let read = decode(compression, stored, |bytes| {
        content.extend(bytes);
        if content.len() < limit { Ok(()) } else { Err(()) }
    });
    match read {
        Ok(()) | Err(Stop::By(())) => {}
        Err(Stop::Corrupt(_) | Stop::Unreadable(_)) if !content.is_empty() => {}
        Err(Stop::Corrupt(source) | Stop::Unreadable(source)) => {
            return Err(ObjectError::Corrupt { key: key.to_owned(), source });
        }
    }
    match foreign(&content) {
        Some(what) => Err(unreadable(what)),
        None => Ok(Head { compression, content }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn an_object_that_is_cut_off_is_read_as_far_as_it_goes() {
        let text = (0..400_000).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let stored = gzip.finish().unwrap();
        for stored in [&stored[..], &stored[..stored.len() / 2]] {
            let found = head(Compression::Auto, "a", stored, 1000).unwrap();
            assert_eq!(found.compression, Compression::Gzip);
            assert!(found.content.len() >= 1000 && text.as_bytes().starts_with(&found.content));
        }
        let plain = head(Compression::Auto, "a", b"{}\n{", 1000).unwrap();
        assert_eq!((plain.compression, &plain.content[..]), (Compression::None, &b"{}\n{"[..]));
        for bad in [&b"Obj\x01avro"[..], b"\x1f\x8b"] {
            assert!(head(Compression::Auto, "a", bad, 1000).is_err());
        }
    }
}
