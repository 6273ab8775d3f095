//! The keys by which anybody can check who signed a receipt.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use cloud::{PublicKey, ReceiptSigner};
use serde::Serialize;
use tokio::sync::OnceCell;
use web::{Problem, Public};

use crate::app::App;

/// A set of keys, as a JWK Set (RFC 7517, section 5).
#[derive(Debug, Serialize)]
struct Keys<'a> {
    keys: [&'a PublicKey; 1],
}

/// The key of receipts. KMS is asked for its public half once, since anybody may ask us.
#[derive(Debug)]
pub(crate) struct ReceiptKeys {
    signer: Option<ReceiptSigner>,
    key: OnceCell<PublicKey>,
}

impl ReceiptKeys {
    /// Returns the public half of the key of `signer`.
    pub(crate) fn new(signer: Option<ReceiptSigner>) -> Self {
        Self { signer, key: OnceCell::new() }
    }
}

/// `GET /v1/receipt-keys`: the keys that receipts are signed with.
pub(crate) async fn list(public: Public<App>) -> Result<Response, Problem> {
    let ReceiptKeys { signer, key } = &public.receipt_keys;
    let Some(signer) = signer else {
        let detail = "Receipts are not signed here: the operator switched it off by SignReceipts.";
        return Err(Problem::not_found("receipts_not_signed", detail));
    };
    let key = key.get_or_try_init(|| signer.public_key()).await?;
    let head = [(header::CACHE_CONTROL, "public, max-age=3600")];
    Ok((head, Json(Keys { keys: [key] })).into_response())
}
