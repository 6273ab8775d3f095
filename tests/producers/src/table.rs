//! The table of writers, as `docs/lakes.md` has them.

use jiff::SignedDuration;

use crate::{Compression, Framing, Producer, Tenants, rows};

const fn seconds(after: [i64; 3]) -> [SignedDuration; 3] {
    [
        SignedDuration::from_secs(after[0]),
        SignedDuration::from_secs(after[1]),
        SignedDuration::from_secs(after[2]),
    ]
}

/// A writer of lines of JSON in gzip, whose rows come within the minutes after their object begins.
const PLAIN: Producer = Producer {
    name: "",
    key: "",
    zone: "UTC",
    minutes: [3, 31, 55],
    path: "",
    tenants: Tenants::One,
    row: rows::click,
    framing: Framing::Lines,
    compression: Compression::Gzip,
    after: seconds([0, 11, 120]),
};

/// Firehose names an object by its oldest record, and others come a few minutes later.
const FIREHOSE: Producer = Producer {
    minutes: [58, 0, 29],
    framing: Framing::Joined,
    after: seconds([0, 60, 300]),
    ..PLAIN
};

/// Returns the table.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn producers() -> Vec<Producer> {
    vec![
        Producer {
            name: "firehose",
            key: "events%Y/%m/%d/%H/clicks-1-%Y-%m-%d-%H-%M-%S-{id}.gz",
            path: "events{yyyy}/{MM}/{dd}/{HH}/",
            ..FIREHOSE
        },
        Producer {
            name: "firehose_dynamic",
            key: "data/tenant={tenant}/%Y/%m/%d/%H/clicks-1-{id}.gz",
            path: "data/tenant={workspace}/{yyyy}/{MM}/{dd}/{HH}/",
            tenants: Tenants::Key,
            framing: Framing::Lines,
            ..FIREHOSE
        },
        Producer {
            name: "firehose_snappy",
            key: "%Y/%m/%d/%H/clicks-1-{id}.snappy",
            path: "{yyyy}/{MM}/{dd}/{HH}/",
            compression: Compression::HadoopSnappy,
            ..FIREHOSE
        },
        Producer {
            name: "firehose_tokyo",
            key: "%Y/%m/%d/%H/clicks-1-{id}.gz",
            zone: "Asia/Tokyo",
            path: "{yyyy}/{MM}/{dd}/{HH}/",
            ..FIREHOSE
        },
        Producer {
            name: "kafka_connect",
            key: "topics/pageviews/year=%Y/month=%m/day=%d/hour=%H/pageviews+0+{number}.json.gz",
            path: "topics/pageviews/year={yyyy}/month={MM}/day={dd}/hour={HH}/",
            row: rows::pageview,
            ..PLAIN
        },
        Producer {
            name: "kafka_connect_strings",
            key: "topics/pageviews/year=%Y/month=%m/day=%d/hour=%H/pageviews+0+{number}.json.gz",
            path: "topics/pageviews/year={yyyy}/month={MM}/day={dd}/hour={HH}/",
            row: rows::wrapped,
            ..PLAIN
        },
        Producer {
            name: "segment",
            key: "segment-logs/{tenant}/{day_millis}/{millis}.{id}.gz",
            path: "segment-logs/{workspace}/{epoch_millis}/",
            tenants: Tenants::Key,
            row: rows::segment,
            ..PLAIN
        },
        Producer {
            name: "segment_data_lake",
            key: "data/{tenant}/segment_type=track_checkout/day=%Y-%m-%d/hr=%H/{id}.parquet",
            path: "data/{workspace}/segment_type=track_checkout/day={yyyy}-{MM}-{dd}/hr={HH}/",
            tenants: Tenants::Key,
            row: rows::lake_row,
            framing: Framing::Parquet,
            compression: Compression::None,
            ..PLAIN
        },
        Producer {
            name: "rudderstack",
            key: "rudder-logs/{tenant}/%m-%d-%Y/{number}.json.gz",
            path: "rudder-logs/{workspace}/{MM}-{dd}-{yyyy}/",
            tenants: Tenants::Key,
            row: rows::rudder,
            ..PLAIN
        },
        Producer {
            name: "rudderstack_data_lake",
            key: "rudder-datalake/ns/tracks/%Y/%m/%d/%H/load_{number}.parquet",
            path: "rudder-datalake/ns/tracks/{yyyy}/{MM}/{dd}/{HH}/",
            row: rows::lake_row,
            framing: Framing::Parquet,
            compression: Compression::None,
            ..PLAIN
        },
        Producer {
            name: "snowplow_enriched",
            key: "enriched/%Y-%m-%d-%H%M%S-49613-49614{number}.gz",
            path: "enriched/{yyyy}-{MM}-{dd}-{HH}{mm}{ss}-",
            row: rows::snowplow,
            ..PLAIN
        },
        Producer {
            name: "snowplow_archive",
            key: "enriched/good/run=%Y-%m-%d-%H-%M-%S/output=good/part-{number}.gz",
            path: "enriched/good/run={yyyy}-{MM}-{dd}-{HH}-{mm}-{ss}/",
            row: rows::snowplow,
            after: seconds([-9000, -5400, -60]),
            ..PLAIN
        },
        Producer {
            name: "snowplow_json",
            key: "bad/com.acme.checkout/model=1/date=%Y-%m-%d/{id}.gz",
            path: "bad/com.acme.checkout/model=1/date={yyyy}-{MM}-{dd}/",
            row: rows::self_describing,
            ..PLAIN
        },
        Producer {
            name: "vector",
            key: "date=%Y-%m-%d/1772359391-{id}.log.gz",
            path: "date={yyyy}-{MM}-{dd}/",
            row: rows::vector,
            ..PLAIN
        },
        Producer {
            name: "fluent_bit",
            key: "fluent-bit-logs/app.web/%Y/%m/%d/%H/%M/%S-object{id}",
            path: "fluent-bit-logs/app.web/{yyyy}/{MM}/{dd}/{HH}/",
            row: rows::fluent_bit,
            ..PLAIN
        },
        Producer {
            name: "fluentd",
            key: "logs/%Y%m%d-%H_{number}.gz",
            path: "logs/{yyyy}{MM}{dd}-{HH}_",
            row: rows::fluentd,
            ..PLAIN
        },
        Producer {
            name: "amplitude",
            key: "{tenant}/{tenant}_%Y-%m-%d_%-H#{number}.json.gz",
            path: "{workspace}/{workspace}_{yyyy}-{MM}-{dd}_{H}#",
            tenants: Tenants::Key,
            row: rows::amplitude,
            ..PLAIN
        },
        Producer {
            name: "appsflyer",
            key: "{tenant}/data-locker-hourly/t=clicks/dt=%Y-%m-%d/h=%-H/part-{number}.gz",
            path: "{workspace}/data-locker-hourly/t=clicks/dt={yyyy}-{MM}-{dd}/h={H}/",
            tenants: Tenants::Key,
            row: rows::appsflyer,
            framing: Framing::Header("event_name,event_time,customer_user_id,media_source,revenue"),
            ..PLAIN
        },
        Producer {
            name: "spark",
            key: "events/tenant={tenant}/year=%Y/month=%-m/day=%-d/hour=%-H/part-{number}.json.gz",
            path: "events/tenant={workspace}/year={yyyy}/month={M}/day={d}/hour={H}/",
            tenants: Tenants::Key,
            ..PLAIN
        },
        Producer {
            name: "opentelemetry",
            key: "{tenant}/year=%Y/month=%m/day=%d/hour=%H/minute=%M/logs_{number}.json",
            path: "{workspace}/year={yyyy}/month={MM}/day={dd}/hour={HH}/",
            tenants: Tenants::Key,
            row: rows::log_record,
            framing: Framing::List(
                "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[",
                "]}]}]}\n",
            ),
            compression: Compression::None,
            ..PLAIN
        },
        Producer {
            name: "cloudflare",
            key: "http/{tenant}/%Y%m%d/%Y%m%dT%H%M%SZ_%Y%m%dT%H5959Z_{id}.log.gz",
            path: "http/{workspace}/{yyyy}{MM}{dd}/{yyyy}{MM}{dd}T{HH}{mm}{ss}Z_",
            tenants: Tenants::Key,
            row: rows::http,
            ..PLAIN
        },
        Producer {
            name: "posthog",
            key: "posthog/{tenant}/%Y/%m/%d/%H/{id}.jsonl.zst",
            path: "posthog/{workspace}/{yyyy}/{MM}/{dd}/{HH}/",
            tenants: Tenants::Key,
            row: rows::posthog,
            compression: Compression::Zstd,
            ..PLAIN
        },
        Producer {
            name: "airbyte",
            key: "ns/orders/%Y_%m_%d_{millis}_{number}.jsonl.gz",
            path: "ns/orders/{yyyy}_{MM}_{dd}_",
            row: rows::airbyte,
            ..PLAIN
        },
        Producer {
            name: "cloudtrail",
            key: "AWSLogs/{tenant}/CloudTrail/us-east-1/%Y/%m/%d/{tenant}_CloudTrail_us-east-1_%Y%m%dT%H%MZ_{id}.json.gz",
            path: "AWSLogs/{workspace}/CloudTrail/us-east-1/{yyyy}/{MM}/{dd}/",
            tenants: Tenants::Key,
            row: rows::cloudtrail,
            framing: Framing::List("{\"Records\":[", "]}"),
            ..PLAIN
        },
        Producer {
            name: "all_tenants",
            key: "all/%Y/%m/%d/%H/{id}.json.gz",
            path: "all/{yyyy}/{MM}/{dd}/{HH}/",
            tenants: Tenants::Row,
            row: rows::of_tenant,
            ..PLAIN
        },
        Producer {
            name: "own",
            key: "{tenant}/%Y/%m/%d/%H/{id}.json.gz",
            path: "{workspace}/{yyyy}/{MM}/{dd}/{HH}/",
            tenants: Tenants::Key,
            ..PLAIN
        },
        // Two that are on no page: Flink's own folders, and Logstash.
        Producer {
            name: "flink",
            key: "flink/%Y-%m-%d--%H/part-0-{number}",
            path: "flink/{yyyy}-{MM}-{dd}--{HH}/",
            compression: Compression::None,
            ..PLAIN
        },
        Producer {
            name: "logstash",
            key: "logstash/ls.s3.{id}.%Y-%m-%dT%H.%M.tag_web.part0.txt",
            path: "logstash/{*}.{yyyy}-{MM}-{dd}T{HH}.",
            row: rows::vector,
            compression: Compression::None,
            ..PLAIN
        },
    ]
}
