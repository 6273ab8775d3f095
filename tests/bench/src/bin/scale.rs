//! What large exports take, by the planner that builders use: `scale`. See docs/scale.md.
//!
//! The plan and the part plan are the real ones. Time comes from a simulation of builders that take
//! batches off a queue, with the speeds below; money from list prices.

#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::cast_precision_loss, reason = "for people")]

use std::{cmp::Reverse, collections::BinaryHeap};

use archive::{Extent, Part, plan_parts};
use export::{Catalog, ExportRequest, Format, SourceObject, TableSelection, Window};
use jiff::{SignedDuration, Timestamp};
use lake::{Plan, Way};

const MIB: u64 = 1 << 20;
const STEP_BYTES: u64 = 256 * MIB;
const BUILDERS: usize = 1000;
/// What a builder of 1,769 MB reads from S3 in a second: some 0.6 Gbit/s.
const READ_BYTES: f64 = 75e6;
/// Stored bytes that one processor splices and transcodes in a second. Half of what one core did in
/// the benchmark.
const SPLICE_BYTES: f64 = 40e6;
const TRANSCODE_BYTES: f64 = 9e6;
/// Seconds that a batch takes besides: a start, the plan, the record.
const OVERHEAD: f64 = 0.5;
/// Seconds of one range copy, of which 32 go on at the same time.
const COPY: f64 = 2.0;
const CONCURRENT_COPIES: f64 = 32.0;
/// How large a part of a piece is.
const PIECE_PART: u64 = 8 * MIB;

const CATALOG: &str = r#"
[[dataset]]
name = "events"
path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
time = "time"
early_hours = 0
compression = "gzip"

[[table]]
name = "events"
dataset = "events"
columns = ["time"]
"#;

/// Exports that are asked for at the same time.
struct Load {
    name: &'static str,
    exports: usize,
    hours: i64,
    objects_per_hour: usize,
    object_bytes: u64,
    format: Format,
}

/// What they took.
#[derive(Default)]
struct Taken {
    seconds: f64,
    builder_seconds: f64,
    steps: usize,
    batches: usize,
    lists: usize,
    gets: usize,
    puts: usize,
    copies: usize,
    writes: usize,
}

fn main() {
    let loads = [
        Load {
            name: "1 TiB as JSON Lines, one export",
            exports: 1,
            hours: 365 * 24,
            objects_per_hour: 8,
            object_bytes: (1 << 40) / (365 * 24 * 8),
            format: Format::Jsonl,
        },
        Load {
            name: "1 TiB as CSV, one export",
            exports: 1,
            hours: 365 * 24,
            objects_per_hour: 8,
            object_bytes: (1 << 40) / (365 * 24 * 8),
            format: Format::Csv,
        },
        Load {
            name: "10,000 workspaces, a day of 100 MiB each, JSON Lines",
            exports: 10_000,
            hours: 24,
            objects_per_hour: 1,
            object_bytes: 100 * MIB / 24,
            format: Format::Jsonl,
        },
    ];
    for load in &loads {
        report(load, &simulate(load));
    }
}

fn plan(load: &Load) -> Plan {
    let begin: Timestamp = "2025-01-01T00:00:00Z".parse().expect("a time");
    let hour = |n: i64| begin + SignedDuration::from_hours(n);
    let window = Window::new(begin, hour(load.hours)).expect("a window");
    let request = ExportRequest::new(vec![TableSelection::whole("events")], window, load.format);
    let object = |n: i64, number| SourceObject {
        bucket: None,
        key: format!("{n}/{number}.gz"),
        etag: String::new(),
        size_bytes: load.object_bytes,
    };
    let objects = |n| (0..load.objects_per_hour).map(|number| object(n, number)).collect();
    let filed = (0..load.hours).map(|n| (hour(n), objects(n))).collect();
    let mut plan = Plan::default();
    let catalog = Catalog::parse("scale", CATALOG).expect("a catalog");
    plan.add_table(&catalog, &request, 0, filed, STEP_BYTES).expect("a table");
    plan.mark_referred();
    plan
}

fn simulate(load: &Load) -> Taken {
    let plan = plan(load);
    let batches = plan.batches(STEP_BYTES);
    let mut taken = Taken {
        steps: plan.steps.len() * load.exports,
        batches: batches.len() * load.exports,
        lists: usize::try_from(load.hours).unwrap_or(0).div_ceil(24) * load.exports,
        ..Taken::default()
    };
    // CSV of some columns is smaller; as large as what it is made of is the cautious guess.
    let pieces: Vec<u64> = plan.steps.iter().map(lake::Step::size_bytes).collect();
    let extents: Vec<Extent<usize>> = (0..)
        .zip(&pieces)
        .map(|(source, len)| Extent::Range { source, offset: 0, len: *len })
        .collect();
    let parts = plan_parts(&extents);
    let copies = parts.iter().filter(|part| matches!(part, Part::Copy { .. })).count();
    let sent: u64 = parts
        .iter()
        .map(|part| match part {
            Part::Copy { .. } => 0,
            Part::Write(extents) => extents.iter().map(Extent::len).sum(),
        })
        .sum();
    taken.copies = copies * load.exports;
    taken.writes = (parts.len() - copies) * load.exports;
    taken.gets = plan.steps.iter().map(|step| step.objects.len() + 3).sum::<usize>() * load.exports;
    let piece_puts = |len: &u64| usize::try_from(len / PIECE_PART).unwrap_or(0) + 4;
    taken.puts = pieces.iter().map(piece_puts).sum::<usize>() * load.exports;

    let seconds: Vec<f64> = batches
        .iter()
        .map(|batch| {
            let work = |way: Way, size: u64| {
                let speed = if way == Way::Transcode { TRANSCODE_BYTES } else { SPLICE_BYTES };
                size as f64 / speed.min(READ_BYTES)
            };
            let objects = plan.steps[batch.clone()].iter().flat_map(|step| &step.objects);
            OVERHEAD + objects.map(|o| work(o.way, o.object.size_bytes)).sum::<f64>()
        })
        .collect();
    let assembly = OVERHEAD
        + copies as f64 * COPY / CONCURRENT_COPIES.min(copies.max(1) as f64)
        + sent as f64 / READ_BYTES;
    taken.builder_seconds = (seconds.iter().sum::<f64>() + assembly) * load.exports as f64;
    taken.seconds = finished(&seconds, load.exports) + assembly;
    taken
}

/// When the last batch is done, in seconds, if each builder takes the next one as soon as it is free.
fn finished(batches: &[f64], exports: usize) -> f64 {
    // Milliseconds, since floats have no order.
    let mut free: BinaryHeap<Reverse<u64>> = (0..BUILDERS).map(|_| Reverse(0)).collect();
    let mut last = 0;
    for batch in (0..exports).flat_map(|_| batches) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
        let length = (batch * 1000.0) as u64;
        let Reverse(begun) = free.pop().unwrap_or_default();
        last = last.max(begun + length);
        free.push(Reverse(begun + length));
    }
    last as f64 / 1000.0
}

fn report(load: &Load, taken: &Taken) {
    let requests = taken.gets + taken.puts + taken.copies + taken.writes + taken.lists;
    // us-east-1, x86-64, on demand: a GB-second of Lambda, thousands of requests to S3, millions of
    // write units of DynamoDB and of requests to SQS.
    let lambda = taken.builder_seconds * 1.769 * 0.000_016_666_7;
    let s3 = (taken.puts + taken.copies + taken.writes + taken.lists) as f64 / 1e3 * 0.005
        + taken.gets as f64 / 1e3 * 0.000_4;
    // A record with thousands of steps has some 20 KB, and is written once a step.
    let record_units = (taken.steps / load.exports) * 8 / 1024 + 2;
    let dynamodb = (taken.steps * record_units + taken.batches * 2) as f64 / 1e6 * 0.625;
    let sqs = taken.batches as f64 * 3.0 / 1e6 * 0.4;
    println!("{}", load.name);
    println!("  {} steps in {} batches", taken.steps, taken.batches);
    println!(
        "  {} LIST, {} GET, {} PUT, {} range copies, {} written parts",
        taken.lists, taken.gets, taken.puts, taken.copies, taken.writes
    );
    println!(
        "  done after {:.0} s; {:.0} requests to S3 a second",
        taken.seconds,
        requests as f64 / taken.seconds
    );
    println!(
        "  USD {:.2}: Lambda {lambda:.2}, S3 {s3:.2}, DynamoDB {dynamodb:.2}, SQS {sqs:.2}\n",
        lambda + s3 + dynamodb + sqs
    );
}
