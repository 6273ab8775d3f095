//! The operator's OpenID provider: where its keys are (OpenID Connect Discovery 1.0), and the keys.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    DecodingKey,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;

/// How long keys are used without asking for them again.
const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// How long keys are used while the provider does not answer.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
/// The provider is asked once in so long at most, whatever tokens name keys that are not known.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// How long an answer of the provider may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 256 << 10;
/// The most keys.
const MAX_KEYS: usize = 100;

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    issuer: String,
    client: Client,
    cache: Mutex<Cache>,
}

/// What is known of its keys.
#[derive(Debug, Default)]
struct Cache {
    keys: Vec<Jwk>,
    /// When they were read.
    read_at: Option<Timestamp>,
    /// When they were asked for last, with or without an answer.
    asked_at: Option<Timestamp>,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The provider has none of this id.
    Unknown,
    /// The provider does not answer.
    Unavailable,
}

/// The part of a provider's description that is used.
#[derive(Debug, Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// Returns the provider with this issuer, an `https` URL; `http` is for providers on this machine.
    pub(crate) fn new(issuer: String) -> anyhow::Result<Self> {
        check(&issuer).context("read the issuer of sign-in")?;
        let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT);
        let client = client.build().context("make a client of the provider")?;
        Ok(Self { issuer, client, cache: Mutex::default() })
    }

    /// Returns the issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the key with this id, or the only key if a token names none.
    pub(crate) async fn key(&self, id: Option<&str>, now: Timestamp) -> Result<DecodingKey, NoKey> {
        self.known_key(id, now, false).await
    }

    /// Returns the key of a token that names none and that the key from before did not sign: there may be another one by
    /// now. `None` if the provider was asked so short a time ago that there is none.
    pub(crate) async fn newer_key(&self, now: Timestamp) -> Option<DecodingKey> {
        if !self.cache.lock().await.may_ask(now) {
            return None;
        }
        self.known_key(None, now, true).await.ok()
    }

    async fn known_key(
        &self,
        id: Option<&str>,
        now: Timestamp,
        again: bool,
    ) -> Result<DecodingKey, NoKey> {
        let mut cache = self.cache.lock().await;
        let is_unknown = again || cache.find(id).is_none();
        if cache.is_stale(now) || (is_unknown && cache.may_ask(now)) {
            cache.asked_at = Some(now);
            match self.read_keys().await {
                Ok(keys) => (cache.keys, cache.read_at) = (keys, Some(now)),
                Err(error) => warn!("failed to {error:#}"),
            }
        }
        if cache.read_at.is_none_or(|at| now.duration_since(at) > MAX_AGE) {
            return Err(NoKey::Unavailable);
        }
        let key = cache.find(id).ok_or(NoKey::Unknown)?;
        DecodingKey::from_jwk(key).map_err(|_| NoKey::Unknown)
    }

    async fn read_keys(&self) -> anyhow::Result<Vec<Jwk>> {
        let issuer = self.issuer.trim_end_matches('/');
        let description: Description =
            self.read(&format!("{issuer}/.well-known/openid-configuration")).await?;
        let said = description.issuer.trim_end_matches('/');
        ensure!(said == issuer, "trust the provider: it says that it is {said}, not {issuer}");
        check(&description.jwks_uri).context("read where the provider's keys are")?;
        let set: JwkSet = self.read(&description.jwks_uri).await?;
        ensure!(set.keys.len() <= MAX_KEYS, "read the provider's keys: more than {MAX_KEYS}");
        Ok(set.keys)
    }

    async fn read<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let ask = || format!("ask the provider at {url}");
        let answer = self.client.get(url).send().await.with_context(ask)?;
        let mut answer = answer.error_for_status().with_context(ask)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(ask)? {
            let room = MAX_ANSWER_BYTES - bytes.len();
            ensure!(chunk.len() <= room, "ask the provider at {url}: it answers too much");
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).with_context(ask)
    }
}

impl Cache {
    fn is_stale(&self, now: Timestamp) -> bool {
        let is_old = self.read_at.is_none_or(|at| now.duration_since(at) > FRESH);
        is_old && self.may_ask(now)
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked_at.is_none_or(|at| now.duration_since(at) >= PAUSE)
    }

    fn find(&self, id: Option<&str>) -> Option<&Jwk> {
        let signs =
            |key: &&Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        let mut keys = self.keys.iter().filter(signs);
        match id {
            Some(id) => keys.find(|key| key.common.key_id.as_deref() == Some(id)),
            None => keys.next().filter(|_| keys.next().is_none()),
        }
    }
}

/// Refuses a URL over which others could answer.
fn check(url: &str) -> anyhow::Result<()> {
    let url = Url::parse(url)?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    ensure!(
        url.scheme() == "https" || (url.scheme() == "http" && is_here),
        "{url} is no https URL"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use fake_aws::{FakeAws, Reply};
    use serde_json::json;

    use super::*;

    fn cache(keys: &serde_json::Value) -> Cache {
        let set: JwkSet = serde_json::from_value(json!({ "keys": keys })).unwrap();
        Cache { keys: set.keys, ..Cache::default() }
    }

    #[test]
    fn a_key_is_found_by_its_id_and_without_one_only_if_there_is_no_other() {
        let rsa = |id: &str, used: &str| json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": id, "use": used });
        let one = cache(&json!([rsa("a", "sig"), rsa("b", "enc")]));
        assert!(one.find(Some("a")).is_some());
        assert!(one.find(Some("b")).is_none(), "it encrypts");
        assert!(one.find(None).is_some());
        let two = cache(&json!([rsa("a", "sig"), rsa("b", "sig")]));
        assert!(two.find(None).is_none());
        assert!(two.find(Some("c")).is_none());
    }

    #[test]
    fn the_provider_is_asked_every_half_a_minute_at_most_and_every_quarter_of_an_hour_at_least() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut cache = Cache::default();
        assert!(cache.is_stale(at(0)));
        cache.asked_at = Some(at(0));
        assert!(!cache.is_stale(at(29)), "it did not answer");
        assert!(cache.is_stale(at(30)));
        cache.read_at = Some(at(0));
        assert!(!cache.is_stale(at(900)));
        assert!(cache.is_stale(at(901)));
        assert!(!cache.may_ask(at(29)));
        assert!(cache.may_ask(at(30)));
    }

    #[test]
    fn a_provider_is_asked_over_https_or_on_this_machine() {
        for sound in [
            "https://id.example.com",
            "http://127.0.0.1:9400",
            "http://localhost/x",
            "http://[::1]:1",
        ] {
            assert!(check(sound).is_ok(), "{sound}");
        }
        for wrong in [
            "http://id.example.com",
            "ftp://127.0.0.1",
            "id.example.com",
            "http://127.0.0.1.example.com",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    /// Whether a provider is read that has so many keys, and so many bytes more.
    async fn reads(keys: usize, more: usize) -> bool {
        let url = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
        let known = std::sync::Arc::clone(&url);
        let server = FakeAws::start(move |call| {
            let url = known.get()?;
            let key = |n| json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": format!("{n}") });
            let keys: Vec<_> = (0..keys).map(key).collect();
            let answer = if call.operation.ends_with("/keys") {
                json!({ "keys": keys, "padding": "x".repeat(more) })
            } else {
                json!({ "issuer": url, "jwks_uri": format!("{url}/keys") })
            };
            Some(Reply::ok(answer.to_string()))
        });
        let server = server.await.unwrap();
        url.set(server.url().to_owned()).unwrap();
        let provider = Provider::new(server.url().to_owned()).unwrap();
        provider.key(Some("0"), Timestamp::UNIX_EPOCH).await.is_ok()
    }

    #[tokio::test]
    async fn a_provider_that_answers_too_much_or_too_many_keys_is_not_read() {
        assert!(reads(100, 0).await);
        assert!(!reads(101, 0).await);
        assert!(reads(1, 200 << 10).await);
        assert!(!reads(1, 256 << 10).await);
    }

    #[tokio::test]
    async fn keys_are_used_for_a_day_while_the_provider_does_not_answer() {
        let read_at = Timestamp::UNIX_EPOCH;
        let keys = json!([{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a" }]);
        // Nobody listens there.
        let provider = Provider::new("http://127.0.0.1:9".to_owned()).unwrap();
        *provider.cache.lock().await = Cache { read_at: Some(read_at), ..cache(&keys) };
        assert!(provider.key(Some("a"), read_at + MAX_AGE).await.is_ok());
        let later = read_at + MAX_AGE + SignedDuration::from_secs(1);
        assert_eq!(provider.key(Some("a"), later).await.err(), Some(NoKey::Unavailable));
    }
}
