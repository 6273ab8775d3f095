//! Randomness, as a value.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use export::ExportId;
use jiff::Timestamp;
use uuid::{Builder, Uuid};

/// Draws random bytes. Clones draw from the same source.
#[derive(Clone, Debug)]
pub struct Random(Option<Arc<Mutex<fastrand::Rng>>>);

impl Random {
    /// Returns the source of the operating system, which is fit for secrets.
    pub fn system() -> Self {
        Self(None)
    }

    /// Returns a source that gives the same bytes for the same seed. For tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)))))
    }

    /// Draws bytes. Fails if the operating system has none.
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked")]
    pub fn bytes<const N: usize>(&self) -> anyhow::Result<[u8; N]> {
        let mut bytes = [0; N];
        match &self.0 {
            Some(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes),
            None => getrandom::fill(&mut bytes).context("draw random bytes")?,
        }
        Ok(bytes)
    }

    /// Draws a number from 0 to 1, for pauses: 0.5 if the operating system has no random bytes.
    pub fn fraction(&self) -> f64 {
        self.bytes().map_or(0.5, |bytes: [u8; 4]| {
            f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
        })
    }

    /// Draws an id that sorts by when it was made (UUID version 7).
    pub fn uuid(&self, now: Timestamp) -> anyhow::Result<Uuid> {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Ok(Builder::from_unix_timestamp_millis(millis, &self.bytes()?).into_uuid())
    }

    /// Draws an id for an export that is made at `now`.
    pub fn export_id(&self, now: Timestamp) -> anyhow::Result<ExportId> {
        Ok(ExportId::new(now, self.bytes()?))
    }
}
