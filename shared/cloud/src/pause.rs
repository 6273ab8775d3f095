//! Waiting before something is tried again.

use std::time::Duration;

/// How long tries are apart: doubling from the first, up to a bound, and never the same for two who wait for
/// the same thing.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// The longest pause after the first try.
    pub first: Duration,
    /// The longest pause after any try.
    pub max: Duration,
}

impl Pauses {
    /// Returns the longest pause after so many tries.
    fn longest(self, tries: u32) -> Duration {
        let doubled = 2_u32.checked_pow(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.max)
    }

    /// Waits after so many tries.
    pub async fn after(self, tries: u32) {
        tokio::time::sleep(self.longest(tries).mul_f64(fastrand::f64())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let pauses = Pauses { first: Duration::from_millis(10), max: Duration::from_millis(70) };
        let longest: Vec<u128> =
            [1, 2, 3, 4, 5, 1000].map(|tries| pauses.longest(tries).as_millis()).into();
        assert_eq!(longest, [10, 20, 40, 70, 70, 70]);
    }
}
