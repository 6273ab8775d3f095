//! What is kept of a step that is done.

use archive::{Extent, Segment};
use export::{Window, WorkKey};
use jiff::Timestamp;
use lake::{BadRow, Stats, Step};
use serde::{Deserialize, Serialize};

/// What a step that is done made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Where the segments are that it made.
    pub(crate) piece: WorkKey,
    /// When it made them.
    pub(crate) made_at: Timestamp,
    /// Its stretch of the table's file, or what became of each object that is a file of its own.
    pub(crate) made: Vec<Made>,
    /// How many ids it found for each lookup in its table, once for each of its portions. They are the piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ids: Vec<u64>,
    /// Rows that could not be exported.
    pub(crate) bad_rows: u64,
    /// The first of them.
    pub(crate) listed: Vec<BadRow>,
    /// Records that were left out because their time is outside of the window.
    pub(crate) outside: u64,
    /// The earliest and the latest time of the others.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
}

/// What source objects became.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// One that goes in as it is; with its CRC-32.
    Copied(u32),
    /// One that goes in as it is, and whose last line is to be ended; with its CRC-32.
    Unterminated(u32),
    /// Compressed rows, and where they are.
    Poured(Segment, Vec<Content>),
}

/// A stretch of compressed rows. Those of the step's piece follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// That many bytes of the step's piece.
    Piece(u64),
    /// Bytes of one of the step's source objects.
    Object { object: usize, offset: u64, len: u64 },
}

impl Content {
    /// Appends a stretch that was made.
    pub(crate) fn push(contents: &mut Vec<Self>, stretch: &Extent<usize>) {
        match (stretch, contents.last_mut()) {
            (Extent::Bytes(bytes), Some(Self::Piece(len))) => *len += bytes.len() as u64,
            (Extent::Bytes(bytes), _) => contents.push(Self::Piece(bytes.len() as u64)),
            (Extent::Range { source: object, offset, len }, _) => {
                contents.push(Self::Object { object: *object, offset: *offset, len: *len });
            }
        }
    }

    /// Counts objects from that many further on.
    pub(crate) fn shift(&mut self, by: usize) {
        if let Self::Object { object, .. } = self {
            *object += by;
        }
    }
}

impl Report {
    pub(crate) fn new(piece: WorkKey, made: Vec<Made>, stats: Stats, made_at: Timestamp) -> Self {
        Self {
            piece,
            made_at,
            made,
            ids: Vec::new(),
            bad_rows: stats.bad_rows,
            listed: stats.listed,
            outside: stats.outside,
            times: stats.times,
        }
    }

    /// The same, of a step that found so many ids.
    pub(crate) fn with_ids(self, ids: Vec<u64>) -> Self {
        Self { ids, ..self }
    }

    /// What it says of how many rows there are.
    pub(crate) fn counts(&self) -> Self {
        let rows_of = |made: &Made| match made {
            Made::Copied(_) | Made::Unterminated(_) => 0,
            Made::Poured(segment, _) => segment.rows,
        };
        let rows = self.made.iter().map(rows_of).sum();
        Self {
            piece: self.piece.clone(),
            made_at: self.made_at,
            made: vec![Made::Poured(Segment { rows, ..Segment::default() }, Vec::new())],
            ids: Vec::new(),
            bad_rows: self.bad_rows,
            listed: self.listed.clone(),
            outside: self.outside,
            times: self.times,
        }
    }

    /// Rows that were written, and bytes of them; of copied objects as stored.
    pub(crate) fn progress(&self, step: &Step) -> (u64, u64) {
        let objects = step.objects.iter().map(Some).chain(std::iter::repeat(None));
        self.made.iter().zip(objects).fold((0, 0), |(rows, bytes), (made, planned)| match made {
            Made::Copied(_) | Made::Unterminated(_) => {
                (rows, bytes + planned.map_or(0, |p| p.object.size_bytes))
            }
            Made::Poured(segment, _) => (rows + segment.rows, bytes + segment.raw_bytes),
        })
    }

    /// Tells whether the same step of another window would make the same.
    pub(crate) fn serves(&self, window: Window) -> bool {
        let inside = |(first, last)| window.contains(first) && window.contains(last);
        self.outside == 0 && self.times.is_none_or(inside)
    }
}
