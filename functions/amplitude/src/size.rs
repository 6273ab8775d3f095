//! How much a range holds, and how it can be cut into ranges that are not too large.

use export::Window;
use jiff::Timestamp;

/// Cuts a range into as few as possible that each hold at most `most` bytes, or a single partition.
pub(crate) fn fitting(window: Window, sizes: &[(Timestamp, u64)], most: u64) -> Vec<Window> {
    let mut cuts = vec![window.from()];
    let mut sum = 0;
    for (at, size) in sizes {
        if sum > 0 && sum + size > most {
            cuts.push(*at);
            sum = 0;
        }
        sum += size;
    }
    cuts.push(window.to());
    cuts.windows(2).filter_map(|ends| Window::new(ends[0], ends[1]).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    proptest! {
        #[test]
        fn parts_tile_the_range_and_fit(sizes in prop::collection::vec(0_u64..100, 1..60), most in 1_u64..300) {
            let begin = Timestamp::UNIX_EPOCH;
            let at = |hour: usize| begin + HOUR * i32::try_from(hour).unwrap();
            let window = Window::new(begin, at(sizes.len())).unwrap();
            let sized: Vec<_> = sizes.iter().enumerate().filter(|(_, size)| **size > 0)
                .map(|(hour, size)| (at(hour), *size)).collect();

            let parts = fitting(window, &sized, most);

            prop_assert_eq!((parts[0].from(), parts[parts.len() - 1].to()), (window.from(), window.to()));
            prop_assert!(parts.windows(2).all(|two| two[0].to() == two[1].from()));
            for part in parts {
                let held: Vec<u64> = sized.iter().filter(|(at, _)| part.contains(*at)).map(|(_, s)| *s).collect();
                prop_assert!(held.len() <= 1 || held.iter().sum::<u64>() <= most);
            }
        }
    }
}
