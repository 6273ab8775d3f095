//! What is to happen once an export has ended: the next of its lane is built, its files are copied, then
//! somebody is told.
//!
//! The record of the export is the outbox: it says what is still to be done, until it is in a queue.
//! Whoever ends an export calls [`Outbox::follow_up`]; should that break, the janitor calls it again.
//! What is posted is written here, so that whoever posts it need not read exports.

mod body;
pub mod leanplum;
mod native;
mod notice;
mod send;

pub use body::Body;
pub use notice::WebhookMessage;
pub use send::Outbox;
