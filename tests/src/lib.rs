//! What the tests and the demo work with: a sample lake, and a running stack to talk to.

mod archive;
pub mod sample;
mod stack;

pub use archive::Archive;
pub use stack::{Reply, Stack, User};
