//! What pages for people have in common: their frame and style, what a browser may do with them, and how numbers and
//! instants are shown.
//!
//! Pages work without scripts, and load nothing from another origin.

mod frame;
mod policy;
mod show;

pub use frame::{Frame, page};
pub use policy::{Policy, keep_private};
pub use show::{bytes, grouped, instant};
