//! Texts that no log may show.

use std::fmt;

use serde::Serializer;

/// A customer's secret as it was sent. `Debug` does not show it, and it cannot be stored as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns a secret with this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text. Call it only where the secret is used.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Writes the text, for the one field of an answer that may show it: such a field names this function.
    pub fn serialize_revealed<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_says_that_there_is_a_secret_and_not_which() {
        assert_eq!(format!("{:?}", Secret::new("s3cr3t".to_owned())), "Secret(..)");
    }
}
