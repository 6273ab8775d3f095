//! A lake for tests, whose prefixes all hold the same number of objects.

use cloud::Lake;
use fake_aws::{FakeAws, Reply};

/// Starts a lake in which each prefix that is listed holds `objects` objects of 9 bytes.
pub(crate) async fn start(objects: usize) -> (FakeAws, Lake) {
    let aws = FakeAws::start(move |call| {
        let (_, prefix) = call.operation.split_once("prefix=")?;
        let prefix = prefix.split('&').next()?.replace("%2F", "/").replace("%3D", "=");
        let object =
            |n| format!("<Contents><Key>{prefix}{n}</Key><ETag>e</ETag><Size>9</Size></Contents>");
        let objects: String = (0..objects).map(object).collect();
        let list = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        );
        Some(Reply::ok(list))
    });
    let aws = aws.await.unwrap();
    let lake = Lake::new(cloud::s3_client(&aws.config().await), "lake".to_owned());
    (aws, lake)
}
