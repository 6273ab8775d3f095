//! Reads templates, and writes what stands in place of their placeholders.

use jiff::{Timestamp, civil::DateTime};

use super::Grain;

/// The longest template, in bytes.
pub const MAX_PATH_BYTES: usize = 800;
/// The most placeholders of a template.
pub const MAX_PLACEHOLDERS: usize = 24;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// This text.
    Text(String),
    /// What the lake calls the tenant.
    Workspace,
    /// A number of the date or the time.
    Number(Unit, Padding),
    /// When the day begins, in seconds or milliseconds since 1970.
    Epoch(Precision),
    /// Any text without a slash.
    Wildcard,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// Whether a number has zeros in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    Zeros,
    None,
}

/// What an epoch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Seconds,
    Milliseconds,
}

const NUMBERS: [(&str, Unit, Padding); 11] = [
    ("yyyy", Unit::Year, Padding::Zeros),
    ("MM", Unit::Month, Padding::Zeros),
    ("M", Unit::Month, Padding::None),
    ("dd", Unit::Day, Padding::Zeros),
    ("d", Unit::Day, Padding::None),
    ("HH", Unit::Hour, Padding::Zeros),
    ("H", Unit::Hour, Padding::None),
    ("mm", Unit::Minute, Padding::Zeros),
    ("m", Unit::Minute, Padding::None),
    ("ss", Unit::Second, Padding::Zeros),
    ("s", Unit::Second, Padding::None),
];

/// The reason why a template is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionPathError {
    /// A placeholder that does not exist.
    #[error(
        "{{{0}}} is no placeholder; there are {{workspace}}, {{yyyy}}, {{MM}}, {{dd}}, {{HH}}, {{mm}}, {{ss}}, \
         {{M}}, {{d}}, {{H}}, {{m}}, {{s}}, {{epoch_seconds}}, {{epoch_millis}} and {{*}}"
    )]
    Unknown(String),
    /// A brace without its partner.
    #[error("a '{{' or '}}' stands alone")]
    Unbalanced,
    /// It lacks a placeholder that tells one partition from another.
    #[error("the path must contain {{{0}}}")]
    Missing(&'static str),
    /// It is too long.
    #[error("a path has {MAX_PATH_BYTES} bytes and {MAX_PLACEHOLDERS} placeholders at most")]
    TooLong,
    /// A number could be read in several ways.
    #[error(
        "{{{0}}} has no zeros in front, so what is next to it must be text that is not a digit"
    )]
    Ambiguous(&'static str),
    /// A name has several wildcards.
    #[error("there is one {{*}} at most between two slashes")]
    Wildcards,
    /// One tenant's objects could be taken for another's.
    #[error(
        "the name of one {{workspace}} could be read as that of another: between {{workspace}} and the slashes \
         before and behind it there may only be text and numbers with zeros in front"
    )]
    LooseWorkspace,
}

impl Part {
    /// Whether it does not follow from the tenant and the partition.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Wildcard | Self::Number(Unit::Minute | Unit::Second, _))
    }

    pub(super) fn unit(&self) -> Option<Unit> {
        match self {
            Self::Number(unit, _) => Some(*unit),
            Self::Text(_) | Self::Workspace | Self::Epoch(_) | Self::Wildcard => None,
        }
    }

    /// Whether it is a number whose digits tell how long it is.
    fn is_unpadded(&self) -> bool {
        matches!(self, Self::Number(_, Padding::None) | Self::Epoch(_))
    }

    /// Returns what stands in its place.
    pub(super) fn write(
        &self,
        tenant: &str,
        civil: DateTime,
        day: impl FnOnce() -> Timestamp,
    ) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Workspace => tenant.to_owned(),
            Self::Number(unit, padding) => {
                let width = match (padding, unit) {
                    (Padding::None, _) => 0,
                    (Padding::Zeros, Unit::Year) => 4,
                    (Padding::Zeros, _) => 2,
                };
                format!("{:0width$}", unit.of(civil))
            }
            Self::Epoch(Precision::Seconds) => day().as_second().to_string(),
            Self::Epoch(Precision::Milliseconds) => day().as_millisecond().to_string(),
            Self::Wildcard => "*".to_owned(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Number(unit, padding) => NUMBERS
                .iter()
                .find(|known| (known.1, known.2) == (*unit, *padding))
                .map_or("", |known| known.0),
            Self::Epoch(Precision::Seconds) => "epoch_seconds",
            Self::Epoch(Precision::Milliseconds) => "epoch_millis",
            Self::Workspace => "workspace",
            Self::Text(_) | Self::Wildcard => "*",
        }
    }
}

impl Unit {
    /// Returns its number in a date and time.
    fn of(self, civil: DateTime) -> i16 {
        match self {
            Self::Year => civil.year(),
            Self::Month => civil.month().into(),
            Self::Day => civil.day().into(),
            Self::Hour => civil.hour().into(),
            Self::Minute => civil.minute().into(),
            Self::Second => civil.second().into(),
        }
    }
}

/// Cuts a template into its parts.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, PartitionPathError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let inner = from.strip_prefix('{').ok_or(PartitionPathError::Unbalanced)?;
        let (name, after) = inner.split_once('}').ok_or(PartitionPathError::Unbalanced)?;
        parts.push(placeholder(name)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    let placeholders = parts.iter().filter(|part| !matches!(part, Part::Text(_))).count();
    if text.len() > MAX_PATH_BYTES || placeholders > MAX_PLACEHOLDERS {
        return Err(PartitionPathError::TooLong);
    }
    Ok(parts)
}

fn placeholder(name: &str) -> Result<Part, PartitionPathError> {
    let number = NUMBERS.iter().find(|known| known.0 == name);
    match name {
        "workspace" => Ok(Part::Workspace),
        "epoch_seconds" => Ok(Part::Epoch(Precision::Seconds)),
        "epoch_millis" => Ok(Part::Epoch(Precision::Milliseconds)),
        "*" => Ok(Part::Wildcard),
        _ => number
            .map(|(_, unit, padding)| Part::Number(*unit, *padding))
            .ok_or_else(|| PartitionPathError::Unknown(name.to_owned())),
    }
}

/// Returns how long the partitions of a template are.
pub(super) fn grain(parts: &[Part]) -> Result<Grain, PartitionPathError> {
    let has = |unit| parts.iter().any(|part| part.unit() == Some(unit));
    let is_timed = has(Unit::Hour) || has(Unit::Minute) || has(Unit::Second);
    if is_timed && !has(Unit::Hour) {
        return Err(PartitionPathError::Missing("HH"));
    }
    let has_epoch = parts.iter().any(|part| matches!(part, Part::Epoch(_)));
    if !has_epoch {
        for (unit, name) in [(Unit::Year, "yyyy"), (Unit::Month, "MM")] {
            if !has(unit) {
                return Err(PartitionPathError::Missing(name));
            }
        }
    }
    Ok(match (is_timed, has_epoch || has(Unit::Day)) {
        (true, false) => return Err(PartitionPathError::Missing("dd")),
        (true, true) => Grain::Hour,
        (false, true) => Grain::Day,
        (false, false) => Grain::Month,
    })
}

/// Whether parts tell which day it is.
pub(super) fn names_day(parts: &[Part]) -> bool {
    let has = |unit| parts.iter().any(|part| part.unit() == Some(unit));
    let has_date = has(Unit::Year) && has(Unit::Month) && has(Unit::Day);
    has_date || parts.iter().any(|part| matches!(part, Part::Epoch(_)))
}

/// Checks that a key can be read in one way only.
pub(super) fn check(parts: &[Part]) -> Result<(), PartitionPathError> {
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.is_unpadded()) {
        let before = at.checked_sub(1).and_then(|at| parts.get(at));
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let is_apart = match before {
            Some(Part::Text(text)) => !is_digit(text.as_bytes().last()),
            Some(Part::Number(_, Padding::Zeros)) | None => true,
            Some(_) => false,
        } && match parts.get(at + 1) {
            Some(Part::Text(text)) => !is_digit(text.as_bytes().first()),
            None => true,
            Some(_) => false,
        };
        if !is_apart {
            return Err(PartitionPathError::Ambiguous(part.name()));
        }
    }
    let names = names(parts);
    if names.iter().any(|name| name.wildcards > 1) {
        return Err(PartitionPathError::Wildcards);
    }
    let is_named = parts.contains(&Part::Workspace);
    if is_named && !names.iter().any(|name| name.is_whole && name.workspaces == 1 && name.is_fixed)
    {
        return Err(PartitionPathError::LooseWorkspace);
    }
    Ok(())
}

/// What stands between two slashes of a template.
#[derive(Default)]
struct Name {
    workspaces: usize,
    wildcards: usize,
    /// Whether all but the workspace is of a known length.
    is_fixed: bool,
    /// Whether a slash ends it.
    is_whole: bool,
}

fn names(parts: &[Part]) -> Vec<Name> {
    let begun = || Name { is_fixed: true, ..Name::default() };
    let (mut names, mut name) = (Vec::new(), begun());
    for part in parts {
        match part {
            Part::Text(text) => {
                for _ in text.matches('/') {
                    names.push(Name { is_whole: true, ..std::mem::replace(&mut name, begun()) });
                }
            }
            Part::Workspace => name.workspaces += 1,
            Part::Wildcard => {
                name.wildcards += 1;
                name.is_fixed = false;
            }
            Part::Number(..) | Part::Epoch(_) => name.is_fixed &= !part.is_unpadded(),
        }
    }
    names.push(name);
    names
}
