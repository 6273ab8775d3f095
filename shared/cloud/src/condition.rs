//! What came of a write to DynamoDB that has a condition.

use std::error::Error as StdError;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::{Error, Result};

const NOT_HELD: &str = "ConditionalCheckFailedException";

/// Returns the answer to a write whose condition held; None if it did not hold. `action` says what was being
/// done, for the error if the write failed otherwise.
pub(crate) fn conditional<T, E>(
    action: &'static str,
    sent: Result<T, SdkError<E>>,
) -> Result<Option<T>>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match sent {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(NOT_HELD) => Ok(None),
        Err(error) => Err(Error::aws(action)(error)),
    }
}

#[cfg(test)]
mod tests {
    use export::ExportId;
    use jiff::Timestamp;
    use serde_json::json;

    use crate::{
        Slot,
        fake::{Fake, condition_failed, reply},
    };

    #[tokio::test]
    async fn a_condition_that_does_not_hold_is_no_error_and_any_other_refusal_is() {
        let workspace = "acme".parse().unwrap();
        let id = ExportId::new(Timestamp::UNIX_EPOCH, [7; 10]);
        let slot = Slot { number: 0, export: id, until: 1 };
        let put = async |answer: fn() -> Vec<u8>| {
            let exports = Fake::new(move |_| answer()).exports().await;
            exports.take_slot(&workspace, "a", slot, None).await
        };
        let stored = || reply("200 OK", &[], 2, b"{}");
        let denied = || {
            let body = br#"{"__type":"com.amazon#AccessDeniedException","message":"no"}"#;
            reply("400 Bad Request", &[], body.len(), body)
        };

        assert!(put(stored).await.unwrap());
        assert!(!put(|| condition_failed(&json!({}))).await.unwrap());
        let error = put(denied).await.unwrap_err();
        assert_eq!(error.to_string(), "take slot");
    }
}
