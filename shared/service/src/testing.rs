//! A scene for tests: all use cases over an AWS in memory, at a time that tests move.

mod engine;

use std::time::Duration;

use cloud::{
    ArchiveBucket, AuditTable, DeliveryTable, ExportQueue, ExportTable, Job, KmsCipher, Queue,
};
use export::{
    Actor, Archive, Export, ExportId, ExportRequest, Format, Quota, Secret, TableSelection, Window,
    Workspace,
};
use jiff::{SignedDuration, Timestamp};
use simulated_aws::{AUDIT_TABLE, DELIVERY_TABLE, EXPORT_TABLE, Message, SimulatedAws};
use tokio::time::Instant;

pub(crate) use self::engine::{ToyEngine, ToyError};
use crate::{
    Audit, Builder, Clock, Copier, Deliverer, Exports, FollowUp, Random, RenewalPace, Sweeper,
};

pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The bucket of archives.
pub(crate) const ARCHIVES: &str = "archives";
/// A bucket of a user's.
pub(crate) const CUSTOMER: &str = "customer";
const BUILDS: &str = "https://sqs/builds";
const CALLBACKS: &str = "https://sqs/callbacks";
const COPIES: &str = "https://sqs/copies";

/// All use cases over an AWS in memory. It begins on 1 March 2026 at ten o'clock.
pub(crate) struct Scene {
    pub(crate) aws: SimulatedAws,
    pub(crate) exports: Exports,
    pub(crate) follow_up: FollowUp,
    pub(crate) sweeper: Sweeper,
    pub(crate) builder: Builder,
    pub(crate) copier: Copier,
    pub(crate) deliverer: Deliverer,
    pub(crate) acme: Workspace,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::seeded(1)
    }

    /// Returns a scene whose random bytes follow from the seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        fastrand::seed(seed);
        let aws = SimulatedAws::new();
        let config = aws.config();
        let clock = Clock::starting_at("2026-03-01T10:00:00Z".parse().unwrap());
        let dynamodb = cloud::dynamodb_client(&config);
        let sqs = aws_sdk_sqs::Client::new(&config);
        let table = ExportTable::new(dynamodb.clone(), EXPORT_TABLE.into());
        let queue = ExportQueue::new(sqs.clone(), BUILDS.into());
        let [callback_queue, copy_queue] =
            [CALLBACKS, COPIES].map(|url| Queue::new(sqs.clone(), url.into()));
        let follow_up = FollowUp::new(
            table.clone(),
            queue.clone(),
            callback_queue.clone(),
            copy_queue.clone(),
            clock,
        );
        let archives = ArchiveBucket::new(cloud::s3_client(&config), ARCHIVES.into());
        let trail = AuditTable::new(dynamodb.clone(), AUDIT_TABLE.into(), DAY);
        let deliveries = DeliveryTable::new(dynamodb, DELIVERY_TABLE.into());
        let cipher = KmsCipher::new(aws_sdk_kms::Client::new(&config), "key".into());
        let copier = Copier {
            exports: table.clone(),
            archives: archives.clone(),
            queue: copy_queue,
            follow_up: follow_up.clone(),
            seal: cipher.clone(),
            aws: config,
            clock,
        };
        let deliverer = Deliverer {
            queue: callback_queue,
            deliveries: deliveries.clone(),
            exports: table.clone(),
            seal: cipher,
            clock,
        };
        let random = Random::seeded(seed);
        let builder = Builder {
            exports: table.clone(),
            queue: queue.clone(),
            archives: archives.clone(),
            follow_up: follow_up.clone(),
            clock,
            random: random.clone(),
            pace: RenewalPace::BUILDERS,
        };
        let sweeper = Sweeper {
            exports: table.clone(),
            queue: queue.clone(),
            archives,
            follow_up: follow_up.clone(),
            deliveries,
        };
        let exports = Exports {
            table,
            queue,
            audit: Audit { table: trail, random: random.clone() },
            clock,
            random,
            quota: Quota {
                exports_at_once: 3,
                exports_a_day: 10,
                requests_a_second: 10,
                request_burst: 20,
            },
            time_limit: DAY,
        };
        let acme = "acme".parse().unwrap();
        Self { aws, exports, follow_up, sweeper, builder, copier, deliverer, acme }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.exports.clock.now()
    }

    /// Returns a new export of a day that is not stored.
    pub(crate) fn draft(&self) -> Export {
        let midnight: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
        let window = Window::new(midnight, midnight + DAY).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Jsonl);
        self.exports.draft(&self.acme, request, self.now()).unwrap()
    }

    /// Stores an export as it is after `change`, as if it were new.
    pub(crate) async fn put(&self, change: impl FnOnce(&Export) -> Export) -> Export {
        let export = Export { version: 1, ..change(&self.draft()) };
        self.exports.table.put(&export).await.unwrap();
        export
    }

    pub(crate) async fn get(&self, id: ExportId) -> Export {
        self.exports.table.get(&self.acme, id).await.unwrap().unwrap()
    }

    /// Publishes an archive of an export, as a builder does.
    pub(crate) async fn publish(&self, id: ExportId) -> Export {
        let now = self.now();
        let change = async |next: &dyn Fn(&Export) -> Option<Export>| {
            self.exports.table.change(&self.acme, id, next).await.unwrap().unwrap()
        };
        change(&|export| export.claim(now).ok()).await;
        change(&|export| Some(export.succeed(now, &archive(now)))).await
    }

    /// Changes a stored record as only another version could.
    pub(crate) async fn break_record(&self, id: ExportId) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config());
        let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let update = client
            .update_item()
            .table_name(EXPORT_TABLE)
            .key("pk", text(format!("W#{}", self.acme)))
            .key("sk", text(format!("E#{id}")))
            .update_expression("SET #state = :unknown")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":unknown", text("of another version".to_owned()));
        update.send().await.unwrap();
    }

    /// Takes the messages that ask for exports to be built. Returns whose.
    pub(crate) fn take_builds(&self) -> Vec<ExportId> {
        self.take_jobs().into_iter().map(|job| job.export).collect()
    }

    /// Takes the messages that ask for exports, or steps of them, to be built.
    pub(crate) fn take_jobs(&self) -> Vec<Job> {
        let job = |message: Message| serde_json::from_str(&message.body).unwrap();
        self.aws.take_messages(BUILDS).into_iter().map(job).collect()
    }

    /// Lets the janitor make a round.
    pub(crate) async fn sweep(&self) {
        let ends = Instant::now() + Duration::from_secs(50);
        // What fails is left to the next round.
        let _ = self.sweeper.sweep(self.now(), ends).await;
    }

    /// Takes the messages that ask for files to be copied.
    pub(crate) fn take_copies(&self) -> Vec<ExportId> {
        let job = |message: Message| serde_json::from_str::<Job>(&message.body).unwrap().export;
        self.aws.take_messages(COPIES).into_iter().map(job).collect()
    }

    /// Stores a secret that callbacks are signed with.
    pub(crate) async fn add_signing_secret(&self, secret: &str) {
        let (seal, secret) = (&self.deliverer.seal, Secret::new(secret.to_owned()));
        let (exports, ana) = (&self.exports, ana());
        exports.add_signing_secret(seal, &self.acme, &secret, &ana, self.now()).await.unwrap();
    }

    /// Takes the messages that ask for callbacks to be posted.
    pub(crate) fn take_callbacks(&self) -> Vec<Message> {
        self.aws.take_messages(CALLBACKS)
    }
}

/// Somebody who does something.
pub(crate) fn ana() -> Actor {
    Actor { api: "native".into(), name: Some("ana".into()), ..Actor::default() }
}

/// An archive of one small file.
pub(crate) fn archive(now: Timestamp) -> Archive {
    Archive {
        published_at: now,
        expires_at: now + DAY,
        size_bytes: 22,
        crc32: 0,
        rows: Some(3),
        table_files: None,
        table_rows: Some(vec![3]),
        bad_rows: 0,
        receipt: None,
    }
}
