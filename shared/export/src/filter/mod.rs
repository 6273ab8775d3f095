//! Conditions on rows, as users write them: `city IN ['Québec', 'Quebec'] AND clickRank <= 3`.
//!
//! The language is that of Coveo's read filters (its documents 2727 and 2849), for which the grammar is
//!
//! ```text
//! filter  = and { "OR" and }
//! and     = unary { "AND" unary }
//! unary   = "(" filter ")" | "$" ID | compare
//! compare = DIM op scalar | DIM ("IN" | "NOT_IN") "[" [ scalar { "," scalar } ] "]"
//! op      = "==" | "!=" | "=~" | "!~" | "=@" | "!@" | "<" | "<=" | ">" | ">="
//! scalar  = 'text' | "text" | NUMBER | true | false | null
//! DIM     = NAME [ "." NAME ]
//! ```
//!
//! This file has the tree and how it is written as text; `parse.rs` reads it, and `scope.rs` checks it against a
//! catalog.

mod parse;
mod scope;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use scope::{Reach, Scope};

/// The longest filter, in bytes of its text.
pub const MAX_FILTER_BYTES: usize = 64 * 1024;
/// The longest filter with named filters written out, in bytes of the text that is read or stored.
pub const MAX_EXPANDED_BYTES: usize = 2 * MAX_FILTER_BYTES;
/// The deepest nesting of brackets, those of named filters included.
pub(crate) const MAX_DEPTH: usize = 100;
/// The longest chain of named filters that name others.
pub(crate) const MAX_NAMED_DEPTH: usize = 10;
/// The most comparisons, those of named filters included: each takes time for every row.
pub(crate) const MAX_COMPARISONS: usize = 1000;
/// The most values in all lists together.
pub(crate) const MAX_LISTED: usize = 10_000;

/// A condition on a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Filter {
    /// All of these conditions hold; at least two.
    All(Vec<Filter>),
    /// One of these conditions holds; at least two.
    Any(Vec<Filter>),
    /// This comparison holds.
    One(Comparison),
}

/// A comparison of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// The column.
    pub dimension: Dimension,
    /// The operator and its operands.
    pub test: Test,
}

/// A column, by the name that filters use, in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    /// The table, if the filter names it.
    pub table: Option<String>,
    /// The column.
    pub name: String,
}

/// A test of a column's value. For a null value everything but the tests for null is false.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// It compares with a literal in this way.
    Is(Operator, Literal),
    /// It is one of these.
    In(Vec<Literal>),
    /// It is none of these.
    NotIn(Vec<Literal>),
}

/// The operators that compare a value with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Equal in any case.
    EqualFolded,
    /// Not equal in any case.
    NotEqualFolded,
    /// Contains, in any case.
    Contains,
    /// Does not contain, in any case.
    Lacks,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

/// A value in a filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// A text, in quotes.
    Text(String),
    /// A number as it was written: an optional minus, digits, an optional point and digits.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`.
    Null,
}

/// The fault in a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct FilterError {
    /// Its place: a character of the text, from 1.
    pub at: usize,
    /// What is wrong and what to do.
    pub reason: String,
}

impl Filter {
    /// Reads a filter and checks every comparison against `scope`. Returns `None` if the text is blank. The result
    /// has the names of the catalog, and named filters written out.
    pub fn read(text: &str, scope: &Scope<'_>) -> Result<Option<Self>, FilterError> {
        parse::parse(&[text], Some(scope))
    }

    /// Reads several filters, all of which must hold. Together they have the bounds of one filter.
    pub fn read_all(texts: &[&str], scope: &Scope<'_>) -> Result<Option<Self>, FilterError> {
        parse::parse(texts, Some(scope))
    }

    /// Joins filters, all of which must hold. Returns `None` if there are none.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut filters: Vec<Self> = filters.into_iter().collect();
        if filters.len() > 1 { Some(Self::All(filters)) } else { filters.pop() }
    }

    /// Returns the condition that a column is not null.
    pub fn is_there(column: &str) -> Self {
        let dimension = Dimension { table: None, name: column.to_owned() };
        Self::One(Comparison { dimension, test: Test::Is(Operator::NotEqual, Literal::Null) })
    }

    /// Returns all comparisons, from left to right.
    pub fn comparisons(&self) -> Vec<&Comparison> {
        match self {
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().flat_map(Self::comparisons).collect()
            }
            Self::One(comparison) => vec![comparison],
        }
    }

    fn write_operand(&self, f: &mut fmt::Formatter<'_>, bracketed: bool) -> fmt::Result {
        if bracketed { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let blank = || FilterError { at: 1, reason: "the filter is blank".to_owned() };
        parse::parse(&[text], None)?.ok_or_else(blank)
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;

    fn try_from(text: String) -> Result<Self, FilterError> {
        text.parse()
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(filters) => {
                for (i, filter) in filters.iter().enumerate() {
                    f.write_str(if i > 0 { " AND " } else { "" })?;
                    filter.write_operand(f, !matches!(filter, Self::One(_)))?;
                }
                Ok(())
            }
            Self::Any(filters) => {
                for (i, filter) in filters.iter().enumerate() {
                    f.write_str(if i > 0 { " OR " } else { "" })?;
                    filter.write_operand(f, matches!(filter, Self::Any(_)))?;
                }
                Ok(())
            }
            Self::One(Comparison { dimension, test }) => write!(f, "{dimension} {test}"),
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.table {
            Some(table) => write!(f, "{table}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, list) = match self {
            Self::Is(operator, literal) => return write!(f, "{} {literal}", operator.symbol()),
            Self::In(list) => ("IN", list),
            Self::NotIn(list) => ("NOT_IN", list),
        };
        write!(f, "{word} [")?;
        for (i, literal) in list.iter().enumerate() {
            write!(f, "{}{literal}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                write!(f, "'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
            }
            Self::Number(number) => f.write_str(number),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl Operator {
    /// Every operator with its symbol. A symbol stands before those that it begins with.
    pub(crate) const ALL: [(&str, Self); 10] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("=~", Self::EqualFolded),
        ("!~", Self::NotEqualFolded),
        ("=@", Self::Contains),
        ("!@", Self::Lacks),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// Returns its symbol.
    pub(crate) fn symbol(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(symbol, _)| symbol)
    }
}

#[cfg(test)]
mod tests;
