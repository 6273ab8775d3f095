//! Writes the path of a dataset.

use std::collections::BTreeSet;

use crate::{
    dates::{Piece, Unit},
    folders::{Dataset, Role},
    layout::repeated,
    reading::{Name, Reading},
};

/// Returns the template of a dataset's keys, and whether nothing tells whether its numbers have zeros in front.
pub(crate) fn template(dataset: &Dataset) -> Option<(String, bool)> {
    let first = dataset.layout.first()?;
    let padding = Padding::of(dataset);
    let mut text = String::new();
    for (at, name) in first.names.iter().enumerate() {
        if at > 0 {
            text.push('/');
        }
        match name {
            Name::Other(name) => text.push_str(&other(name, dataset.roles.get(at))),
            Name::Dated(pieces) => {
                for (number, piece) in pieces.iter().enumerate() {
                    let is_random = dataset.layout.has_random_text.get(at) == Some(&true);
                    match piece {
                        Piece::Text(before) if number == 0 => {
                            text.push_str(&leading(before, first, dataset, is_random));
                        }
                        Piece::Text(between) => text.push_str(between),
                        Piece::Number { unit, is_fixed, .. } => {
                            text.push_str(placeholder(
                                *unit,
                                *is_fixed || padding.has_zeros(*unit),
                            ));
                        }
                        Piece::Epoch { is_millis: true, .. } => text.push_str("{epoch_millis}"),
                        Piece::Epoch { is_millis: false, .. } => text.push_str("{epoch_seconds}"),
                    }
                }
            }
        }
    }
    text.push_str(&tail(dataset));
    Some((text, padding.is_guess()))
}

fn other(name: &str, role: Option<&Role>) -> String {
    let (key, _) = name.split_once('=').map_or(("", name), |(key, value)| (key, value));
    let key = if key.is_empty() { String::new() } else { format!("{key}=") };
    match role {
        Some(Role::Workspace) => format!("{key}{{workspace}}"),
        Some(Role::Wildcard) => format!("{key}{{*}}"),
        Some(Role::Constant) | None => name.to_owned(),
    }
}

/// Returns what stands before the first number of a name.
fn leading(text: &str, first: &Reading, dataset: &Dataset, is_random: bool) -> String {
    let others: Vec<(usize, &str)> = first
        .names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| match name {
            Name::Other(name) => Some((at, &name[..])),
            Name::Dated(_) => None,
        })
        .collect();
    let names: Vec<&str> = others.iter().map(|(_, name)| *name).collect();
    let again = repeated(text, &names);
    let role = again.and_then(|(number, _)| dataset.roles.get(others.get(number)?.0));
    match (again, role) {
        (Some((_, rest)), Some(Role::Workspace)) => format!("{{workspace}}{rest}"),
        (Some((_, rest)), Some(Role::Wildcard)) => format!("{{*}}{rest}"),
        _ if is_random => {
            let kept = text.rfind(|c: char| c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
            format!("{{*}}{}", &text[kept..])
        }
        _ => text.to_owned(),
    }
}

/// Returns what follows the last number in all keys, up to something that may differ.
fn tail(dataset: &Dataset) -> String {
    let rests: BTreeSet<&str> = dataset
        .layout
        .objects
        .iter()
        .map(|(object, reading)| object.key.get(reading.end..).unwrap_or_default())
        .collect();
    let first = rests.first().copied().unwrap_or_default();
    let may_stay = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '{' | '}');
    let mut kept = String::new();
    for (at, c) in first.char_indices() {
        let is_common = rests.iter().all(|rest| rest.starts_with(&first[..at + c.len_utf8()]));
        let is_zone = kept.is_empty() && c == 'Z';
        if !is_common || !(may_stay(c) || is_zone) {
            break;
        }
        kept.push(c);
        if c == '/' {
            break;
        }
    }
    kept
}

/// Which units have zeros in front where they are of one digit.
struct Padding {
    with: BTreeSet<Unit>,
    without: BTreeSet<Unit>,
    unknown: BTreeSet<Unit>,
}

impl Padding {
    fn of(dataset: &Dataset) -> Self {
        let mut padding =
            Self { with: BTreeSet::new(), without: BTreeSet::new(), unknown: BTreeSet::new() };
        for (_, reading) in &dataset.layout.objects {
            for name in &reading.names {
                let Name::Dated(pieces) = name else { continue };
                for piece in pieces {
                    let Piece::Number { unit, digits, is_fixed: false } = piece else { continue };
                    let set = match digits.len() {
                        1 => &mut padding.without,
                        _ if digits.starts_with('0') => &mut padding.with,
                        _ => &mut padding.unknown,
                    };
                    set.insert(*unit);
                }
            }
        }
        padding
            .unknown
            .retain(|unit| !padding.with.contains(unit) && !padding.without.contains(unit));
        padding
    }

    /// Where nothing tells of a unit, the others do.
    fn has_zeros(&self, unit: Unit) -> bool {
        if self.with.contains(&unit) || self.without.contains(&unit) {
            return !self.without.contains(&unit);
        }
        self.without.is_empty() || !self.with.is_empty()
    }

    fn is_guess(&self) -> bool {
        !self.unknown.is_empty() && self.with.is_empty() && self.without.is_empty()
    }
}

fn placeholder(unit: Unit, has_zeros: bool) -> &'static str {
    match (unit, has_zeros) {
        (Unit::Year, _) => "{yyyy}",
        (Unit::Month, true) => "{MM}",
        (Unit::Month, false) => "{M}",
        (Unit::Day, true) => "{dd}",
        (Unit::Day, false) => "{d}",
        (Unit::Hour, true) => "{HH}",
        (Unit::Hour, false) => "{H}",
        (Unit::Minute, true) => "{mm}",
        (Unit::Minute, false) => "{m}",
        (Unit::Second, true) => "{ss}",
        (Unit::Second, false) => "{s}",
    }
}
