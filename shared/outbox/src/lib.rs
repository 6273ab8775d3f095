//! The messages by which the notifier posts callbacks, and their bodies.
//!
//! A body is written when the export ends, so the notifier need not read exports.

mod body;
pub mod leanplum;
mod native;
mod notice;

pub use body::Body;
pub use notice::WebhookMessage;
