//! What every client of AWS has in common: how long a call may take, and how often it is tried. This is the
//! only place that says so.

use std::{error::Error as StdError, fmt::Debug, marker::PhantomData, time::Duration};

use aws_config::{
    BehaviorVersion, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError,
    },
};
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    orchestrator::OrchestratorError,
    retries::classifiers::{ClassifyRetry, RetryAction},
};

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one attempt of a call to DynamoDB, SQS, KMS or STS may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call to DynamoDB, SQS, KMS or STS may take with all of its attempts.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long S3 may take from the last byte of a request to the first byte of its answer.
const S3_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long S3 may take where it copies up to 512 MiB, or puts an object together.
const S3_COPY_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a body to or from S3 may stand still while somebody waits for it.
const S3_STALL: Duration = Duration::from_secs(20);
/// How often a call is made, the first time included.
const ATTEMPTS: u32 = 4;
/// How often builders and couriers make a call to S3, the first time included, over half a minute on average. An export
/// makes thousands of calls, and a single one that is given up ends the whole attempt.
const BULK_ATTEMPTS: u32 = 8;
/// What a client of S3 may spend on retries until calls succeed again. A retry costs 5, or more, of the SDK's 500, which
/// a moment of `SlowDown` would use up.
const RETRY_TOKENS: usize = 10_000;

/// Reads region, credentials and endpoint from the environment that Lambda sets. The limits are those of
/// small calls; for S3 there is [`s3_client`].
pub async fn aws_config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .load()
        .await
}

/// Returns a client of DynamoDB. A write that meets a transaction on the same item is made again, as if it were
/// throttled.
pub fn dynamodb_client(aws: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(aws)
        .retry_classifier(Conflicts::<PutItemError>::default())
        .retry_classifier(Conflicts::<UpdateItemError>::default())
        .retry_classifier(Conflicts::<DeleteItemError>::default());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Lets writes be made again that met a transaction on the same item.
#[derive(Debug)]
struct Conflicts<E>(PhantomData<E>);

impl<E> Default for Conflicts<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E> ClassifyRetry for Conflicts<E>
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(OrchestratorError::as_operation_error);
        match error.and_then(|error| error.downcast_ref::<E>()?.code()) {
            Some("TransactionConflictException") => RetryAction::transient_error(),
            Some(_) | None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "conflicts of transactions"
    }
}

/// Returns the settings for builders and couriers, which try S3 for longer than a function that answers HTTP can.
pub fn bulk_config(aws: &SdkConfig) -> SdkConfig {
    let retries = aws.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
    aws.to_builder().retry_config(retries.with_max_attempts(BULK_ATTEMPTS)).build()
}

/// Returns a client of S3. Objects are large, so no attempt is limited as a whole: neither an answer nor a
/// body may stand still.
pub fn s3_client(aws: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config(aws).build())
}

/// Returns what a client of S3 is made of.
pub(crate) fn s3_config(aws: &SdkConfig) -> aws_sdk_s3::config::Builder {
    let stalled = StalledStreamProtectionConfig::enabled().grace_period(S3_STALL).build();
    let tokens = TokenBucket::builder().capacity(RETRY_TOKENS).build();
    aws_sdk_s3::config::Builder::from(aws)
        .timeout_config(s3_timeouts(S3_ANSWER_TIMEOUT))
        .stalled_stream_protection(stalled)
        .retry_partition(RetryPartition::custom("s3").token_bucket(tokens).build())
}

/// Returns what is different about requests that S3 needs long for: it answers their headers at once, and their
/// bodies stand still until it is done.
pub(crate) fn s3_copies() -> aws_sdk_s3::config::Builder {
    let timeouts = s3_timeouts(S3_COPY_TIMEOUT).into_builder();
    aws_sdk_s3::config::Builder::new()
        .timeout_config(timeouts.operation_attempt_timeout(S3_COPY_TIMEOUT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

fn s3_timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(answer)
        .disable_operation_attempt_timeout()
        .disable_operation_timeout()
        .build()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{
            Mutex,
            atomic::{AtomicU32, Ordering},
        },
        time::Instant,
    };

    use super::*;
    use crate::{
        Slot,
        fake::{Fake, refusal, reply},
    };

    #[tokio::test]
    async fn a_table_that_never_answers_is_given_up_after_seconds() {
        let silent = Fake::silent();
        let table = silent.exports().await;
        let begun = Instant::now();

        let found = table
            .get(
                &"acme".parse().unwrap(),
                export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            )
            .await;

        assert!(matches!(found, Err(crate::Error::Aws { .. })), "{found:?}");
        assert!(begun.elapsed() < CALL_TIMEOUT + Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(silent.connections() > 1, "a call that hangs is made again");
    }

    #[tokio::test]
    async fn a_write_that_meets_a_transaction_on_the_same_item_is_made_again() {
        let tries = AtomicU32::new(0);
        let fake = Fake::new(move |_| {
            let body: &[u8] = match tries.fetch_add(1, Ordering::Relaxed) {
                0 => br#"{"__type":"com.amazon#TransactionConflictException","message":"no"}"#,
                _ => return reply("200 OK", &[], 2, b"{}"),
            };
            reply("400 Bad Request", &[], body.len(), body)
        });
        let id = export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]);
        let slot = Slot { number: 0, export: id, until: 1 };
        let taken = fake.exports().await.take_slot(&"acme".parse().unwrap(), "a", slot, None).await;
        assert!(taken.unwrap());
        assert_eq!(fake.requests().len(), 2);
    }

    /// Makes calls of S3 at once, each of which is refused so many times before it is answered. Returns whether all were
    /// answered in the end. Pauses between attempts are a thousandth of what they are.
    async fn all_answered(calls: usize, refused: usize) -> bool {
        let seen = Mutex::new(HashMap::<String, usize>::new());
        let fake = Fake::new(move |request| {
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let path = path.split('?').next().unwrap_or_default().to_owned();
            let mut seen = seen.lock().unwrap();
            let times = seen.entry(path).or_default();
            *times += 1;
            if *times <= refused {
                return refusal("503 Slow Down", "SlowDown", "Please reduce your request rate.");
            }
            reply("200 OK", &[("ETag", "\"e\"")], 0, b"")
        });
        let quick = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
        let aws = fake.aws().await.into_builder().retry_config(quick).build();
        let config = s3_config(&bulk_config(&aws)).force_path_style(true);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let heads = (0..calls).map(|n| client.head_object().bucket("b").key(format!("{n}")).send());
        futures_util::future::join_all(heads).await.iter().all(Result::is_ok)
    }

    #[tokio::test]
    async fn what_makes_files_calls_s3_eight_times_and_no_more() {
        assert!(all_answered(1, 7).await);
        assert!(!all_answered(1, 8).await);
    }

    #[tokio::test]
    async fn a_moment_in_which_s3_slows_down_every_call_is_waited_for() {
        assert!(all_answered(100, 6).await);
    }

    #[tokio::test]
    async fn a_large_object_may_take_longer_than_a_small_call() {
        let aws = aws_config().await;
        let (all, s3) = (aws.timeout_config().unwrap().clone(), s3_config(&aws).build());
        let s3 = s3.timeout_config().unwrap();

        assert_eq!(all.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
        assert_eq!((s3.operation_attempt_timeout(), s3.operation_timeout()), (None, None));
        assert_eq!(s3.read_timeout(), Some(S3_ANSWER_TIMEOUT));
    }

    #[test]
    fn a_copy_whose_answer_stands_still_is_waited_for_but_not_for_ever() {
        let copies = s3_copies().build();
        assert!(!copies.stalled_stream_protection().unwrap().is_enabled());
        let timeouts = copies.timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(S3_COPY_TIMEOUT));
    }
}
