//! Checks the span of time that a request names.

use serde_json::{Value, json};

use super::Check;
use crate::{Fault, Window, WindowError};

impl Check<'_> {
    pub(super) fn window(&mut self, value: Option<&Value>) -> Option<Window> {
        const FORM: &str = "A window is {\"from\": ..., \"to\": ...}, two RFC 3339 instants such as \
                            \"2026-03-01T00:00:00Z\"; from is inside, to is not.";
        let object = match value {
            Some(Value::Object(object)) => object,
            None => {
                self.faults.push(Fault::new("required", "/window", FORM));
                return None;
            }
            Some(other) => {
                self.faults.push(Fault::new("wrong_type", "/window", FORM).value(other));
                return None;
            }
        };
        self.faults.known_fields(object, "/window", &["from", "to"]);
        let from = self.faults.instant(object.get("from"), "/window/from");
        let to = self.faults.instant(object.get("to"), "/window/to");
        let (from, to) = (from?, to?);

        let fault = match Window::new(from, to) {
            Err(WindowError::Empty) => Fault::new(
                "window_empty",
                "/window",
                "The window is empty: it ends where it begins. The end is not inside, so move it on.",
            ),
            Err(WindowError::Reversed) => Fault::new(
                "window_reversed",
                "/window",
                "The window ends before it begins. Swap from and to.",
            ),
            Ok(_) if to > self.now => Fault::new(
                "window_in_future",
                "/window/to",
                "The window must not end in the future, where rows are still to come.",
            )
            .allowed(json!({ "latest": self.now.to_string() })),
            Ok(window) if window.length() > self.limits.longest_window() => Fault::new(
                "window_too_long",
                "/window",
                format!(
                    "A window is at most {} days long; this one has {:.1}. Ask for parts of it.",
                    self.limits.window_days,
                    window.length().as_secs_f64() / 86_400.0
                ),
            )
            .allowed(json!({ "days": self.limits.window_days })),
            Ok(window) => return Some(window),
        };
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        self.faults.push(if fault.pointer == "/window" {
            fault.texts([("from", text("from")), ("to", text("to"))])
        } else {
            fault.value(&Value::from(text("to")))
        });
        None
    }
}
