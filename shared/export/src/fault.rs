//! Faults of a request, told so that its sender can mend them.

use serde::Serialize;
use serde_json::Value;

/// The most faults that one answer lists.
pub const MAX_FAULTS: usize = 50;

/// The most characters of a value that an answer repeats.
const MAX_VALUE_CHARS: usize = 200;

/// The faults of a request: the first [`MAX_FAULTS`], and the number of all others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    listed: Vec<Fault>,
    more: usize,
}

/// One fault of a request, with all that is needed to mend it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// A stable name for programs, as `unknown_column`.
    pub code: &'static str,
    /// Its place: a JSON Pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong, why, and what to do.
    pub detail: String,
    /// The value that was sent, shortened if it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values that are allowed.
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

    /// Adds the value that was sent, shortened if it is long. Lists and objects are left out: they may be large, and
    /// may hold a secret.
    pub fn value(mut self, value: &Value) -> Self {
        self.value = match value {
            Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => Some(Value::String(shortened(text))),
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        };
        self
    }

    /// Adds texts that were sent, with their names.
    pub fn texts<const N: usize>(mut self, texts: [(&str, &str); N]) -> Self {
        let pair = |(name, text): (&str, &str)| (name.to_owned(), Value::String(shortened(text)));
        self.value = Some(Value::Object(texts.into_iter().map(pair).collect()));
        self
    }

    /// Adds the values that are allowed.
    pub fn allowed(mut self, allowed: impl Into<Value>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Adds the one of `names` that is closest to the text that was sent, if one is close.
    pub fn suggest<'a>(mut self, sent: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = closest(sent, names).map(str::to_owned);
        self
    }
}

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.push_with(|| fault);
    }

    /// Adds a fault, which is only made if there is room for it.
    pub fn push_with(&mut self, make: impl FnOnce() -> Fault) {
        if self.listed.len() < MAX_FAULTS {
            self.listed.push(make());
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Returns the faults that an answer lists.
    pub fn listed(&self) -> &[Fault] {
        &self.listed
    }

    /// Returns how many faults there are, listed or not.
    pub fn count(&self) -> usize {
        self.listed.len().saturating_add(self.more)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Returns a sentence about the faults.
    pub fn summary(&self) -> String {
        match (&self.listed[..], self.more) {
            ([only], _) => only.detail.clone(),
            (listed, 0) => format!("The request has {} faults; see errors.", listed.len()),
            (listed, more) => format!(
                "The request has {} faults; see errors for the first {}, and {more} more.",
                self.count(),
                listed.len()
            ),
        }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { listed: vec![fault], more: 0 }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the name with the fewest edits from `sent`, but no more edits than a third of its length.
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
        // A third of the name may differ, and one letter of a short one.
        assert_eq!(closest("chamelIt", names), Some("channelId"));
        assert_eq!(closest("chamulIt", names), None);
        assert_eq!(closest("citi", names), Some("city"));
        assert_eq!(closest("siti", names), None);
    }

    #[test]
    fn what_is_repeated_of_a_request_is_short() {
        let value = |value: Value| Fault::new("c", "", "").value(&value).value;
        assert_eq!(value(Value::from("ü".repeat(200))), Some(Value::from("ü".repeat(200))));
        let long = value(Value::from("ü".repeat(201))).unwrap();
        assert_eq!(long.as_str().unwrap().chars().count(), 201);
        assert_eq!(value(serde_json::json!({ "secret_access_key": "s3cr3t" })), None);
        assert_eq!(value(serde_json::json!(["s3cr3t"])), None);
    }

    #[test]
    fn faults_beyond_the_limit_are_counted_and_not_made() {
        let mut faults = Faults::default();
        for _ in 0..MAX_FAULTS {
            faults.push(Fault::new("c", "", "d"));
        }
        assert_eq!(faults.summary(), "The request has 50 faults; see errors.");
        faults.push_with(|| unreachable!("nobody is told of it"));
        assert_eq!((faults.listed().len(), faults.count()), (50, 51));
        assert!(faults.summary().ends_with("the first 50, and 1 more."), "{}", faults.summary());
    }
}
