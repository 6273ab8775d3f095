//! Signatures after Standard Webhooks (standardwebhooks.com): HMAC-SHA256 of `id.timestamp.body`, one for
//! each secret in use.

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use export::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

/// Returns the value of the header `webhook-signature`.
pub(super) fn signatures(
    id: &str,
    at: Timestamp,
    body: &str,
    secrets: &[Secret],
) -> anyhow::Result<String> {
    let signed = format!("{id}.{}.{body}", at.as_second());
    let one = |secret: &Secret| {
        let text = secret.reveal();
        let key = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
        let key = key.context("read signing secret")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).context("use signing secret")?;
        mac.update(signed.as_bytes());
        Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    };
    Ok(secrets.iter().map(one).collect::<anyhow::Result<Vec<_>>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let one = signatures(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            r#"{"test": 2432232314}"#,
            std::slice::from_ref(&secret),
        );
        let want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(one.unwrap(), want);
        let two = signatures("a", at, "b", &[secret.clone(), secret]).unwrap();
        let (first, second) = two.split_once(' ').unwrap();
        assert_eq!(first, second);
    }
}
