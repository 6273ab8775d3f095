//! Links to objects below `exports/` whose URL says more than S3 has to know.

use std::time::SystemTime;

use aws_sdk_s3::{config::http::HttpRequest, presigning::PresigningConfig};

use crate::{ArchiveBucket, Error, Link, LinkMethod, LinkUse, Result};

impl ArchiveBucket {
    /// Signs a link to `key` whose URL also has the parameters of `query`, which is encoded.
    ///
    /// They are part of what is signed; S3 ignores parameters that it does not know.
    pub async fn sign_with_query(&self, key: &str, use_of: LinkUse, query: &str) -> Result<Link> {
        let LinkUse { method, from, lifetime } = use_of;
        let config = PresigningConfig::builder().start_time(SystemTime::from(from));
        let config = config.expires_in(lifetime).build().map_err(Error::aws("sign link"))?;
        let url = match method {
            LinkMethod::Get => {
                let get = self.client.get_object().bucket(&self.name).key(key).customize();
                let get = get.mutate_request(with_query(query)).presigned(config).await;
                get.map_err(Error::aws("sign link"))?.uri().to_owned()
            }
            LinkMethod::Head => {
                let head = self.client.head_object().bucket(&self.name).key(key).customize();
                let head = head.mutate_request(with_query(query)).presigned(config).await;
                head.map_err(Error::aws("sign link"))?.uri().to_owned()
            }
        };
        Ok(Link { url, expires_at: use_of.ends_at() })
    }
}

/// Returns what adds parameters to a request before it is signed.
fn with_query(query: &str) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let query = query.to_owned();
    move |request| {
        let separator = if request.uri().contains('?') { '&' } else { '?' };
        let uri = format!("{}{separator}{query}", request.uri());
        // It stays a URI, since the query is encoded.
        _ = request.set_uri(uri);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_s3::{
        Client, Config,
        config::{BehaviorVersion, Credentials, Region},
    };

    use super::*;

    fn bucket() -> ArchiveBucket {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
            .build();
        ArchiveBucket::new(Client::from_conf(config), "exports".to_owned())
    }

    #[tokio::test]
    async fn a_link_carries_what_was_asked_for_and_signs_it() {
        let bucket = bucket();
        let from = "2026-03-01T00:00:00Z".parse().unwrap();
        let signed = async |method, query| {
            let use_of = LinkUse { method, from, lifetime: Duration::from_mins(5) };
            bucket.sign_with_query("a.zip", use_of, query).await.unwrap().url
        };
        let signature = |url: &str| url.split_once("X-Amz-Signature=").unwrap().1.to_owned();

        let hours = signed(LinkMethod::Get, "start=20260301T00&end=20260301T05").await;
        let other_hours = signed(LinkMethod::Get, "start=20260301T00&end=20260301T06").await;
        let head = signed(LinkMethod::Head, "start=20260301T00&end=20260301T05").await;

        assert!(hours.contains("start=20260301T00&end=20260301T05&"), "{hours}");
        assert!(head.contains("start=20260301T00&end=20260301T05&"), "{head}");
        assert_ne!(signature(&hours), signature(&other_hours));
        assert_ne!(signature(&hours), signature(&head), "a link is for its method");
    }
}
