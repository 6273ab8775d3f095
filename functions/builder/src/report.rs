//! What is stored about a step that is done.

use archive::{Extent, Segment};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use export::{Window, WorkKey};
use jiff::Timestamp;
use lake::{BadRow, ObjectCounts, Stats, Step};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use service::Progress;

/// What a step wrote and found.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The object that holds what it wrote.
    pub(crate) piece: WorkKey,
    /// When it was done.
    pub(crate) made_at: Timestamp,
    /// Its part of the table's file, or what became of each object that is a file of its own.
    #[serde(rename = "made")]
    pub(crate) outputs: Vec<Output>,
    /// How many join keys it found for each lookup in its table, once for each of its slices. They are the piece.
    #[serde(rename = "ids", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key_counts: Vec<u64>,
    /// Rows that could not be exported.
    pub(crate) bad_rows: u64,
    /// The first of them.
    pub(crate) listed: Vec<BadRow>,
    /// Records that were left out because their time is outside of the window.
    pub(crate) outside: u64,
    /// The earliest and the latest time of the others.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    /// The counts of each of the step's objects; `None` for one that was not converted. Empty in reports of an earlier
    /// version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) objects: Vec<Option<Counts>>,
}

/// How many rows of a source object were written, and how many of its records were outside of the window or bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) outside: u64,
    pub(crate) bad_rows: u64,
}

impl From<[u64; 3]> for Counts {
    fn from([rows, outside, bad_rows]: [u64; 3]) -> Self {
        Self { rows, outside, bad_rows }
    }
}

impl From<Counts> for [u64; 3] {
    fn from(counts: Counts) -> Self {
        [counts.rows, counts.outside, counts.bad_rows]
    }
}

/// Sums up the counts of objects, of which an object has several if it was converted in slices.
fn by_object(counted: &[ObjectCounts]) -> Vec<Option<Counts>> {
    let len = counted.iter().map(|one| one.object + 1).max().unwrap_or_default();
    let mut objects = vec![None; len];
    for one in counted {
        let counts: &mut Counts = objects[one.object].get_or_insert_default();
        counts.rows += one.rows;
        counts.outside += one.outside;
        counts.bad_rows += one.bad_rows;
    }
    objects
}

/// What source objects became.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Output {
    /// One that goes in as it is; with its CRC-32.
    Copied(u32),
    /// One that goes in as it is, and whose last line is to be ended; with its CRC-32.
    Unterminated(u32),
    /// Compressed rows, and where they are.
    #[serde(rename = "poured")]
    Rows(Segment, Vec<Content>),
    /// A row group of Parquet in the step's piece, and what the end of a file says of it.
    Group(Segment, Footer),
}

/// The footer of a row group: see [`columnar::RowGroup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footer(pub(crate) Vec<u8>);

impl Serialize for Footer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Footer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Self).map_err(D::Error::custom)
    }
}

/// Where some of the compressed rows are. Those of the step's piece follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// That many bytes of the step's piece.
    Piece(u64),
    /// Bytes of one of the step's source objects.
    Object { object: usize, offset: u64, len: u64 },
}

impl Content {
    /// Appends an extent that the pipeline wrote.
    pub(crate) fn push(contents: &mut Vec<Self>, extent: &Extent<usize>) {
        match (extent, contents.last_mut()) {
            (Extent::Bytes(bytes), Some(Self::Piece(len))) => *len += bytes.len() as u64,
            (Extent::Bytes(bytes), _) => contents.push(Self::Piece(bytes.len() as u64)),
            (Extent::Range { source: object, offset, len }, _) => {
                contents.push(Self::Object { object: *object, offset: *offset, len: *len });
            }
        }
    }

    /// Adds `by` to the index of its object.
    pub(crate) fn shift(&mut self, by: usize) {
        if let Self::Object { object, .. } = self {
            *object += by;
        }
    }
}

impl Report {
    pub(crate) fn new(
        piece: WorkKey,
        outputs: Vec<Output>,
        stats: Stats,
        made_at: Timestamp,
    ) -> Self {
        Self {
            piece,
            made_at,
            outputs,
            key_counts: Vec::new(),
            bad_rows: stats.bad_rows,
            listed: stats.listed,
            outside: stats.outside,
            times: stats.times,
            objects: by_object(&stats.objects),
        }
    }

    /// Adds how many join keys the step found.
    pub(crate) fn with_key_counts(self, key_counts: Vec<u64>) -> Self {
        Self { key_counts, ..self }
    }

    /// Returns how long all footers of its row groups are, in bytes.
    pub(crate) fn footer_bytes(&self) -> usize {
        let of_output = |output: &Output| match output {
            Output::Group(_, footer) => footer.0.len(),
            Output::Rows(..) | Output::Copied(_) | Output::Unterminated(_) => 0,
        };
        self.outputs.iter().map(of_output).sum()
    }

    /// Returns a report on the same rows that says only how many they are.
    pub(crate) fn counts(&self) -> Self {
        let rows_of = |output: &Output| match output {
            Output::Copied(_) | Output::Unterminated(_) => 0,
            Output::Rows(segment, _) | Output::Group(segment, _) => segment.rows,
        };
        let rows = self.outputs.iter().map(rows_of).sum();
        Self {
            piece: self.piece.clone(),
            made_at: self.made_at,
            outputs: vec![Output::Rows(Segment { rows, ..Segment::default() }, Vec::new())],
            key_counts: Vec::new(),
            bad_rows: self.bad_rows,
            listed: self.listed.clone(),
            outside: self.outside,
            times: self.times,
            objects: Vec::new(),
        }
    }

    /// Returns what the step adds to its export.
    pub(crate) fn progress(&self, step: &Step) -> Progress {
        let objects = step.objects.iter().map(Some).chain(std::iter::repeat(None));
        let mut progress = Progress::default();
        for (output, planned) in self.outputs.iter().zip(objects) {
            match output {
                Output::Copied(_) | Output::Unterminated(_) => {
                    progress.bytes += planned.map_or(0, |planned| planned.object.size_bytes);
                }
                Output::Rows(segment, _) | Output::Group(segment, _) => {
                    progress.rows += segment.rows;
                    progress.bytes += segment.raw_bytes;
                }
            }
        }
        progress
    }

    /// Tells whether the same step would write the same bytes for `window`.
    pub(crate) fn serves(&self, window: Window) -> bool {
        let inside = |(first, last)| window.contains(first) && window.contains(last);
        self.outside == 0 && self.times.is_none_or(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_an_earlier_version_stored_is_read_and_written_the_same() {
        let stored = r#"{"piece":"work/acme/1/piece","made_at":"2026-03-01T00:00:00Z","made":[{"copied":7},{"unterminated":8},{"poured":[{"crc32":1,"raw_bytes":2,"stored_crc32":3,"stored_bytes":4,"rows":5},[{"piece":4},{"object":{"object":0,"offset":1,"len":2}}]]},{"group":[{"crc32":1,"raw_bytes":2,"stored_crc32":3,"stored_bytes":4,"rows":5},"AAH/"]}],"ids":[3],"bad_rows":0,"listed":[],"outside":0,"times":null}"#;
        let report: Report = serde_json::from_str(stored).unwrap();
        assert!(matches!(report.outputs[2], Output::Rows(Segment { rows: 5, .. }, _)));
        assert!(
            matches!(&report.outputs[3], Output::Group(_, Footer(footer)) if footer == &[0, 1, 255])
        );
        assert_eq!(report.footer_bytes(), 3);
        assert_eq!(report.key_counts, [3]);
        let again: serde_json::Value = serde_json::to_value(&report).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(stored).unwrap());
        assert_eq!(report.objects, []);
    }

    #[test]
    fn an_object_that_is_converted_in_slices_is_counted_once() {
        let counted = |object, rows| ObjectCounts { object, rows, outside: 1, bad_rows: 2 };
        let stats = Stats {
            objects: vec![counted(0, 3), counted(2, 4), counted(2, 5)],
            ..Stats::default()
        };
        let piece = WorkKey::kept_report(&"acme".parse().unwrap(), "a");
        let report = Report::new(piece, Vec::new(), stats, Timestamp::UNIX_EPOCH);
        let stored = serde_json::to_value(&report).unwrap();
        assert_eq!(stored["objects"], serde_json::json!([[3, 1, 2], null, [9, 2, 4]]));
        let read: Report = serde_json::from_value(stored).unwrap();
        assert_eq!(read.objects, report.objects);
    }
}
