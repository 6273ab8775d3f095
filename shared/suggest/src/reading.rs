//! How a key may be read: which of its names say a time, and where that ends.

use crate::dates::{Form, Known, Piece, Place, Unit, forms};

/// The most ways in which a key is read at a time.
const MAX_READINGS: usize = 24;
/// The most names of a key that are looked at; below are files of a partition.
const MAX_NAMES: usize = 24;

/// A way to read a key.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Its names up to the last one that says a time.
    pub(crate) names: Vec<Name>,
    /// Where the last number ends in the key.
    pub(crate) end: usize,
    pub(crate) known: Known,
    pub(crate) rank: u8,
    /// Where the date ends in the key, if what is taken for the hour could be a counter of files.
    pub(crate) date_end: Option<usize>,
}

impl Reading {
    /// Whether what is taken for the hour is a single number, as a counter of files is.
    pub(crate) fn has_lone_hour(&self) -> bool {
        let Some(Name::Dated(pieces)) = self.names.last() else { return false };
        let is_lone =
            matches!(pieces.last(), Some(Piece::Number { unit: Unit::Hour, is_fixed: false, .. }));
        self.date_end.is_some() && is_lone
    }

    /// Returns the same without the hour, if that could be none.
    pub(crate) fn without_hour(&self) -> Option<Self> {
        let end = self.date_end?;
        let mut names = self.names.clone();
        let Some(Name::Dated(pieces)) = names.last_mut() else { return None };
        let is_hour = |piece: &Piece| matches!(piece, Piece::Number { unit: Unit::Hour, .. });
        // The text before it goes, too.
        pieces.truncate(pieces.iter().position(is_hour)?.checked_sub(1)?);
        let rank = self.rank.saturating_add(100);
        Some(Self { names, end, known: self.known.of_day(), rank, date_end: None })
    }
}

/// A name between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// One that says no time.
    Other(String),
    /// One that does.
    Dated(Vec<Piece>),
}

/// Returns how a key may be read, each way as fine as the finest; none if it says no time.
pub(crate) fn readings(key: &str) -> Vec<Reading> {
    let start =
        Reading { names: Vec::new(), end: 0, known: Known::default(), rank: 0, date_end: None };
    // Each with the names behind its last date.
    let mut all: Vec<(Reading, Vec<Name>)> = vec![(start, Vec::new())];
    let mut at = 0;
    let count = key.split('/').count();
    for (number, name) in key.split('/').enumerate().take(MAX_NAMES) {
        let mut next = Vec::new();
        for (reading, behind) in all {
            let place = Place {
                is_folder: number + 1 < count,
                follows_date: behind.is_empty() && !reading.names.is_empty(),
            };
            for form in forms(name, &reading.known, place) {
                next.push((extended(&reading, &behind, form, (name, at)), Vec::new()));
            }
            let mut behind = behind;
            behind.push(Name::Other(name.to_owned()));
            next.push((reading, behind));
        }
        next.sort_by_key(|(reading, _)| (std::cmp::Reverse(reading.known.grain()), reading.rank));
        next.truncate(MAX_READINGS);
        all = next;
        at += name.len() + 1;
    }
    let mut readings: Vec<Reading> = all
        .into_iter()
        .map(|(reading, _)| reading)
        .filter(|one| one.known.grain().is_some())
        .collect();
    // Where folders have a date, the one in the name of a file is another one, such as that of its upload.
    let first =
        |reading: &Reading| reading.names.iter().position(|name| matches!(name, Name::Dated(_)));
    let earliest = readings.iter().map(first).min().flatten();
    readings.retain(|reading| first(reading) == earliest);
    let finest = readings.iter().map(|reading| reading.known.grain()).max().flatten();
    readings.retain(|reading| reading.known.grain() == finest);
    // Of those that are as fine, the one that ends first: what follows may change some day.
    readings.sort_by_key(|reading| (reading.end, reading.rank));
    for (place, reading) in (0..).zip(&mut readings) {
        reading.rank = place;
        close(reading, key);
    }
    let coarser: Vec<Reading> = readings.iter().filter_map(Reading::without_hour).collect();
    readings.extend(coarser);
    readings
}

fn extended(reading: &Reading, behind: &[Name], form: Form, (name, at): (&str, usize)) -> Reading {
    let mut names = reading.names.clone();
    names.extend_from_slice(behind);
    let mut pieces = form.pieces;
    // What stands behind a date in a folder belongs to it where other folders follow that say more.
    if form.end < name.len() {
        pieces.push(Piece::Text(name[form.end..].to_owned()));
    }
    names.push(Name::Dated(pieces));
    let date_end = form.date_end.map(|end| at + end);
    Reading {
        names,
        end: at + form.end,
        known: form.known,
        rank: reading.rank.max(form.rank),
        date_end,
    }
}

/// Leaves out what stands behind the last number.
fn close(reading: &mut Reading, key: &str) {
    let Some(Name::Dated(pieces)) = reading.names.last_mut() else { return };
    if !key[reading.end..].is_empty() && matches!(pieces.last(), Some(Piece::Text(_))) {
        pieces.pop();
    }
}
