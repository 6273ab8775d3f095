//! What must not be shown.

use std::fmt;

use serde::Serializer;

/// A customer's secret as it was sent. `Debug` does not show it, and it cannot be stored as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret that a text is.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for the only place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Writes the text where it is shown for the only time: for fields that name this function to serde.
    pub fn serialize_revealed<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
