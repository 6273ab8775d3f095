//! Which ranges are read so that a part can be written: neighbours by one request.

use std::ops::Range;

use archive::Extent;

/// Ranges of one object with so little between them are read by one request, in bytes: the head and the end
/// of a gzip member, with a file's name.
const MAX_GAP_BYTES: u64 = 4 << 10;

/// A range that is read by one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Where the bytes of an extent come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadSource<'a> {
    /// They are these.
    Literal(&'a [u8]),
    /// They are in what the next read brings.
    Next(Range<usize>),
    /// They are in what the last read brought.
    Same(Range<usize>),
}

/// Returns what has to be read for `extents`, and where each of them then is. Of what is read, no more is
/// thrown away than is wanted, but for one gap.
pub(crate) fn plan_reads<S: PartialEq>(
    extents: &[Extent<S>],
) -> (Vec<Read<'_, S>>, Vec<ReadSource<'_>>) {
    let mut reads: Vec<Read<'_, S>> = Vec::new();
    let (mut origins, mut wanted) = (Vec::new(), 0);
    for extent in extents {
        let (source, offset, len) = match extent {
            Extent::Bytes(literal) => {
                origins.push(ReadSource::Literal(literal));
                continue;
            }
            Extent::Range { len: 0, .. } => continue,
            Extent::Range { source, offset, len } => (source, *offset, *len),
        };
        let size = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
        if let Some(last) = reads.last_mut().filter(|last| last.source == source)
            && let Some(gap) = offset.checked_sub(last.offset + last.len)
            && gap <= MAX_GAP_BYTES
            && last.len + gap + len <= 2 * (wanted + len) + MAX_GAP_BYTES
        {
            let begin = last.len + gap;
            last.len = begin + len;
            wanted += len;
            origins.push(ReadSource::Same(size(begin)..size(begin + len)));
            continue;
        }
        reads.push(Read { source, offset, len });
        wanted = len;
        origins.push(ReadSource::Next(0..size(len)));
    }
    (reads, origins)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(source: u8, offset: u64, len: u64) -> Vec<u8> {
        (offset..offset + len).map(|at| (at % 251) as u8 ^ source).collect()
    }

    fn extents() -> impl Strategy<Value = Vec<Extent<u8>>> {
        let one =
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20).prop_map(Extent::Bytes),
                (0_u8..2, 0_u64..20_000, 0_u64..3000)
                    .prop_map(|(source, offset, len)| Extent::Range { source, offset, len }),
            ];
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn every_byte_is_read_where_it_is(extents in extents()) {
            let (reads, origins) = plan_reads(&extents);
            let (mut read, mut brought, mut found) = (reads.iter(), Vec::new(), Vec::new());
            for origin in origins {
                match origin {
                    ReadSource::Literal(literal) => found.extend_from_slice(literal),
                    ReadSource::Next(part) => {
                        let next = read.next().unwrap();
                        brought = object(*next.source, next.offset, next.len);
                        found.extend_from_slice(&brought[part]);
                    }
                    ReadSource::Same(part) => found.extend_from_slice(&brought[part]),
                }
            }
            prop_assert!(read.next().is_none());
            let want = extents.iter().flat_map(|extent| match extent {
                Extent::Bytes(literal) => literal.clone(),
                Extent::Range { source, offset, len } => object(*source, *offset, *len),
            });
            prop_assert_eq!(found, want.collect::<Vec<u8>>());
            let wanted: u64 = extents.iter().map(Extent::len).sum();
            let brought: u64 = reads.iter().map(|read| read.len).sum();
            prop_assert!(brought <= 2 * wanted + MAX_GAP_BYTES * reads.len() as u64);
        }
    }

    #[test]
    fn the_members_of_an_object_are_read_by_one_request() {
        let members = (0..20_000).flat_map(|number| {
            [
                Extent::Bytes(vec![0; 5]),
                Extent::Range { source: 7, offset: number * 118 + 10, len: 100 },
            ]
        });
        let members: Vec<_> = members.collect();

        let (reads, _) = plan_reads(&members);

        assert_eq!(reads, [Read { source: &7, offset: 10, len: 20_000 * 118 - 18 }]);
    }
}
