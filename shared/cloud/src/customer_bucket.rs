//! A user's own bucket, opened with what they gave for it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Credentials, Region, SharedCredentialsProvider, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use export::{BucketCredentials, BucketName};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, pin_mut, stream};
use tokio::time::{Instant, error::Elapsed, timeout, timeout_at};

use crate::clients::s3_config;

/// Parts that are on their way at the same time.
const MAX_CONCURRENT_PARTS: usize = 4;
/// How often a request is made, at most.
const ATTEMPTS: u32 = 5;
/// How long it is tried to abort an upload.
const ABORT_WITHIN: Duration = Duration::from_secs(10);
/// What AWS says, with a status of the caller's fault, that has nothing to do with a credential or a bucket
/// and may be otherwise a moment later.
const PASSING: [&str; 8] = [
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
];

/// A user's bucket.
#[derive(Clone, Debug)]
pub struct CustomerBucket {
    client: Client,
    name: BucketName,
}

/// What AWS said to a user's credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// Whether the same would be said of any other file.
    pub of_all: bool,
    /// Its code and message.
    pub detail: String,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The user's side does not take it.
    #[error("write to the user's bucket")]
    Refused(#[from] Refused),
    /// What was to be written could not be read.
    #[error("read what is to be copied")]
    Source(#[from] crate::Error),
    /// There was not enough time.
    #[error("write to the user's bucket in time")]
    TooSlow,
}

impl From<Elapsed> for PutError {
    fn from(_: Elapsed) -> Self {
        Self::TooSlow
    }
}

impl CustomerBucket {
    /// Opens a bucket, wherever it is. A role is taken on with `external_id`, which its trust policy has
    /// to ask for.
    pub async fn open(
        aws: &SdkConfig,
        name: BucketName,
        opener: BucketCredentials,
        external_id: &str,
    ) -> Result<Self, Refused> {
        let credentials = match opener {
            BucketCredentials::Key { id, secret } => {
                Credentials::new(id, secret.reveal(), None, None, "customer")
            }
            BucketCredentials::Role { arn } => assume(aws, &arn, external_id).await?,
        };
        let client = |region: Option<String>| {
            let config = s3_config(aws)
                .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
                .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
                .region(region.map(Region::new).or_else(|| aws.region().cloned()));
            Client::from_conf(config.build())
        };
        // Whatever the answer is, it says where the bucket is: whoever may write need not be allowed this.
        let region = match client(None).head_bucket().bucket(name.to_string()).send().await {
            Ok(output) => output.bucket_region,
            Err(e) => {
                let region = e.raw_response().and_then(|r| r.headers().get("x-amz-bucket-region"));
                region.map(str::to_owned)
            }
        };
        Ok(Self { client: client(region), name })
    }

    /// Writes an object from its parts, all but the last of them of the size S3 wants. What is not written
    /// `within` a time is given up, with nothing of it left in the bucket.
    pub async fn put(
        &self,
        key: &str,
        kind: &str,
        parts: impl Stream<Item = crate::Result<Bytes>>,
        within: Duration,
    ) -> Result<(), PutError> {
        let ends = Instant::now() + within;
        pin_mut!(parts);
        let first = timeout_at(ends, parts.try_next()).await??.unwrap_or_default();
        let Some(second) = timeout_at(ends, parts.try_next()).await?? else {
            let put = self.client.put_object().bucket(self.name.to_string()).key(key);
            let put = put.content_type(kind).body(ByteStream::from(first)).send();
            return timeout_at(ends, put).await?.map(drop).map_err(|e| refused(&e).into());
        };
        // This is waited for in any case: an upload whose id is not known cannot be aborted.
        let create = self.client.create_multipart_upload().bucket(self.name.to_string()).key(key);
        let upload = create.content_type(kind).send().await.map_err(|e| refused(&e))?;
        let upload = upload.upload_id.unwrap_or_default();
        let all = stream::iter([Ok(first), Ok(second)]).chain(parts);
        let written = timeout_at(ends, self.write_parts(key, &upload, all)).await;
        let written = written.unwrap_or_else(|elapsed| Err(elapsed.into()));
        if written.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(self.name.to_string());
            // Best effort: a key that may only put leaves it to the bucket's lifecycle.
            let _ = timeout(ABORT_WITHIN, abort.key(key).upload_id(&upload).send()).await;
        }
        written
    }

    async fn write_parts(
        &self,
        key: &str,
        upload: &str,
        parts: impl Stream<Item = crate::Result<Bytes>>,
    ) -> Result<(), PutError> {
        let done: Vec<CompletedPart> = parts
            .zip(stream::iter(1..))
            .map(async |(part, number)| {
                let put = self.client.upload_part().bucket(self.name.to_string()).key(key);
                let put = put.upload_id(upload).part_number(number).body(ByteStream::from(part?));
                let output = put.send().await.map_err(|e| PutError::from(refused(&e)))?;
                let part = CompletedPart::builder().part_number(number);
                let part = part.set_e_tag(output.e_tag).set_checksum_crc32(output.checksum_crc32);
                Ok::<_, PutError>(part.build())
            })
            .buffered(MAX_CONCURRENT_PARTS)
            .try_collect()
            .await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
        let complete = self.client.complete_multipart_upload().bucket(self.name.to_string());
        let complete = complete.key(key).upload_id(upload).multipart_upload(parts).send();
        complete.await.map(drop).map_err(|e| refused(&e).into())
    }
}

async fn assume(aws: &SdkConfig, arn: &str, external_id: &str) -> Result<Credentials, Refused> {
    let assumed = aws_sdk_sts::Client::new(aws)
        .assume_role()
        .role_arn(arn)
        .role_session_name("decant")
        .external_id(external_id)
        .send()
        .await
        .map_err(|e| refused(&e))?;
    let nothing = || Refused { of_all: true, detail: "STS gave no credentials.".to_owned() };
    let given = assumed.credentials.ok_or_else(nothing)?;
    let (id, secret) = (given.access_key_id, given.secret_access_key);
    Ok(Credentials::new(id, secret, Some(given.session_token), None, "customer"))
}

/// Returns what AWS said. What is the user's to mend holds for every file; what is not, for one.
fn refused<E>(error: &SdkError<E>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let passes = matches!(status, 408 | 429) || error.code().is_some_and(|c| PASSING.contains(&c));
    let of_all = (300..500).contains(&status) && !passes;
    let detail = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ if status > 0 => format!("AWS answered with status {status}."),
        _ => format!("AWS could not be reached: {error}."),
    };
    Refused { of_all, detail }
}

#[cfg(test)]
mod tests {
    use export::Secret;
    use fake_aws::{Call, FakeAws, Reply};

    use super::*;

    async fn bucket(
        answer: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
    ) -> (FakeAws, CustomerBucket) {
        let aws = FakeAws::start(answer).await.unwrap();
        let opener =
            BucketCredentials::Key { id: "AKIA".into(), secret: Secret::new("secret".into()) };
        let name = "bucket".parse().unwrap();
        let bucket = CustomerBucket::open(&aws.config().await, name, opener, "decant-acme").await;
        (aws, bucket.unwrap())
    }

    fn pieces(count: usize) -> impl Stream<Item = crate::Result<Bytes>> {
        stream::iter((0..count).map(|_| Ok(Bytes::from_static(b"piece"))))
    }

    #[tokio::test]
    async fn an_upload_that_takes_too_long_is_aborted() {
        let (aws, bucket) = bucket(|call| {
            let begun = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
            // Parts are taken in and never answered.
            (!call.operation.contains("partNumber")).then(|| Reply::ok(begun))
        })
        .await;
        let put = bucket.put("key", "text/plain", pieces(3), Duration::from_secs(1)).await;
        assert!(matches!(put, Err(PutError::TooSlow)), "{put:?}");
        let calls = aws.calls();
        let aborted = |call: &Call| {
            call.operation.starts_with("DELETE") && call.operation.contains("uploadId=u1")
        };
        assert!(calls.iter().any(aborted), "{calls:?}");
    }

    #[tokio::test]
    async fn what_passes_is_no_fault_of_the_user_for_the_whole_copy() {
        for (status, code, of_all) in [
            (409, "OperationAborted", false),
            (400, "RequestTimeout", false),
            (403, "AccessDenied", true),
            (404, "NoSuchBucket", true),
        ] {
            let (_, bucket) = bucket(move |call| {
                let is_put = call.operation.starts_with("PUT");
                Some(if is_put { Reply::s3_fault(status, code) } else { Reply::ok("") })
            })
            .await;
            let put = bucket.put("key", "text/plain", pieces(1), Duration::from_secs(30)).await;
            let Err(PutError::Refused(refused)) = put else { panic!("{put:?}") };
            assert_eq!((refused.of_all, refused.detail.contains(code)), (of_all, true), "{code}");
        }
    }
}
