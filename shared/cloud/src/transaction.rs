//! Writes of DynamoDB that are done together or not at all.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client, operation::transact_write_items::TransactWriteItemsError, types::TransactWriteItem,
};

use crate::{Error, Result, pause::Pauses};

/// How often a transaction is tried while others write to the same items.
const MAX_TRIES: u32 = 10;
/// How long these tries are apart.
const CONFLICT_PAUSES: Pauses =
    Pauses { first: Duration::from_millis(10), max: Duration::from_millis(200) };

/// What came of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// All is stored.
    Yes,
    /// A condition does not hold: somebody was faster.
    Refused,
    /// Another transaction was under way on the same items. Its outcome is not known yet.
    Conflict,
}

/// Does all of these writes or none. The SDK gives each call a token by which DynamoDB knows a call again whose answer
/// was lost, so that nothing is done twice.
pub(crate) async fn transact(
    client: &Client,
    action: &'static str,
    writes: Vec<TransactWriteItem>,
) -> Result<StoreOutcome> {
    let sent = client.transact_write_items().set_transact_items(Some(writes)).send().await;
    let Err(error) = sent else { return Ok(StoreOutcome::Yes) };
    let stored = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons();
            outcome(reasons.iter().filter_map(|reason| reason.code()))
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
            Some(StoreOutcome::Conflict)
        }
        _ => None,
    };
    stored.ok_or_else(|| Error::aws(action)(error))
}

/// Does all of these writes or none, and waits for others who write to the same items. Tells whether every condition
/// held.
pub(crate) async fn transact_in_turn(
    client: &Client,
    action: &'static str,
    writes: Vec<TransactWriteItem>,
) -> Result<bool> {
    for tries in 1..=MAX_TRIES {
        match transact(client, action, writes.clone()).await? {
            StoreOutcome::Yes => return Ok(true),
            StoreOutcome::Refused => return Ok(false),
            StoreOutcome::Conflict => CONFLICT_PAUSES.after(tries).await,
        }
    }
    Err(Error::Contended(action))
}

/// What the reasons of a cancelled transaction say. `None` if it could not be tried, as when it was throttled.
fn outcome<'a>(reasons: impl IntoIterator<Item = &'a str>) -> Option<StoreOutcome> {
    let mut found = None;
    for reason in reasons {
        match reason {
            "None" => {}
            "ConditionalCheckFailed" => found = found.or(Some(StoreOutcome::Refused)),
            "TransactionConflict" => found = Some(StoreOutcome::Conflict),
            _ => return None,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_of_transactions_is_not_a_refusal() {
        let of = |reasons: [&'static str; 3]| outcome(reasons);
        assert_eq!(of(["None", "ConditionalCheckFailed", "None"]), Some(StoreOutcome::Refused));
        assert_eq!(of(["None", "None", "TransactionConflict"]), Some(StoreOutcome::Conflict));
        let both = ["ConditionalCheckFailed", "None", "TransactionConflict"];
        assert_eq!(of(both), Some(StoreOutcome::Conflict), "the other may yet fail");
        assert_eq!(of(["None", "ThrottlingError", "ConditionalCheckFailed"]), None);
        assert_eq!(of(["None"; 3]), None);
    }
}
