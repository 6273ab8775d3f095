//! What the tests and the demo work with: a sample lake, and a running stack to talk to.

mod archive;
mod receiver;
pub mod sample;
mod stack;

pub use archive::Archive;
pub use receiver::{Answer, Received, Receiver};
pub use stack::{Customer, CustomerKeys, Message, Reply, Stack, User, until};
