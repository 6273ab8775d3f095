//! Reading single fields of a JSON body, and telling what is wrong with them.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{Fault, Faults};

impl Faults {
    /// Adds a fault for each unknown field. The answer leaves its value out, since it may be a secret under
    /// a misspelt name.
    pub(super) fn known_fields(&mut self, object: &Map<String, Value>, at: &str, known: &[&str]) {
        let mut allowed = Some(known);
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.push_with(|| {
                let name = shorten(key);
                let detail =
                    format!("There is no field {name:?} here. Remove it or correct its name.");
                let at = format!("{at}/{}", escape(key));
                let fault = Fault::new("unknown_field", at, detail);
                allowed_once(fault.suggest(key, known.iter().copied()), &mut allowed)
            });
        }
    }

    /// Reads an instant that has to be there.
    pub(super) fn instant(&mut self, value: Option<&Value>, at: &str) -> Option<Timestamp> {
        const FORM: &str = "Give an RFC 3339 instant with an offset, as \"2026-03-01T00:00:00Z\".";
        let Some(value) = value else {
            self.push(Fault::new("required", at, FORM));
            return None;
        };
        let instant = value.as_str().and_then(|text| text.parse().ok());
        if instant.is_none() {
            self.push(Fault::new("not_an_instant", at, FORM).value(value));
        }
        instant
    }

    /// Reads an optional text of one to `most` characters, all of which are `allowed`.
    pub(super) fn text(
        &mut self,
        value: Option<&Value>,
        at: &str,
        most: usize,
        allowed: impl Fn(char) -> bool,
    ) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text))
                if !text.is_empty()
                    && text.chars().count() <= most
                    && text.chars().all(allowed) =>
            {
                Some(text.clone())
            }
            Some(other) => {
                let detail =
                    format!("This is text of 1 to {most} characters without control characters.");
                self.push(Fault::new("wrong_text", at, detail).value(other));
                None
            }
        }
    }
}

/// Whether a character is no control character.
pub(super) fn is_plain(c: char) -> bool {
    !c.is_control()
}

/// Adds the allowed names to the first of several faults that share them, to keep the answer short.
pub(super) fn allowed_once(fault: Fault, allowed: &mut Option<&[&str]>) -> Fault {
    match allowed.take() {
        Some(names) => fault.allowed(names),
        None => fault,
    }
}

/// Escapes a key for a JSON Pointer (RFC 6901, section 3).
pub(super) fn escape(key: &str) -> String {
    shorten(key).replace('~', "~0").replace('/', "~1")
}

/// The first 100 characters of a name, which is how much of it an answer repeats.
pub(super) fn shorten(name: &str) -> String {
    name.chars().take(100).collect()
}
