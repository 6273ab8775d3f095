//! Dates in a name between two slashes of a key.

use std::ops::Range;

use jiff::civil::Date;

/// What a number of a date or a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

pub(crate) const UNITS: [Unit; 6] =
    [Unit::Year, Unit::Month, Unit::Day, Unit::Hour, Unit::Minute, Unit::Second];

/// A piece of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands.
    Text(String),
    /// A number with its digits. If it is fixed, digits stand right beside it, so it always has as many.
    Number { unit: Unit, digits: String, is_fixed: bool },
    /// When a day begins, since 1970.
    Epoch { is_millis: bool, seconds: i64 },
}

/// What is known of the time of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    numbers: [Option<i16>; 6],
    pub(crate) day: Option<i64>,
}

impl Known {
    pub(crate) fn get(&self, unit: Unit) -> Option<i16> {
        self.numbers[unit as usize]
    }

    pub(crate) fn has(&self, unit: Unit) -> bool {
        self.get(unit).is_some()
    }

    /// How fine it is: a month, a day, or an hour and below.
    pub(crate) fn grain(&self) -> Option<Unit> {
        let has_day = self.day.is_some() || self.has(Unit::Day);
        let has_month = self.day.is_some() || self.has(Unit::Year) && self.has(Unit::Month);
        match (has_month, has_day, self.has(Unit::Hour)) {
            (true, true, true) => Some(Unit::Hour),
            (true, true, false) => Some(Unit::Day),
            (true, false, false) => Some(Unit::Month),
            _ => None,
        }
    }

    fn with(&self, unit: Unit, digits: &str) -> Option<Self> {
        let number: i16 = digits.parse().ok()?;
        let range = match unit {
            Unit::Year => 2000..=2099,
            Unit::Month => 1..=12,
            Unit::Day => 1..=31,
            Unit::Hour => 0..=23,
            Unit::Minute | Unit::Second => 0..=59,
        };
        let is_new = self.get(unit).is_none_or(|known| known == number);
        (range.contains(&number) && is_new).then_some(())?;
        let mut known = self.clone();
        known.numbers[unit as usize] = Some(number);
        if let [Some(year), Some(month), Some(day), ..] = known.numbers {
            Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        }
        Some(known)
    }
}

/// A date that was found in a name.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// What stands before it, and the date.
    pub(crate) pieces: Vec<Piece>,
    /// Where it ends in the name.
    pub(crate) end: usize,
    pub(crate) known: Known,
    /// The lower, the likelier among those that are as fine.
    pub(crate) rank: u8,
    /// Where the date ends, if what is taken for the hour could be a counter of files.
    pub(crate) date_end: Option<usize>,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Whether it is a folder's.
    pub(crate) is_folder: bool,
    /// Whether the folder before it has a date.
    pub(crate) follows_date: bool,
}

/// A number at a place of a name, and what it counts.
type Found = (Unit, Range<usize>);

/// Returns the dates that may be read in a name, given what the folders before it say.
pub(crate) fn forms(name: &str, before: &Known, place: Place) -> Vec<Form> {
    let runs = runs(name);
    let mut found: Vec<(u8, Vec<Found>)> = Vec::new();
    let begins_anew = before.numbers == [None; 6] && before.day.is_none();
    for at in 0..runs.len() {
        // A date that is said again begins its name: what stands before it may change some day.
        if begins_anew || runs[at].start == 0 {
            found.extend(dates(name, &runs, at, place));
        }
        if !begins_anew && !found.is_empty() {
            break;
        }
    }
    found.extend(named(name, &runs).map(|found| (0, vec![found])));
    if place.is_folder {
        found.extend(plain(name, &runs, before, place));
    }
    let forms = found.into_iter().filter_map(|(rank, found)| form(name, &found, before, rank));
    let forms =
        forms.map(|form| Form { date_end: form.date_end.filter(|_| !place.is_folder), ..form });
    let forms = forms.chain(epochs(name, &runs, before));
    // What says nothing new is not needed.
    forms.filter(|form| form.known != *before).collect()
}

fn form(name: &str, found: &[Found], before: &Known, rank: u8) -> Option<Form> {
    let (mut pieces, mut known, mut end) = (Vec::new(), before.clone(), 0);
    for (number, (unit, place)) in found.iter().enumerate() {
        if place.start > end {
            pieces.push(Piece::Text(name[end..place.start].to_owned()));
        }
        let digits = name[place.clone()].to_owned();
        known = known.with(*unit, &digits)?;
        let is_beside = |other: Option<&Found>, at: fn(&Range<usize>) -> usize, edge: usize| {
            other.is_some_and(|(_, other)| at(other) == edge)
        };
        let is_fixed = *unit == Unit::Year
            || is_beside(found.get(number + 1), |other| other.start, place.end)
            || number > 0 && is_beside(found.get(number - 1), |other| other.end, place.start);
        pieces.push(Piece::Number { unit: *unit, digits, is_fixed });
        end = place.end;
    }
    let hour = found.iter().position(|(unit, _)| *unit == Unit::Hour).filter(|hour| *hour > 0);
    let date_end = hour.map(|hour| (found[hour - 1].1.end, found[hour].1.start));
    let date_end = date_end.filter(|(date, hour)| date < hour).map(|(date, _)| date);
    Some(Form { pieces, end, known, rank, date_end })
}

/// Returns where digits stand.
fn runs(name: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in name.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end = at + 1,
            None => runs.push(at..at + 1),
        }
    }
    runs
}

/// Cuts digits into numbers of these units: four digits of a year, two of all else.
fn cut(run: &Range<usize>, units: &[Unit]) -> Vec<Found> {
    let mut at = run.start;
    let mut next = |unit: &Unit| {
        let begin = at;
        at += if *unit == Unit::Year { 4 } else { 2 };
        (*unit, begin..at)
    };
    units.iter().map(&mut next).collect()
}

/// Returns the dates that begin with number `at` of a name.
fn dates(name: &str, runs: &[Range<usize>], at: usize, place: Place) -> Vec<(u8, Vec<Found>)> {
    let run = &runs[at];
    let letter = name[run.end..].chars().next().filter(char::is_ascii_alphabetic);
    // In the middle of a hash there may be eight digits, too.
    if letter.is_some_and(|letter| !"TtZhH".contains(letter)) {
        return Vec::new();
    }
    let is_whole = name.len() == run.end && (run.start == 0 || name[..run.start].ends_with('='));
    match run.len() {
        6 if is_whole => vec![(3, cut(run, &UNITS[..2]))],
        8 => {
            let date = cut(run, &UNITS[..3]);
            let time = time(name, runs, at + 1, place);
            vec![(0, [date, time].concat())]
        }
        10 => vec![(0, cut(run, &UNITS[..4]))],
        12 => vec![(0, cut(run, &UNITS[..5]))],
        14 => vec![(0, cut(run, &UNITS))],
        1 | 2 | 4 => separated(name, runs, at, place),
        _ => Vec::new(),
    }
}

/// Returns the character between two numbers, if it is all there is and may separate them.
fn between(name: &str, left: &Range<usize>, right: &Range<usize>) -> Option<char> {
    let text = name.get(left.end..right.start)?;
    let first = text.chars().next()?;
    // Flink has two of them.
    (text.len() == 1 && "-_.T: ".contains(first) || text == "--").then_some(first)
}

/// Returns the dates of numbers that stand apart, as 2026-03-01.
fn separated(name: &str, runs: &[Range<usize>], at: usize, place: Place) -> Vec<(u8, Vec<Found>)> {
    let three = runs.get(at..at + 3).unwrap_or_default();
    let separator = |left: usize| {
        let (left, right) = (runs.get(left)?, runs.get(left + 1)?);
        between(name, left, right).filter(|c| "-_.".contains(*c))
    };
    let lens: Vec<usize> = three.iter().map(Range::len).collect();
    let same = separator(at).is_some() && separator(at) == separator(at + 1);
    let of =
        |units: [Unit; 3]| -> Vec<Found> { units.into_iter().zip(three.iter().cloned()).collect() };
    match lens[..] {
        [4, 1..=2, 1..=2] if same => {
            let date = of([Unit::Year, Unit::Month, Unit::Day]);
            vec![(0, [date, time(name, runs, at + 3, place)].concat())]
        }
        [1..=2, 1..=2, 4] if same => [(1, [Unit::Month, Unit::Day]), (2, [Unit::Day, Unit::Month])]
            .into_iter()
            .map(|(rank, [first, second])| {
                let date = of([first, second, Unit::Year]);
                (rank, [date, time(name, runs, at + 3, place)].concat())
            })
            .collect(),
        _ => {
            let month = runs.get(at + 1).filter(|run| run.len() <= 2);
            let (Some(month), 4, Some(_)) = (month, runs[at].len(), separator(at)) else {
                return Vec::new();
            };
            vec![(3, vec![(Unit::Year, runs[at].clone()), (Unit::Month, month.clone())])]
        }
    }
}

/// Returns the time behind a date, whose next number is `at`.
fn time(name: &str, runs: &[Range<usize>], at: usize, place: Place) -> Vec<Found> {
    let (Some(before), Some(run)) = (runs.get(at - 1), runs.get(at)) else { return Vec::new() };
    if between(name, before, run).is_none() {
        return Vec::new();
    }
    let is_time = |found: &[Found]| {
        let mut known = Known::default();
        found.iter().all(|(unit, place)| match known.with(*unit, &name[place.clone()]) {
            Some(more) => {
                known = more;
                true
            }
            None => false,
        })
    };
    let found = match run.len() {
        4 => cut(run, &UNITS[3..5]),
        6 => cut(run, &UNITS[3..6]),
        1 | 2 => {
            let mut found = vec![(Unit::Hour, run.clone())];
            // In the name of a file, what follows an hour may as well count files.
            let finer =
                if place.is_folder { &[(1, Unit::Minute), (2, Unit::Second)][..] } else { &[] };
            for (more, unit) in finer.iter().copied() {
                let (Some(left), Some(right)) = (runs.get(at + more - 1), runs.get(at + more))
                else {
                    break;
                };
                let apart = between(name, left, right).filter(|_| right.len() == 2);
                // A number that is no minute is a counter.
                let next = [found.clone(), vec![(unit, right.clone())]].concat();
                if apart.is_none() || !is_time(&next) {
                    break;
                }
                found = next;
            }
            found
        }
        _ => Vec::new(),
    };
    let end = found.last().map_or(0, |(_, place)| place.end);
    // Letters behind it are those of a hash.
    let ends =
        name[end..].chars().next().is_none_or(|next| next == 'Z' || !next.is_ascii_alphabetic());
    if ends && is_time(&found) { found } else { Vec::new() }
}

/// Returns a number whose name says what it counts, as `hour=9` or `d01`.
fn named(name: &str, runs: &[Range<usize>]) -> Option<Found> {
    let run = runs.first()?;
    let said = name[..run.start].trim_end_matches(['=', '-', '_']).to_ascii_lowercase();
    let has_equals = name[..run.start].ends_with('=');
    let unit = match said.as_str() {
        "year" | "yyyy" | "yr" | "y" => Unit::Year,
        "month" | "mon" | "mm" => Unit::Month,
        "m" if has_equals && name.len() == run.end => Unit::Month,
        "day" | "dd" | "d" => Unit::Day,
        "hour" | "hr" | "hh" | "h" => Unit::Hour,
        _ => return None,
    };
    let fits = if unit == Unit::Year { run.len() == 4 } else { run.len() <= 2 };
    let ends = name[run.end..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric());
    (fits && ends).then(|| (unit, run.clone()))
}

/// Returns what a folder says by nothing but its place: a year, or what comes next after one.
fn plain(name: &str, runs: &[Range<usize>], before: &Known, place: Place) -> Vec<(u8, Vec<Found>)> {
    let Some(last) = runs.last().filter(|run| run.end == name.len()) else { return Vec::new() };
    if !before.has(Unit::Year) && before.day.is_none() {
        let year = (last.len() == 4).then(|| (4, vec![(Unit::Year, last.clone())]));
        return year.into_iter().collect();
    }
    let next = if before.day.is_some() {
        Unit::Hour
    } else if let Some(next) = UNITS[..4].iter().find(|unit| !before.has(**unit)) {
        *next
    } else {
        return Vec::new();
    };
    if !place.follows_date {
        return Vec::new();
    }
    match (runs, next) {
        ([run], _) if run.start == 0 && run.len() <= 2 => vec![(0, vec![(next, run.clone())])],
        ([run], Unit::Month) if run.start == 0 && run.len() == 4 => {
            vec![(0, cut(run, &UNITS[1..3]))]
        }
        ([left, right], Unit::Month)
            if left.start == 0
                && between(name, left, right).is_some()
                && left.len() <= 2
                && right.len() <= 2 =>
        {
            vec![(0, vec![(Unit::Month, left.clone()), (Unit::Day, right.clone())])]
        }
        _ => Vec::new(),
    }
}

/// Returns numbers that count from 1970 to when a day begins, somewhere on Earth.
fn epochs(name: &str, runs: &[Range<usize>], before: &Known) -> Option<Form> {
    const QUARTER: i64 = 900;
    let run =
        runs.first().filter(|run| matches!(run.len(), 10 | 13) && before.grain().is_none())?;
    let number: i64 = name[run.clone()].parse().ok()?;
    let is_millis = run.len() == 13;
    let seconds = if is_millis { number / 1000 } else { number };
    let is_whole = seconds % QUARTER == 0 && (!is_millis || number % 1000 == 0);
    let apart = name[run.end..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric());
    (is_whole && apart && (946_684_800..4_102_444_800).contains(&seconds)).then_some(())?;
    let mut pieces = Vec::new();
    if run.start > 0 {
        pieces.push(Piece::Text(name[..run.start].to_owned()));
    }
    pieces.push(Piece::Epoch { is_millis, seconds });
    let rank = if seconds % 86_400 == 0 { 0 } else { 5 };
    Some(Form {
        pieces,
        end: run.end,
        known: Known { day: Some(seconds), ..before.clone() },
        rank,
        date_end: None,
    })
}

impl Known {
    /// Returns what is known without the hour and what is below.
    pub(crate) fn of_day(&self) -> Self {
        let [year, month, day, ..] = self.numbers;
        Self { numbers: [year, month, day, None, None, None], day: self.day }
    }

    /// Returns what tells which of two keys of a layout is the older one.
    pub(crate) fn order(&self) -> (Option<i64>, [Option<i16>; 6]) {
        (self.day, self.numbers)
    }
}
