//! When a callback is posted again that its receiver did not take.

use jiff::{SignedDuration, Timestamp};

/// How long to wait after each post that was not taken, in seconds. After the last it is given up.
const WAITS: [i32; 8] = [5, 60, 300, 1800, 3600, 7200, 14_400, 28_800];

/// The longest that a receiver may ask for with `Retry-After`, in seconds: the longest wait there is.
const MAX_RETRY_AFTER: i32 = 28_800;

/// The longest that SQS delays a message, in seconds. Of a longer wait, the rest is spent hidden.
pub(super) const MAX_DELAY: i32 = 900;

/// The longest that a message is hidden at once, in seconds. SQS allows 12 hours from when it came.
pub(super) const MAX_HIDDEN: i32 = 42_000;

/// Returns how many seconds after its `post`th post, made `at`, a callback is posted again, if it is.
/// `asked` is what the receiver asks for; it is never posted earlier for that.
pub(super) fn next_wait(
    post: u32,
    asked: Option<i32>,
    at: Timestamp,
    until: Timestamp,
) -> Option<i32> {
    let index = usize::try_from(post).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(index)?;
    let wait = wait.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER));
    (at + SignedDuration::from_secs(wait.into()) <= until).then_some(wait)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    const DAY: SignedDuration = SignedDuration::from_hours(24);

    #[test]
    fn posts_are_rarer_and_rarer_and_end_with_the_archive() {
        assert_eq!(next_wait(1, None, AT, AT + DAY), Some(5));
        assert_eq!(next_wait(8, None, AT, AT + DAY), Some(28_800));
        assert_eq!(next_wait(9, None, AT, AT + DAY), None);
        assert_eq!(next_wait(8, None, AT + DAY - SignedDuration::from_hours(7), AT + DAY), None);
        assert!(i64::from(WAITS.iter().sum::<i32>()) < DAY.as_secs(), "all are made in time");
    }

    #[test]
    fn a_receiver_that_asks_for_time_is_given_it_up_to_eight_hours() {
        assert_eq!(next_wait(1, Some(120), AT, AT + DAY), Some(120));
        assert_eq!(next_wait(3, Some(120), AT, AT + DAY), Some(300));
        assert_eq!(next_wait(1, Some(i32::MAX), AT, AT + DAY), Some(28_800));
        assert_eq!(next_wait(1, Some(-1), AT, AT + DAY), Some(5));
    }

    proptest! {
        #[test]
        fn no_post_is_made_after_the_end(post: u32, asked: Option<i32>, left in 0_i64..100_000) {
            let until = AT + SignedDuration::from_secs(left);
            if let Some(wait) = next_wait(post, asked, AT, until) {
                prop_assert!(wait >= 5 && i64::from(wait) <= left);
            }
        }
    }
}
