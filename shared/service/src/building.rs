//! Building an export: who may, what is done again, what is left to others, and how it ends. It is safe to
//! do any number of times, and to stop at any point.
//!
//! What rows become is the business of an [`Engine`]; here it is only told which steps to do, and when.

mod batch;
mod builder;
mod engine;
mod failure;
mod lease;
mod message;
mod run;
#[cfg(test)]
mod tests;
mod whole;

pub use builder::Builder;
pub use engine::{Engine, Progress, Schedule, Work};
pub use lease::{LeaseLost, LeaseWatch, RenewalPace};
