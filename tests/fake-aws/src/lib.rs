//! A server on this machine that answers calls of the AWS SDKs as a test wants: for faults, which the local
//! stack does not have on demand.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A call of an SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called, as `DynamoDB_20120810.GetItem`; of S3, method and URL, as `PUT /bucket/key?partNumber=1`.
    pub operation: String,
    /// What it is called with.
    pub body: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: String,
    body: String,
}

/// The server. It ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct FakeAws {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Call {
    /// Tells whether this is a call of `operation`, as `GetItem`.
    pub fn is(&self, operation: &str) -> bool {
        self.operation.rsplit('.').next() == Some(operation)
    }
}

impl Reply {
    /// A success.
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: String::new(), body: body.into() }
    }

    /// A failure of a service that speaks JSON.
    pub fn fault(status: u16, code: &str) -> Self {
        let body = format!("{{\"__type\":\"{code}\",\"message\":\"as the test wants\"}}");
        Self { status, headers: String::new(), body }
    }

    /// A failure of S3.
    pub fn s3_fault(status: u16, code: &str) -> Self {
        let body =
            format!("<Error><Code>{code}</Code><Message>as the test wants</Message></Error>");
        Self { status, headers: String::new(), body }
    }

    /// The same answer with a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { headers: format!("{}{name}: {value}\r\n", self.headers), ..self }
    }
}

impl FakeAws {
    /// Starts a server that answers each call by `answer`; a call that it gives no answer to never ends.
    pub async fn start(
        answer: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = Self { url, calls: Arc::default() };
        let (serving, answer) = (server.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, answer) = (serving.clone(), Arc::clone(&answer));
                tokio::spawn(async move { serving.serve(stream, &*answer).await });
            }
        });
        Ok(server)
    }

    /// Returns what clients that lead here are made from.
    pub async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .region(Region::from_static("us-east-1"))
            .endpoint_url(&self.url)
            .load()
            .await
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the calls there were so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the bodies of the calls of `operation` there were so far.
    pub fn bodies(&self, operation: &str) -> Vec<String> {
        let calls = self.calls().into_iter().filter(|call| call.is(operation));
        calls.map(|call| call.body).collect()
    }

    async fn serve(
        &self,
        mut stream: TcpStream,
        answer: &(impl Fn(&Call) -> Option<Reply> + Send + Sync),
    ) -> std::io::Result<()> {
        let call = read(&mut stream).await?;
        let reply = answer(&call);
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let Some(Reply { status, headers, body }) = reply else { std::future::pending().await };
        let head = format!(
            "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await
    }
}

/// Reads a request with a body of known length.
async fn read(stream: &mut TcpStream) -> std::io::Result<Call> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&bytes.drain(..end + 4).collect::<Vec<u8>>())
                .into_owned();
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let header = |wanted: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value).next()
    };
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let line = head.lines().next().unwrap_or_default();
    let called = line.rsplit_once(' ').map_or(line, |(called, _)| called);
    let operation = header("x-amz-target").unwrap_or(called).to_owned();
    Ok(Call { operation, body: String::from_utf8_lossy(&bytes).into_owned() })
}
