//! A server on this machine that answers as a test wants, a request a connection.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};

use crate::record_item::Item;

/// What came in and what is said to it.
#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Answers each request, as text, by the bytes that `answer` returns.
    pub(crate) fn new(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::with(move |stream, seen| {
            let request = read_request(stream);
            seen.lock().unwrap().push(request.clone());
            let _ = stream.write_all(&answer(&request));
            false
        })
    }

    /// Takes connections and says nothing.
    pub(crate) fn silent() -> Self {
        Self::with(|_, seen| {
            seen.lock().unwrap().push(String::new());
            true
        })
    }

    fn with(serve: impl Fn(&mut TcpStream, &Mutex<Vec<String>>) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if serve(&mut stream, &told) {
                    open.push(stream);
                }
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Returns the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns what makes clients ask this server.
    pub(crate) async fn aws(&self) -> aws_config::SdkConfig {
        let aws = crate::aws_config().await.into_builder().endpoint_url(self.url());
        let credentials = Credentials::new("test", "test", None, None, "test");
        aws.region(aws_config::Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// Returns a client of S3 that asks this server.
    pub(crate) async fn s3(&self) -> aws_sdk_s3::Client {
        let config = crate::clients::s3_config(&self.aws().await).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Returns a table of exports at this server.
    pub(crate) async fn exports(&self) -> crate::ExportTable {
        crate::ExportTable::new(crate::dynamodb_client(&self.aws().await), "t".to_owned())
    }
}

/// Returns an answer whose body is to have `len` bytes, and has these.
pub(crate) fn reply(status: &str, headers: &[(&str, &str)], len: usize, body: &[u8]) -> Vec<u8> {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {len}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Returns an error as S3 tells it.
pub(crate) fn refusal(status: &str, code: &str, message: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    reply(status, &[("Content-Type", "application/xml")], body.len(), body.as_bytes())
}

/// Returns an error as DynamoDB tells it where a condition does not hold, with the item that was found.
pub(crate) fn condition_failed(item: &serde_json::Value) -> Vec<u8> {
    let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let body = serde_json::json!({ "__type": code, "message": "no", "Item": item }).to_string();
    let headers = [("Content-Type", "application/x-amz-json-1.0")];
    reply("400 Bad Request", &headers, body.len(), body.as_bytes())
}

/// Returns an item as DynamoDB writes it.
pub(crate) fn json_of_item(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), json_of(value))).collect()
}

fn json_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(value) => json!({ "BOOL": value }),
        AttributeValue::Null(value) => json!({ "NULL": value }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(json_of).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": json_of_item(map) }),
        other => panic!("{other:?}"),
    }
}

/// Reads a request, head and body.
fn read_request(stream: &mut TcpStream) -> String {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8 * 1024]);
    let mut wanted = usize::MAX;
    while bytes.len() < wanted {
        match stream.read(&mut chunk).unwrap() {
            0 => break,
            len => bytes.extend_from_slice(&chunk[..len]),
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.filter(|_| wanted == usize::MAX) {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let len = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            wanted = end + 4 + len.map_or(0, |len| len.trim().parse::<usize>().unwrap());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
