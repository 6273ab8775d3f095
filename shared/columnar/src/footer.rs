//! The footer of a file: found, bounded, and read.

use bytes::Bytes;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::{
    ParquetFault, Ranges,
    caught::caught,
    thrift::{Flaw, Thrift, kind},
};

/// The largest footer in bytes.
pub const MAX_FOOTER_BYTES: usize = 16 << 20;
/// The most columns of a file, with the groups that hold them.
pub const MAX_SCHEMA_NODES: usize = 10_000;
/// How deep columns may nest.
pub const MAX_SCHEMA_DEPTH: usize = 32;
/// The most row groups of a file times its columns.
pub const MAX_COLUMN_CHUNKS: usize = 65_536;

/// How much of the end of an object is read at first, in bytes. Most footers are in it.
const TAIL_BYTES: u64 = 64 << 10;
/// The length of a footer and the mark behind it.
const END_BYTES: usize = 8;

/// The marks at both ends of a file.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";
/// The mark at the end of a file with an encrypted footer.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// Reads the footer of a file.
pub(crate) fn read_footer(file: &dyn Ranges) -> Result<ParquetMetaData, ParquetFault> {
    let size = file.size();
    let begin = size.saturating_sub(TAIL_BYTES);
    let tail = read(file, begin, size - begin)?;
    let (rest, end) = tail
        .len()
        .checked_sub(END_BYTES)
        .map(|at| (tail.slice(..at), tail.slice(at..)))
        .ok_or_else(|| ParquetFault::damaged("it is shorter than a footer"))?;
    match &end[4..] {
        magic if magic == MAGIC => {}
        magic if magic == ENCRYPTED => {
            return Err(ParquetFault::unsupported("it is encrypted"));
        }
        _ => return Err(ParquetFault::damaged("it does not end with PAR1")),
    }
    let len = end[..4].try_into().map(u32::from_le_bytes).unwrap_or_default();
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > MAX_FOOTER_BYTES {
        let why = format!("its footer has {len} bytes, more than {MAX_FOOTER_BYTES}");
        return Err(ParquetFault::unsupported(why));
    }
    let first = (size - END_BYTES as u64)
        .checked_sub(len as u64)
        .ok_or_else(|| ParquetFault::damaged("its footer is longer than the file"))?;
    let footer = match rest.len().checked_sub(len) {
        Some(at) => rest.slice(at..),
        None => read(file, first, len as u64)?,
    };
    check(&footer)?;
    caught(|| Ok(ParquetMetaDataReader::decode_metadata(&footer)?))
}

/// Reads bytes that have to be there.
pub(crate) fn read(file: &dyn Ranges, offset: u64, len: u64) -> Result<Bytes, ParquetFault> {
    let bytes = file.read(offset, len).map_err(ParquetFault::Unreadable)?;
    if bytes.len() as u64 == len {
        return Ok(bytes);
    }
    Err(ParquetFault::damaged("it ends early"))
}

/// Refuses a footer of which more would be made than memory is set aside for, or which nests so deep that the stack of
/// a reader would end.
fn check(footer: &[u8]) -> Result<(), ParquetFault> {
    let (mut thrift, mut nodes, mut chunks) = (Thrift::new(footer), None, 0);
    let mut flaw = None;
    let walked = thrift.fields(|thrift, number, kind| match (number, kind) {
        (2, kind::LIST) => {
            flaw = flaw.take().or(check_schema(thrift, &mut nodes)?);
            Ok(true)
        }
        (4, kind::LIST) => {
            let (_, groups) = thrift.list()?;
            for _ in 0..groups {
                // An empty group is counted too: something is made of it.
                chunks += 1 + columns(thrift)?;
            }
            Ok(true)
        }
        _ => Ok(false),
    });
    match walked {
        Err(Flaw::Short) => return Err(ParquetFault::damaged("its footer ends early")),
        Err(Flaw::Wrong) => return Err(ParquetFault::damaged("its footer cannot be read")),
        Ok(()) => {}
    }
    if let Some(flaw) = flaw {
        return Err(ParquetFault::unsupported(flaw));
    }
    if chunks > MAX_COLUMN_CHUNKS {
        let why = format!(
            "it has {chunks} columns in all of its row groups, more than {MAX_COLUMN_CHUNKS}"
        );
        return Err(ParquetFault::unsupported(why));
    }
    nodes.map(drop).ok_or_else(|| ParquetFault::damaged("its footer has no schema"))
}

/// Counts the columns of a row group.
fn columns(thrift: &mut Thrift<'_>) -> Result<usize, Flaw> {
    let mut columns = 0;
    thrift.fields(|thrift, number, kind| {
        if (number, kind) != (1, kind::LIST) {
            return Ok(false);
        }
        let (_, len) = thrift.list()?;
        columns += len;
        (0..len).try_for_each(|_| thrift.fields(|_, _, _| Ok(false)))?;
        Ok(true)
    })?;
    Ok(columns)
}

/// Returns what is beyond a bound in the schema, a tree whose nodes stand each before its children.
fn check_schema(
    thrift: &mut Thrift<'_>,
    nodes: &mut Option<usize>,
) -> Result<Option<String>, Flaw> {
    let (_, len) = thrift.list()?;
    *nodes = Some(len);
    if len > MAX_SCHEMA_NODES {
        (0..len).try_for_each(|_| thrift.fields(|_, _, _| Ok(false)))?;
        return Ok(Some(format!("it has {len} columns and groups, more than {MAX_SCHEMA_NODES}")));
    }
    // How many children are still to come, from the root inwards.
    let mut open: Vec<usize> = Vec::new();
    let mut deepest = 0;
    for index in 0..len {
        let mut children = 0;
        thrift.fields(|thrift, number, kind| {
            if number == 5 && (kind::I16..=kind::I64).contains(&kind) {
                children = thrift.size()?;
                return Ok(true);
            }
            Ok(false)
        })?;
        while open.last() == Some(&0) {
            open.pop();
        }
        match open.last_mut() {
            Some(left) => *left -= 1,
            None if index == 0 => {}
            None => return Err(Flaw::Wrong),
        }
        if children > 0 {
            open.push(children);
            deepest = deepest.max(open.len());
        }
    }
    if open.iter().any(|left| *left > 0) {
        return Err(Flaw::Wrong);
    }
    let deep = deepest > MAX_SCHEMA_DEPTH;
    Ok(deep.then(|| format!("its columns nest more than {MAX_SCHEMA_DEPTH} deep")))
}
