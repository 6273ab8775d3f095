//! What is noticed while rows are poured.

use jiff::Timestamp;

use crate::{BadRow, MAX_LISTED_BAD_ROWS};

/// Rows that could not be exported, and how objects were read.
#[derive(Debug, Default)]
pub struct Account {
    /// Rows that could not be exported.
    pub bad_rows: u64,
    /// The first of them.
    pub listed: Vec<BadRow>,
    /// Objects whose compressed stream was taken over.
    pub spliced: u64,
    /// Records that were left out because their time is outside of the window.
    pub outside: u64,
    /// The earliest and the latest time of the others.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Account {
    /// Counts what the other counted, too.
    pub fn add(&mut self, other: Self) {
        self.bad_rows += other.bad_rows;
        let room = MAX_LISTED_BAD_ROWS.saturating_sub(self.listed.len());
        self.listed.extend(other.listed.into_iter().take(room));
        self.spliced += other.spliced;
        self.outside += other.outside;
        for time in other.times.into_iter().flat_map(|(first, last)| [first, last]) {
            self.span(time);
        }
    }

    /// Counts a row that could not be exported.
    pub(crate) fn bad(&mut self, table: &str, key: &str, line: u64, reason: String) {
        self.bad_rows += 1;
        if self.listed.len() < MAX_LISTED_BAD_ROWS {
            let (table, object) = (table.to_owned(), key.to_owned());
            self.listed.push(BadRow { table, object, line, reason });
        }
    }

    pub(crate) fn span(&mut self, time: Timestamp) {
        let (first, last) = self.times.unwrap_or((time, time));
        self.times = Some((first.min(time), last.max(time)));
    }
}
