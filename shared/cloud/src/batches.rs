//! Who is building which steps of an export.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | batch of steps that somebody builds, or did | `W#workspace` | `S#id of the export#first step` |

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use export::{BUILD_LEASE, Export};
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    record_item::{Item, RECORD_LIFETIME, number, pk, text},
};

/// What came of claiming a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours.
    Ours {
        /// How many builders took it before and neither finished it nor gave it back.
        deaths: u32,
        /// How many builders gave it back because of an error.
        failures: u32,
        /// What the lease is renewed by.
        holder: String,
    },
    /// Another builder holds it until then.
    Held(Timestamp),
}

impl ExportTable {
    /// Claims the steps of an export from `first` on for `holder`, whose name no other has, until the lease lapses. If the answer to an earlier try
    /// was lost, they are ours already.
    pub async fn claim_batch(
        &self,
        export: &Export,
        first: u32,
        holder: String,
        now: Timestamp,
    ) -> Result<Claim> {
        let (until, end) = (now + BUILD_LEASE, export.deadline + RECORD_LIFETIME);
        let claimed = self
            .update_item(pk(&export.workspace), sk(export, first))
            .update_expression(
                "SET #until = :until, #ttl = :ttl, holder = :holder ADD attempts :one",
            )
            .condition_expression("attribute_not_exists(pk) OR #until <= :now")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":ttl", number(end.as_second()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":holder", text(&holder))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match claimed {
            Ok(output) => Ok(ours(output.attributes.as_ref(), holder)),
            Err(SdkError::ServiceError(e)) => match e.into_err() {
                UpdateItemError::ConditionalCheckFailedException(held)
                    if is_held_by(held.item(), &holder) =>
                {
                    Ok(ours(held.item(), holder))
                }
                UpdateItemError::ConditionalCheckFailedException(held) => {
                    let until = held.item().and_then(|item| read(item, "until"));
                    let until = until.and_then(|ms| Timestamp::from_millisecond(ms).ok());
                    Ok(Claim::Held(until.unwrap_or(now + BUILD_LEASE)))
                }
                other => Err(Error::aws("claim batch")(other)),
            },
            Err(e) => Err(Error::aws("claim batch")(e)),
        }
    }

    /// Renews the lease of a batch. Tells whether it still is this holder's.
    pub async fn renew_batch(
        &self,
        export: &Export,
        first: u32,
        holder: &str,
        until: Timestamp,
    ) -> Result<bool> {
        let sent = self
            .update_item(pk(&export.workspace), sk(export, first))
            .update_expression("SET #until = :until")
            .condition_expression("holder = :holder")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":holder", text(holder))
            .send()
            .await;
        Ok(conditional("renew lease of batch", sent)?.is_some())
    }

    /// Gives back a batch at which an attempt ended with an error, and counts that: others may have it from
    /// `from` on. Returns false if it was no longer this holder's.
    pub async fn return_batch(
        &self,
        export: &Export,
        first: u32,
        holder: &str,
        from: Timestamp,
    ) -> Result<bool> {
        let sent = self
            .update_item(pk(&export.workspace), sk(export, first))
            // Without a holder, a try whose answer was lost does not count twice.
            .update_expression("SET #until = :from REMOVE holder ADD failures :one")
            .condition_expression("holder = :holder")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":from", number(from.as_millisecond()))
            .expression_attribute_values(":holder", text(holder))
            .expression_attribute_values(":one", number(1))
            .send()
            .await;
        Ok(conditional("return batch", sent)?.is_some())
    }
}

fn sk(export: &Export, first: u32) -> String {
    format!("S#{}#{first}", export.id)
}

fn read(item: &Item, name: &str) -> Option<i64> {
    item.get(name).map(AttributeValue::as_n)?.ok()?.parse().ok()
}

fn ours(item: Option<&Item>, holder: String) -> Claim {
    let count = |name: &str| item.and_then(|item| read(item, name)?.try_into().ok());
    let attempts: u32 = count("attempts").unwrap_or(1);
    let failures = count("failures").unwrap_or(0);
    // All but this attempt and those that were given back.
    Claim::Ours { deaths: attempts.saturating_sub(failures).saturating_sub(1), failures, holder }
}

fn is_held_by(item: Option<&Item>, holder: &str) -> bool {
    item.and_then(|item| item.get("holder")?.as_s().ok()).is_some_and(|held| held == holder)
}

#[cfg(test)]
mod tests {
    use export::{ExportId, ExportRequest, Format, TableSelection, Window};
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;
    use crate::fake::{Fake, condition_failed};

    #[tokio::test]
    async fn a_batch_whose_claim_got_no_answer_is_ours() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let window = Window::new(now, now + SignedDuration::from_hours(1)).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
        let workspace = "acme".parse().unwrap();
        let time_limit = SignedDuration::from_hours(24);
        let export = Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            workspace,
            request,
            now,
            time_limit,
        );
        for ours in [true, false] {
            let fake = Fake::new(move |request| {
                let body: Value = serde_json::from_str(request.lines().last().unwrap()).unwrap();
                let values = &body["ExpressionAttributeValues"];
                let holder = if ours { values[":holder"].clone() } else { json!({ "S": "other" }) };
                let attempts = json!({ "N": "2" });
                let item =
                    json!({ "holder": holder, "until": values[":until"], "attempts": attempts });
                condition_failed(&item)
            });

            let claim =
                fake.exports().await.claim_batch(&export, 0, "mine".to_owned(), now).await.unwrap();

            let claimed = matches!(claim, Claim::Ours { deaths: 1, failures: 0, .. });
            assert_eq!(claimed, ours, "{claim:?}");
        }
    }
}
