//! Days of random requests, builders that die, calls that fail and answers that are lost, by seed: whatever
//! happens, every export ends, everybody is told, and nothing is left over.

use std::{collections::BTreeMap, time::Duration};

use export::{Export, ExportId, Failure, Lane, State};
use simulated_aws::Fault;
use tokio::time::{Instant, advance};

use crate::{
    Error, Joined, first_in_lane,
    testing::{Scene, archive},
};

/// How many simulations there are.
const SEEDS: u64 = 8;
/// How many steps one simulation has before calls stop failing.
const STEPS: u32 = 60;
/// Of so many calls one fails, as long as calls fail.
const ONE_FAILS_OF: u32 = 12;

struct Simulation {
    scene: Scene,
    rng: fastrand::Rng,
    /// The exports that callers were told of, and whether each has a callback.
    told: BTreeMap<ExportId, bool>,
    /// How many callbacks were sent for each export.
    callbacks: BTreeMap<ExportId, u32>,
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
        Self { scene, rng, told: BTreeMap::new(), callbacks: BTreeMap::new() }
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
            scene.exports.create(&export, None).await.map(|_| true)
        } else {
            let key = format!("key{}", self.rng.u32(..3));
            let is_current = |export: &Export| export.is_current(scene.now());
            let joined = scene.exports.join(&export, &key, is_current).await;
            joined.map(|joined| matches!(joined, Joined::New { .. }))
        };
        match made {
            Ok(true) => drop(self.told.insert(export.id, has_callback)),
            // A caller who was told that it failed does not know an export that may exist all the same.
            Ok(false) | Err(Error::QuotaExceeded(_) | Error::Failed(_)) => {}
        }
    }

    /// Builders take all messages there are.
    async fn build_all(&mut self) {
        for id in self.scene.take_builds() {
            // What breaks stays for the janitor.
            let _ = self.build(id).await;
        }
    }

    async fn build(&mut self, id: ExportId) -> anyhow::Result<()> {
        let (exports, acme) = (&self.scene.exports.table, &self.scene.acme);
        let Some(export) = exports.get(acme, id).await? else { return Ok(()) };
        if let Some(lane) = &export.lane {
            let first = first_in_lane(exports, acme, lane).await?;
            if first.is_some_and(|first| first.id != id) {
                return Ok(());
            }
        }
        let Ok(claimed) = export.claim(self.scene.now()) else { return Ok(()) };
        exports.put(&claimed).await?;
        self.check_that_lanes_have_one_builder().await?;
        advance(Duration::from_secs(self.rng.u64(1..50))).await;
        let now = self.scene.now();
        let fails = self.rng.u32(..8) == 0;
        if self.rng.u32(..5) == 0 {
            // It dies.
            return Ok(());
        }
        let is_ours = |export: &Export| {
            matches!((&export.state, &claimed.state),
                (State::Running { lease: a, .. }, State::Running { lease: b, .. }) if a.number == b.number)
        };
        let next = |export: &Export| {
            let succeed = || export.succeed(now, &archive(now));
            let fail = || export.fail(now, Failure::internal());
            is_ours(export).then(|| if fails { fail() } else { succeed() })
        };
        let ended = exports.change(acme, id, next).await?;
        if let Some(ended) = ended.filter(|ended| !ended.status(now).is_unfinished()) {
            self.scene.follow_up.run(&ended).await;
        }
        Ok(())
    }

    /// Fails if two exports of a lane are held by builders that may be at work.
    async fn check_that_lanes_have_one_builder(&self) -> anyhow::Result<()> {
        let (mut held, now) = (Vec::new(), self.scene.now());
        for id in self.told.keys() {
            let found = self.scene.exports.table.get(&self.scene.acme, *id).await?;
            let Some(export) = found.filter(|export| export.lane.is_some()) else { continue };
            if matches!(&export.state, State::Running { lease, .. } if lease.until > now) {
                held.push(export.id);
            }
        }
        assert!(held.len() < 2, "two of a lane are built: {held:?}");
        Ok(())
    }

    /// Somebody cancels an export, or deletes its archive.
    async fn end_one(&mut self) {
        let ids: Vec<ExportId> = self.told.keys().copied().collect();
        let Some(id) = self.rng.choice(ids) else { return };
        let Scene { exports, follow_up, acme, .. } = &self.scene;
        let now = self.scene.now();
        let _ = if self.rng.bool() {
            exports.cancel(follow_up, acme, id, now).await
        } else {
            exports.delete(acme, id, now).await
        };
    }

    async fn sweep(&mut self) {
        let ends = Instant::now() + Duration::from_secs(50);
        let _ = self.scene.sweeper.sweep(self.scene.now(), ends).await;
        for message in self.scene.take_callbacks() {
            let message: outbox::WebhookMessage = serde_json::from_str(&message.body).unwrap();
            *self.callbacks.entry(message.export).or_default() += 1;
        }
    }

    /// No call fails any more, and the janitor runs for some days.
    async fn calm_down(&mut self) {
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
            let room = self.scene.exports.create(&self.scene.draft(), None).await;
            assert!(room.is_ok(), "{seed}: there is no room for an export though all have ended");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_every_export_ends_and_everybody_is_told() {
    let mut made = 0;
    for seed in 0..SEEDS {
        let mut simulation = Simulation::new(seed);
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.calm_down().await;
        simulation.check(seed).await;
        made += simulation.told.len();
    }
    assert!(made > 50, "the simulation makes too little: {made} exports");
}
