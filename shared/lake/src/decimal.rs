//! Numbers of any size, compared digit for digit.

use std::cmp::Ordering;

/// A number as JSON writes it: `0.` these digits, times ten to the power of `point`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    point: i64,
    /// Without zeros at either end; none is zero.
    digits: Vec<u8>,
}

impl Decimal {
    /// Reads a number; none if the text is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        digits.truncate(digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1));
        if digits.is_empty() {
            return Some(Self { negative: false, point: 0, digits });
        }
        // An exponent beyond all bounds is as good as the bound.
        let bound = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let valid = all_digits(bare) && !bare.is_empty();
        let shift = valid.then(|| exponent.parse().unwrap_or(bound))?;
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?;
        Some(Self { negative, point: point.saturating_add(shift), digits })
    }

    /// Returns the exact value of a floating-point number that is whole; none for another.
    pub(crate) fn of(value: f64) -> Option<Self> {
        // So all of its digits are written, and no exponent.
        (value.fract() == 0.0).then(|| Self::parse(&format!("{value:.0}"))).flatten()
    }

    /// Returns the whole number that this is, if it is one of 64 bits.
    pub(crate) fn to_i64(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let places = usize::try_from(self.point).ok().filter(|places| *places <= 19)?;
        let zeros = places.checked_sub(self.digits.len())?;
        let digits = std::str::from_utf8(&self.digits).ok()?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{digits}{}", "0".repeat(zeros)).parse().ok()
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |n: &Self| match (n.digits.is_empty(), n.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then(match (self.digits.is_empty(), self.negative) {
            (true, _) => Ordering::Equal,
            (false, true) => size.reverse(),
            (false, false) => size,
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_that_are_written_otherwise_are_the_same() {
        for (one, other) in
            [("0", "-0.00"), ("1", "1.0"), ("1e3", "1000"), ("12.50", "1.25E+1"), ("0.001", "1e-3")]
        {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
        assert!(of("9007199254740993") > of("9007199254740992"));
        assert!(of("1e99999999999999999999") > of("9e99"));
        assert!(of("1e-99999999999999999999") < of("1e-99"));
        for text in ["", "-", "1e", "x", "1.2.3", "e5", "1e+-5"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn they_are_in_the_order_of_numbers(a in any::<i128>(), b in any::<i128>(), scale in 0..6_u32) {
            let text = |n: i128| format!("{n}e-{scale}");
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }

        #[test]
        fn so_are_fractions(a in -1000..1000_i32, b in -1000..1000_i32) {
            let text = |n: i32| format!("{}", f64::from(n) / 64.0);
            prop_assert_eq!(of(&text(a)).cmp(&of(&text(b))), a.cmp(&b));
        }
    }
}
