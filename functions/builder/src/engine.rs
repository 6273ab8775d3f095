//! The engine, as the decisions about exports see it.

use anyhow::Context as _;
use export::{Archive, Export, Failure};
use service::{Engine, LeaseWatch, Progress, Schedule};

use crate::{
    app::App,
    archive, failure,
    plan::{self, Planned},
    step,
    work::Work,
};

impl Engine for App {
    type Plan = Planned;

    async fn plan(&self, export: &Export) -> anyhow::Result<Planned> {
        plan::of(self, export).await
    }

    fn schedule(&self, Planned { plan, .. }: &Planned) -> anyhow::Result<Schedule> {
        let count = |steps: usize| u32::try_from(steps).context("count steps");
        let batches =
            if plan.is_small(self.step_bytes) { Vec::new() } else { plan.batches(self.step_bytes) };
        let batches = batches.into_iter().map(|steps| Ok((count(steps.start)?, count(steps.end)?)));
        Ok(Schedule {
            steps: count(plan.steps.len())?,
            first_pass: count(plan.first_pass().end)?,
            batches: batches.collect::<anyhow::Result<_>>()?,
        })
    }

    fn work<'a>(
        &'a self,
        export: &'a Export,
        planned: &'a Planned,
        watch: LeaseWatch,
    ) -> impl service::Work + 'a {
        Work::new(&planned.app, export, &planned.plan, watch)
    }

    fn failure_of(&self, error: &anyhow::Error) -> Option<Failure> {
        failure::failure_of(error)
    }
}

impl service::Work for Work<'_> {
    async fn do_step(&mut self, number: u32) -> anyhow::Result<Progress> {
        let plan = self.plan;
        let step = plan.steps.get(number as usize).context("find a step of the plan")?;
        let report = step::do_step(self, number, step).await?;
        let progress = report.progress(step);
        self.reports.insert(number, report);
        Ok(progress)
    }

    async fn assemble(self) -> anyhow::Result<Archive> {
        archive::assemble(self.app, self.export, self.plan, self.reports).await
    }
}
