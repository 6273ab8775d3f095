//! Reads the text of a filter into its tree, in one pass, within bounds.

use super::{
    Comparison, Dimension, Filter, FilterError, Literal, MAX_COMPARISONS, MAX_DEPTH,
    MAX_EXPANDED_BYTES, MAX_FILTER_BYTES, MAX_LISTED, MAX_NAMED_DEPTH, Operator, Scope, Test,
};

/// Extra nesting allowed when a stored filter is read again: joining filters adds levels.
const MAX_EXTRA_DEPTH: usize = 8;
/// The longest reason that an error gives, in characters: it may repeat a long value.
const MAX_REASON_CHARS: usize = 400;
/// How a reason begins that a named filter is to be mended for. Its id follows.
const IN_NAMED: &str = "in the named filter $";

/// Reads filters, all of which must hold. Returns `None` if their texts are blank. Without a scope the texts are
/// stored ones: they have no named filters, any column is valid, and joining may have made them deeper.
pub(super) fn parse(
    texts: &[&str],
    scope: Option<&Scope<'_>>,
) -> Result<Option<Filter>, FilterError> {
    let deepest = if scope.is_some() { MAX_DEPTH } else { MAX_DEPTH + MAX_EXTRA_DEPTH };
    let mut budget =
        Budget { scope, deepest, bytes: 0, depth: 0, comparisons: 0, listed: 0, named: Vec::new() };
    let mut filters = Vec::new();
    for text in texts {
        filters.extend(whole(text, &mut budget)?);
    }
    let filter = Filter::all(filters);
    // Written out, names are those of the catalog, and quotes have a backslash before them.
    if let (Some(_), Some(filter)) = (scope, &filter) {
        within_bytes(filter.to_string().len())?;
    }
    Ok(filter)
}

fn within_bytes(bytes: usize) -> Result<(), FilterError> {
    if bytes <= MAX_EXPANDED_BYTES {
        return Ok(());
    }
    let reason =
        format!("with named filters written out, a filter has at most {MAX_EXPANDED_BYTES} bytes");
    Err(FilterError { at: 1, reason })
}

/// The state that all parts of a filter share, those of named filters included.
struct Budget<'a> {
    scope: Option<&'a Scope<'a>>,
    deepest: usize,
    /// Bytes of all texts read so far. A named filter counts each time that it is named.
    bytes: usize,
    depth: usize,
    comparisons: usize,
    listed: usize,
    /// The named filters that are being read, the outermost first.
    named: Vec<String>,
}

fn whole(text: &str, budget: &mut Budget<'_>) -> Result<Option<Filter>, FilterError> {
    if budget.scope.is_some() && text.len() > MAX_FILTER_BYTES {
        let reason =
            format!("a filter has at most {MAX_FILTER_BYTES} bytes, this one {}", text.len());
        return Err(FilterError { at: 1, reason });
    }
    budget.bytes = budget.bytes.saturating_add(text.len());
    if budget.scope.is_some() {
        within_bytes(budget.bytes)?;
    }
    let mut parser = Parser { text, at: 0, budget };
    parser.space();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let filter = parser.any()?;
    match parser.rest().chars().next() {
        None => Ok(Some(filter)),
        Some(')') => Err(parser.error("this bracket closes none")),
        Some(_) => Err(parser.error("the filter should end here, or go on with AND or OR")),
    }
}

/// A position in a text. After each step it is behind any space.
struct Parser<'t, 'b, 'a> {
    text: &'t str,
    at: usize,
    budget: &'b mut Budget<'a>,
}

impl<'t> Parser<'t, '_, '_> {
    fn any(&mut self) -> Result<Filter, FilterError> {
        let (first, mut rest) = (self.all()?, Vec::new());
        while self.word("OR") {
            rest.push(self.all()?);
        }
        Ok(joined(first, rest, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let (first, mut rest) = (self.unary()?, Vec::new());
        while self.word("AND") {
            rest.push(self.unary()?);
        }
        Ok(joined(first, rest, Filter::All))
    }

    fn unary(&mut self) -> Result<Filter, FilterError> {
        let begin = self.at;
        if self.take("$") {
            return self.named(begin);
        }
        if !self.take("(") {
            return self.comparison().map(Filter::One);
        }
        if self.budget.depth == self.budget.deepest {
            return Err(self.error_at(begin, format!("brackets nest at most {MAX_DEPTH} deep")));
        }
        self.budget.depth += 1;
        let filter = self.any()?;
        if !self.take(")") {
            let reason = if self.rest().is_empty() {
                "this bracket is not closed"
            } else {
                "a comparison should end here: ) or AND or OR follows"
            };
            let at = if self.rest().is_empty() { begin } else { self.at };
            return Err(self.error_at(at, reason));
        }
        self.budget.depth -= 1;
        Ok(filter)
    }

    /// Reads the text of a named filter in the place of its name.
    fn named(&mut self, begin: usize) -> Result<Filter, FilterError> {
        let id = self.while_some(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        let refuse = |parser: &Self, reason| Err(parser.error_at(begin, reason));
        if id.is_empty() {
            return refuse(self, "after $ stands the id of a named filter".to_owned());
        }
        let Some((id, text)) = self.budget.scope.and_then(|scope| scope.named(id)) else {
            return refuse(self, format!("there is no named filter ${id}"));
        };
        if self.budget.named.contains(&id) {
            let path = self.budget.named.join(", which names $");
            return refuse(
                self,
                format!("named filters go in a circle: ${path} names ${id} again"),
            );
        }
        if self.budget.named.len() == MAX_NAMED_DEPTH {
            return refuse(
                self,
                format!("named filters name others at most {MAX_NAMED_DEPTH} deep"),
            );
        }
        if self.budget.depth == self.budget.deepest {
            return refuse(self, format!("brackets nest at most {MAX_DEPTH} deep"));
        }
        self.budget.named.push(id.clone());
        self.budget.depth += 1;
        let read = whole(&text, self.budget);
        self.budget.depth -= 1;
        self.budget.named.pop();
        match read {
            Ok(Some(filter)) => Ok(filter),
            Ok(None) => refuse(self, format!("the named filter ${id} is blank")),
            // Of named filters in each other, the innermost is the one to mend.
            Err(inner) if inner.reason.starts_with(IN_NAMED) => refuse(self, inner.reason),
            Err(inner) => refuse(self, format!("{IN_NAMED}{id}, {inner}")),
        }
    }

    fn comparison(&mut self) -> Result<Comparison, FilterError> {
        let begin = self.at;
        let dimension = self.dimension()?;
        if self.budget.scope.is_some() && self.budget.comparisons == MAX_COMPARISONS {
            let reason = format!("a filter has at most {MAX_COMPARISONS} comparisons");
            return Err(self.error_at(begin, reason));
        }
        self.budget.comparisons += 1;
        let test = if self.word("IN") {
            Test::In(self.list()?)
        } else if self.word("NOT_IN") {
            Test::NotIn(self.list()?)
        } else {
            Test::Is(self.operator()?, self.literal()?)
        };
        let comparison = Comparison { dimension, test };
        match self.budget.scope {
            None => Ok(comparison),
            Some(scope) => scope.check(comparison).map_err(|reason| self.error_at(begin, reason)),
        }
    }

    fn dimension(&mut self) -> Result<Dimension, FilterError> {
        const WANTED: &str = "here should stand the name of a column, a bracket or a named filter";
        let name = self.name().ok_or_else(|| self.error(WANTED))?;
        if !self.rest().starts_with('.') {
            self.space();
            return Ok(Dimension { table: None, name: name.to_owned() });
        }
        self.at += 1;
        let column = self.name();
        let column =
            column.ok_or_else(|| self.error("after the dot stands the name of a column"))?;
        self.space();
        Ok(Dimension { table: Some(name.to_owned()), name: column.to_owned() })
    }

    fn name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let letter = rest.starts_with(|c: char| c.is_ascii_alphabetic());
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += if letter { end } else { 0 };
        letter.then(|| &rest[..end])
    }

    fn operator(&mut self) -> Result<Operator, FilterError> {
        let found = Operator::ALL.into_iter().find(|(symbol, _)| self.take(symbol));
        found.map(|(_, operator)| operator).ok_or_else(|| {
            let symbols = Operator::ALL.map(|(symbol, _)| symbol).join(" ");
            let hint = if self.rest().starts_with('=') { "; equal is ==" } else { "" };
            self.error(format!("here should stand one of {symbols} IN NOT_IN{hint}"))
        })
    }

    fn list(&mut self) -> Result<Vec<Literal>, FilterError> {
        let begin = self.at;
        if !self.take("[") {
            return Err(self.error("after IN stands a list, as ['a', 'b']"));
        }
        let mut literals = Vec::new();
        if self.take("]") {
            return Ok(literals);
        }
        loop {
            if self.budget.scope.is_some() && self.budget.listed == MAX_LISTED {
                return Err(self.error(format!("lists have at most {MAX_LISTED} values")));
            }
            self.budget.listed += 1;
            literals.push(self.literal()?);
            if self.take("]") {
                return Ok(literals);
            }
            if !self.take(",") {
                return Err(match self.rest() {
                    "" => self.error_at(begin, "this list is not closed"),
                    _ => self.error("a list goes on with , or ends with ]"),
                });
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => return self.quoted(quote).map(Literal::Text),
            Some('-' | '0'..='9') => return self.number().map(Literal::Number),
            _ => {}
        }
        for (word, literal) in [
            ("true", Literal::Boolean(true)),
            ("false", Literal::Boolean(false)),
            ("null", Literal::Null),
        ] {
            if self.word(word) {
                return Ok(literal);
            }
        }
        Err(self
            .error("here should stand a value: a 'text' in quotes, a number, true, false or null"))
    }

    /// Reads a text. A backslash before a quote or a backslash is dropped; before other characters it is kept.
    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let (begin, mut text) = (self.at, String::new());
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = chars.next() {
            if c == quote {
                self.at += offset + 1;
                self.space();
                return Ok(text);
            }
            let escaped = chars.next_if(|(_, next)| c == '\\' && matches!(next, '\'' | '"' | '\\'));
            text.push(escaped.map_or(c, |(_, next)| next));
        }
        Err(self.error_at(begin, "this quote is not closed"))
    }

    fn number(&mut self) -> Result<String, FilterError> {
        let rest = self.rest();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let mut end = usize::from(rest.starts_with('-'));
        let whole = digits(&rest[end..]);
        end += whole;
        if whole == 0 {
            return Err(self.error("after a minus stand digits"));
        }
        if let Some(fraction) = rest[end..].strip_prefix('.') {
            if digits(fraction) == 0 {
                return Err(self.error("after a decimal point stand digits"));
            }
            end += 1 + digits(fraction);
        }
        if rest[end..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            return Err(self.error("this is no number; put texts in quotes"));
        }
        self.at += end;
        self.space();
        Ok(rest[..end].to_owned())
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
            self.space();
        }
        found
    }

    /// Skips a word, in any case.
    fn word(&mut self, word: &str) -> bool {
        let begin = self.at;
        let found = self.name().is_some_and(|name| name.eq_ignore_ascii_case(word));
        if found {
            self.space();
        } else {
            self.at = begin;
        }
        found
    }

    fn while_some(&mut self, of: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        self.space();
        &rest[..end]
    }

    fn error(&self, reason: impl Into<String>) -> FilterError {
        self.error_at(self.at, reason)
    }

    fn error_at(&self, at: usize, reason: impl Into<String>) -> FilterError {
        let mut reason: String = reason.into();
        // It may repeat a long value.
        if let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
            reason.replace_range(end.., "...");
        }
        FilterError { at: self.text[..at].chars().count() + 1, reason }
    }
}

fn joined(first: Filter, mut rest: Vec<Filter>, by: fn(Vec<Filter>) -> Filter) -> Filter {
    if rest.is_empty() {
        return first;
    }
    rest.insert(0, first);
    by(rest)
}
