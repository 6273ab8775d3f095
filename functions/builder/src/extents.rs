//! Where the bytes are that steps wrote.

use archive::Extent;
use cloud::Stored;
use lake::Step;

use crate::report::{Content, Output, Report};

/// Returns where the bytes of each output of a step are.
pub(crate) fn extents(step: &Step, report: &Report) -> Vec<Vec<Extent<Stored>>> {
    let piece = Stored::Work(report.piece.clone());
    let source = |index: usize| Stored::Source(step.objects[index].object.clone());
    let mut used = 0;
    let mut extent = |content: &Content| match *content {
        Content::Piece(len) => {
            used += len;
            Extent::Range { source: piece.clone(), offset: used - len, len }
        }
        Content::Object { object, offset, len } => {
            Extent::Range { source: source(object), offset, len }
        }
    };
    let outputs = report.outputs.iter().enumerate();
    outputs
        .map(|(index, output)| match output {
            Output::Copied(_) | Output::Unterminated(_) => {
                let len = step.objects[index].object.size_bytes;
                vec![Extent::Range { source: source(index), offset: 0, len }]
            }
            Output::Rows(_, contents) => contents.iter().map(&mut extent).collect(),
            Output::Group(segment, _) => vec![extent(&Content::Piece(segment.stored_bytes))],
        })
        .collect()
}

/// Appends an extent, joined with the last one if it follows that in the same object.
pub(crate) fn push_extent(extents: &mut Vec<Extent<Stored>>, next: Extent<Stored>) {
    match (extents.last_mut(), next) {
        (
            Some(Extent::Range { source, offset, len }),
            Extent::Range { source: other, offset: at, len: more },
        ) if *source == other && *offset + *len == at => *len += more,
        (_, next) => extents.push(next),
    }
}

#[cfg(test)]
mod tests {
    use export::WorkKey;

    use super::*;

    #[test]
    fn neighbours_in_an_object_become_one_extent() {
        let range = |key: &str, offset, len| {
            let workspace = "acme".parse().unwrap();
            Extent::Range {
                source: Stored::Work(WorkKey::kept_report(&workspace, key)),
                offset,
                len,
            }
        };
        let mut extents = Vec::new();
        for next in [range("a", 0, 5), range("a", 5, 2), range("a", 8, 1), range("b", 9, 1)] {
            push_extent(&mut extents, next);
        }
        assert_eq!(extents, [range("a", 0, 7), range("a", 8, 1), range("b", 9, 1)]);
    }
}
