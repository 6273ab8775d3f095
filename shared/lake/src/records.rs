//! The records of an object: one a line, as it should be, or several values on one.

use serde_json::value::RawValue;

use crate::{
    ObjectError,
    delimited::Row,
    detect::foreign,
    framing::Nesting,
    lines::{Line, TOO_LONG},
    values::{Value, split_values},
};

/// Objects of fewer rows are not judged by how many of them are bad.
const MIN_JUDGED_ROWS: u64 = 100;

/// Receives the records of an object.
pub(crate) trait RecordVisitor {
    /// Why it wants no more records.
    type Stop;

    /// Tells whether it wants the record of this number, counted from 1.
    fn wants(&self, number: u64) -> bool;

    /// Receives a record and its line. Returns as inner error what is wrong with it if nothing of it can be used.
    fn visit(
        &mut self,
        line: u64,
        number: u64,
        record: &[u8],
    ) -> Result<Result<(), String>, Self::Stop>;

    /// Notes a bad record.
    fn bad(&mut self, line: u64, reason: String);

    /// Returns why an object is not read on that is not JSON Lines but this.
    fn foreign(&mut self, what: &'static str) -> Self::Stop;
}

/// Reads the records of an object, and counts the bad ones.
#[derive(Debug, Default)]
pub(crate) struct RecordReader<'a> {
    /// Where records are inside of values, if they are.
    nesting: Option<&'a Nesting>,
    /// How many there were.
    count: u64,
    /// Whether the first line only begins a list.
    begins_list: bool,
    /// How many were looked at.
    looked_at: u64,
    /// How many of these are bad.
    bad: u64,
    /// The first bad one: its line, and what is wrong with it.
    first_bad: Option<(u64, String)>,
}

impl<'a> RecordReader<'a> {
    pub(crate) fn new(nesting: Option<&'a Nesting>) -> Self {
        Self { nesting, ..Self::default() }
    }

    /// Passes the records of a line on.
    pub(crate) fn line<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        number: u64,
        line: Line<'_>,
    ) -> Result<(), T::Stop> {
        let record = match line {
            Line::Whole(record) if record.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Whole(record) => record,
            Line::Part(value) => return self.part(to, number, value),
        };
        if let Some(nesting) = self.nesting {
            return self.nested(to, number, record, nesting);
        }
        // Nearly always, that is all.
        let mut reason = None;
        if to.wants(self.count + 1) {
            match to.visit(number, self.count + 1, record)? {
                Ok(()) => {
                    self.count_good();
                    return Ok(());
                }
                Err(bad) => reason = Some(bad),
            }
        }
        if let Some(what) = reason.as_ref().and_then(|_| self.foreign(number, record)) {
            return Err(to.foreign(what));
        }
        if is_one(record) {
            match reason {
                Some(reason) => self.note_bad(to, number, reason),
                None => self.count += 1,
            }
            return Ok(());
        }
        let before = self.count;
        split_values(record, |value| self.value(to, number, value))?;
        self.begins_list |= number == 1 && self.count == before;
        Ok(())
    }

    fn value<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        line: u64,
        value: Value<'_>,
    ) -> Result<(), T::Stop> {
        if !to.wants(self.count + 1) {
            self.count += 1;
            return Ok(());
        }
        let taken = match value {
            Value::Whole(record) => to.visit(line, self.count + 1, record)?,
            Value::TooLong => Err(TOO_LONG.to_owned()),
        };
        match taken {
            Ok(()) => self.count_good(),
            Err(reason) => self.note_bad(to, line, reason),
        }
        Ok(())
    }

    /// Passes a row of delimited text on.
    pub(crate) fn row<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        line: u64,
        row: Row<'_>,
    ) -> Result<(), T::Stop> {
        match row {
            Ok(record) => self.value(to, line, Value::Whole(record)),
            Err(reason) => {
                self.bad_value(to, line, reason);
                Ok(())
            }
        }
    }

    /// Passes the records of a line on whose values have records inside.
    fn nested<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        line: u64,
        text: &[u8],
        nesting: &Nesting,
    ) -> Result<(), T::Stop> {
        if serde_json::from_slice::<&RawValue>(text).is_ok() {
            return self.inside(to, line, text, nesting);
        }
        if let Some(what) = self.foreign(line, text) {
            return Err(to.foreign(what));
        }
        split_values(text, |value| self.part(to, line, value))
    }

    fn part<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        line: u64,
        value: Value<'_>,
    ) -> Result<(), T::Stop> {
        match (self.nesting, value) {
            (Some(nesting), Value::Whole(text)) => self.inside(to, line, text, nesting),
            (None, _) | (_, Value::TooLong) => self.value(to, line, value),
        }
    }

    /// Passes the records inside of a value on.
    fn inside<T: RecordVisitor>(
        &mut self,
        to: &mut T,
        line: u64,
        value: &[u8],
        nesting: &Nesting,
    ) -> Result<(), T::Stop> {
        let mut stopped = Ok(());
        let flaw = nesting.each(value, |record| {
            stopped = self.value(to, line, Value::Whole(record.as_bytes()));
            stopped.is_ok()
        });
        stopped?;
        if let Some(reason) = flaw {
            self.bad_value(to, line, reason);
        }
        Ok(())
    }

    fn bad_value<T: RecordVisitor>(&mut self, to: &mut T, line: u64, reason: String) {
        if to.wants(self.count + 1) {
            self.note_bad(to, line, reason);
        } else {
            self.count += 1;
        }
    }

    /// Counts a record that can be read.
    pub(crate) fn count_good(&mut self) {
        self.count += 1;
        self.looked_at += 1;
    }

    fn note_bad<T: RecordVisitor>(&mut self, to: &mut T, line: u64, reason: String) {
        self.count += 1;
        self.looked_at += 1;
        self.bad += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some((line, reason.clone()));
        }
        to.bad(line, reason);
    }

    /// Returns as an error that more of an object's records are bad than may be.
    pub(crate) fn check(self, key: &str, max_bad_percent: u8) -> Result<(), ObjectError> {
        let (rows, bad) = (self.looked_at, self.bad);
        match self.first_bad {
            Some((line, reason))
                if rows >= MIN_JUDGED_ROWS
                    && u128::from(bad) * 100 > u128::from(rows) * u128::from(max_bad_percent) =>
            {
                Err(ObjectError::MostlyBad { key: key.to_owned(), rows, bad, line, reason })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns what an object is that is not JSON Lines, judged by its first record, which is bad.
    fn foreign(&self, line: u64, record: &[u8]) -> Option<&'static str> {
        let is_first = line == 1 || (line == 2 && self.begins_list);
        match record.trim_ascii() {
            _ if !is_first => None,
            b"{" | b"[{" => Some("JSON with records over several lines"),
            _ => foreign(record),
        }
    }
}

/// Tells whether a line is one value and nothing else.
fn is_one(record: &[u8]) -> bool {
    let record = record.trim_ascii();
    let mut len = 0;
    let only_first = split_values(record, |value| match value {
        Value::Whole(value) if len == 0 => {
            len = value.len();
            Ok(())
        }
        Value::Whole(_) | Value::TooLong => Err(()),
    });
    only_first.is_ok() && len == record.len()
}
