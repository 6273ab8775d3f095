//! An AWS in memory behind the HTTP client of the SDKs: for tests of decisions without a stack, in which a
//! day passes at once and any call can fail.
//!
//! DynamoDB is an embedded engine. SQS, S3 and KMS know the few calls that such tests make, and answer 501 to
//! any other.

mod dynamodb;
mod kms;
mod s3;
mod sqs;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::{SharedTimeSource, SystemTimeSource},
};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpClient, SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use dynoxide::Database;

pub use crate::sqs::Message;
use crate::{s3::Objects, sqs::Queues};

/// The table of exports.
pub const EXPORT_TABLE: &str = "exports";
/// The table of tokens.
pub const TOKEN_TABLE: &str = "tokens";
/// The table of the audit trail.
pub const AUDIT_TABLE: &str = "audit";
/// The table of deliveries.
pub const DELIVERY_TABLE: &str = "deliveries";

/// An AWS in memory. Clones share what it stores.
#[derive(Clone)]
pub struct SimulatedAws(Arc<Shared>);

struct Shared {
    tables: Database,
    objects: Mutex<Objects>,
    queues: Mutex<Queues>,
    faults: Mutex<FaultOf>,
    calls: Mutex<Vec<Call>>,
}

/// Says what goes wrong with a call.
type FaultOf = Box<dyn FnMut(&Call) -> Fault + Send>;

/// A call of an SDK: each attempt is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called, as `GetItem`; of S3, the method and `/bucket/key`.
    pub operation: String,
    /// What it is called with.
    pub body: String,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The service fails and nothing is done.
    Refused,
    /// It is done, and its answer is lost.
    Unanswered,
    /// The service refuses it with this status and code, which no retry changes.
    Denied(u16, &'static str),
    /// There is never an answer.
    Hangs,
}

/// What a service answers.
pub(crate) struct Reply {
    status: u16,
    body: Vec<u8>,
    is_object: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), is_object: false }
    }

    /// Returns an object of S3, whose `ETag` does not change as objects here do not.
    pub(crate) fn object(content: &[u8]) -> Self {
        Self { is_object: true, ..Self::new(200, content) }
    }

    /// Returns an error as S3 says it.
    pub(crate) fn s3_error(status: u16, code: &str) -> Self {
        Self::new(
            status,
            format!("<Error><Code>{code}</Code><Message>as the test wants</Message></Error>"),
        )
    }

    /// Returns an error as services say it that speak JSON.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::new(status, format!("{{\"__type\":\"{code}\",\"message\":\"as the test wants\"}}"))
    }

    pub(crate) fn broken() -> Self {
        Self::error(500, "InternalServerError")
    }

    pub(crate) fn unknown() -> Self {
        Self::error(501, "NotImplemented")
    }
}

impl SimulatedAws {
    /// Returns an AWS with the tables of the template and nothing in them, in which no call fails.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            tables: dynamodb::tables(),
            objects: Mutex::default(),
            queues: Mutex::default(),
            faults: Mutex::new(Box::new(|_| Fault::None)),
            calls: Mutex::default(),
        }))
    }

    /// Lets calls go wrong as `fault` says of each attempt, from now on.
    pub fn set_faults(&self, fault: impl FnMut(&Call) -> Fault + Send + 'static) {
        *locked(&self.0.faults) = Box::new(fault);
    }

    /// Returns what clients of this AWS are made from. A failed call is made twice more.
    pub fn config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(SharedHttpClient::new(self.clone()))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "test", "test", None, None, "test",
            )))
            .region(Region::from_static("us-east-1"))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .request_checksum_calculation(
                aws_smithy_types::checksum_config::RequestChecksumCalculation::WhenRequired,
            )
            .build()
    }

    /// Returns the attempts of calls so far.
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.0.calls).clone()
    }

    /// Returns how many attempts there were to call `operation`.
    pub fn count(&self, operation: &str) -> usize {
        locked(&self.0.calls).iter().filter(|call| call.operation == operation).count()
    }

    /// Takes the messages out of a queue, in the order in which they were sent.
    pub fn take_messages(&self, queue_url: &str) -> Vec<Message> {
        locked(&self.0.queues).take(queue_url)
    }

    /// Stores an object.
    pub fn put_object(&self, bucket: &str, key: &str, content: impl Into<Vec<u8>>) {
        locked(&self.0.objects).put(bucket, key, content.into());
    }

    /// Returns the keys of the objects of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        locked(&self.0.objects).keys(bucket)
    }

    /// Reads an object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        locked(&self.0.objects).get(bucket, key).map(<[u8]>::to_vec)
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
        let range = request.headers().get("range").map(str::to_owned);
        let body = ByteStream::new(request.into_body()).collect().await;
        let body = body.map_err(|e| ConnectorError::io(e.into()))?.into_bytes();
        let address = s3::Address::of(&uri);
        let call = Call {
            operation: match &target {
                Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
                None => format!("{method} /{}/{}", address.bucket, address.key),
            },
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        locked(&self.0.calls).push(call.clone());
        let fault = locked(&self.0.faults)(&call);
        match fault {
            Fault::None | Fault::Unanswered => {}
            Fault::Refused => return response(Reply::broken()),
            Fault::Denied(status, code) if target.is_none() => {
                return response(Reply::s3_error(status, code));
            }
            Fault::Denied(status, code) => return response(Reply::error(status, code)),
            Fault::Hangs => std::future::pending().await,
        }
        let reply = match target.as_deref().and_then(|target| target.split_once('.')) {
            Some(("DynamoDB_20120810", operation)) => {
                dynamodb::call(&self.0.tables, operation, &call.body)
            }
            Some(("AmazonSQS", operation)) => locked(&self.0.queues).call(operation, &call.body),
            Some(("TrentService", operation)) => kms::call(operation, &call.body),
            Some(_) => Reply::unknown(),
            None => locked(&self.0.objects).call(&method, &address, range.as_deref(), &body),
        };
        if fault == Fault::Unanswered {
            return response(Reply::broken());
        }
        response(reply)
    }
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(reply.status);
    let status = status.map_err(|e| ConnectorError::other(e.into(), None))?;
    let length = reply.body.len();
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    response.headers_mut().insert("content-length", length.to_string());
    if reply.is_object {
        response.headers_mut().insert("etag", "\"etag\"");
    }
    Ok(response)
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for SimulatedAws {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpConnector for SimulatedAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        HttpConnectorFuture::new(async move { aws.answer(request).await })
    }
}

impl HttpClient for SimulatedAws {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl fmt::Debug for SimulatedAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedAws").finish_non_exhaustive()
    }
}
