//! The tools of the tests and the demo: a sample lake, and a running stack to talk to.

mod archive;
mod customer;
mod new_id;
mod receiver;
pub mod sample;
mod stack;
mod user;
mod wait;

pub use archive::Archive;
pub use customer::{Customer, CustomerKeys};
pub use new_id::new_id;
pub use receiver::{Answer, Received, Receiver};
pub use stack::{Message, Stack};
pub use user::{Reply, User};
pub use wait::until;
