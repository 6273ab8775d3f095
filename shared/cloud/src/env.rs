//! The environment, read once at cold start.

use std::{env, error::Error as StdError, fmt, str::FromStr};

/// A setting that is missing or cannot be read.
#[derive(Debug)]
pub struct SettingError {
    name: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Some(_) => write!(f, "read the setting {} from the environment", self.name),
            None => write!(
                f,
                "find the setting {} in the environment: it is missing or empty",
                self.name
            ),
        }
    }
}

impl StdError for SettingError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Reads a setting that must be there.
pub fn required<T>(name: &'static str) -> Result<T, SettingError>
where
    T: FromStr,
    T::Err: StdError + Send + Sync + 'static,
{
    optional(name)?.ok_or(SettingError { name, source: None })
}

/// Reads a setting that may be missing or empty.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn optional<T>(name: &'static str) -> Result<Option<T>, SettingError>
where
    T: FromStr,
    T::Err: StdError + Send + Sync + 'static,
{
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(e) => Err(SettingError { name, source: Some(Box::new(e)) }),
        },
        Err(env::VarError::NotPresent) => Ok(None),
        Err(e) => Err(SettingError { name, source: Some(Box::new(e)) }),
    }
}
