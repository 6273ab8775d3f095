//! Checks a token of the provider: who signed it, for whom it is, and whether it is still good.

use std::collections::HashSet;

use jiff::Timestamp;
use jsonwebtoken::{
    Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use serde_json::{Map, Value};

use crate::{
    fault::Fault,
    provider::{NoKey, Provider},
    signatures::ALGORITHMS,
};

/// How far clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 60;
/// The longest that a token may live, in seconds: so long it is remembered that it was exchanged.
const MAX_LIFETIME_SECONDS: i64 = 24 * 3600;

/// What a token says that was found good.
#[derive(Debug)]
pub(crate) struct Verified {
    /// All that it says.
    pub(crate) claims: Map<String, Value>,
    /// When it ends.
    pub(crate) ends_at: Timestamp,
}

/// Checks a token for these audiences.
pub(crate) async fn verify(
    token: &str,
    provider: &Provider,
    audiences: &HashSet<String>,
    now: Timestamp,
) -> Result<Verified, Fault> {
    let unreadable = "subject_token is no JWT that is signed by RS256, RS384, RS512, PS256, PS384, PS512, ES256 or ES384.";
    let header = decode_header(token).map_err(|_| Fault::grant(unreadable))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Fault::grant(unreadable));
    }
    let key = provider.key(header.kid.as_deref(), now).await.map_err(|no_key| match no_key {
        NoKey::Unknown => Fault::grant(
            "subject_token is signed by a key that your provider does not have, or not yet: sign in there again.",
        ),
        NoKey::Unavailable => Fault::unavailable(
            "Your provider does not answer for its keys. Wait some seconds and try again, or ask your operator.",
        ),
    })?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.required_spec_claims = ["exp", "iss", "aud", "sub"].map(str::to_owned).into();
    validation.aud = Some(audiences.clone());
    validation.iss = Some([provider.issuer().to_owned()].into());
    let mut read = decode::<Map<String, Value>>(token, &key, &validation);
    let is_unsigned = |error: &Error| matches!(error.kind(), ErrorKind::InvalidSignature);
    if header.kid.is_none()
        && read.as_ref().is_err_and(is_unsigned)
        && let Some(key) = provider.newer_key(now).await
    {
        read = decode(token, &key, &validation);
    }
    let claims = read.map_err(|error| refused(error.kind()))?.claims;
    let ends_at = lifetime(&claims, now)?;
    authorized_party(&claims, audiences)?;
    Ok(Verified { claims, ends_at })
}

fn refused(kind: &ErrorKind) -> Fault {
    Fault::grant(match kind {
        ErrorKind::ExpiredSignature => "subject_token has ended. Sign in at your provider again.",
        ErrorKind::ImmatureSignature => "subject_token is not good yet.",
        ErrorKind::InvalidAudience => {
            "subject_token is for somebody else: its aud is none of ours."
        }
        ErrorKind::InvalidIssuer => "subject_token is of another issuer.",
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => {
            "The signature of subject_token is not that of your provider."
        }
        _ => "subject_token cannot be read, or lacks exp, iss, aud or sub.",
    })
}

/// Returns when a token ends that was made in the past and lives no longer than is remembered.
fn lifetime(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Fault> {
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number that is too large becomes the largest"
    )]
    let seconds = |name: &str| number(name).map(|number| number as i64);
    let end = seconds("exp").and_then(|second| Timestamp::from_second(second).ok());
    let end = end.ok_or_else(|| Fault::grant("The exp of subject_token is no time."))?;
    if end.duration_since(now).as_secs() > MAX_LIFETIME_SECONDS {
        return Err(Fault::grant("subject_token lives longer than a day, and is not exchanged."));
    }
    let leeway = i64::try_from(LEEWAY_SECONDS).unwrap_or_default();
    if seconds("iat").is_some_and(|made| made.saturating_sub(leeway) > now.as_second()) {
        return Err(Fault::grant("subject_token was made in the future."));
    }
    Ok(end)
}

/// Refuses a token that was given to another client (OpenID Connect Core 1.0, section 3.1.3.7).
fn authorized_party(claims: &Map<String, Value>, audiences: &HashSet<String>) -> Result<(), Fault> {
    match claims.get("azp") {
        None => Ok(()),
        Some(Value::String(party)) if audiences.contains(party) => Ok(()),
        Some(_) => Err(Fault::grant("subject_token was given to another client: see its azp.")),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use fake_aws::{FakeAws, Reply};
    use ring::{
        hmac,
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
    };
    use serde_json::json;

    use super::*;
    use crate::signatures;

    /// A provider with one key.
    struct Scene {
        provider: Provider,
        key: EcdsaKeyPair,
        _server: FakeAws,
    }

    fn encode(value: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn key() -> EcdsaKeyPair {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
    }

    /// Signs a token.
    fn signed(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    impl Scene {
        async fn new() -> Self {
            signatures::install();
            let key = key();
            let coordinate =
                |at| BASE64_URL_SAFE_NO_PAD.encode(&key.public_key().as_ref()[at..at + 32]);
            let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": coordinate(1), "y": coordinate(33) });
            let keys = json!({ "keys": [jwk] }).to_string();
            // The server knows its URL once it runs.
            let url = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
            let known = std::sync::Arc::clone(&url);
            let server = FakeAws::start(move |call| {
                let url = known.get()?;
                let description = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
                let is_keys = call.operation.ends_with("/keys");
                Some(Reply::ok(if is_keys { keys.clone() } else { description.to_string() }))
            });
            let server = server.await.unwrap();
            url.set(server.url().to_owned()).unwrap();
            Self { provider: Provider::new(server.url().to_owned()).unwrap(), key, _server: server }
        }

        /// The claims of a token that is good, with these changes; null leaves a claim out.
        fn claims(&self, changes: &Value) -> Value {
            let now = now().as_second();
            let mut claims = json!({ "iss": self.provider.issuer(), "aud": "decant", "sub": "ada", "iat": now, "exp": now + 600 });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            claims
        }

        async fn told(&self, token: &str) -> Result<Verified, String> {
            let audiences = ["decant".to_owned(), "other".to_owned()].into();
            let verified = verify(token, &self.provider, &audiences, now()).await;
            verified.map_err(|fault| format!("{}: {}", fault.told().0, fault.told().1))
        }
    }

    /// The library reads the clock of the machine.
    #[expect(clippy::disallowed_methods, reason = "tokens are made for now")]
    fn now() -> Timestamp {
        Timestamp::now()
    }

    #[tokio::test]
    async fn a_token_is_good_for_one_of_our_audiences_until_it_ends() {
        let scene = Scene::new().await;
        for changes in [
            json!({}),
            json!({ "aud": ["x", "other"], "azp": "other" }),
            json!({ "exp": now().as_second() - 50 }),
            json!({ "nbf": now().as_second() + 50 }),
        ] {
            let claims = scene.claims(&changes);
            let token = signed(&scene.key, &json!({ "alg": "ES256", "kid": "one" }), &claims);
            let verified = scene.told(&token).await.unwrap();
            assert_eq!(verified.claims["sub"], "ada");
            assert_eq!(verified.ends_at.as_second(), claims["exp"].as_i64().unwrap());
        }
        let unnamed = signed(&scene.key, &json!({ "alg": "ES256" }), &scene.claims(&json!({})));
        assert!(scene.told(&unnamed).await.is_ok(), "there is no other key");
    }

    #[tokio::test]
    async fn a_token_that_is_not_for_us_or_not_good_is_refused_by_what_is_wrong_with_it() {
        let scene = Scene::new().await;
        let second = now().as_second();
        for (changes, told) in [
            (json!({ "exp": second - 70 }), "has ended"),
            (json!({ "nbf": second + 70 }), "not good yet"),
            (json!({ "iat": second + 70 }), "made in the future"),
            (json!({ "exp": second + 90_000 }), "longer than a day"),
            (json!({ "exp": "never" }), "lacks exp"),
            (json!({ "exp": null }), "lacks exp"),
            (json!({ "sub": null }), "lacks exp, iss, aud or sub"),
            (json!({ "aud": "another" }), "for somebody else"),
            (json!({ "aud": null }), "lacks exp, iss, aud or sub"),
            (json!({ "iss": "https://evil.example.com" }), "another issuer"),
            (json!({ "iss": null }), "lacks exp, iss, aud or sub"),
            (json!({ "azp": "another" }), "another client"),
            (json!({ "azp": 7 }), "another client"),
        ] {
            let token = signed(
                &scene.key,
                &json!({ "alg": "ES256", "kid": "one" }),
                &scene.claims(&changes),
            );
            let refused = scene.told(&token).await.unwrap_err();
            assert!(
                refused.starts_with("invalid_grant") && refused.contains(told),
                "{changes}: {refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_token_that_the_provider_did_not_sign_is_refused() {
        let scene = Scene::new().await;
        let claims = scene.claims(&json!({}));
        let header = json!({ "alg": "ES256", "kid": "one" });
        let good = signed(&scene.key, &header, &claims);
        let (rest, signature) = good.rsplit_once('.').unwrap();
        let (head, _) = rest.split_once('.').unwrap();
        let others = encode(&scene.claims(&json!({ "sub": "eve" })));
        let none = encode(&json!({ "alg": "none" }));
        let secret = scene.key.public_key().as_ref();
        let hmac_signed =
            format!("{}.{}", encode(&json!({ "alg": "HS256", "kid": "one" })), encode(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), hmac_signed.as_bytes());
        for (name, token) in [
            ("altered", format!("{head}.{others}.{signature}")),
            ("unsigned", format!("{none}.{}.", encode(&claims))),
            ("unsigned, with a signature", format!("{none}.{}.{signature}", encode(&claims))),
            (
                "signed by the public key",
                format!("{hmac_signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)),
            ),
            ("signed by another key", signed(&key(), &header, &claims)),
            (
                "signed by an unknown key",
                signed(&scene.key, &json!({ "alg": "ES256", "kid": "two" }), &claims),
            ),
            (
                "of another algorithm",
                signed(&scene.key, &json!({ "alg": "RS256", "kid": "one" }), &claims),
            ),
            (
                "of another curve",
                signed(&scene.key, &json!({ "alg": "ES384", "kid": "one" }), &claims),
            ),
            ("without a signature", rest.to_owned()),
            ("no token", "a.b.c".to_owned()),
        ] {
            let refused = scene.told(&token).await.unwrap_err();
            assert!(refused.starts_with("invalid_grant"), "{name}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_provider_that_does_not_answer_is_told_of() {
        let scene = Scene::new().await;
        let token =
            signed(&scene.key, &json!({ "alg": "ES256", "kid": "one" }), &scene.claims(&json!({})));
        let nobody = Provider::new("http://127.0.0.1:1".to_owned()).unwrap();
        let refused = verify(&token, &nobody, &HashSet::new(), now()).await.unwrap_err();
        assert_eq!(refused.told().0, "temporarily_unavailable");
    }
}
