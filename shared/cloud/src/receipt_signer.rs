//! Signs receipts with a key of KMS, as detached JWS (RFC 7515, appendix F; RFC 7797).

use aws_config::SdkConfig;
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::{
    Error, Result,
    env::{self, SettingError},
};

/// What stands before the point in the DER of a public key on the curve P-256 (RFC 5480).
const P256_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// The length of a coordinate, and of each half of a signature, in bytes.
const SCALAR_BYTES: usize = 32;

/// An asymmetric key of KMS on the curve P-256.
#[derive(Clone, Debug)]
pub struct ReceiptSigner {
    client: Client,
    key: String,
}

/// A public key, as a JWK (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
    y: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    b64: bool,
    crit: [&'static str; 1],
}

impl ReceiptSigner {
    /// Returns the key with this ARN.
    pub fn new(client: Client, key: String) -> Self {
        Self { client, key }
    }

    /// Reads the setting that `template.yaml` gives the functions that sign or verify. `None` if receipts are not
    /// signed.
    pub fn from_env(aws: &SdkConfig) -> std::result::Result<Option<Self>, SettingError> {
        let key: Option<String> = env::optional("RECEIPT_KEY")?;
        Ok(key.map(|key| Self::new(Client::new(aws), key)))
    }

    /// Returns the id of the key: the last part of its ARN.
    fn id(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// Returns the encoded header of a signature. What is signed is the header, a dot, and the receipt.
    pub fn header(&self) -> Result<String> {
        let header = Header { alg: "ES256", kid: self.id(), b64: false, crit: ["b64"] };
        let header = serde_json::to_vec(&header).map_err(Error::aws("encode header"))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(header))
    }

    /// Returns the signature over the SHA-256 of what is signed: see [`Self::header`].
    pub async fn sign(&self, header: &str, sha256: [u8; 32]) -> Result<String> {
        let output = self
            .client
            .sign()
            .key_id(&self.key)
            .message(Blob::new(sha256))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(Error::aws("sign receipt"))?;
        let der = output.signature.unwrap_or_else(|| Blob::new([])).into_inner();
        let unknown = || Error::aws("read signature")("it is none of ECDSA");
        let signature = raw_signature(&der).ok_or_else(unknown)?;
        Ok(format!("{header}..{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the public key.
    pub async fn public_key(&self) -> Result<PublicKey> {
        let output = self.client.get_public_key().key_id(&self.key).send().await;
        let key = output.map_err(Error::aws("read public key"))?.public_key;
        let der = key.unwrap_or_else(|| Blob::new([])).into_inner();
        let unknown = || Error::aws("read public key")("it is none of P-256");
        let point = der.strip_prefix(&P256_PREFIX).ok_or_else(unknown)?;
        let (x, y) = point.split_at_checked(SCALAR_BYTES).ok_or_else(unknown)?;
        Ok(PublicKey {
            kty: "EC",
            crv: "P-256",
            r#use: "sig",
            alg: "ES256",
            kid: self.id().to_owned(),
            x: BASE64_URL_SAFE_NO_PAD.encode(x),
            y: BASE64_URL_SAFE_NO_PAD.encode(y),
        })
    }
}

/// Turns the DER that KMS answers, a sequence of two integers (RFC 3279, section 2.2.3), into two halves of fixed length
/// (RFC 7518, section 3.4).
fn raw_signature(der: &[u8]) -> Option<[u8; 2 * SCALAR_BYTES]> {
    let [0x30, len, rest @ ..] = der else { return None };
    let (r, rest) = integer(Some(rest).filter(|rest| rest.len() == usize::from(*len))?)?;
    let (s, []) = integer(rest)? else { return None };
    let mut raw = [0; 2 * SCALAR_BYTES];
    raw[SCALAR_BYTES - r.len()..SCALAR_BYTES].copy_from_slice(r);
    raw[2 * SCALAR_BYTES - s.len()..].copy_from_slice(s);
    Some(raw)
}

/// Returns the bytes of an integer of DER without leading zeros, and what follows it.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, len, rest @ ..] = der else { return None };
    let (mut value, rest) = rest.split_at_checked(usize::from(*len))?;
    while let [0, shorter @ ..] = value {
        value = shorter;
    }
    (value.len() <= SCALAR_BYTES).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Encodes an integer as DER does: without leading zeros, but for one where the first bit is set.
    fn der_integer(value: &[u8]) -> Vec<u8> {
        let begin = value.iter().position(|byte| *byte != 0).unwrap_or(value.len() - 1);
        let mut bytes = value[begin..].to_vec();
        if bytes[0] >= 0x80 {
            bytes.insert(0, 0);
        }
        [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
    }

    proptest! {
        #[test]
        fn the_halves_of_a_signature_have_a_fixed_length(
            mut raw in any::<[u8; 32]>().prop_map(|half| half.to_vec()),
            s in any::<[u8; 32]>(),
            zeros in 0_usize..32,
        ) {
            raw[..zeros].fill(0);
            let body = [der_integer(&raw), der_integer(&s)].concat();
            let der = [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat();
            raw.extend(s);
            prop_assert_eq!(raw_signature(&der).map(|found| found.to_vec()), Some(raw));
        }

        #[test]
        fn whatever_is_no_signature_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            // It must not panic; random bytes are hardly ever a signature.
            _ = raw_signature(&bytes);
            prop_assert_eq!(raw_signature(&[&bytes[..], &[1]].concat()[..bytes.len().min(5)]), None);
        }
    }
}
