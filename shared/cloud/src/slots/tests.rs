use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use jiff::SignedDuration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

const SLOTS: u32 = 24;
const UNTIL: Timestamp = Timestamp::UNIX_EPOCH;

/// A DynamoDB in which all slots are taken, by exports of these states; it keeps what it was asked for.
struct Busy {
    table: ExportTable,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn busy(status: impl Fn(u32) -> &'static str) -> Busy {
    let holders: Vec<ExportId> = (0..SLOTS).map(|_| ExportId::generate()).collect();
    let slot = |(slot, id): (u32, &ExportId)| {
        format!(r#"{{"slot":{{"N":"{slot}"}},"export":{{"S":"{id}"}},"ttl":{{"N":"0"}}}}"#)
    };
    let holder = |(slot, id): (u32, &ExportId)| {
        let status = status(slot);
        format!(r#"{{"sk":{{"S":"E#{id}"}},"state":{{"M":{{"status":{{"S":"{status}"}}}}}}}}"#)
    };
    let slots: Vec<String> = (0..).zip(&holders).map(slot).collect();
    let found: Vec<String> = (0..).zip(&holders).map(holder).collect();
    let slots = format!(r#"{{"Items":[{}]}}"#, slots.join(","));
    let found = format!(r#"{{"Responses":{{"t":[{}]}}}}"#, found.join(","));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let operation = operation(&mut stream).await;
            let body = match operation.as_str() {
                "Query" => &slots,
                "BatchGetItem" => &found,
                _ => "{}",
            };
            seen.lock().unwrap().push(operation);
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
            let answer = format!("{head} {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
        .build();
    Busy { table: ExportTable::new(Client::from_conf(config), "t".to_owned()), asked }
}

/// Reads a request and returns what it asks for.
async fn operation(stream: &mut TcpStream) -> String {
    let mut request = String::new();
    loop {
        let mut chunk = [0; 4096];
        let len = stream.read(&mut chunk).await.unwrap();
        request += &String::from_utf8_lossy(&chunk[..len]).to_ascii_lowercase();
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let value = |name: &str| head.split_once(name)?.1.lines().next();
        let length: usize = value("content-length: ").map_or(0, |len| len.parse().unwrap());
        if body.len() >= length {
            let target = value("x-amz-target: dynamodb_20120810.").unwrap();
            let names = ["Query", "BatchGetItem", "PutItem", "GetItem"];
            let name = names.into_iter().find(|name| name.eq_ignore_ascii_case(target));
            return name.unwrap().to_owned();
        }
    }
}

async fn take(busy: &Busy) -> bool {
    let until = UNTIL + SignedDuration::from_hours(1);
    let (acme, id) = ("acme".parse().unwrap(), ExportId::generate());
    busy.table.take_slot(&acme, "day", SLOTS, id, until).await.unwrap()
}

#[tokio::test]
async fn whoever_finds_all_slots_taken_asks_twice_however_many_they_are() {
    let busy = busy(|_| "succeeded").await;
    assert!(!take(&busy).await);
    assert_eq!(*busy.asked.lock().unwrap(), ["Query", "BatchGetItem"]);
}

#[tokio::test]
async fn the_slot_of_an_export_that_failed_is_taken_again() {
    let busy = busy(|slot| if slot == 17 { "failed" } else { "running" }).await;
    assert!(take(&busy).await);
    assert_eq!(*busy.asked.lock().unwrap(), ["Query", "BatchGetItem", "PutItem"]);
}

#[test]
fn a_links_key_does_not_have_its_secret() {
    let secret = "6d1aeb86-6a02-4d3c-b3a3-5d1d3ac5a9be";
    let key = link_key(secret);
    assert_eq!(key, link_key(secret));
    assert!(!key.contains("6d1aeb86") && key.len() == 2 + 64, "{key}");
}
