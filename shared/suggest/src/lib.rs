//! Writes a catalog for objects that are there: from their keys and from the first rows of some of them.
//!
//! [`Survey::of`] reads keys and says which objects should be looked at; [`Survey::suggest`] writes a catalog that
//! [`export::Catalog::parse`] takes, with what was decided and what is not sure as comments. Everything is guessed from
//! what is there, so an operator reads it before it is used. Knows neither AWS nor where objects are.

mod columns;
mod content;
mod dataset;
mod dates;
mod delimited;
mod filing;
mod folders;
mod layout;
mod nested;
mod reading;
mod sample;
mod snowplow;
mod survey;
mod template;
mod tenancy;
mod time;
mod write;

pub use sample::Sample;
pub use survey::{MAX_DATASETS, MAX_SAMPLES, Options, SuggestedDataset, Suggestion, Survey};
