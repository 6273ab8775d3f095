//! What is told of each object does not depend on the others, nor on how it is converted.

use super::*;

/// Rows of an object: a kind of each, by which it is known what becomes of it.
fn object(rows: &[u8], gzipped: bool) -> (Vec<u8>, ObjectCounts) {
    let (mut text, mut counts) = (String::new(), ObjectCounts::default());
    for (number, kind) in rows.iter().enumerate() {
        match kind {
            0 => {
                counts.outside += 1;
                text += &row((40 + number, false));
            }
            1 => {
                counts.bad_rows += 1;
                text += "{\"page\":\n";
            }
            2 => text += "\n",
            _ => {
                counts.rows += 1;
                text += &row((40 + number, true));
            }
        }
    }
    (if gzipped { gzip(text) } else { text.into_bytes() }, counts)
}

proptest! {
    #[test]
    fn each_object_is_counted_for_itself(
        objects in prop::collection::vec(
            // Mostly, every row is wanted, so that objects are taken over as they are.
            (prop::collection::vec(prop_oneof![1 => 0..3_u8, 9 => Just(3)], 0..80), any::<bool>()),
            1..6,
        ),
        csv in any::<bool>(),
        workers in 1..4_usize,
        way in 0..WAYS.len(),
    ) {
        let made: Vec<_> = objects.iter().map(|(rows, gzipped)| object(rows, *gzipped)).collect();
        let data: Vec<(&str, Vec<u8>)> = made.iter().map(|(data, _)| ("a", data.clone())).collect();
        let format = if csv { Format::Csv } else { Format::Jsonl };
        let selection = selection("visits", None, format);
        let (_, output) = try_convert(&selection, &data, workers, WAYS[way]).unwrap();
        let want = made.iter().enumerate().map(|(at, (_, counts))| ObjectCounts { object: at, ..*counts });
        prop_assert_eq!(output.stats.objects, want.collect::<Vec<_>>());
    }
}
