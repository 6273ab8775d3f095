//! What becomes of a message of a queue after an attempt at what it asks for.

/// How soon a message comes back whose handling failed for the first time, in seconds; each time after
/// that, twice as late.
const FIRST_PAUSE: i32 = 5;
/// How late it comes back at most, in seconds.
const MAX_PAUSE: i32 = 900;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not needed any more.
    Done,
    /// It has to come back.
    ComeBack {
        /// In how many seconds.
        seconds: i32,
        /// Why.
        reason: &'static str,
    },
}

/// Returns in how many seconds a message comes back whose handling failed after it was `received` so often.
pub fn retry_pause(received: u32) -> i32 {
    let doublings = received.saturating_sub(1).min(16);
    (FIRST_PAUSE << doublings).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_whose_handling_fails_comes_back_later_and_later_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<i32> = (1..=10).map(retry_pause).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!([retry_pause(0), retry_pause(u32::MAX)], [5, 900]);
    }
}
