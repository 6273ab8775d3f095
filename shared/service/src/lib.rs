//! The decisions about exports: who may make one, which one stands for a key, how it is built, who it is shared
//! with, what follows its end, what the janitor does. Each is a use case that reads and changes the stores of `cloud`.
//!
//! Time and randomness are values, [`Clock`] and [`Random`], so that tests run a day in no time and the same
//! way each time. Nothing here knows HTTP.

mod audit;
mod building;
mod cancel;
mod clock;
mod copy;
mod count;
mod create;
mod deliver;
mod error;
mod exports;
mod follow_up;
mod lanes;
mod links;
mod outcome;
mod quota;
mod random;
mod share;
mod sign_in;
mod signing_secrets;
#[cfg(test)]
mod simulation;
mod slots;
mod sweep;
#[cfg(test)]
mod testing;
mod wait;

pub use audit::Audit;
pub use building::{Builder, Engine, LeaseLost, LeaseWatch, Progress, RenewalPace, Schedule, Work};
pub use clock::Clock;
pub use copy::Copier;
pub use count::Counted;
pub use create::{Created, IdempotencyKey, Joined};
pub use deliver::{Deliverer, Posted};
pub use error::{Error, Result};
pub use exports::Exports;
pub use follow_up::FollowUp;
pub use lanes::{first_in_lane, start_next};
pub use links::Links;
pub use outcome::{Outcome, retry_pause};
pub use random::Random;
pub use share::{Gone, Opened, ShareLinks};
pub use sign_in::{Grant, SignIn};
pub use sweep::{Sweeper, Swept};
