//! KMS: a seal that opens only with the encryption context that it was made with.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::Reply;

/// Answers a call.
pub(crate) fn call(operation: &str, body: &str) -> Reply {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let context = &request["EncryptionContext"];
    match operation {
        "Encrypt" => {
            let sealed = json!({ "context": context, "plaintext": request["Plaintext"] });
            let sealed = BASE64_STANDARD.encode(sealed.to_string());
            Reply::new(200, json!({ "CiphertextBlob": sealed, "KeyId": "k" }).to_string())
        }
        "Decrypt" => match opened(&request).filter(|sealed| sealed["context"] == *context) {
            Some(sealed) => {
                let answer = json!({ "Plaintext": sealed["plaintext"], "KeyId": "k" });
                Reply::new(200, answer.to_string())
            }
            None => Reply::new(400, "{\"__type\":\"InvalidCiphertextException\"}"),
        },
        _ => Reply::unknown(),
    }
}

fn opened(request: &Value) -> Option<Value> {
    let sealed = BASE64_STANDARD.decode(request["CiphertextBlob"].as_str()?).ok()?;
    serde_json::from_slice(&sealed).ok()
}
