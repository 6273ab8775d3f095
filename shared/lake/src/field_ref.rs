//! References to fields of a record.

use export::{FieldPath, FieldStep};

use crate::{
    fields::{PathStep, descend, is_blocked},
    names::Names,
};

/// A field of a record: the index of its first name among the names that are looked for, and the path below.
#[derive(Debug)]
pub(crate) struct FieldRef {
    index: usize,
    path: Vec<PathStep>,
}

impl FieldRef {
    /// Returns the JSON text of its value, given the fields that were found; `None` if it is missing.
    #[inline]
    pub(crate) fn find<'a>(&self, found: &[Option<&'a str>]) -> Option<&'a str> {
        descend(found[self.index]?, &self.path)
    }

    /// Tells whether its value is missing because a value on its path is not an object.
    pub(crate) fn is_blocked(&self, found: &[Option<&str>]) -> bool {
        found[self.index].is_some_and(|value| is_blocked(value, &self.path))
    }
}

/// Returns the names of a path, each to be looked for alone.
pub(crate) fn single(path: &[FieldStep]) -> Vec<PathStep> {
    let step = |step: &FieldStep| match step {
        FieldStep::Name(name) => PathStep::Name(Names::new(vec![name.clone()])),
        FieldStep::Index(index) => PathStep::Index(*index),
    };
    path.iter().map(step).collect()
}

/// Returns a reference to the field of a path. Its first name is added to `names`, if it is missing there.
pub(crate) fn field_ref(names: &mut Vec<String>, path: &FieldPath) -> FieldRef {
    let (first, rest) = (path.first().unwrap_or_default(), path.0.get(1..).unwrap_or_default());
    let index = names.iter().position(|name| name == first).unwrap_or_else(|| {
        names.push(first.to_owned());
        names.len() - 1
    });
    FieldRef { index, path: single(rest) }
}
