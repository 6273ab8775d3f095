//! What the contenders of the benchmark share: the rows they work on.

pub mod data;
