//! The columns of a file as a tree: what of them is read, and how a row is put together.

use std::{collections::BTreeSet, ops::Range};

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition},
    schema::types::Type,
};

/// A column, or a group of them.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name as a JSON key with its colon.
    pub(crate) key: String,
    /// The definition level from which on it is not null.
    pub(crate) def: i16,
    /// Which of the columns that are read belong to it.
    pub(crate) leaves: Range<usize>,
    pub(crate) shape: Shape,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A single value.
    Leaf,
    /// Fields with names.
    Group(Vec<Node>),
    /// A list. It has elements from definition level `def` on, and each but the first has repetition level `rep`.
    List { element: Box<Node>, def: i16, rep: i16 },
    /// Likewise, and the first of two fields names the other.
    Map { entry: Box<(Node, Node)>, def: i16, rep: i16 },
}

/// The columns that are read.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// The fields of a row.
    pub(crate) fields: Vec<Node>,
    /// For each column that is read, its number in the file.
    pub(crate) numbers: Vec<usize>,
}

/// The levels at which a field begins.
#[derive(Clone, Copy)]
struct Levels {
    def: i16,
    rep: i16,
}

impl Columns {
    /// Chooses the fields that are wanted, all if none are named.
    pub(crate) fn of(schema: &Type, wanted: Option<&BTreeSet<String>>) -> Self {
        let mut columns = Self::default();
        let mut number = 0;
        for field in schema.get_fields() {
            let len = leaves(field);
            if wanted.is_none_or(|wanted| wanted.contains(field.name())) {
                let node = columns.field(field, Levels { def: 0, rep: 0 });
                columns.numbers.extend(number..number + len);
                columns.fields.push(node);
            }
            number += len;
        }
        columns
    }

    /// Counts columns in the order in which they are met.
    fn next_leaf(&self) -> usize {
        self.fields.last().map_or(0, |node| node.leaves.end)
    }

    fn field(&self, field: &Type, levels: Levels) -> Node {
        let mut at = self.next_leaf();
        node(field, levels, &mut at)
    }
}

/// Counts the columns under a field.
fn leaves(field: &Type) -> usize {
    if field.is_primitive() { 1 } else { field.get_fields().iter().map(|one| leaves(one)).sum() }
}

fn repetition(field: &Type) -> Repetition {
    let info = field.get_basic_info();
    if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED }
}

/// Reads a field, from column number `at` on.
fn node(field: &Type, levels: Levels, at: &mut usize) -> Node {
    match repetition(field) {
        Repetition::REQUIRED => bare(field, levels, at),
        Repetition::OPTIONAL => bare(field, Levels { def: levels.def + 1, ..levels }, at),
        // Without more around it, this is a list that is never null.
        Repetition::REPEATED => {
            let begin = *at;
            let inner = Levels { def: levels.def + 1, rep: levels.rep + 1 };
            let element = Box::new(bare(field, inner, at));
            let shape = Shape::List { element, def: inner.def, rep: inner.rep };
            Node { key: key(field), def: levels.def, leaves: begin..*at, shape }
        }
    }
}

/// Reads a field, whatever its repetition.
fn bare(field: &Type, levels: Levels, at: &mut usize) -> Node {
    let begin = *at;
    let shape = if field.is_primitive() {
        *at += 1;
        Shape::Leaf
    } else {
        group(field, levels, at)
    };
    Node { key: key(field), def: levels.def, leaves: begin..*at, shape }
}

fn group(field: &Type, levels: Levels, at: &mut usize) -> Shape {
    let info = field.get_basic_info();
    let logical = info.logical_type_ref();
    let is_list =
        matches!(logical, Some(LogicalType::List)) || info.converted_type() == ConvertedType::LIST;
    let is_map = matches!(logical, Some(LogicalType::Map))
        || [ConvertedType::MAP, ConvertedType::MAP_KEY_VALUE].contains(&info.converted_type());
    if let [repeated] = field.get_fields()
        && repetition(repeated) == Repetition::REPEATED
        && (is_list || is_map)
    {
        let (def, rep) = (levels.def + 1, levels.rep + 1);
        let inner = Levels { def, rep };
        if is_list {
            let element = match element_of(field, repeated) {
                Some(element) => node(element, inner, at),
                None => bare(repeated, inner, at),
            };
            return Shape::List { element: Box::new(element), def, rep };
        }
        if repeated.is_group()
            && let [key, value] = repeated.get_fields()
            && key.is_primitive()
            && repetition(key) != Repetition::REPEATED
        {
            let key = node(key, inner, at);
            let entry = Box::new((key, node(value, inner, at)));
            return Shape::Map { entry, def, rep };
        }
    }
    Shape::Group(field.get_fields().iter().map(|one| node(one, levels, at)).collect())
}

/// Returns the element of a list inside of the group that repeats; none if the group itself is the element, as older
/// writers have it.
fn element_of<'a>(list: &Type, repeated: &'a Type) -> Option<&'a Type> {
    if repeated.is_primitive() {
        return None;
    }
    let [element] = repeated.get_fields() else { return None };
    let name = repeated.name();
    let is_element = name == "array" || name == format!("{}_tuple", list.name());
    (!is_element).then_some(element)
}

fn key(field: &Type) -> String {
    format!("{}:", serde_json::Value::from(field.name()))
}

impl Node {
    /// Whether there are lists or maps in it.
    pub(crate) fn has_lists(&self) -> bool {
        match &self.shape {
            Shape::Leaf => false,
            Shape::Group(fields) => fields.iter().any(Self::has_lists),
            Shape::List { .. } | Shape::Map { .. } => true,
        }
    }
}
