//! SQS: messages that were sent, until a test takes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Reply;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: String,
    /// How many seconds after it was sent it arrives.
    pub delay_seconds: u64,
}

/// The messages of each queue, by its URL.
#[derive(Default)]
pub(crate) struct Queues(BTreeMap<String, Vec<Message>>);

impl Queues {
    /// Takes the messages out of a queue.
    pub(crate) fn take(&mut self, url: &str) -> Vec<Message> {
        self.0.remove(url).unwrap_or_default()
    }

    /// Answers a call.
    pub(crate) fn call(&mut self, operation: &str, body: &str) -> Reply {
        let request: Value = serde_json::from_str(body).unwrap_or_default();
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        match operation {
            "SendMessage" => {
                let delay_seconds = request["DelaySeconds"].as_u64().unwrap_or_default();
                let message = Message { body: text("MessageBody"), delay_seconds };
                self.0.entry(text("QueueUrl")).or_default().push(message);
                Reply::new(200, json!({ "MessageId": "m", "MD5OfMessageBody": "" }).to_string())
            }
            "ChangeMessageVisibility" => Reply::new(200, "{}"),
            _ => Reply::unknown(),
        }
    }
}
