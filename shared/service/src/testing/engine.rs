//! An engine for tests: each of its steps takes some seconds and writes one object.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use cloud::ArchiveBucket;
use export::{Archive, ArchiveKey, Export, Failure, FailureCode, WorkKey};
use simulated_aws::SimulatedAws;
use tokio::time::sleep;

use super::{ARCHIVES, Scene, archive};
use crate::{Clock, Engine, LeaseWatch, Progress, Schedule, Work};

/// An engine whose plan is told.
pub(crate) struct ToyEngine {
    aws: SimulatedAws,
    archives: ArchiveBucket,
    clock: Clock,
    schedule: Schedule,
    /// How many seconds each step takes.
    pub(crate) step_seconds: u64,
    /// What each step fails with, if it fails.
    pub(crate) error: Cell<Option<ToyError>>,
    /// The steps that were done, in order.
    pub(crate) done: RefCell<Vec<u32>>,
    /// How often an archive was put together.
    pub(crate) assembled: Cell<u32>,
}

/// Why a step fails.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum ToyError {
    #[error("do a step now")]
    Passing,
    #[error("do a step, ever")]
    Final,
}

struct ToyWork<'a> {
    engine: &'a ToyEngine,
    export: &'a Export,
    watch: LeaseWatch,
}

impl ToyEngine {
    /// Returns an engine whose exports one builder does, in two steps.
    pub(crate) fn small(scene: &Scene) -> Self {
        Self::with_schedule(scene, Schedule { steps: 2, first_pass: 0, batches: Vec::new() })
    }

    /// Returns an engine whose exports several builders do, in four steps: two at first, then the others.
    pub(crate) fn large(scene: &Scene) -> Self {
        let batches = vec![(0, 1), (1, 2), (2, 4)];
        Self::with_schedule(scene, Schedule { steps: 4, first_pass: 2, batches })
    }

    fn with_schedule(scene: &Scene, schedule: Schedule) -> Self {
        Self {
            aws: scene.aws.clone(),
            archives: scene.builder.archives.clone(),
            clock: scene.exports.clock,
            schedule,
            step_seconds: 5,
            error: Cell::new(None),
            done: RefCell::default(),
            assembled: Cell::new(0),
        }
    }
}

impl Engine for ToyEngine {
    type Plan = ();

    async fn plan(&self, _: &Export) -> anyhow::Result<()> {
        Ok(())
    }

    fn schedule(&self, (): &()) -> anyhow::Result<Schedule> {
        Ok(self.schedule.clone())
    }

    fn work<'a>(&'a self, export: &'a Export, (): &'a (), watch: LeaseWatch) -> impl Work + 'a {
        ToyWork { engine: self, export, watch }
    }

    fn failure_of(&self, error: &anyhow::Error) -> Option<Failure> {
        let is_final = matches!(error.downcast_ref(), Some(ToyError::Final));
        let detail = "No step can be done.".to_owned();
        is_final.then_some(Failure { code: FailureCode::SourceCorrupt, detail })
    }
}

impl Work for ToyWork<'_> {
    async fn do_step(&mut self, number: u32) -> anyhow::Result<Progress> {
        let Self { engine, export, watch } = self;
        tokio::select! {
            () = sleep(Duration::from_secs(engine.step_seconds)) => {}
            lost = watch.lost() => return Err(lost),
        }
        if let Some(error) = engine.error.get() {
            return Err(error.into());
        }
        let first_pass = engine.schedule.first_pass;
        let is_early = (0..first_pass).any(|first| !engine.done.borrow().contains(&first));
        assert!(number < first_pass || !is_early, "step {number} was done before the first pass");
        let key = WorkKey::report(&export.workspace, export.id, number);
        engine.archives.write_work(&key, vec![1]).await?;
        engine.done.borrow_mut().push(number);
        Ok(Progress { rows: 10, bytes: 100 })
    }

    async fn assemble(self) -> anyhow::Result<Archive> {
        let Self { engine, export, .. } = self;
        for number in 0..engine.schedule.steps {
            let key = WorkKey::report(&export.workspace, export.id, number);
            let is_done = engine.archives.read_work(&key).await?.is_some();
            anyhow::ensure!(is_done, "find the report of step {number}");
        }
        let key = ArchiveKey::of(&export.workspace, export.id);
        engine.aws.put_object(ARCHIVES, &key.to_string(), "archive");
        engine.assembled.set(engine.assembled.get() + 1);
        Ok(archive(engine.clock.now()))
    }
}
