//! Filters, applied to the JSON text of values.

use std::{borrow::Cow, cmp::Ordering, collections::HashSet};

use export::{ColumnType, Literal, Operator, Test, TimeFormat, parse_time};
use icu_casemap::CaseMapper;
use jiff::Timestamp;
use memchr::memmem::Finder;

use crate::{decimal::Decimal, text::text_of};

/// A test of a value.
#[derive(Debug)]
pub(crate) struct ValueTest {
    /// Whether null passes.
    null: bool,
    what: What,
    /// What a value that is not null has to say to `what`.
    wanted: bool,
}

#[derive(Debug)]
enum What {
    /// Nothing is.
    Nothing,
    /// It is this text.
    Text(String),
    /// It is one of these.
    Texts(HashSet<String>),
    /// In any case it is this.
    Folded(String),
    /// In any case it contains this.
    Contains(Box<Finder<'static>>),
    /// It is a text in this order to another.
    TextOrder(Order, String),
    /// It is a number in this order to one of these.
    Number(Order, Vec<Decimal>),
    /// It is one of these.
    Boolean(Vec<bool>),
    /// It is an instant, written so, in this order to one of these.
    Instant(TimeFormat, Order, Vec<Timestamp>),
}

/// Which of less, equal and greater pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order([bool; 3]);

impl Order {
    const EQUAL: Self = Self([false, true, false]);

    fn of(operator: Operator) -> Self {
        Self(match operator {
            Operator::Less => [true, false, false],
            Operator::AtMost => [true, true, false],
            Operator::Greater => [false, false, true],
            Operator::AtLeast => [false, true, true],
            Operator::Equal
            | Operator::NotEqual
            | Operator::EqualFolded
            | Operator::NotEqualFolded
            | Operator::Contains
            | Operator::Lacks => Self::EQUAL.0,
        })
    }

    fn passes(self, order: Ordering) -> bool {
        self.0[match order {
            Ordering::Less => 0,
            Ordering::Equal => 1,
            Ordering::Greater => 2,
        }]
    }
}

impl ValueTest {
    /// Prepares the test of a column's values; none if it makes no sense, which the filter's own check
    /// has seen to.
    pub(crate) fn new(kind: ColumnType, format: TimeFormat, test: &Test) -> Option<Self> {
        let (operator, list, wanted) = match test {
            Test::Is(operator, literal) => {
                let negative = matches!(
                    operator,
                    Operator::NotEqual | Operator::NotEqualFolded | Operator::Lacks
                );
                (*operator, std::slice::from_ref(literal), !negative)
            }
            Test::In(list) => (Operator::Equal, &list[..], true),
            Test::NotIn(list) => (Operator::Equal, &list[..], false),
        };
        let named = list.contains(&Literal::Null);
        let values: Vec<&Literal> = list.iter().filter(|l| **l != Literal::Null).collect();
        // Null only passes where it is asked for.
        Some(Self {
            null: named && wanted,
            what: What::new(kind, format, operator, &values)?,
            wanted,
        })
    }

    /// Whether null is what it asks for, alone.
    pub(crate) fn is_for_null(&self) -> bool {
        self.null && matches!(self.what, What::Nothing)
    }

    /// Tells whether a value passes, given as its JSON text.
    #[inline]
    pub(crate) fn passes(&self, json: Option<&str>) -> bool {
        match json {
            None | Some("null") => self.null,
            Some(json) => self.what.holds(json) == self.wanted,
        }
    }
}

impl What {
    fn new(
        kind: ColumnType,
        format: TimeFormat,
        operator: Operator,
        literals: &[&Literal],
    ) -> Option<Self> {
        let Some(first) = literals.first() else { return Some(Self::Nothing) };
        let order = Order::of(operator);
        match operator {
            Operator::Contains | Operator::Lacks => {
                let finder = Finder::new(fold(&text(first)).as_bytes()).into_owned();
                return Some(Self::Contains(Box::new(finder)));
            }
            _ => {}
        }
        Some(match kind {
            ColumnType::Integer | ColumnType::Number => {
                let numbers = literals.iter().map(|l| l.number().and_then(Decimal::parse));
                Self::Number(order, numbers.collect::<Option<_>>()?)
            }
            ColumnType::Boolean => {
                Self::Boolean(literals.iter().map(|l| l.boolean()).collect::<Option<_>>()?)
            }
            ColumnType::Time => {
                let instants = literals.iter().map(|l| l.instant());
                Self::Instant(format, order, instants.collect::<Option<_>>()?)
            }
            ColumnType::String | ColumnType::Json => match (operator, first) {
                (Operator::EqualFolded | Operator::NotEqualFolded, _) => {
                    Self::Folded(fold(&text(first)).into_owned())
                }
                (Operator::Equal | Operator::NotEqual, _) if literals.len() == 1 => {
                    Self::Text(text(first).into_owned())
                }
                (Operator::Equal | Operator::NotEqual, _) => {
                    Self::Texts(literals.iter().map(|l| text(l).into_owned()).collect())
                }
                (_, Literal::Number(number)) => Self::Number(order, vec![Decimal::parse(number)?]),
                _ => Self::TextOrder(order, text(first).into_owned()),
            },
        })
    }

    #[inline]
    fn holds(&self, json: &str) -> bool {
        if let Self::Nothing = self {
            return false;
        }
        let value = text_of(json).text;
        match self {
            Self::Nothing => false,
            Self::Text(text) => value == *text,
            Self::Texts(texts) => texts.contains(&*value),
            Self::Folded(text) => fold(&value) == *text,
            Self::Contains(finder) => finder.find(fold(&value).as_bytes()).is_some(),
            Self::TextOrder(order, text) => order.passes((*value).cmp(text)),
            Self::Number(order, numbers) => Decimal::parse(value.trim())
                .is_some_and(|value| numbers.iter().any(|number| order.passes(value.cmp(number)))),
            Self::Boolean(wanted) => wanted
                .iter()
                .any(|wanted| value.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })),
            Self::Instant(format, order, instants) => parse_time(&value, *format)
                .is_some_and(|value| instants.iter().any(|at| order.passes(value.cmp(at)))),
        }
    }
}

/// Returns the number that a value is, written as one or in quotes.
pub(crate) fn number_of(json: &str) -> Option<f64> {
    text_of(json).text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn text(literal: &Literal) -> Cow<'_, str> {
    match literal {
        Literal::Text(text) | Literal::Number(text) => Cow::Borrowed(text),
        Literal::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Literal::Null => Cow::Borrowed(""),
    }
}

/// Returns a text without upper and lower case: Unicode's simple case folding.
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
    }
    let mapper = CaseMapper::new();
    Cow::Owned(text.chars().map(|c| mapper.simple_fold(c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(kind: ColumnType, filter: &str, json: &str) -> bool {
        let filter: export::Filter = format!("x {filter}").parse().unwrap();
        let test = &filter.comparisons()[0].test;
        let value = Some(json).filter(|json| *json != "missing");
        ValueTest::new(kind, TimeFormat::Text, test).unwrap().passes(value)
    }

    #[test]
    fn values_are_compared_as_documented() {
        use ColumnType::{Boolean, Integer, Json, Number, String, Time};
        for (kind, filter, yes, no) in [
            (String, "== 'a'", &[r#""a""#, r#""\u0061""#][..], &[r#""A""#, "null", "missing"][..]),
            (String, "!= 'a'", &[r#""A""#, r#""""#], &[r#""a""#, "null", "missing"]),
            (String, "== ''", &[r#""""#], &["null", "missing"]),
            (String, "=~ 'QUÉBEC'", &[r#""québec""#], &[r#""Quebec""#, "null"]),
            (String, "!~ 'σ'", &[r#""s""#], &[r#""ς""#, r#""Σ""#, "null"]),
            (String, "=~ 'ss'", &[r#""SS""#, "\"\u{17f}s\""], &[r#""ß""#]),
            (String, "=@ 'éb'", &[r#""QUÉBEC""#], &[r#""Quebec""#, "null"]),
            (String, "!@ 'bot'", &[r#""""#, r#""a""#], &[r#""a Bot""#, "null"]),
            (String, "== 100", &[r#""100""#, "100"], &[r#""100.0""#]),
            (String, "< 100", &[r#""99.5""#, r#""-1e3""#], &[r#""100""#, r#""x""#, "null"]),
            (String, "< 'b'", &[r#""a""#, r#""Z""#, r#""""#], &[r#""b""#, "null"]),
            (String, "== null", &["null", "missing"], &[r#""""#, r#""null""#]),
            (String, "!= null", &[r#""""#], &["null", "missing"]),
            (String, "IN ['a', null, 7]", &[r#""a""#, "null", r#""7""#], &[r#""b""#]),
            (String, "NOT_IN ['a', null]", &[r#""b""#], &[r#""a""#, "null"]),
            (String, "NOT_IN []", &[r#""b""#], &["null"]),
            (String, "IN []", &[], &[r#""b""#, "null"]),
            (Integer, "== 9007199254740993", &["9007199254740993"], &["9007199254740992", "null"]),
            (Integer, ">= '3'", &["3", "3.0", "30", r#""4""#], &["2", "-3", r#""x""#]),
            (Integer, "!= 3", &["4"], &["3", "3.0", "null"]),
            (Integer, "=@ 1", &["210"], &["22"]),
            (Number, "IN [1.5, 2]", &["1.50", "2"], &["1.51"]),
            (Boolean, "== true", &["true", r#""TRUE""#], &["false", "null", "1"]),
            (Boolean, "!= 'True'", &["false"], &["true", "null"]),
            (
                Time,
                "> '2026-03-01T00:00:00Z'",
                &[r#""2026-03-01 00:00:00.001""#],
                &[r#""2026-03-01""#],
            ),
            (Time, "<= 1772323200000", &[r#""2026-03-01T02:00:00+02:00""#], &[r#""later""#]),
            (
                Time,
                "== '2026-03-01T00:00:00Z'",
                &["\"2026-03-01T00:00:00\\u002B00:00\""],
                &["null"],
            ),
            (String, "=@ 'sale'", &[r#""Sale \ud83d""#], &[r#""\ud83d""#]),
            (Json, "=@ '\"a\": 1'", &[r#"{"A": 1}"#], &["{}"]),
        ] {
            for value in yes {
                assert!(passes(kind, filter, value), "{filter} {value}");
            }
            for value in no {
                assert!(!passes(kind, filter, value), "{filter} {value}");
            }
        }
    }
}
