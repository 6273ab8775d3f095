//! The text that a JSON value stands for.

use std::borrow::Cow;

/// What stands where a text has half of a surrogate pair, for which Unicode has no character.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// A text, and whether all of it is Unicode.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    /// The text, with U+FFFD in place of what is not Unicode.
    pub(crate) text: Cow<'a, str>,
    /// Whether nothing had to be replaced.
    pub(crate) is_unicode: bool,
}

impl<'a> Text<'a> {
    fn whole(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), is_unicode: true }
    }
}

/// Returns the text of a JSON value: what a string stands for, and the JSON of anything else. It is
/// borrowed where there are no escapes.
#[inline]
pub(crate) fn text_of(json: &str) -> Text<'_> {
    let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Text::whole(json);
    };
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Text::whole(inner),
        Some(_) => unescaped(inner),
    }
}

fn unescaped(inner: &str) -> Text<'static> {
    let (mut text, mut is_unicode) = (String::with_capacity(inner.len()), true);
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let (character, len) = character(&rest[at..]);
        is_unicode &= character.is_some();
        text.push(character.unwrap_or(REPLACEMENT));
        rest = rest.get(at + len..).unwrap_or_default();
    }
    text.push_str(rest);
    Text { text: Cow::Owned(text), is_unicode }
}

/// Returns what the escape at the beginning of `rest` stands for, and its length in bytes; `None` for
/// half of a surrogate pair.
fn character(rest: &str) -> (Option<char>, usize) {
    let simple = match rest.as_bytes().get(1) {
        Some(b'u') => return unicode(rest),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        // A quote, a backslash and a slash mean themselves.
        other => char::from(other.copied().unwrap_or(b'\\')),
    };
    (Some(simple), 2)
}

fn unicode(rest: &str) -> (Option<char>, usize) {
    let Some(first) = unit(rest) else { return (None, 6) };
    if let Some(character) = char::from_u32(first) {
        return (Some(character), 6);
    }
    let second = rest.get(6..).filter(|rest| rest.starts_with("\\u")).and_then(unit);
    match (first, second) {
        (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
            (char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)), 12)
        }
        _ => (None, 6),
    }
}

/// Reads the four digits of an escape.
fn unit(escape: &str) -> Option<u32> {
    u32::from_str_radix(escape.get(2..6)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_what_another_parser_reads(text in "[a-z\\\\\"/\u{0}\n\r\t\u{8}\u{c}ä日😀]{0,12}", escape in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if escape {
                let units = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04X}")).collect::<String>();
                json = format!("\"{}\"", text.chars().map(units).collect::<String>());
            }
            prop_assert_eq!(text_of(&json), Text { text: Cow::Borrowed(&text), is_unicode: true });
        }
    }

    #[test]
    fn half_of_a_pair_costs_no_more_than_itself() {
        for (json, text) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00b""#, "\u{fffd}b"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\u0041\n""#, "\u{fffd}A\n"),
        ] {
            assert_eq!(text_of(json), Text { text: text.into(), is_unicode: false }, "{json}");
        }
        assert_eq!(text_of("1.50").text, "1.50");
        assert_eq!(text_of("{\"a\":\"\\n\"}").text, "{\"a\":\"\\n\"}");
    }
}
