//! Compressed rows are taken over where they can be, and only there.

use super::*;

#[test]
fn an_object_whose_rows_are_all_wanted_is_spliced_and_no_other() {
    let lines: Vec<&str> = ROWS.lines().collect();
    let (first, late, last) = (lines[0], lines[1], lines[3]);
    let edge = converted(&jsonl(), "a.json", ROWS.as_bytes()).0;
    for (text, spliced) in [
        (format!("{first}\n{last}\n"), 1),
        (String::new(), 1),
        (format!("{first}\n{late}\n{last}\n"), 0),
        (format!("{first}\n\n{last}\n"), 0),
        (format!("{first}\r\n{last}\n"), 0),
        (format!("{first}\n{last}"), 0),
        (format!("\u{feff}{first}\n{last}\n"), 0),
        (format!("{first}\n{{\n{last}\n"), 0),
    ] {
        let want = converted(&jsonl(), "a.json", text.as_bytes());
        let objects =
            [("first.json", ROWS.into()), ("a.json.gz", gzip(&text)), ("last.json", ROWS.into())];
        for claimed in [Claimed::Small, Claimed::Large, Claimed::Referred] {
            let (read, output) = try_convert(&jsonl(), &objects, 2, claimed).unwrap();

            assert_eq!(read, format!("{edge}{}{edge}", want.0), "{text}");
            let found = (output.stats.spliced, output.stats.bad_rows);
            assert_eq!(found, (spliced, want.1.stats.bad_rows), "{text}");
            let wide = output.stats.times.is_some();
            assert!(wide && output.segment.rows == read.lines().count() as u64);
        }
    }
    let csv = selection("visits", None, Format::Csv);
    assert_eq!(converted(&csv, "a.json.gz", &gzip("")).1.stats.spliced, 0);
}

#[test]
fn an_object_of_very_many_members_is_converted_without_keeping_each() {
    let row = row((100, true));
    let member = written(std::slice::from_ref(&row), 6, usize::MAX);
    for (members, spliced) in [(1000, 1), (40_000, 0)] {
        let object = ("a.gz", member.repeat(members));
        let (text, output) = try_convert(&jsonl(), &[object], 2, Claimed::Small).unwrap();
        assert!(text == row.repeat(members), "{members} members");
        assert_eq!(output.stats.spliced, spliced);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_inside_of_an_object_that_a_window_cuts_is_taken_over(
        members in prop::collection::vec(prop::collection::vec((0..400_usize, Filed::any()), 1..5), 1..4),
        level in 0_u32..10, flush_every in prop_oneof![Just(usize::MAX), 20_000..200_000_usize],
        claimed in prop::sample::select(vec![Claimed::Small, Claimed::Large, Claimed::Edge])
    ) {
        // Stretches of hundreds of rows.
        let texts: Vec<String> = members.iter().map(|extents| {
            extents.iter().enumerate()
                .flat_map(|(n, (rows, filed))| (0..*rows).map(move |m| filed.row(500 + 37 * n + m % 91)))
                .collect()
        }).collect();
        let object = written(&texts, level, flush_every);
        let rows: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).collect();
        let wanted: Vec<&str> = rows.iter().copied().filter(|line| line.contains("T00:30")).collect();
        let (text, output) = try_convert(&jsonl(), &[("a.gz", object)], 2, claimed).unwrap();

        prop_assert!(text == wanted.iter().flat_map(|line| [*line, "\n"]).collect::<String>());
        prop_assert_eq!(output.segment.rows, wanted.len() as u64);
        prop_assert_eq!(output.stats.outside, (rows.len() - wanted.len()) as u64);
    }
}

#[test]
fn the_end_of_an_empty_member_is_not_taken_over_with_the_next() {
    let text = row((600, true)).repeat(300);
    for level in [0, 6] {
        let object = written(&[String::new(), text.clone()], level, usize::MAX);
        let (read, _) = try_convert(&jsonl(), &[("a.gz", object)], 2, Claimed::Edge).unwrap();
        assert!(read == text, "level {level}");
    }
}

/// A gzip object whose stream is one block of the codes that need no table (RFC 1951, section 3.2.6).
fn one_block(text: &str) -> Vec<u8> {
    let mut object = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // The last block, of that kind.
    let mut bits = 0b011_u64;
    let codes = text.bytes().map(|byte| {
        assert!(byte < 144, "those above have longer codes");
        (0x30 + byte).reverse_bits()
    });
    for code in codes {
        bits |= u64::from(code) << 3;
        object.push(bits.to_le_bytes()[0]);
        bits >>= 8;
    }
    // Seven zeros end the block.
    object.extend([bits.to_le_bytes()[0], 0]);
    object.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    object.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    object
}

#[test]
fn rows_and_blocks_beyond_what_is_held_are_converted_at_the_edge_of_a_window() {
    let many = row((900, true)).repeat(20_000);
    let (text, output) =
        try_convert(&jsonl(), &[("a.gz", one_block(&many))], 2, Claimed::Edge).unwrap();
    assert!(text == many && output.segment.rows == 20_000);

    let (row, long) = (row((900, true)), "x".repeat(40 << 20));
    let object = gzip(format!("{row}{long}\n{row}"));
    let (text, output) = try_convert(&jsonl(), &[("a.gz", object)], 2, Claimed::Edge).unwrap();
    assert_eq!((text, output.stats.bad_rows), (row.repeat(2), 1));
}

#[test]
fn most_of_an_object_is_not_compressed_again_at_the_edge_of_a_window() {
    let text: String = (0..9000).map(|n| row((400 + n % 300, n > 2000))).collect();
    let object = written(&[text], 9, usize::MAX);
    let (selection, mut taken_over) = (jsonl(), 0);
    let mut rows = Converter::new(&selection, &Encoding::Deflate(5), |made| {
        if let Output::Spliced { segment, .. } = made {
            taken_over += segment.raw_bytes;
        }
        Ok(())
    });
    let listed = InputObject {
        key: "a.gz".to_owned(),
        size_bytes: 1 << 30,
        likely_whole: false,
        refer: false,
        partition: None,
    };
    rows.object(0, &listed, || Ok(&object[..])).unwrap();
    assert_eq!(rows.finish().unwrap().outside, 2001);
    assert!(taken_over > 3_000_000, "{taken_over}");
}

#[test]
fn zeros_after_an_object_are_padding_however_it_is_converted() {
    let text = row((600, true)).repeat(300);
    let object = [gzip(&text), vec![0; 512]].concat();
    let csv = selection("visits", None, Format::Csv);
    for claimed in WAYS {
        let (read, output) =
            try_convert(&jsonl(), &[("a.gz", object.clone())], 2, claimed).unwrap();
        assert!(read == text, "{claimed:?}");
        assert_eq!(output.stats.spliced == 1, !matches!(claimed, Claimed::Edge));
        let (_, output) = try_convert(&csv, &[("a.gz", object.clone())], 2, claimed).unwrap();
        assert_eq!(output.segment.rows, 300);
    }
    let garbage = [&object[..], b"more"].concat();
    for claimed in WAYS {
        let result = try_convert(&jsonl(), &[("a.gz", garbage.clone())], 2, claimed);
        assert!(matches!(result, Err(ObjectError::Corrupt { .. })), "{claimed:?} {result:?}");
    }
}

#[test]
fn objects_of_the_encoders_that_people_have_are_read_however_they_are_converted() {
    let catalog = Catalog::built_in().unwrap();
    let times = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|time| time.parse().unwrap());
    let selection = |format| {
        let window = Window::new(times[0], times[1]).unwrap();
        let tables = vec![TableSelection::whole("liferay_page")];
        Selection::new(
            &catalog,
            &"acme".parse().unwrap(),
            &ExportRequest::new(tables, window, format),
            0,
        )
        .unwrap()
    };
    let (jsonl, csv) = (selection(Format::Jsonl), selection(Format::Csv));
    let content = String::from_utf8(streams::content_of_encoders()).unwrap();
    let rows = content.lines().count() as u64;
    for (name, object) in streams::files_of_encoders() {
        for claimed in WAYS {
            let (read, output) =
                try_convert(&jsonl, &[("a.gz", object.clone())], 2, claimed).unwrap();
            assert!(read == content && output.segment.rows == rows, "{name} {claimed:?}");
            assert_eq!(output.stats.spliced == 1, !matches!(claimed, Claimed::Edge), "{name}");
        }
        let (_, output) = try_convert(&csv, &[("a.gz", object)], 2, Claimed::Small).unwrap();
        assert_eq!((output.segment.rows, output.stats.bad_rows), (rows, 0), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn objects_of_any_blocks_are_read_however_they_are_converted(
        rows in prop::collection::vec((0..3000_usize, 0..40_usize), 0..8),
        choices in prop::collection::vec(any::<u8>(), 0..200),
        claimed in prop::sample::select(WAYS.to_vec())
    ) {
        let text: String = rows.into_iter().map(|(size, times)| row((size, true)).repeat(times)).collect();
        let choices = &mut streams::Choices::new(&choices);
        let stream = streams::stream_of(text.as_bytes(), choices);
        let object = streams::member_with(&stream, text.as_bytes(), choices);
        let (read, _) = try_convert(&jsonl(), &[("a.gz", object)], 2, claimed).unwrap();
        prop_assert!(read == text);
    }
}
