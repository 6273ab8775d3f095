//! Where values stand in a record.

use export::FieldPath;

use crate::{
    fields::{descend, is_blocked},
    names::Names,
};

/// A field of the record and the path below it.
#[derive(Debug)]
pub(crate) struct Place {
    field: usize,
    path: Vec<Names>,
}

impl Place {
    /// Returns the JSON text of what stands there, given the fields that were found.
    #[inline]
    pub(crate) fn find<'a>(&self, found: &[Option<&'a str>]) -> Option<&'a str> {
        descend(found[self.field]?, &self.path)
    }

    /// Tells whether nothing is found because something that is not an object stands on the way.
    pub(crate) fn is_blocked(&self, found: &[Option<&str>]) -> bool {
        found[self.field].is_some_and(|value| is_blocked(value, &self.path))
    }
}

/// Each name of a path by itself.
pub(crate) fn single(path: &[String]) -> Vec<Names> {
    path.iter().map(|name| Names::new(vec![name.clone()])).collect()
}

/// Returns the place a path leads to, adding to `names` the field that it begins with.
pub(crate) fn place(names: &mut Vec<String>, path: &FieldPath) -> Place {
    let (first, rest) = path.0.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let field = names.iter().position(|name| name == first).unwrap_or_else(|| {
        names.push(first.to_owned());
        names.len() - 1
    });
    Place { field, path: single(rest) }
}
