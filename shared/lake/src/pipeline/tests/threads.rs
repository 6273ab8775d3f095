//! Output is the same however many threads work, and waits for its receiver.

use super::*;

#[test]
fn rows_that_are_not_compressed_come_in_segments_of_so_many_bytes_or_rows() {
    let rows: Vec<String> = (0..20).map(|n| row((n * 7, true))).collect();
    let text = rows.concat();
    for (bytes, most) in [(usize::MAX, 3), (300, u64::MAX), (300, 2), (1, 1)] {
        let (selection, objects) = (&jsonl(), &[an_object("a.json")][..]);
        let encoding = Encoding::Plain { bytes, rows: most };
        let pipeline = Pipeline {
            selection,
            objects,
            runs: group_runs(objects, &encoding),
            encoding,
            workers: 2,
        };
        let mut extents = Vec::new();
        let keep = |_, extent| {
            let Extent::Bytes(bytes) = extent else { panic!("{extent:?}") };
            extents.push(String::from_utf8(bytes).unwrap());
            Ok(())
        };
        let output = pipeline.run(|_| Ok(text.as_bytes()), keep).unwrap();
        // Each ends with the row that fills it.
        let mut want = vec![String::new()];
        for row in &rows {
            let last = want.last_mut().unwrap();
            last.push_str(row);
            if last.len() >= bytes || last.lines().count() as u64 >= most {
                want.push(String::new());
            }
        }
        want.retain(|extent| !extent.is_empty());
        assert_eq!(extents, want);
        let known = want.iter().map(|extent| {
            let (crc32, bytes) = (crc32fast::hash(extent.as_bytes()), extent.len() as u64);
            let rows = extent.lines().count() as u64;
            Segment { crc32, raw_bytes: bytes, stored_crc32: crc32, stored_bytes: bytes, rows }
        });
        assert_eq!(output[0].plain_segments, known.collect::<Vec<_>>());
    }
}

#[test]
fn small_objects_are_put_together_until_they_are_worth_a_segment() {
    let runs = |sizes: &[u64]| {
        let object = |size: &u64| InputObject { size_bytes: *size, ..an_object("a") };
        group_runs(&sizes.iter().map(object).collect::<Vec<_>>(), &Encoding::Deflate(1))
    };
    let all = archive::SEGMENT_BYTES as u64;
    assert_eq!(runs(&[]), []);
    assert_eq!(runs(&[all / 2, all / 2, 1]), [0..2, 2..3]);
    assert_eq!(runs(&[all, all]), [0..1, 1..2]);
    assert_eq!(runs(&[0, 0, all, 0, 1]), [0..4, 4..5]);
    assert_eq!(runs(&[2 * all, 0]), [0..1, 1..2]);
}

#[test]
fn whoever_takes_the_output_can_stop_it() {
    let object = "{\"page\":\"/a\",\"meta\":{\"at\":\"2026-03-01T00:30:00Z\"}}\n".repeat(100_000);
    let listed: Vec<InputObject> = (0..9)
        .map(|n| InputObject {
            key: n.to_string(),
            size_bytes: 1 << 22,
            likely_whole: true,
            refer: true,
            partition: None,
        })
        .collect();
    let (selection, objects) = (&jsonl(), &listed[..]);
    let pipeline = Pipeline {
        selection,
        objects,
        runs: group_runs(objects, &Encoding::Deflate(1)),
        encoding: Encoding::Deflate(1),
        workers: 2,
    };
    let full = |_, _| Err(io::Error::other("no room"));
    let result = pipeline.run(|_| Ok(object.as_bytes()), full);
    assert!(matches!(result, Err(ObjectError::Sink(_))), "{result:?}");
}

/// A row over and over, as fast as it is read; counts the bytes.
struct Endless<'a> {
    row: &'a [u8],
    read: &'a AtomicUsize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let begin = self.read.load(Ordering::Relaxed) % self.row.len();
        let len = (&self.row[begin..]).read(buf)?;
        self.read.fetch_add(len, Ordering::Relaxed);
        Ok(len)
    }
}

#[test]
fn what_is_made_waits_for_whoever_takes_it() {
    let (row, bytes) = (row((900, true)), AtomicUsize::new(0));
    let object = InputObject {
        key: "a.json".to_owned(),
        size_bytes: 1 << 30,
        likely_whole: true,
        refer: false,
        partition: None,
    };
    let (selection, objects) = (&jsonl(), &[object][..]);
    let encoding = Encoding::Plain { bytes: 1 << 20, rows: u64::MAX };
    let pipeline =
        Pipeline { selection, objects, runs: group_runs(objects, &encoding), encoding, workers: 2 };
    let result = pipeline.run(
        |_| Ok(Endless { row: row.as_bytes(), read: &bytes }),
        |_, _| {
            // Until nothing moves any more.
            let mut before = None;
            while before != Some(bytes.load(Ordering::Relaxed)) {
                before = Some(bytes.load(Ordering::Relaxed));
                assert!(before < Some(4 * MAX_WAITING_BYTES), "it is read on and on");
                thread::sleep(Duration::from_millis(200));
            }
            Err(io::Error::other("that was all"))
        },
    );
    assert!(matches!(result, Err(ObjectError::Sink(_))), "{result:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_same_comes_out_however_many_work_on_it(
        objects in prop::collection::vec(
            prop::collection::vec((0_usize..40_000, prop::bool::weighted(0.98)), 0..80), 0..12),
        claimed in prop_oneof![Just(Claimed::Small), Just(Claimed::Large), Just(Claimed::Referred)]
    ) {
        let texts: Vec<String> =
            objects.iter().map(|rows| rows.iter().copied().map(row).collect()).collect();
        let files: Vec<(&str, Vec<u8>)> = texts.iter().enumerate().map(|(n, text)| {
            if n % 3 == 2 { ("a.json", text.clone().into_bytes()) } else { ("a.gz", gzip(text)) }
        }).collect();
        let wanted: String = texts.iter().flat_map(|text| text.lines())
            .filter(|line| line.contains("T00:30")).flat_map(|line| [line, "\n"]).collect();
        let (alone, first) = try_convert(&jsonl(), &files, 1, claimed).unwrap();
        let (together, second) = try_convert(&jsonl(), &files, 3, claimed).unwrap();

        prop_assert!(alone == wanted && together == wanted);
        prop_assert_eq!(first.segment, second.segment);
    }
}
