//! The seam between what is decided about an export and the bytes of its files.

use std::collections::BTreeSet;

use export::{Archive, Export, Failure};

use super::LeaseWatch;

/// What makes the files of exports.
///
/// Each of its parts may be done any number of times, by several builders at once: the same export gives the
/// same bytes.
#[expect(async_fn_in_trait, reason = "a builder works on one thread")]
pub trait Engine {
    /// Which steps there are, and what each of them reads.
    type Plan;

    /// Reads the plan of an export, or makes and stores it.
    async fn plan(&self, export: &Export) -> anyhow::Result<Self::Plan>;

    /// Returns how the steps of a plan are shared among builders. Fails if there are too many to count.
    fn schedule(&self, plan: &Self::Plan) -> anyhow::Result<Schedule>;

    /// Begins to work on an export. The work has to stop soon after `watch` says that its lease is lost.
    fn work<'a>(
        &'a self,
        export: &'a Export,
        plan: &'a Self::Plan,
        watch: LeaseWatch,
    ) -> impl Work + 'a;

    /// Returns why an export fails for good by an error of this engine; `None` if another attempt may succeed.
    fn failure_of(&self, error: &anyhow::Error) -> Option<Failure>;
}

/// What one builder does of an export.
#[expect(async_fn_in_trait, reason = "a builder works on one thread")]
pub trait Work {
    /// Does a step, or finds that it was done.
    async fn do_step(&mut self, number: u32) -> anyhow::Result<Progress>;

    /// Writes the files of the export, all of whose steps are done.
    async fn assemble(self) -> anyhow::Result<Archive>;
}

/// What a step adds to an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that it wrote.
    pub rows: u64,
    /// Bytes that it wrote; of copied objects, as stored.
    pub bytes: u64,
}

/// How the steps of a plan are shared among builders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How many steps there are.
    pub steps: u32,
    /// How many of them, from the first on, have to be done before any other.
    pub first_pass: u32,
    /// Which steps one builder does: from the first to the one before the second. No batch reaches out of the
    /// first pass. There is none if a single builder does all steps.
    pub batches: Vec<(u32, u32)>,
}

impl Schedule {
    /// Returns the batches that can be done now and are not: those of the first pass before the others.
    pub(super) fn missing_batches(&self, done: &BTreeSet<u32>) -> Vec<(u32, u32)> {
        let is_missing = |&(first, end): &(u32, u32)| (first..end).any(|n| !done.contains(&n));
        let mut missing: Vec<_> = self.batches.iter().copied().filter(is_missing).collect();
        if missing.first().is_some_and(|(first, _)| *first < self.first_pass) {
            missing.retain(|(first, _)| *first < self.first_pass);
        }
        missing
    }

    /// Tells whether the pass is done to which the batch from `first` on belongs, and the next not begun.
    pub(super) fn ends_pass(&self, first: u32, export: &Export) -> bool {
        let of_first_pass = export.steps_done.range(..self.first_pass).count();
        let is_first_pass_done = of_first_pass == self.first_pass as usize;
        let is_next_begun = of_first_pass < export.steps_done.len();
        export.is_built() || (first < self.first_pass && is_first_pass_done && !is_next_begun)
    }
}
