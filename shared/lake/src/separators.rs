//! Characters at which some readers end a line and JSON does not (U+0085, U+2028, U+2029).
//!
//! In JSON text they can only stand inside of strings, where an escape means the same.

const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Tells whether one of them is in `json`.
pub(crate) fn has_separators(json: &str) -> bool {
    // Their first bytes in UTF-8, which are rare in most rows.
    memchr::memchr2(0xc2, 0xe2, json.as_bytes()).is_some() && json.contains(SEPARATORS)
}

/// Appends `json` with escapes in their place.
pub(crate) fn push_escaped(json: &str, out: &mut Vec<u8>) {
    let mut rest = json;
    while let Some(at) = rest.find(SEPARATORS) {
        let (before, after) = rest.split_at(at);
        out.extend(before.as_bytes());
        let mut after = after.chars();
        let separator = after.next().map_or(0, u32::from);
        out.extend(format!("\\u{separator:04x}").as_bytes());
        rest = after.as_str();
    }
    out.extend(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        #[test]
        fn the_same_is_said_on_one_line(text in "[a\u{85}\u{2028}\u{2029}ä日€\\\\\"\n]{0,20}") {
            let json = serde_json::to_string(&text).unwrap();
            let mut out = Vec::new();
            push_escaped(&json, &mut out);
            let out = String::from_utf8(out).unwrap();
            prop_assert!(!has_separators(&out));
            prop_assert_eq!(has_separators(&json), out != json);
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), Value::from(text));
        }
    }
}
