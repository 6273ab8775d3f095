//! Keys that are alike: which of their names say a time and how, and which names vary.

use std::collections::{BTreeMap, BTreeSet};

use export::SourceObject;

use crate::{
    dates::Piece,
    reading::{Name, Reading, readings},
};

/// The most texts before dates of otherwise like names that are datasets each; of more, they are taken for random.
const MAX_TEXTS: usize = 4;

/// Objects whose keys are alike.
#[derive(Debug)]
pub(crate) struct Layout {
    /// How each of them is read.
    pub(crate) objects: Vec<(SourceObject, Reading)>,
    /// Whether the text before the first number of a name is another one each time, for each name.
    pub(crate) has_random_text: Vec<bool>,
}

/// What objects were found, and what of it says no time.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    pub(crate) layouts: Vec<Layout>,
    /// Objects whose keys say no time.
    pub(crate) timeless: Vec<SourceObject>,
}

impl Layouts {
    /// Finds those of some objects.
    pub(crate) fn of(objects: Vec<SourceObject>) -> Self {
        let mut found = Self::default();
        let mut open: Vec<(SourceObject, Vec<Reading>)> = Vec::new();
        for object in objects {
            let all = readings(&object.key);
            if all.is_empty() { found.timeless.push(object) } else { open.push((object, all)) }
        }
        // Each way to read is counted; the one that most keys have is that of all of these keys, and so on.
        while !open.is_empty() {
            let mut counts: BTreeMap<String, (usize, u8)> = BTreeMap::new();
            for (_, all) in &open {
                let shapes: BTreeSet<_> = all.iter().map(|one| (shape(one), one.rank)).collect();
                for (shape, rank) in shapes {
                    let count = counts.entry(shape).or_insert((0, rank));
                    *count = (count.0 + 1, count.1.min(rank));
                }
            }
            let best =
                counts.iter().max_by_key(|(_, (count, rank))| (*count, std::cmp::Reverse(*rank)));
            let Some(best) = best.map(|(shape, _)| shape.clone()) else { break };
            let (mut alike, mut rest) = (Vec::new(), Vec::new());
            for (object, all) in open {
                match all.iter().find(|reading| shape(reading) == best) {
                    Some(reading) => alike.push((object, reading.clone())),
                    None => rest.push((object, all)),
                }
            }
            found.layouts.extend(by_text(alike));
            open = rest;
        }
        found
    }
}

impl Layout {
    /// Returns how an object is read from which the others differ by their numbers and names only.
    pub(crate) fn first(&self) -> Option<&Reading> {
        self.objects.first().map(|(_, reading)| reading)
    }

    /// Returns the different names at place `at`, where no time is said.
    pub(crate) fn values(&self, at: usize) -> BTreeSet<&str> {
        let names = self.objects.iter().filter_map(|(_, reading)| reading.names.get(at));
        names
            .filter_map(|name| match name {
                Name::Other(name) => Some(&name[..]),
                Name::Dated(_) => None,
            })
            .collect()
    }

    /// Takes what was taken for hours for counters of files. Returns false if it can be nothing but hours.
    pub(crate) fn drop_hours(&mut self) -> bool {
        if !self.objects.iter().all(|(_, reading)| reading.has_lone_hour()) {
            return false;
        }
        let coarser: Option<Vec<Reading>> =
            self.objects.iter().map(|(_, reading)| reading.without_hour()).collect();
        let Some(coarser) = coarser else { return false };
        for ((_, reading), coarse) in self.objects.iter_mut().zip(coarser) {
            *reading = coarse;
        }
        true
    }

    /// Splits the objects by their name at place `at`.
    pub(crate) fn split(self, at: usize) -> Vec<Self> {
        let mut parts: BTreeMap<String, Vec<(SourceObject, Reading)>> = BTreeMap::new();
        for (object, reading) in self.objects {
            let name = match reading.names.get(at) {
                Some(Name::Other(name)) => name.clone(),
                Some(Name::Dated(_)) | None => String::new(),
            };
            parts.entry(name).or_default().push((object, reading));
        }
        let part = |objects| Self { objects, has_random_text: self.has_random_text.clone() };
        parts.into_values().map(part).collect()
    }

    /// Whether the keys of this one go on where those of the other one end.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        let (Some(longer), Some(shorter)) = (self.first(), other.first()) else { return false };
        let (longer, shorter) = (shape(longer), shape(shorter));
        longer.len() > shorter.len() && longer.starts_with(&shorter)
    }
}

/// Returns what like keys have in common: where they say a time and how.
fn shape(reading: &Reading) -> String {
    let mut shape = String::new();
    for name in &reading.names {
        shape.push('/');
        match name {
            Name::Other(name) => {
                let key = name.split_once('=').map(|(key, _)| key);
                shape.push_str(&key.map_or("*".to_owned(), |key| format!("{key}=*")));
            }
            Name::Dated(pieces) => {
                shape.extend(pieces.iter().enumerate().map(|(at, piece)| shape_of(piece, at == 0)));
            }
        }
    }
    shape
}

fn shape_of(piece: &Piece, is_first: bool) -> String {
    match piece {
        // Before the first number there may be the name of a tenant, or anything.
        Piece::Text(_) if is_first => "*".to_owned(),
        Piece::Text(text) => text.clone(),
        Piece::Number { unit, is_fixed, .. } => format!("{{{unit:?}{is_fixed}}}"),
        Piece::Epoch { is_millis, seconds } => {
            format!("{{epoch {is_millis} {}}}", seconds.rem_euclid(86_400))
        }
    }
}

/// Returns the text before the first number of each name.
fn texts(reading: &Reading) -> Vec<Option<String>> {
    let mut others: Vec<&str> = Vec::new();
    let mut texts = Vec::new();
    for name in &reading.names {
        texts.push(match name {
            Name::Other(name) => {
                others.push(name);
                None
            }
            Name::Dated(pieces) => match pieces.first() {
                // A name that was there before is no text of its own.
                Some(Piece::Text(text)) => Some(match repeated(text, &others) {
                    Some((at, rest)) => format!("/{at}{rest}"),
                    None => text.clone(),
                }),
                _ => None,
            },
        });
    }
    texts
}

/// Returns which of the names before a text begins with, and what follows it.
pub(crate) fn repeated<'t>(text: &'t str, others: &[&str]) -> Option<(usize, &'t str)> {
    others.iter().enumerate().find_map(|(at, other)| {
        let name = other.split_once('=').map_or(*other, |(_, value)| value);
        let rest = text.strip_prefix(name)?;
        let ends = rest.starts_with(|c: char| !c.is_ascii_alphanumeric());
        (!name.is_empty() && ends).then_some((at, rest))
    })
}

/// Splits objects that are otherwise alike by the texts before their numbers, unless these are random.
fn by_text(objects: Vec<(SourceObject, Reading)>) -> Vec<Layout> {
    let all: Vec<Vec<Option<String>>> = objects.iter().map(|(_, reading)| texts(reading)).collect();
    let names = all.first().map_or(0, Vec::len);
    let has_random_text: Vec<bool> = (0..names)
        .map(|at| all.iter().map(|texts| &texts[at]).collect::<BTreeSet<_>>().len() > MAX_TEXTS)
        .collect();
    let mut parts: BTreeMap<Vec<Option<String>>, Vec<(SourceObject, Reading)>> = BTreeMap::new();
    for (object, texts) in objects.into_iter().zip(all) {
        let fixed = texts.into_iter().zip(&has_random_text);
        let fixed = fixed.map(|(text, is_random)| text.filter(|_| !is_random)).collect();
        parts.entry(fixed).or_default().push(object);
    }
    let layout = |objects| Layout { objects, has_random_text: has_random_text.clone() };
    parts.into_values().map(layout).collect()
}
