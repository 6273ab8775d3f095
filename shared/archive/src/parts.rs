//! From the bytes of an archive to the parts of an S3 multipart upload.
//!
//! S3's rules: a part has 5 MiB to 5 GiB, the last may be smaller, there are at most 10,000, and a
//! copied range is a part of its own. So a range becomes parts that are copied, except for its edges
//! where the neighbour is too small to stand alone.

use crate::Extent;

/// The smallest part but the last.
pub const MIN_PART_BYTES: u64 = 5 << 20;

/// The largest part.
pub const MAX_PART_BYTES: u64 = 5 << 30;

/// The largest part that S3 copies, as long as an upload has room for the parts: a larger range is copied as
/// several, at the same time.
const MAX_COPY_BYTES: u64 = 512 << 20;

/// The most parts of one upload.
pub const MAX_PARTS: usize = 10_000;

/// One part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<S> {
    /// A range of a stored object, which S3 copies by itself.
    Copy {
        /// Which object.
        source: S,
        /// Where in it.
        offset: u64,
        /// How much of it.
        len: u64,
    },
    /// Stretches to be read and sent together.
    Write(Vec<Extent<S>>),
}

/// Cuts `extents` into parts. As little as possible is read and sent; none at all is one empty part.
pub fn plan_parts<S: Clone>(extents: &[Extent<S>]) -> Vec<Part<S>> {
    let (mut least, mut largest) = (MIN_PART_BYTES, MAX_COPY_BYTES);
    loop {
        // The smaller the least part, the less has to be read and sent; but there may be too many.
        let parts = parts_of(extents, least, largest);
        if parts.len() <= MAX_PARTS {
            return parts;
        }
        (least, largest) = if largest < MAX_PART_BYTES {
            (least, (largest * 2).min(MAX_PART_BYTES))
        } else {
            (least * 2, largest)
        };
    }
}

/// Cuts `extents` into parts of `least` bytes or more, but for the last. What is copied has `largest` bytes at most.
fn parts_of<S: Clone>(extents: &[Extent<S>], least: u64, largest: u64) -> Vec<Part<S>> {
    let mut parts = Vec::new();
    let mut open = Open { extents: Vec::new(), len: 0 };
    for mut extent in extents.iter().cloned() {
        while !extent.is_empty() {
            match &extent {
                Extent::Range { source, offset, len } if open.len == 0 && *len >= least => {
                    copy(&mut parts, source, (*offset, *len), largest);
                    break;
                }
                _ => {}
            }
            open.push(extent.take(least - open.len));
            if open.len == least {
                parts.push(open.close());
            }
        }
    }
    if open.len > 0 || parts.is_empty() {
        parts.push(open.close());
    }
    parts
}

/// Copies a range in as few parts of about the same size, of `largest` bytes at most.
fn copy<S: Clone>(
    parts: &mut Vec<Part<S>>,
    source: &S,
    (mut offset, len): (u64, u64),
    largest: u64,
) {
    let count = len.div_ceil(largest);
    for i in 0..count {
        let size = len / count + u64::from(i < len % count);
        parts.push(Part::Copy { source: source.clone(), offset, len: size });
        offset += size;
    }
}

/// A part that is not yet large enough.
struct Open<S> {
    extents: Vec<Extent<S>>,
    len: u64,
}

impl<S: Clone> Open<S> {
    fn push(&mut self, extent: Extent<S>) {
        self.len += extent.len();
        self.extents.push(extent);
    }

    fn close(&mut self) -> Part<S> {
        self.len = 0;
        Part::Write(std::mem::take(&mut self.extents))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn part_len(part: &Part<usize>) -> u64 {
        match part {
            Part::Copy { len, .. } => *len,
            Part::Write(extents) => extents.iter().map(Extent::len).sum(),
        }
    }

    /// The bytes of extents as (source, offset) runs, neighbours joined.
    fn runs<'a>(
        extents: impl Iterator<Item = &'a Extent<usize>>,
    ) -> Vec<(Option<usize>, u64, u64)> {
        let mut runs: Vec<(Option<usize>, u64, u64)> = Vec::new();
        for extent in extents.filter(|e| !e.is_empty()) {
            let (source, offset) = match extent {
                Extent::Bytes(_) => (None, 0),
                Extent::Range { source, offset, .. } => (Some(*source), *offset),
            };
            match runs.last_mut() {
                Some((last, begin, len))
                    if *last == source && (source.is_none() || *begin + *len == offset) =>
                {
                    *len += extent.len();
                }
                _ => runs.push((source, offset, extent.len())),
            }
        }
        runs
    }

    fn extents() -> impl Strategy<Value = Vec<Extent<usize>>> {
        let size = prop_oneof![0..100 * MIB, 0..MIB, 4 * MIB..6 * MIB, 0..(12_u64 << 30)];
        let one = prop_oneof![
            (0_usize..2000).prop_map(|len| (None, len as u64)),
            (0_u64..1000, size).prop_map(|(offset, len)| (Some(offset), len)),
        ];
        prop::collection::vec(one, 0..60).prop_map(|list| {
            list.into_iter()
                .enumerate()
                .map(|(i, (offset, len))| match offset {
                    None => Extent::Bytes(vec![0; usize::try_from(len).unwrap()]),
                    Some(offset) => Extent::Range { source: i, offset, len },
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn parts_keep_s3s_rules_and_every_byte_in_its_place(extents in extents()) {
            let parts = plan_parts(&extents);

            prop_assert!((1..=MAX_PARTS).contains(&parts.len()));
            for (i, part) in parts.iter().enumerate() {
                let len = part_len(part);
                prop_assert!(len <= MAX_PART_BYTES);
                prop_assert!(len > 0 || parts.len() == 1, "part {} is empty", i);
                prop_assert!(len >= MIN_PART_BYTES || i + 1 == parts.len(), "part {} has {} bytes", i, len);
            }
            let laid: Vec<Extent<usize>> = parts.into_iter().flat_map(|part| match part {
                Part::Copy { source, offset, len } => vec![Extent::Range { source, offset, len }],
                Part::Write(extents) => extents,
            }).collect();
            prop_assert_eq!(runs(laid.iter()), runs(extents.iter()));
        }

        #[test]
        fn only_the_edges_of_large_ranges_are_sent(
            sizes in prop::collection::vec(20 * MIB..5000 * MIB, 1..40)
        ) {
            let extents = sizes.iter().enumerate().flat_map(|(source, len)| {
                [Extent::Bytes(vec![0; 60]), Extent::Range { source, offset: 0, len: *len }]
            }).collect::<Vec<_>>();
            let sent: u64 = plan_parts(&extents).iter()
                .map(|part| if matches!(part, Part::Write(_)) { part_len(part) } else { 0 }).sum();
            // At each range: what fills the part before it, and what is too little to be copied after.
            prop_assert!(sent < sizes.len() as u64 * 2 * MIN_PART_BYTES);
        }
    }

    #[test]
    fn a_large_range_is_copied_in_parts_that_s3_copies_in_seconds() {
        let whole = |len| [Extent::Range { source: 0, offset: 0, len }];
        let copied = plan_parts(&whole(MAX_COPY_BYTES * 5 / 2));
        assert_eq!(
            copied.iter().map(part_len).collect::<Vec<_>>(),
            [MAX_COPY_BYTES * 5 / 6 + 1, MAX_COPY_BYTES * 5 / 6 + 1, MAX_COPY_BYTES * 5 / 6]
        );
        let even: Vec<_> = plan_parts(&whole(MAX_COPY_BYTES * 2)).iter().map(part_len).collect();
        assert_eq!(even, [MAX_COPY_BYTES; 2]);
    }

    #[test]
    fn the_largest_archive_is_copied_in_larger_parts_that_s3_still_takes() {
        let parts = plan_parts(&[Extent::Range { source: 0, offset: 0, len: 40 << 40 }]);
        assert!(parts.len() <= MAX_PARTS, "{}", parts.len());
        for part in parts {
            assert!(matches!(part, Part::Copy { len, .. } if len <= MAX_PART_BYTES), "{part:?}");
        }
    }

    #[test]
    fn as_many_of_the_smallest_parts_as_an_upload_has_are_copied_as_they_are() {
        let piece = |source| Extent::Range { source, offset: 0, len: MIN_PART_BYTES };
        let copied = |source| Part::Copy { source, offset: 0, len: MIN_PART_BYTES };
        let parts = plan_parts(&(0..MAX_PARTS).map(piece).collect::<Vec<_>>());
        assert!(parts == (0..MAX_PARTS).map(copied).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_at_all_is_one_empty_part() {
        assert_eq!(plan_parts::<usize>(&[]), [Part::Write(Vec::new())]);
    }

    #[test]
    fn the_largest_object_of_the_smallest_pieces_fits_an_upload() {
        let piece = |source| Extent::Range { source, offset: 0, len: 7 * MIB };
        let parts = plan_parts(&(0..400_000).map(piece).collect::<Vec<_>>());
        assert!(parts.len() <= MAX_PARTS, "{}", parts.len());
    }
}
