//! Days of random requests, builders that die, calls that fail and answers that are lost, by seed: whatever
//! happens, every export ends, everybody is told, and nothing is left over.

use std::{collections::BTreeMap, convert::Infallible, mem, time::Duration};

use cloud::Job;
use export::{Export, ExportId, Lane, State};
use futures_util::future::join_all;
use simulated_aws::Fault;
use tokio::time::{advance, sleep, timeout};

use crate::{
    Error, Joined, Outcome, first_in_lane,
    testing::{Scene, ToyEngine, ana},
};

/// How many simulations there are.
const SEEDS: u64 = 4;
/// How many steps one simulation has before calls stop failing.
const STEPS: u32 = 60;
/// Of so many calls one fails, as long as calls fail.
const ONE_FAILS_OF: u32 = 12;
/// How often builders take messages that follow from messages.
const MAX_ROUNDS: u32 = 12;

struct Simulation {
    scene: Scene,
    rng: fastrand::Rng,
    /// The exports that callers were told of, and whether each has a callback.
    told: BTreeMap<ExportId, bool>,
    /// How many callbacks were sent for each export.
    callbacks: BTreeMap<ExportId, u32>,
    small: ToyEngine,
    large: ToyEngine,
    /// Messages that come back to builders.
    returned: Vec<Job>,
    /// Whether nothing goes wrong any more.
    calm: bool,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let scene = Scene::seeded(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut faults = rng.fork();
        scene.aws.set_faults(move |_| match faults.u32(..ONE_FAILS_OF) {
            0 if faults.bool() => Fault::Refused,
            0 => Fault::Unanswered,
            _ => Fault::None,
        });
        Self {
            small: ToyEngine::small(&scene),
            large: ToyEngine::large(&scene),
            scene,
            rng,
            told: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            returned: Vec::new(),
            calm: false,
        }
    }

    async fn step(&mut self) {
        match self.rng.u32(..10) {
            0..=3 => self.request().await,
            4..=6 => self.build_all().await,
            7 => self.end_one().await,
            8 => advance(Duration::from_secs(self.rng.u64(1..7200))).await,
            _ => self.sweep().await,
        }
    }

    /// Somebody asks for an export: a new one, one in a lane, or the one of a natural key.
    async fn request(&mut self) {
        let (scene, has_callback) = (&self.scene, self.rng.bool());
        let mut export = scene.draft();
        if has_callback {
            export = export.with_callback("http://a".parse().unwrap(), String::new());
        }
        if self.rng.bool() {
            export = export.in_lane(Lane::new("liferay"));
        }
        let made = if self.rng.bool() {
            scene.exports.create(&export, None, &ana()).await.map(|_| true)
        } else {
            let key = format!("key{}", self.rng.u32(..3));
            let is_current = |export: &Export| export.is_current(scene.now());
            let joined = scene.exports.join(&export, &key, is_current, Some(&ana())).await;
            joined.map(|joined| matches!(joined, Joined::New { .. }))
        };
        match made {
            Ok(true) => drop(self.told.insert(export.id, has_callback)),
            // A caller who was told that it failed does not know an export that may exist all the same.
            Ok(false) | Err(Error::QuotaExceeded(_) | Error::Failed(_)) => {}
        }
    }

    /// Builders take all messages there are, at the same time, and those that follow from them.
    async fn build_all(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let mut jobs = mem::take(&mut self.returned);
            jobs.extend(self.scene.take_jobs());
            if jobs.is_empty() {
                return;
            }
            let jobs: Vec<(Job, Duration)> =
                jobs.into_iter().map(|job| (job, self.draw_life())).collect();
            let builds = jobs.iter().map(|(job, life)| {
                let run = self.scene.builder.run(self.engine_of(job), job, None);
                Box::pin(timeout(*life, run))
            });
            let builds: Vec<_> = builds.collect();
            let ended = tokio::select! {
                ended = join_all(builds) => ended,
                never = self.watch_lanes() => match never {},
            };
            for ((job, _), ended) in jobs.iter().zip(ended) {
                // A builder that died or whose attempt failed leaves its message to others; some are lost.
                let comes_back = !matches!(ended, Ok(Ok(Outcome::Done)));
                if comes_back && self.rng.bool() {
                    self.returned.push(job.clone());
                }
            }
            advance(Duration::from_secs(self.rng.u64(1..90))).await;
        }
    }

    /// Draws how long a builder lives: one of four dies within seconds.
    fn draw_life(&mut self) -> Duration {
        match self.rng.u64(..20) {
            seconds @ ..5 if !self.calm => Duration::from_secs(seconds),
            _ => Duration::from_hours(1),
        }
    }

    /// Returns the engine for an export, always the same.
    fn engine_of(&self, job: &Job) -> &ToyEngine {
        if job.export.to_string().ends_with(|c: char| c.is_ascii_digit()) {
            &self.small
        } else {
            &self.large
        }
    }

    /// Fails if two exports of a lane are held by builders that may be at work.
    async fn watch_lanes(&self) -> Infallible {
        loop {
            let (mut held, now) = (Vec::new(), self.scene.now());
            for id in self.told.keys() {
                let found = self.scene.exports.table.get(&self.scene.acme, *id).await;
                let Ok(Some(export)) = found else { continue };
                let is_held = matches!(&export.state, State::Running { lease, .. } if lease.until > now && !lease.released);
                if is_held && export.lane.is_some() {
                    held.push(export.id);
                }
            }
            assert!(held.len() < 2, "two of a lane are built: {held:?}");
            sleep(Duration::from_secs(3)).await;
        }
    }

    /// Somebody cancels an export, or deletes its archive.
    async fn end_one(&mut self) {
        let ids: Vec<ExportId> = self.told.keys().copied().collect();
        let Some(id) = self.rng.choice(ids) else { return };
        let Scene { exports, follow_up, acme, .. } = &self.scene;
        let now = self.scene.now();
        let _ = if self.rng.bool() {
            exports.cancel(follow_up, acme, id, &ana(), now).await
        } else {
            exports.delete(acme, id, &ana(), now).await
        };
    }

    async fn sweep(&mut self) {
        self.scene.sweep().await;
        for message in self.scene.take_callbacks() {
            let message: outbox::WebhookMessage = serde_json::from_str(&message.body).unwrap();
            *self.callbacks.entry(message.export).or_default() += 1;
        }
    }

    /// No call fails any more, no builder dies, and the janitor runs for some days.
    async fn calm_down(&mut self) {
        self.calm = true;
        self.scene.aws.set_faults(|_| Fault::None);
        for _ in 0..20 {
            self.sweep().await;
            self.build_all().await;
            advance(Duration::from_hours(3)).await;
        }
        self.sweep().await;
    }

    async fn check(&self, seed: u64) {
        for (id, has_callback) in &self.told {
            let export = self.scene.get(*id).await;
            assert!(!export.status(self.scene.now()).is_unfinished(), "{seed}: {export:?}");
            assert_eq!(export.due(), None, "{seed}: {export:?}");
            let sent = self.callbacks.get(id).copied().unwrap_or(0);
            assert_eq!(sent > 0, *has_callback, "{seed}: {sent} callbacks of {export:?}");
        }
        let lane = Lane::new("liferay");
        let first = first_in_lane(&self.scene.exports.table, &self.scene.acme, &lane).await;
        assert!(first.unwrap().is_none(), "{seed}");
        for _ in 0..3 {
            let room = self.scene.exports.create(&self.scene.draft(), None, &ana()).await;
            assert!(room.is_ok(), "{seed}: there is no room for an export though all have ended");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_every_export_ends_and_everybody_is_told() {
    let (mut made, mut assembled) = (0, 0);
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed);
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.calm_down().await;
        simulation.check(seed).await;
        made += simulation.told.len();
        assembled += simulation.small.assembled.get() + simulation.large.assembled.get();
    }
    assert!(made > 25, "the simulation makes too little: {made} exports");
    assert!(assembled > 10, "the simulation builds too little: {assembled} archives");
}
