//! Reads paths: of fields in a record, and of lists that are exploded.

use super::{FieldPath, Level};

impl FieldPath {
    /// Reads names that are joined by dots. A name with a dot in it stands in quotes.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let quoted = text.strip_prefix('"').and_then(|text| text.split_once('"'));
            let (name, after) =
                quoted.unwrap_or_else(|| text.split_at(text.find('.').unwrap_or(text.len())));
            names.push(name.to_owned());
            rest = after.strip_prefix('.');
            if rest.is_none() && !after.is_empty() {
                return Err(format!("{text:?} is no field: after a name in quotes there is a dot"));
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(format!("{text:?} is no field: names are joined by single dots"));
        }
        Ok(Self(names))
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
