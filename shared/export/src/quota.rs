//! Quotas of a workspace: exports at once, exports a day, and requests.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

const SECOND_MICROS: i64 = 1_000_000;
/// When to try again if an unfinished export has to end first, in seconds.
const RETRY_SECONDS: u64 = 10;

/// The quotas of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Exports that are not finished.
    pub exports_at_once: u32,
    /// Exports made on one day (UTC).
    pub exports_a_day: u32,
    /// Requests a second, on average.
    pub requests_a_second: u32,
    /// Requests at one moment, after a pause.
    pub request_burst: u32,
}

/// The quotas that an operator has set for one workspace. `None` means the default of the deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaOverride {
    /// See [`Quota::exports_at_once`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports_at_once: Option<u32>,
    /// See [`Quota::exports_a_day`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports_a_day: Option<u32>,
    /// See [`Quota::requests_a_second`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_a_second: Option<u32>,
    /// See [`Quota::request_burst`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_burst: Option<u32>,
}

/// What a request takes out of the token bucket of its workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestCost {
    /// One request, whatever it asks for.
    Itself,
    /// What it costs beside itself, as so many requests, if that is known later. It is never more than what
    /// a full bucket has left after the request itself: so there is no request that never passes.
    Beside(u32),
}

/// The value of a quota is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is a number from 1 to {most}")]
pub struct QuotaError {
    name: &'static str,
    most: u32,
}

/// A quota that a workspace has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// The quota.
    pub kind: QuotaKind,
    /// Its value.
    pub most: u32,
    /// When to try again, in seconds.
    pub retry_after: u64,
}

/// The kinds of quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    /// See [`Quota::exports_at_once`].
    ExportsAtOnce,
    /// See [`Quota::exports_a_day`].
    ExportsADay,
    /// See [`Quota::requests_a_second`].
    Requests,
}

impl Quota {
    /// Returns the quotas of a workspace with these overrides.
    pub fn with(self, own: QuotaOverride) -> Self {
        Self {
            exports_at_once: own.exports_at_once.unwrap_or(self.exports_at_once),
            exports_a_day: own.exports_a_day.unwrap_or(self.exports_a_day),
            requests_a_second: own.requests_a_second.unwrap_or(self.requests_a_second),
            request_burst: own.request_burst.unwrap_or(self.request_burst),
        }
    }

    /// Returns what is taken out of the token bucket, and what a full one holds, in microseconds of waiting.
    pub fn cost(&self, cost: RequestCost) -> (i64, i64) {
        let each = SECOND_MICROS.checked_div(self.requests_a_second.into()).unwrap_or(i64::MAX);
        let whole = each.saturating_mul(self.request_burst.into());
        let cost = match cost {
            RequestCost::Itself => each.min(whole),
            RequestCost::Beside(requests) => {
                each.saturating_mul(requests.into()).min(whole.saturating_sub(each))
            }
        };
        (cost, whole)
    }

    /// Takes the cost of a request out of a token bucket, and returns when it will be full again.
    ///
    /// `full_at` is when the bucket would have been full, in microseconds since 1970. It is the whole state of a
    /// bucket (generic cell rate algorithm).
    pub fn spend(
        &self,
        full_at: i64,
        cost: RequestCost,
        now: Timestamp,
    ) -> Result<i64, QuotaExceeded> {
        let ((cost, whole), now) = (self.cost(cost), now.as_microsecond());
        let next = full_at.max(now).saturating_add(cost);
        let over = next.saturating_sub(now).saturating_sub(whole);
        if over <= 0 {
            return Ok(next);
        }
        let seconds = over.saturating_add(SECOND_MICROS - 1).checked_div(SECOND_MICROS);
        let retry_after = seconds.unwrap_or(1).max(1).unsigned_abs();
        Err(QuotaExceeded { kind: QuotaKind::Requests, most: self.requests_a_second, retry_after })
    }

    /// Fails if a workspace with `unfinished` exports, and with `today` exports made today, may not make another.
    pub fn one_more(
        &self,
        unfinished: usize,
        today: u32,
        now: Timestamp,
    ) -> Result<(), QuotaExceeded> {
        if today >= self.exports_a_day {
            let second = now.as_second().rem_euclid(86_400);
            let retry_after = 86_400_i64.saturating_sub(second).unsigned_abs();
            let most = self.exports_a_day;
            return Err(QuotaExceeded { kind: QuotaKind::ExportsADay, most, retry_after });
        }
        if unfinished >= self.exports_at_once as usize {
            let most = self.exports_at_once;
            let kind = QuotaKind::ExportsAtOnce;
            return Err(QuotaExceeded { kind, most, retry_after: RETRY_SECONDS });
        }
        Ok(())
    }

    /// Returns the day that counts an export, as `2026-03-01`.
    pub fn day(now: Timestamp) -> String {
        now.to_zoned(TimeZone::UTC).date().to_string()
    }
}

impl QuotaOverride {
    /// Fails if a value is out of range.
    pub fn check(&self) -> Result<(), QuotaError> {
        for (name, value, most) in [
            // Each is an id in one record, and is looked at when there may be no more.
            ("exports_at_once", self.exports_at_once, 1000),
            ("exports_a_day", self.exports_a_day, 1_000_000),
            // DynamoDB takes some 1,000 writes of one record in a second.
            ("requests_a_second", self.requests_a_second, 500),
            ("request_burst", self.request_burst, 10_000),
        ] {
            if value.is_some_and(|value| !(1..=most).contains(&value)) {
                return Err(QuotaError { name, most });
            }
        }
        Ok(())
    }
}

impl QuotaExceeded {
    /// Returns a stable name for programs.
    pub fn code(&self) -> &'static str {
        match self.kind {
            QuotaKind::ExportsAtOnce => "too_many_exports_at_once",
            QuotaKind::ExportsADay => "too_many_exports_a_day",
            QuotaKind::Requests => "too_many_requests",
        }
    }

    /// Returns a sentence for users: which quota is used up, and what to do.
    pub fn detail(&self) -> String {
        let Self { most, retry_after, .. } = self;
        match self.kind {
            QuotaKind::ExportsAtOnce => format!(
                "The workspace has {most} exports that are not finished, the most it may have. Wait until \
                 one has ended."
            ),
            QuotaKind::ExportsADay => format!(
                "The workspace has made {most} exports today (UTC), the most it may make. Go on tomorrow, or \
                 ask your operator for more."
            ),
            QuotaKind::Requests => format!(
                "The workspace may send {most} requests a second, and has sent more. Wait {retry_after} s."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const ITSELF: RequestCost = RequestCost::Itself;
    const QUOTA: Quota =
        Quota { exports_at_once: 2, exports_a_day: 3, requests_a_second: 10, request_burst: 5 };

    #[test]
    fn a_burst_passes_and_then_as_many_as_are_allowed_a_second() {
        let now = Timestamp::UNIX_EPOCH;
        let mut full_at = 0;
        for _ in 0..5 {
            full_at = QUOTA.spend(full_at, ITSELF, now).unwrap();
        }
        let over = QUOTA.spend(full_at, ITSELF, now).unwrap_err();
        assert_eq!((over.kind, over.most, over.retry_after), (QuotaKind::Requests, 10, 1));
        let later = now + SignedDuration::from_millis(100);
        full_at = QUOTA.spend(full_at, ITSELF, later).unwrap();
        assert!(QUOTA.spend(full_at, ITSELF, later).is_err());
    }

    #[test]
    fn however_much_a_request_costs_it_passes_once_the_bucket_is_full() {
        let now = Timestamp::UNIX_EPOCH;
        for burst in [1, 2, 5] {
            let quota = Quota { request_burst: burst, ..QUOTA };
            for beside in [0, 1, 3, 1000, u32::MAX] {
                let full_at = quota.spend(0, ITSELF, now).unwrap();
                let full_at = quota.spend(full_at, RequestCost::Beside(beside), now).unwrap();
                let taken = i64::from(beside.saturating_add(1).min(burst));
                assert_eq!(full_at, taken * 100_000, "{beside} of {burst}");
            }
        }
        // Where it is not full, a costly request waits for that.
        let full_at = QUOTA.spend(1, ITSELF, now).unwrap();
        assert!(QUOTA.spend(full_at, RequestCost::Beside(1000), now).is_err());
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (full_at, seconds) in [(400_001, 1), (1_400_000, 1), (1_400_001, 2), (2_400_000, 2)] {
            let over = QUOTA.spend(full_at, ITSELF, Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(over.retry_after, seconds, "{full_at}");
        }
    }

    #[test]
    fn a_refusal_names_the_quota_and_how_much_of_it_there_is() {
        let now = Timestamp::UNIX_EPOCH;
        let overs = [
            (QUOTA.one_more(2, 0, now).unwrap_err(), "too_many_exports_at_once", "has 2 exports"),
            (QUOTA.one_more(0, 3, now).unwrap_err(), "too_many_exports_a_day", "made 3 exports"),
            (
                QUOTA.spend(400_001, ITSELF, now).unwrap_err(),
                "too_many_requests",
                "send 10 requests a second",
            ),
        ];
        for (over, code, detail) in overs {
            assert_eq!(over.code(), code);
            assert!(over.detail().contains(detail), "{}", over.detail());
        }
    }

    #[test]
    fn one_export_more_than_allowed_is_refused() {
        let now: Timestamp = "2026-03-01T23:59:00Z".parse().unwrap();
        assert_eq!(QUOTA.one_more(1, 2, now), Ok(()));
        assert_eq!(QUOTA.one_more(2, 2, now).unwrap_err().kind, QuotaKind::ExportsAtOnce);
        let over = QUOTA.one_more(1, 3, now).unwrap_err();
        assert_eq!((over.kind, over.retry_after), (QuotaKind::ExportsADay, 60));
        assert_eq!(Quota::day(now), "2026-03-01");
    }

    #[test]
    fn what_an_operator_sets_counts_before_the_default() {
        let own = QuotaOverride { exports_a_day: Some(7), ..QuotaOverride::default() };
        assert_eq!(QUOTA.with(own), Quota { exports_a_day: 7, ..QUOTA });
        assert_eq!(own.check(), Ok(()));
        for wrong in [0, 1_000_001] {
            let own = QuotaOverride { exports_a_day: Some(wrong), ..own };
            let said = own.check().unwrap_err().to_string();
            assert_eq!(said, "exports_a_day is a number from 1 to 1000000");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate_pass(waits in prop::collection::vec(0_i64..300, 1..200)) {
            let (mut now, mut full_at, mut passed) = (Timestamp::UNIX_EPOCH, 0, 0_i64);
            for millis in waits {
                now += SignedDuration::from_millis(millis);
                if let Ok(next) = QUOTA.spend(full_at, ITSELF, now) {
                    (full_at, passed) = (next, passed + 1);
                }
                prop_assert!(passed <= 5 + now.as_millisecond() * 10 / 1000);
            }
        }
    }
}
