//! What can go wrong between us and AWS.

use std::error::Error as StdError;

use aws_sdk_dynamodb::{
    error::ErrorMetadata,
    types::error::{
        ProvisionedThroughputExceededException, RequestLimitExceeded, ThrottlingException,
    },
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use export::ExportId;

/// What AWS's services call a refusal because of a rate.
const BUSY: [&str; 10] = [
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
];

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

    /// Others kept writing to the same items.
    #[error("{0}: others kept writing to the same items")]
    Contended(&'static str),

    /// A source object is not there any more, or is not what it was.
    #[error("read source object {0}: it was changed or removed")]
    SourceChanged(String),

    /// There are more source objects than may be held.
    #[error("list source objects: there are too many")]
    TooManyObjects,

    /// A source object lies in a class of storage from which it has to be restored first.
    #[error("read source object {key}: it is archived ({reason})")]
    Archived {
        /// Its key.
        key: String,
        /// What S3 said.
        reason: String,
    },

    /// S3 refuses something, and will until an operator changes that.
    #[error("{action}: S3 refuses it ({reason})")]
    Denied {
        /// What was being done, as "put export" or "sign download".
        action: &'static str,
        /// The source object, if it is about one.
        key: Option<String>,
        /// What S3 said.
        reason: String,
    },

    /// Something is there already, and it is not to be written again.
    #[error("write object {0}: it is there already")]
    Exists(String),

    /// Something else is being written to the same place at the same moment.
    #[error("write object {0}: another write of it is under way")]
    Conflict(String),

    /// An object would be larger than its parts can be.
    #[error("write object {0}: it has too many bytes")]
    TooLarge(String),

    /// A record is not as this version writes them: a newer one may have written it.
    #[error("decode an export, which another version may have written")]
    Unreadable(#[source] Box<dyn StdError + Send + Sync>),

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
    /// Whether the same call would probably succeed a moment later: AWS refused it because of its rate, or
    /// too many changed the same export.
    pub fn is_busy(&self) -> bool {
        let Self::Aws { source, .. } = self else {
            return matches!(self, Self::Stale(_) | Self::Contended(_));
        };
        let mut next: Option<&(dyn StdError + 'static)> = Some(source.as_ref());
        while let Some(error) = next {
            let code = error.downcast_ref::<ErrorMetadata>().and_then(ErrorMetadata::code);
            if code.is_some_and(|code| BUSY.contains(&code))
                || error.is::<ProvisionedThroughputExceededException>()
                || error.is::<RequestLimitExceeded>()
                || error.is::<ThrottlingException>()
            {
                return true;
            }
            next = error.source();
        }
        false
    }

    pub(crate) fn aws<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        move |source| Self::Aws { action, source: source.into() }
    }

    /// Tells what no retry mends from what it may mend.
    pub(crate) fn s3<E>(action: &'static str) -> impl FnOnce(SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        move |error| match denied(&error) {
            Some(reason) => Self::Denied { action, key: None, reason },
            None => Self::aws(action)(error),
        }
    }
}

/// The codes by which S3 says that an operator has to act: permissions, keys of KMS, buckets, regions.
const DENIALS: [&str; 13] = [
    "AccessDenied",
    "AccessDeniedException",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "KMS.DisabledException",
    "KMS.InvalidKeyUsageException",
    "KMS.InvalidStateException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
    "NoSuchBucket",
    "PermanentRedirect",
];
/// The codes by which S3 says that an object has to be restored before it can be read or copied.
const ARCHIVED: [&str; 2] = ["InvalidObjectState", "ObjectNotInActiveTierError"];
/// The longest reason that is repeated, in characters.
const MAX_REASON: usize = 500;

/// Says what happened to a source object that could not be read or copied.
pub(crate) fn of_source<E>(action: &'static str, key: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let key = key.to_owned();
    if let Some(reason) = denied(&error) {
        return Error::Denied { action, key: Some(key), reason };
    }
    match error.code() {
        Some("NoSuchKey" | "NotFound" | "PreconditionFailed") => Error::SourceChanged(key),
        Some(code) if ARCHIVED.contains(&code) => Error::Archived { key, reason: reason(&error) },
        // A HEAD has no body that could say more than the status.
        _ if status(&error) == Some(412) => Error::SourceChanged(key),
        _ => Error::aws(action)(error),
    }
}

/// Returns why S3 refuses something for good, if it does.
fn denied<E>(error: &SdkError<E>) -> Option<String>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    if error.raw_response().is_none() {
        return role_denied(error);
    }
    let denies = match error.code() {
        Some(code) => DENIALS.contains(&code),
        // A redirect without a body is one to another region.
        None => matches!(status(error), Some(301 | 403)),
    };
    denies.then(|| reason(error))
}

/// Returns why STS gives no credentials for a role, if a call was not made for want of them.
fn role_denied(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<AssumeRoleError>()
            && refused.code().is_some_and(|code| DENIALS.contains(&code))
        {
            let said = refused.message().unwrap_or_default();
            let reason = format!("STS gives no credentials for the role of the bucket: {said}");
            return Some(reason.chars().take(MAX_REASON).collect());
        }
        next = error.source();
    }
    None
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns the region of a bucket, where S3 says it.
fn region<E>(error: &SdkError<E>) -> Option<&str> {
    error.raw_response()?.headers().get("x-amz-bucket-region")
}

/// Returns what S3 said, in its own words.
fn reason<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    let said = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => format!("status {}", status(error).unwrap_or_default()),
    };
    let said: String = said.chars().take(MAX_REASON).collect();
    match (status(error), region(error)) {
        (Some(301 | 307 | 400), Some(region)) => format!("{said} Its bucket is in {region}."),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::{get_item::GetItemError, put_item::PutItemError};

    use super::*;

    #[test]
    fn what_was_refused_for_its_rate_is_worth_another_try() {
        let code = |code: &str| {
            let metadata = ErrorMetadata::builder().code(code).build();
            Error::aws("get export")(GetItemError::generic(metadata)).is_busy()
        };
        assert!(code("ThrottlingException") && code("SlowDown"));
        assert!(!code("AccessDeniedException"));
        let modeled = ProvisionedThroughputExceededException::builder().build();
        let error = PutItemError::ProvisionedThroughputExceededException(modeled);
        assert!(Error::aws("put export")(error).is_busy());
        assert!(!Error::TooManyObjects.is_busy());
    }
}
