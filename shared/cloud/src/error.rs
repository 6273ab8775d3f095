//! What can go wrong between us and AWS.

use std::error::Error as StdError;

use export::ExportId;

/// The result of an operation on AWS.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation on AWS that did not happen.
///
/// A variant exists only where some caller does something different about it. Messages say what was
/// being done and leave the cause to `source`, so that a printed chain never says anything twice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Someone else changed the export first.
    #[error("advance export {0} from a version that is no longer current")]
    Stale(ExportId),

    /// A source object is not there any more, or is not what it was.
    #[error("read source object {0}: it was changed or removed")]
    SourceChanged(String),

    /// There are more source objects than may be held.
    #[error("list source objects: there are too many")]
    TooManyObjects,

    /// Something is there already, and it is not to be written again.
    #[error("write object {0}: it is there already")]
    Exists(String),

    /// Anything else, worth trying again.
    #[error("{action}")]
    Aws {
        /// What was being done, as "put export" or "sign download".
        action: &'static str,
        /// What the SDK said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn aws<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        move |source| Self::Aws { action, source: source.into() }
    }
}
