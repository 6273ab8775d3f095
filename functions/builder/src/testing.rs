//! What a builder works with, for tests.

use std::sync::Arc;

use cloud::{ArchiveBucket, CatalogSource, Lake};
use fake_aws::{Call, FakeAws, Reply};
use service::Clock;

use crate::app::App;

/// What a builder works with, at services that answer as `answer` says.
pub(crate) async fn app(
    answer: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
) -> (App, FakeAws) {
    let aws = FakeAws::start(answer).await.unwrap();
    let config = aws.config().await;
    let s3 = cloud::s3_client(&config);
    let clock = Clock::system();
    let lake = Lake::new(s3.clone(), "lake".into());
    let catalogs = CatalogSource::load(&config, lake, None, clock.now()).await.unwrap();
    let app = App {
        clock,
        archives: ArchiveBucket::new(s3, "archives".into()),
        signer: None,
        catalog: catalogs.loaded(),
        catalogs,
        kept_catalog: Arc::default(),
        compression_level: 1,
        workers: 1,
        step_bytes: 1 << 20,
        lookup_bytes: 1 << 20,
        max_objects: 10,
        keep_days: 0,
    };
    (app, aws)
}
