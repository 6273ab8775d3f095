//! Statistics of a conversion: bad rows, rows outside of the window, and the times of rows.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{BadRow, InputObject, MAX_LISTED_BAD_ROWS};

/// How many rows of one object were taken, and how many of its records were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    /// The index of the object.
    pub object: usize,
    /// The rows that were written.
    pub rows: u64,
    /// Records outside of the window.
    pub outside: u64,
    /// Bad rows.
    pub bad_rows: u64,
}

/// Rows that could not be exported, and how objects were read.
#[derive(Debug, Default)]
pub struct Stats {
    /// Rows that were written.
    pub rows: u64,
    /// The counts of each object that was converted, in the order in which they were read.
    pub objects: Vec<ObjectCounts>,
    /// Rows with something that could not be exported, each counted once.
    pub bad_rows: u64,
    /// The first of them.
    pub listed: Vec<BadRow>,
    /// Objects whose compressed stream was taken over.
    pub spliced: u64,
    /// Records that were left out because their time is outside of the window. Those that were misfiled are
    /// bad rows, too.
    pub outside: u64,
    /// The earliest and the latest time of the records inside of the window.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Stats {
    /// Merges the statistics of several workers, each of which read some of these objects in order. The list
    /// of bad rows is the same however the objects were shared out.
    pub(crate) fn merge(
        objects: &[InputObject],
        all_stats: impl IntoIterator<Item = Self>,
    ) -> Self {
        let places: HashMap<&str, usize> =
            objects.iter().enumerate().map(|(at, object)| (object.key.as_str(), at)).collect();
        let (mut whole, mut listed) = (Self::default(), Vec::new());
        for mut stats in all_stats {
            listed.append(&mut stats.listed);
            whole.add(stats);
        }
        // Each worker lists its first ones, so the first ones of all are among them.
        listed.sort_by_key(|row| (places.get(row.object.as_str()).copied(), row.line));
        listed.truncate(MAX_LISTED_BAD_ROWS);
        Self { listed, ..whole }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.objects.extend(other.objects);
        self.bad_rows += other.bad_rows;
        let room = MAX_LISTED_BAD_ROWS.saturating_sub(self.listed.len());
        self.listed.extend(other.listed.into_iter().take(room));
        self.spliced += other.spliced;
        self.outside += other.outside;
        for time in other.times.into_iter().flat_map(|(first, last)| [first, last]) {
            self.add_time(time);
        }
    }

    /// Returns what was counted since `before`, all of which is of one object.
    pub(crate) fn counts_since(&self, before: ObjectCounts, object: usize) -> ObjectCounts {
        ObjectCounts {
            object,
            rows: self.rows - before.rows,
            outside: self.outside - before.outside,
            bad_rows: self.bad_rows - before.bad_rows,
        }
    }

    /// Counts a row with something that could not be exported.
    pub(crate) fn bad(&mut self, row: impl FnOnce() -> BadRow) {
        self.bad_rows += 1;
        if self.listed.len() < MAX_LISTED_BAD_ROWS {
            self.listed.push(row());
        }
    }

    /// Counts a record that is outside of the window, and that is a bad row if it is `misfiled`.
    pub(crate) fn outside(&mut self, misfiled: Option<BadRow>) {
        self.outside += 1;
        if let Some(row) = misfiled {
            self.bad(|| row);
        }
    }

    pub(crate) fn add_time(&mut self, time: Timestamp) {
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bad_rows_are_counted_and_only_the_first_are_listed() {
        let row = |line| BadRow::new("t", "k", line, String::new(), false);
        let mut stats = Stats::default();
        for line in 1..=MAX_LISTED_BAD_ROWS as u64 {
            stats.bad(|| row(line));
        }
        stats.bad(|| unreachable!("nobody is told of it"));
        let mut other = Stats::default();
        other.bad(|| row(1));
        stats.add(other);
        assert_eq!(stats.bad_rows, MAX_LISTED_BAD_ROWS as u64 + 2);
        assert_eq!(stats.listed.len(), MAX_LISTED_BAD_ROWS);
    }

    #[test]
    fn what_two_counted_is_counted_together() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let counted = |spliced, seconds: &[i64]| {
            let mut stats = Stats { spliced, ..Stats::default() };
            stats.outside(None);
            for second in seconds {
                stats.add_time(at(*second));
            }
            stats
        };
        let mut whole = counted(2, &[5, 3]);
        whole.add(counted(3, &[]));
        whole.add(counted(0, &[4, 9]));
        assert_eq!((whole.spliced, whole.outside, whole.bad_rows), (5, 3, 0));
        assert_eq!(whole.times, Some((at(3), at(9))));
    }
}
