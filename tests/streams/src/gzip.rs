//! Gzip files (RFC 1952).

use crate::Choices;

/// Returns a member of `content`, whose stream this is, with the plainest header.
pub fn member(stream: &[u8], content: &[u8]) -> Vec<u8> {
    member_with(stream, content, &mut Choices::new(&[]))
}

/// The same; which of the optional fields its header has is chosen.
pub fn member_with(stream: &[u8], content: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let [extra, name, comment, checksum] = [(); 4].map(|()| choices.rarely(4));
    let flags = u8::from(checksum) << 1
        | u8::from(extra) << 2
        | u8::from(name) << 3
        | u8::from(comment) << 4;
    let mut file = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
    if extra {
        file.extend([3, 0, 1, 0, 3]);
    }
    if name {
        file.extend(b"rows.json\0");
    }
    if comment {
        file.extend(b"of a test\0");
    }
    if checksum {
        let crc = crc32fast::hash(&file).to_le_bytes();
        file.extend(&crc[..2]);
    }
    file.extend(stream);
    file.extend(crc32fast::hash(content).to_le_bytes());
    file.extend(&(content.len() as u64).to_le_bytes()[..4]);
    file
}

/// Returns what follows the header of the first member, which has a name at most.
pub fn without_header(file: &[u8]) -> &[u8] {
    let (header, rest) = file.split_at(10);
    match header[3] {
        8 => &rest[rest.iter().take_while(|byte| **byte != 0).count() + 1..],
        _ => rest,
    }
}
