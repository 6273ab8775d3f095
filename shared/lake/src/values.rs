//! Where JSON values begin and end, found by brackets and quotes alone.
//!
//! A line should be one object. Some programs leave the line feeds out, or write a list of records: then a
//! line has several values, and what stands between them (blanks, commas, brackets of the list) is no data.
//! Whether a value is valid JSON is for others to see.
//!
//! A broken value, such as one that was cut, should not take the records behind it along. So a record also
//! begins where `{"` stands in a value and JSON has no object there: a valid value has no such place. Each
//! byte is looked at once.

/// The longest row that is exported, in bytes.
pub(crate) const MAX_ROW_BYTES: usize = 16 << 20;

/// How records begin.
const BEGIN: &[u8] = b"{\"";

/// A value, or what cannot be part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Whole(&'a [u8]),
    /// One that is longer than a row may be.
    TooLong,
}

/// Cuts values out of a line, as its bytes come.
#[derive(Debug, Default)]
pub(crate) struct ValueSplitter {
    state: State,
    /// How deep in lists the values are.
    lists: u32,
    /// Whether an object began on this line.
    has_object: bool,
    /// The objects and lists that are open in the value at hand.
    open: Open,
    /// The last byte of the value at hand that is neither blank nor in a string; for a string, its quote.
    last: u8,
    /// Whether the next record may begin with the bytes just before the next one.
    suspect: Suspect,
    /// What came of the value at hand.
    value: Vec<u8>,
    is_too_long: bool,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between values.
    #[default]
    Between,
    /// In a number or a literal of a list, or behind a string of it.
    Word,
    /// In a value, but not in a string of it.
    Inside,
    /// In a string. Holds whether the byte before is an opening brace.
    Text(bool),
    /// Behind a backslash in a string.
    Escape,
    /// In what is no JSON.
    Rest,
}

/// What may be the beginning of the next record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Suspect {
    #[default]
    Nothing,
    /// An opening brace where JSON has no object. A quote behind it begins a record.
    Brace,
    /// An opening brace and the quote that ended its string. If no string can end there, a record began.
    Text,
}

/// What a byte does to the value at hand.
enum Step {
    Outside,
    Inside,
    /// It is the last one of the value.
    Last,
    /// The value ended before it.
    After,
    /// The value ended so many bytes before it, and a record began.
    Begun(usize),
}

impl ValueSplitter {
    /// Calls `each` with every value that `bytes` completes.
    pub(crate) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match self.step(*byte) {
                Step::Outside => begin = at + 1,
                Step::Inside => {}
                Step::Last => {
                    self.keep(&bytes[begin..=at]);
                    begin = at + 1;
                    self.emit(&mut each)?;
                }
                Step::After => {
                    self.keep(&bytes[begin..at]);
                    begin = at + 1;
                    self.emit(&mut each)?;
                }
                Step::Begun(before) => {
                    self.keep(&bytes[begin..at]);
                    begin = at;
                    self.value.truncate(self.value.len().saturating_sub(before));
                    self.emit(&mut each)?;
                    self.value.extend(&BEGIN[..before]);
                }
            }
        }
        self.keep(&bytes[begin..]);
        Ok(())
    }

    /// Calls `each` with what is left at the end of the line.
    pub(crate) fn finish<E>(
        mut self,
        mut each: impl FnMut(Value<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.state == State::Between { Ok(()) } else { self.emit(&mut each) }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.value.len() + bytes.len() > MAX_ROW_BYTES {
            self.is_too_long = true;
            self.value = Vec::new();
        } else {
            self.value.extend_from_slice(bytes);
        }
    }

    fn emit<E>(&mut self, each: &mut impl FnMut(Value<'_>) -> Result<(), E>) -> Result<(), E> {
        let is_too_long = std::mem::take(&mut self.is_too_long);
        each(if is_too_long { Value::TooLong } else { Value::Whole(&self.value) })?;
        self.value.clear();
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Step {
        match std::mem::take(&mut self.suspect) {
            Suspect::Brace if byte == b'"' => {
                self.begin_record();
                return Step::Begun(1);
            }
            Suspect::Text if !follows_text(byte) => {
                self.begin_record();
                self.step_in_text(byte, false);
                return Step::Begun(2);
            }
            Suspect::Nothing | Suspect::Brace | Suspect::Text => {}
        }
        match self.state {
            State::Between => return self.begin(byte),
            State::Word if matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r') => {
                self.state = State::Between;
                self.begin(byte);
                return Step::After;
            }
            State::Word if is_word(byte) => {}
            State::Word | State::Rest => self.step_in_rest(byte),
            State::Inside => return self.step_inside(byte),
            State::Text(after_brace) => self.step_in_text(byte, after_brace),
            State::Escape => self.state = State::Text(byte == b'{'),
        }
        Step::Inside
    }

    fn step_in_text(&mut self, byte: u8, after_brace: bool) {
        self.state = match byte {
            b'"' => {
                self.last = byte;
                self.suspect = if after_brace { Suspect::Text } else { Suspect::Nothing };
                if self.open.depth == 0 { State::Word } else { State::Inside }
            }
            b'\\' => State::Escape,
            _ => State::Text(byte == b'{'),
        };
    }

    fn step_inside(&mut self, byte: u8) -> Step {
        match byte {
            b' ' | b'\t' | b'\r' => return Step::Inside,
            b'"' => self.state = State::Text(false),
            b'{' | b'[' => {
                let is_value = match self.last {
                    b':' | b'[' => true,
                    b',' => !self.open.is_in_object(),
                    _ => false,
                };
                if byte == b'{' && !is_value {
                    self.suspect = Suspect::Brace;
                }
                self.open.push(byte == b'{');
            }
            b'}' | b']' => {
                self.open.close(byte == b'}');
                if self.open.depth == 0 {
                    self.state = State::Between;
                    return Step::Last;
                }
            }
            // A comma with nothing before it separates nothing.
            b',' if matches!(self.last, b'{' | b'[' | b':' | b',') => {
                self.last = 0;
                return Step::Inside;
            }
            _ => {}
        }
        self.last = byte;
        Step::Inside
    }

    /// Looks at a byte of what is no JSON. Where no object is before it, the line may be of another kind, a log's
    /// say, and what looks like a record is none; and behind a name or in a list it is a part of one.
    fn step_in_rest(&mut self, byte: u8) {
        self.state = State::Rest;
        let is_of_records = self.has_object || (self.lists > 0 && self.last == b',');
        if byte == b'{' && is_of_records && !matches!(self.last, b':' | b'[') {
            self.suspect = Suspect::Brace;
        }
        if !is_blank(byte) {
            self.last = byte;
        }
    }

    /// Looks at a byte between values.
    fn begin(&mut self, byte: u8) -> Step {
        match byte {
            // The control character begins each text of a sequence (RFC 7464).
            b',' | b' ' | b'\t' | b'\r' | b'\n' | 0x1e => return Step::Outside,
            // What is left over of a broken value.
            b'}' if self.has_object => return Step::Outside,
            b'[' => {
                self.lists = self.lists.saturating_add(1);
                return Step::Outside;
            }
            b']' => {
                self.lists = self.lists.saturating_sub(1);
                return Step::Outside;
            }
            _ => {}
        }
        self.open = Open::default();
        self.last = byte;
        self.state = match byte {
            b'{' => {
                self.has_object = true;
                self.open.push(true);
                State::Inside
            }
            b'"' if self.lists > 0 => State::Text(false),
            _ if self.lists > 0 && is_word(byte) => State::Word,
            _ => State::Rest,
        };
        Step::Inside
    }

    /// Goes on in the first name of a record.
    fn begin_record(&mut self) {
        self.open = Open::default();
        self.open.push(true);
        self.last = b'"';
        self.state = State::Text(false);
    }
}

/// The objects and lists that are open in a value, from the outermost.
#[derive(Debug, Default)]
struct Open {
    depth: u32,
    /// Which of the outermost ones are objects, one bit each. What is deeper is not known.
    objects: u64,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if is_object && self.depth < u64::BITS {
            self.objects |= 1 << self.depth;
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// Closes the innermost object or list, and what is open in it; nothing if there is none.
    fn close(&mut self, is_object: bool) {
        if self.depth > u64::BITS {
            self.depth -= 1;
            return;
        }
        let known = u64::MAX.checked_shr(u64::BITS - self.depth).unwrap_or(0);
        let of_kind = if is_object { self.objects } else { known & !self.objects };
        if let Some(level) = of_kind.checked_ilog2() {
            self.depth = level;
            self.objects &= (1 << level) - 1;
        }
    }

    fn is_in_object(&self) -> bool {
        (1..=u64::BITS).contains(&self.depth) && self.objects >> (self.depth - 1) & 1 == 1
    }
}

/// Returns true if a byte may stand behind a string in an object or a list.
fn follows_text(byte: u8) -> bool {
    matches!(byte, b':' | b',' | b'}' | b']') || is_blank(byte)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Returns true if a byte may stand in a number, `true`, `false` or `null`.
fn is_word(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'E') || b"nulltruefalse".contains(&byte)
}

/// Calls `each` with every value of a line.
pub(crate) fn split_values<E>(
    line: &[u8],
    mut each: impl FnMut(Value<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut values = ValueSplitter::default();
    values.push(line, &mut each)?;
    values.finish(each)
}

#[cfg(test)]
mod tests;
