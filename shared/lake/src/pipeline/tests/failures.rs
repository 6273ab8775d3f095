//! Bad rows are listed, and damaged objects are named.

use super::*;

#[test]
fn bad_rows_are_counted_listed_and_left_out() {
    let rows = concat!(
        "{\"page\":\"/cut\n",
        r#"{"page":"/untimed"}"#,
        "\n",
        r#"{"meta":{"at":"soon"}}"#,
        "\n",
        "[1]\n\u{fffd}\n",
        r#"{"page":"/good","meta":{"at":"2026-03-01T00:00:00Z"}}"#,
        "\n",
    );
    let chosen = selection("visits", Some(&["page"]), Format::Csv);
    let (text, output) = converted(&chosen, "a.json", rows.as_bytes());

    assert_eq!(text, "page\n/good\n");
    assert_eq!(output.stats.bad_rows, 5);
    let listed: Vec<_> =
        output.stats.listed.iter().map(|row| format!("{}: {}", row.line, row.reason)).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
    1: it is not one JSON object: EOF while parsing a string at line 1 column 13
    2: it has no time: meta.at is missing
    3: its time, meta.at, cannot be read
    4: it is JSON, but not an object
    5: it is not one JSON object: expected value at line 1 column 1
    ");
}

#[test]
fn an_object_of_which_hardly_a_row_can_be_read_fails_by_its_first_bad_row() {
    let row = ROWS.lines().next().unwrap();
    let late = ROWS.lines().nth(1).unwrap();
    let lines = |good: usize, outside: usize, bad: usize| {
        let line = |line: &str, times| format!("{line}\n").repeat(times);
        line(row, good) + &line("a,b", bad) + &line(late, outside)
    };
    let one_line = format!("[{}]", vec!["1"; 100].join(","));
    let selection = |max: u8| {
        let text = CATALOG.replace("percent = 100", &format!("percent = {max}"));
        let catalog = Catalog::parse("test", &text).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(hour[0], hour[1]).unwrap();
        Selection::new(
            &catalog,
            &"acme".parse().unwrap(),
            &ExportRequest::new(tables, window, Format::Jsonl),
            0,
        )
        .unwrap()
    };
    for (max, text, first_bad) in [
        (90, lines(9, 0, 91), Some(10)),
        (90, lines(5, 4, 91), Some(6)),
        (90, lines(10, 0, 90), None),
        (90, lines(2, 8, 90), None),
        (90, lines(0, 0, 99), None),
        (90, lines(0, 0, 100), Some(1)),
        (90, one_line, Some(1)),
        (50, lines(49, 0, 51), Some(50)),
        (0, lines(100, 0, 1), Some(101)),
        (0, lines(100, 1, 0), None),
        (100, lines(0, 0, 5000), None),
    ] {
        for (key, object) in [("a.json", text.clone().into_bytes()), ("a.gz", gzip(&text))] {
            // One before it does not count.
            let objects = [("0.json", ROWS.repeat(100).into()), (key, object)];
            let counted = |index: usize| Ok(&objects[index].1[..]);
            let listed = objects.each_ref().map(|(key, _)| InputObject {
                key: (*key).to_owned(),
                size_bytes: 1,
                likely_whole: true,
                refer: false,
                partition: None,
            });
            let output = WAYS.map(|way| try_convert(&selection(max), &objects, 2, way).map(drop));
            let counted = selection(max).count(&listed, 1, counted).map(drop);
            for result in output.into_iter().chain([counted]) {
                let reported = match result {
                    Ok(()) => None,
                    Err(ObjectError::MostlyBad { key: reported, rows, bad, line, .. }) => {
                        assert!(
                            reported == key && bad <= rows && rows >= 100,
                            "{reported} {bad} {rows}"
                        );
                        Some(line)
                    }
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(reported, first_bad, "{max} % {key}");
            }
        }
    }
}

#[test]
fn what_is_not_json_lines_fails_by_what_it_is() {
    let utf_16: Vec<u8> = ROWS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (object, want) in [
        (&b"PAR1\x15\x04\x15\n"[..], "Parquet"),
        (b"\xfd7zXZ\0\n", "xz"),
        (b"PK\x03\x04\n", "ZIP"),
        (&utf_16, "UTF-16"),
        (b"{\n  \"page\": \"/a\"\n}\n", "JSON with records over several lines"),
        (b"[\n  {\n    \"page\": 1\n  }\n]\n", "JSON with records over several lines"),
        (b"\xef\xbb\xbf[{\r\n  \"page\": 1\r\n}]", "JSON with records over several lines"),
    ] {
        for object in [object.to_vec(), gzip(object)] {
            for claimed in [Claimed::Small, Claimed::Large, Claimed::Edge] {
                let result = try_convert(&jsonl(), &[("a", object.clone())], 1, claimed);
                let Err(ObjectError::Foreign { what, .. }) = result else {
                    panic!("{want}: {result:?}")
                };
                assert_eq!(what, want);
            }
        }
    }
    let result = try_convert(&jsonl(), &[("a.gz", gzip(gzip(ROWS)))], 1, Claimed::Small);
    assert!(matches!(result, Err(ObjectError::Foreign { what: "compressed twice", .. })));
}

#[test]
fn the_first_bad_rows_are_listed_however_many_look() {
    let objects: Vec<(String, String)> = (0..40)
        .map(|n| (format!("{n}.json"), "bad\n".repeat(if n % 3 == 0 { 900 } else { n })))
        .collect();
    let listed: Vec<InputObject> = objects
        .iter()
        .map(|(key, text)| InputObject {
            key: key.clone(),
            size_bytes: text.len() as u64,
            likely_whole: true,
            refer: false,
            partition: None,
        })
        .collect();
    // Of two workers, one reads the first object and the last, and the other all between them.
    let (opened, more) = (Mutex::new(0), Condvar::new());
    let wait_for = |index: usize| {
        let opened = opened.lock().unwrap();
        drop(more.wait_while(opened, |opened| *opened < index).unwrap());
    };
    let open = |workers: usize, index: usize| {
        let mut latest = opened.lock().unwrap();
        *latest = index.max(*latest);
        drop(latest);
        more.notify_all();
        match index {
            0 if workers > 1 => wait_for(38),
            38 if workers > 1 => wait_for(39),
            _ => {}
        }
        Ok(objects[index].1.as_bytes())
    };
    let count = |workers| jsonl().count(&listed, workers, |index| open(workers, index)).unwrap().1;
    let together = count(2);
    let alone = count(1);
    assert_eq!(alone.listed.len(), crate::MAX_LISTED_BAD_ROWS);
    assert_eq!((alone.bad_rows, alone.listed), (together.bad_rows, together.listed));
}

#[test]
fn a_panic_names_the_object() {
    struct Bug;
    impl Read for Bug {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a bug")
        }
    }
    let object = |key: &str| InputObject {
        key: key.to_owned(),
        size_bytes: 1,
        likely_whole: true,
        refer: false,
        partition: None,
    };
    let (selection, objects) = (&jsonl(), &[object("bad.json")][..]);
    let pipeline = Pipeline {
        selection,
        objects,
        runs: group_runs(objects, &Encoding::Deflate(5)),
        encoding: Encoding::Deflate(5),
        workers: 2,
    };
    let output = pipeline.run(|_| Ok(Bug), |_, _| Ok(())).map(drop);
    let counted = selection.count(objects, 2, |_| Ok(Bug)).map(drop);
    let verified = selection.verify(objects, 2, |_| Ok(Bug)).map(drop);
    for result in [output, counted, verified] {
        assert!(
            matches!(&result, Err(ObjectError::Panicked { key }) if key == "bad.json"),
            "{result:?}"
        );
    }
}

/// A connection that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection reset"))
    }
}

#[test]
fn a_damaged_object_is_told_from_one_that_did_not_come() {
    let whole = gzip(ROWS);
    let zstd = zstd::encode_all(ROWS.as_bytes(), 3).unwrap();
    let mut flipped = whole.clone();
    flipped[20] ^= 0x55;
    for (key, object) in [
        ("cut.gz", &whole[..whole.len() - 9]),
        ("flipped.gz", &flipped[..]),
        ("text.gz", b"page,at\n/a,soon\n"),
        ("cut.zst", &zstd[..zstd.len() - 3]),
        ("text.zst", b"page,at\n/a,soon\n"),
    ] {
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred, Claimed::Edge] {
            let result = try_convert(&jsonl(), &[(key, object.to_vec())], 2, claimed);
            assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{key}: {result:?}");
        }
    }

    for (key, object) in by_libraries(ROWS) {
        for cut in 1..object.len() {
            let result = try_convert(&jsonl(), &[(key, object[..cut].to_vec())], 1, Claimed::Small);
            // Snappy frames have no end mark: behind the first of them, an object may end.
            let may_end = key.ends_with("sz") && cut == 10;
            let is_told =
                matches!(result, Err(ObjectError::Corrupt { .. } | ObjectError::Foreign { .. }));
            // Of a mark that is cut, some is text.
            assert!(is_told || may_end || cut < 5, "{key} {cut}: {result:?}");
        }
    }

    for key in ["a.gz", "a.zst", "a.json", "a.zz", "a.snappy", "a.bz2", "a.lz4"] {
        let object = InputObject {
            key: key.to_owned(),
            size_bytes: 100,
            likely_whole: false,
            refer: false,
            partition: None,
        };
        let (selection, objects) = (&jsonl(), &[object][..]);
        let pipeline = Pipeline {
            selection,
            objects,
            runs: group_runs(objects, &Encoding::Deflate(5)),
            encoding: Encoding::Deflate(5),
            workers: 2,
        };
        let result = pipeline.run(|_| Ok((&whole[..0]).chain(Broken)), |_, _| Ok(()));
        assert!(matches!(result, Err(ObjectError::Unreadable { .. })), "{key}: {result:?}");
    }
}

/// A connection that is interrupted before each byte or two.
struct Interrupted<'a>(&'a [u8], bool);

impl Read for Interrupted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = buf.len().min(2);
        self.0.read(&mut buf[..most])
    }
}

#[test]
fn a_reading_that_was_interrupted_is_made_again() {
    let zstd = zstd::encode_all(ROWS.as_bytes(), 3).unwrap();
    let others = [("a.json", ROWS.into()), ("a.gz", gzip(ROWS)), ("a.zst", zstd)];
    for (key, stored) in others.into_iter().chain(by_libraries(ROWS)) {
        let want = converted(&jsonl(), key, &stored).0;
        let (selection, objects) = (&jsonl(), &[an_object(key)][..]);
        let encoding = Encoding::Plain { bytes: usize::MAX, rows: u64::MAX };
        let pipeline = Pipeline {
            selection,
            objects,
            runs: group_runs(objects, &encoding),
            encoding,
            workers: 1,
        };
        let mut content = Vec::new();
        let keep = |_, extent| {
            let Extent::Bytes(bytes) = extent else { panic!("{extent:?}") };
            content.extend(bytes);
            Ok(())
        };
        pipeline.run(|_| Ok(Interrupted(&stored, false)), keep).unwrap();
        assert_eq!(String::from_utf8(content).unwrap(), want, "{key}");
    }
}
