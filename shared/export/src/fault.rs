//! One thing that is wrong with a request.

use serde::Serialize;
use serde_json::Value;

/// One thing that is wrong with a request, told so that it can be mended without the manual.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// A stable name that a program can compare, as `unknown_column`.
    pub code: &'static str,
    /// Where it is: a JSON Pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong, why, and what to do.
    pub detail: String,
    /// What was sent, shortened where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What would have been accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Value>,
    /// The allowed value that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Fault {
    /// Returns a fault at `pointer` with a code and a sentence.
    pub fn new(code: &'static str, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            detail: detail.into(),
            value: None,
            allowed: None,
            suggestion: None,
        }
    }

    /// Adds what was sent. A value of more than 200 bytes is shortened.
    pub fn value(mut self, value: &Value) -> Self {
        const MOST: usize = 200;
        let text = value.to_string();
        self.value = Some(if text.len() <= MOST {
            value.clone()
        } else {
            Value::String(text.chars().take(MOST).chain(['…']).collect())
        });
        self
    }

    /// Adds what would have been accepted.
    pub fn allowed(mut self, allowed: impl Into<Value>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Adds the closest of `names` to what was sent, if one is close.
    pub fn suggest<'a>(mut self, sent: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = closest(sent, names).map(str::to_owned);
        self
    }
}

/// The name that differs from `sent` by the fewest edits, at most a third of its length.
pub(crate) fn closest<'a>(sent: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let sent: String = sent.chars().take(64).flat_map(char::to_lowercase).collect();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&sent, &name.to_lowercase()), name))
        .filter(|(edits, name)| *edits <= (name.chars().count() / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood_and_noise_is_not() {
        let names = ["canonicalUrl", "channelId", "city"];

        assert_eq!(closest("canonicalURl", names), Some("canonicalUrl"));
        assert_eq!(closest("chanelId", names), Some("channelId"));
        assert_eq!(closest("password", names), None);
    }
}
