//! Waiting for something that a running stack does in its own time.

use std::time::{Duration, Instant};

/// How long a test waits for something to become true.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(2);

/// The pause between two looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Calls `look` until it returns a value, and returns that. Fails after two minutes.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(begun.elapsed() < TIMEOUT, "waited in vain for {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
