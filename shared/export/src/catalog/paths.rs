//! Reads paths: of fields in a record, and of lists that are exploded.

use super::{FieldPath, FieldStep, Level};

/// The highest index of a list in a path.
pub const MAX_LIST_INDEX: usize = 9999;

impl FieldPath {
    /// Reads names that are joined by dots, each with indices of lists behind it: `spans[0].name`. A name with a dot
    /// or a bracket in it stands in quotes.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let quoted = rest.strip_prefix('"').and_then(|text| text.split_once('"'));
            let plain = || rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            let (name, mut after) = quoted.unwrap_or_else(plain);
            if name.is_empty() {
                return Err(format!("{text:?} is no field: names are joined by single dots"));
            }
            steps.push(FieldStep::Name(name.to_owned()));
            while let Some(inner) = after.strip_prefix('[') {
                let index = inner.split_once(']').and_then(|(index, behind)| {
                    let index = index.parse().ok().filter(|index| *index <= MAX_LIST_INDEX)?;
                    Some((index, behind))
                });
                let (index, behind) = index.ok_or_else(|| {
                    format!("{text:?} is no field: an index is [0] to [{MAX_LIST_INDEX}]")
                })?;
                steps.push(FieldStep::Index(index));
                after = behind;
            }
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(Self(steps)),
                None => {
                    let why = "after a name in quotes or an index there is a dot";
                    return Err(format!("{text:?} is no field: {why}"));
                }
            }
        }
    }
}

impl Level {
    /// Reads `states[].events[].parameters{}`: lists with `[]`, objects with `{}`. At the end, a list
    /// needs no brackets.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let mut levels = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(['[', '{']).unwrap_or(rest.len());
            let (path, tail) = rest.split_at(end);
            let entries = tail.starts_with("{}");
            let after = tail.strip_prefix(if entries { "{}" } else { "[]" }).unwrap_or(tail);
            if !after.is_empty() && !after.starts_with('.') {
                return Err(format!("{text:?} is no way to rows, as \"states[].events[]\""));
            }
            levels.push(Self { path: FieldPath::parse(path)?, entries });
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        if levels.is_empty() { Err("explode names a list".to_owned()) } else { Ok(levels) }
    }

    /// Returns which of the levels `of` names: the last without it.
    pub(super) fn position(levels: &[Self], of: Option<&str>) -> Result<usize, String> {
        let Some(of) = of else { return Ok(levels.len() - 1) };
        let named = Self::parse(of)?;
        match named.len() {
            len if levels.starts_with(&named) => Ok(len - 1),
            _ => Err(format!("{of:?} is no beginning of what the table explodes")),
        }
    }
}
