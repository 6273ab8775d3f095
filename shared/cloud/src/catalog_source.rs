//! The catalog as the bucket of the lake has it, looked at again for as long as a function is warm.

use std::{
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;
use export::{Catalog, CatalogError, sha256_hex};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use tracing::{error, info};

use crate::{Error, Lake, Result, env};

/// How long a catalog is taken for the current one before it is looked at again.
const CATALOG_AGE: SignedDuration = SignedDuration::from_secs(30);
/// How long it may take to look. Whoever needs the catalog goes on with the one at hand then.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest catalog, in bytes.
pub const MAX_CATALOG_BYTES: i64 = 4 << 20;

/// A catalog, and the lake with the buckets that it names.
#[derive(Clone, Debug)]
pub struct LoadedCatalog {
    /// The catalog.
    pub catalog: Catalog,
    /// The lake.
    pub lake: Lake,
    /// The TOML that it was read from.
    pub text: String,
    /// The SHA-256 of that, in hexadecimal.
    pub version: String,
}

impl Deref for LoadedCatalog {
    type Target = Catalog;

    fn deref(&self) -> &Catalog {
        &self.catalog
    }
}

/// Where the catalog is. Clones share what was loaded.
#[derive(Clone, Debug)]
pub struct CatalogSource {
    aws: SdkConfig,
    lake: Lake,
    /// Its key in the bucket of the lake; `None` for the one that ships with the code.
    key: Option<String>,
    /// What a function asks of a catalog beside that it can be read.
    check: fn(&Catalog) -> Result<(), CatalogError>,
    held: Arc<RwLock<Held>>,
}

#[derive(Debug)]
struct Held {
    loaded: Arc<LoadedCatalog>,
    /// What S3 calls the version.
    etag: Option<String>,
    looked_at: Timestamp,
}

impl CatalogSource {
    /// Loads the catalog that the settings of `template.yaml` name, or says what is wrong with it.
    pub async fn from_env(aws: &SdkConfig, now: Timestamp) -> Result<Self> {
        const SETTINGS: &str = "read the settings of the lake";
        let lake = Lake::from_env(aws).map_err(Error::aws(SETTINGS))?;
        let key = env::optional("CATALOG_KEY").map_err(Error::aws(SETTINGS))?;
        Self::load(aws, lake, key, now).await
    }

    /// Loads the catalog at `key` of the lake's bucket, or the one that ships with the code where there is no key.
    pub async fn load(
        aws: &SdkConfig,
        lake: Lake,
        key: Option<String>,
        now: Timestamp,
    ) -> Result<Self> {
        let (loaded, etag) = match &key {
            None => (
                LoadedCatalog::parse(aws, &lake, "catalog.toml", Catalog::BUILT_IN.to_owned())
                    .await?,
                None,
            ),
            Some(key) => {
                // Without an entity tag to compare with, it is always another one.
                let (text, etag) = fetch(&lake, key, None).await?.unwrap_or_default();
                (LoadedCatalog::parse(aws, &lake, key, text).await?, etag)
            }
        };
        let held = Held { loaded: Arc::new(loaded), etag, looked_at: now };
        let held = Arc::new(RwLock::new(held));
        Ok(Self { aws: aws.clone(), lake, key, check: |_| Ok(()), held })
    }

    /// Has every catalog checked before it is taken up: the one that is loaded, and each that it changes to. A dialect
    /// checks its own table so, which only it can read.
    pub fn checked_by(self, check: fn(&Catalog) -> Result<(), CatalogError>) -> Result<Self> {
        check(&self.loaded()).map_err(Error::aws("read catalog"))?;
        Ok(Self { check, ..self })
    }

    /// Returns what was loaded last.
    pub fn loaded(&self) -> Arc<LoadedCatalog> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).loaded)
    }

    /// Returns the catalog as it is now or was half a minute ago. Where it cannot be read, or not within two seconds, that
    /// is logged, and the one before stays.
    pub async fn current(&self, now: Timestamp) -> Arc<LoadedCatalog> {
        self.newer_than(now.saturating_sub(CATALOG_AGE).unwrap_or(Timestamp::MIN), now).await
    }

    /// Returns the catalog as it is now or was at some time after `since`, likewise.
    pub async fn newer_than(&self, since: Timestamp, now: Timestamp) -> Arc<LoadedCatalog> {
        let (etag, looked_at) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            (held.etag.clone(), held.looked_at)
        };
        let Some(key) = self.key.as_deref().filter(|_| looked_at <= since) else {
            return self.loaded();
        };
        let looked = timeout(LOOK_TIMEOUT, self.changed(key, etag.as_deref())).await;
        let looked = looked.map_err(Error::aws("look at the catalog in time")).flatten();
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.looked_at = now;
        let looked = looked.map(|found| {
            found.map(|(loaded, etag)| {
                // One that is wrong is not read again until it changes, so the log says once what is wrong with it.
                held.etag = etag;
                loaded
            })
        });
        let checked = |loaded: LoadedCatalog| match (self.check)(&loaded) {
            Ok(()) => Ok(loaded),
            Err(error) => Err(Error::aws("read catalog")(error)),
        };
        match looked.and_then(|found| found.map(|read| read.and_then(checked)).transpose()) {
            Ok(Some(loaded)) => {
                info!("took up the catalog {}", loaded.version);
                held.loaded = Arc::new(loaded);
            }
            Ok(None) => {}
            Err(error) => error!("failed to {:#}", anyhow::Error::new(error)),
        }
        Arc::clone(&held.loaded)
    }

    /// Reads the catalog if its entity tag is not `etag` any more. Returns what came of it, and its tag.
    async fn changed(
        &self,
        key: &str,
        etag: Option<&str>,
    ) -> Result<Option<(Result<LoadedCatalog>, Option<String>)>> {
        let Some((text, etag)) = fetch(&self.lake, key, etag).await? else { return Ok(None) };
        Ok(Some((LoadedCatalog::parse(&self.aws, &self.lake, key, text).await, etag)))
    }

    /// Returns an earlier version of the catalog by its text.
    pub async fn of_text(&self, text: String) -> Result<LoadedCatalog> {
        LoadedCatalog::parse(&self.aws, &self.lake, "the catalog of the export's plan", text).await
    }
}

impl LoadedCatalog {
    /// Reads a catalog and opens its buckets. `file` is what errors call it.
    pub async fn parse(aws: &SdkConfig, lake: &Lake, file: &str, text: String) -> Result<Self> {
        let catalog = Catalog::parse(file, &text).map_err(Error::aws("read catalog"))?;
        let lake = lake.clone().with_others(aws, catalog.buckets()).await;
        let version = sha256_hex(text.as_bytes());
        Ok(Self { catalog, lake, text, version })
    }
}

/// Fetches the text of a catalog and its entity tag; `None` if the tag is still `etag`.
async fn fetch(
    lake: &Lake,
    key: &str,
    etag: Option<&str>,
) -> Result<Option<(String, Option<String>)>> {
    let get = lake.get(key).set_if_none_match(etag.map(str::to_owned)).send().await;
    let output = match get {
        Ok(output) => output,
        Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 304 => return Ok(None),
        Err(e) => return Err(Error::s3("open catalog")(e)),
    };
    if output.content_length.is_none_or(|len| len > MAX_CATALOG_BYTES) {
        let reason = format!("a catalog has {MAX_CATALOG_BYTES} bytes at most");
        return Err(Error::aws("read catalog")(reason));
    }
    let bytes = output.body.collect().await.map_err(Error::aws("fetch catalog"))?;
    let text = String::from_utf8(bytes.to_vec()).map_err(Error::aws("read catalog"))?;
    Ok(Some((text, output.e_tag)))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Mutex};

    use super::*;
    use crate::fake::{Fake, reply};

    fn catalog(table: &str) -> String {
        format!(
            "[[dataset]]\nname = \"d\"\npath = \"{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/\"\ntime = \"t\"\n\
             [[table]]\nname = \"{table}\"\ndataset = \"d\"\ncolumns = [\"a\"]\n"
        )
    }

    #[tokio::test]
    async fn a_changed_catalog_is_taken_up_within_a_minute_and_a_bad_one_never() {
        let stored = Arc::new(Mutex::new((1, catalog("one"))));
        let bucket = Arc::clone(&stored);
        let fake = Fake::new(move |request| {
            let (number, text) = &*bucket.lock().unwrap();
            let etag = format!("\"{number}\"");
            if request.to_lowercase().contains(&format!("if-none-match: {etag}")) {
                return reply("304 Not Modified", &[], 0, b"");
            }
            reply("200 OK", &[("ETag", &etag)], text.len(), text.as_bytes())
        });
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        let lake = Lake::new(fake.s3().await, "lake".to_owned());
        let key = Some("catalog.toml".to_owned());
        let source = CatalogSource::load(&fake.aws().await, lake, key, start).await.unwrap();
        let check = |catalog: &Catalog| catalog.dialect::<HashMap<String, u8>>("diving").map(drop);
        let source = source.checked_by(check).unwrap();
        let has = async |table: &str, seconds| {
            source.current(after(seconds)).await.table(table).is_some()
        };
        assert!(has("one", 29).await);
        assert_eq!(fake.requests().len(), 1, "for half a minute nobody looks");
        assert!(has("one", 30).await && has("one", 31).await);
        assert_eq!(fake.requests().len(), 2, "it is the same still");

        *stored.lock().unwrap() = (2, catalog("two"));
        assert!(has("one", 59).await && has("two", 60).await && !has("one", 61).await);
        let of_dialect = format!("{}[dialect.diving]\ndepth = \"deep\"\n", catalog("deep"));
        for (number, bad, seconds) in [(3, "[[dataset]]", 90), (4, &*of_dialect, 120)] {
            *stored.lock().unwrap() = (number, bad.to_owned());
            assert!(has("two", seconds).await);
        }
        // A wrong one is not read again, and so not told again.
        let last = fake.requests().len();
        assert!(has("two", 150).await);
        assert!(fake.requests()[last].to_lowercase().contains("if-none-match: \"4\""));
        *stored.lock().unwrap() = (5, catalog("four"));
        assert!(has("four", 180).await);
        assert_eq!(source.loaded().version, sha256_hex(catalog("four").as_bytes()));
    }

    #[tokio::test]
    async fn a_bucket_that_does_not_answer_holds_nobody_up() {
        let silent = Fake::silent();
        let lake = Lake::new(silent.s3().await, "lake".to_owned());
        let aws = silent.aws().await;
        let start = Timestamp::UNIX_EPOCH;
        let source = CatalogSource::load(&aws, lake, None, start).await.unwrap();
        let source = CatalogSource { key: Some("catalog.toml".to_owned()), ..source };
        let soon = timeout(Duration::from_secs(5), source.newer_than(start, start)).await;
        assert!(soon.unwrap().table("amplitude_events").is_some());
    }

    #[tokio::test]
    async fn a_catalog_has_4_mib_and_no_more() {
        let most = usize::try_from(MAX_CATALOG_BYTES).unwrap();
        let of = |len: usize| {
            let text = catalog("t") + "# ";
            let rest = "x".repeat(len - text.len());
            text + &rest
        };
        for (len, fits) in [(most, true), (most + 1, false)] {
            let text = of(len);
            let fake = Fake::new(move |_| reply("200 OK", &[], text.len(), text.as_bytes()));
            let lake = Lake::new(fake.s3().await, "lake".to_owned());
            let key = Some("catalog.toml".to_owned());
            let loaded =
                CatalogSource::load(&fake.aws().await, lake, key, Timestamp::UNIX_EPOCH).await;
            assert_eq!(loaded.is_ok(), fits, "{len}");
        }
    }
}
