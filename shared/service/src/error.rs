//! Why a use case has no result.

use export::QuotaExceeded;

/// Why a use case has no result. It is no [`std::error::Error`], so that an API cannot take a used up quota for a
/// fault of ours.
#[derive(Debug)]
pub enum Error {
    /// The workspace has used up a quota.
    QuotaExceeded(QuotaExceeded),
    /// Something broke on our side, mostly a store.
    Failed(anyhow::Error),
}

/// A result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl<E: Into<anyhow::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
