//! How much a range holds, and how it can be cut into ranges that are not too large.

use export::Window;
use jiff::{SignedDuration, Timestamp};

/// The most source objects that are listed of a range. An export holds no more, and reads no more than some
/// hundred lists of them.
pub(crate) const MAX_OBJECTS: usize = 100_000;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

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

/// Cuts a range of hours into two halves, the first of which has an hour more where they are not the same.
/// None of an hour.
pub(crate) fn halves(window: Window) -> Option<[Window; 2]> {
    let hours = window.length().as_hours();
    let first = i32::try_from((hours + 1) / 2).ok()?;
    let middle = window.from().checked_add(HOUR * first).ok()?;
    let first = Window::new(window.from(), middle).ok()?;
    Some([first, Window::new(middle, window.to()).ok()?])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_tile_a_range_of_hours_and_an_hour_has_none() {
        let hours = |from: i32, to: i32| {
            Window::new(Timestamp::UNIX_EPOCH + HOUR * from, Timestamp::UNIX_EPOCH + HOUR * to)
                .unwrap()
        };
        assert_eq!(halves(hours(0, 1)), None);
        assert_eq!(halves(hours(0, 2)), Some([hours(0, 1), hours(1, 2)]));
        assert_eq!(halves(hours(0, 5)), Some([hours(0, 3), hours(3, 5)]));
    }

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
