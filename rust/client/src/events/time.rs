//! The classic time value and its arithmetic.
//!
//! A [`Time`] is two independent signed fields, as in C, and is *not* kept normalised: programs
//! build any pair they like, so every function here accepts any pair. Sums wrap instead of
//! overflowing, because the numbers come from the program and must never stop it.

use std::cmp::Ordering;

/// Microseconds in a second.
pub const MICROS_PER_SEC: i64 = 1_000_000;

/// Seconds and microseconds, each with a sign of its own.
///
/// As a point in time it counts from the epoch of the clock it came from; as a length of time it
/// may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// Whole seconds.
    pub sec: i64,
    /// Microseconds, usually within (-1000000, 1000000) and of the sign of `sec`.
    pub usec: i64,
}

impl Time {
    /// The time of the two fields as given.
    #[must_use]
    pub const fn new(sec: i64, usec: i64) -> Self {
        Self { sec, usec }
    }

    /// The time of a clock reading, rounded to the nearest microsecond.
    ///
    /// `nanos` is expected within 0..1000000000. Rounding up the last half microsecond of a second
    /// carries into `sec` (the classic library then reports a `usec` of 1000000).
    #[must_use]
    pub const fn from_clock(sec: i64, nanos: i64) -> Self {
        let usec = nanos.wrapping_add(500) / 1_000;
        if usec >= MICROS_PER_SEC {
            Self::new(sec.wrapping_add(1), usec - MICROS_PER_SEC)
        } else {
            Self::new(sec, usec)
        }
    }

    /// Both fields with the opposite sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self::new(self.sec.wrapping_neg(), self.usec.wrapping_neg())
    }

    /// The sum, brought into range by *one* carry, then given one sign in both fields.
    ///
    /// One carry is enough for normalised operands. Others stay out of range, as in the classic
    /// library: `{0, 2500000} + {0, 0}` is `{1, 1500000}`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let mut sec = self.sec.wrapping_add(other.sec);
        let mut usec = self.usec.wrapping_add(other.usec);
        if usec >= MICROS_PER_SEC {
            usec -= MICROS_PER_SEC;
            sec = sec.wrapping_add(1);
        } else if usec <= -MICROS_PER_SEC {
            usec += MICROS_PER_SEC;
            sec = sec.wrapping_sub(1);
        }
        if sec > 0 && usec < 0 {
            sec -= 1;
            usec += MICROS_PER_SEC;
        } else if sec < 0 && usec > 0 {
            sec += 1;
            usec -= MICROS_PER_SEC;
        }
        Self::new(sec, usec)
    }

    /// `self` plus the negated `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    /// Compares seconds, then microseconds, without normalising: `{1, -900000}` is greater than
    /// `{0, 999999}`. This is the order of the C interface, not of the points in time, hence no
    /// implementation of `Ord`.
    #[must_use]
    pub fn compare_fields(self, other: Self) -> Ordering {
        self.sec
            .cmp(&other.sec)
            .then_with(|| self.usec.cmp(&other.usec))
    }

    /// The same length in microseconds, held at the ends of the range (about 292000 years).
    #[must_use]
    pub const fn to_micros(self) -> i64 {
        self.sec
            .saturating_mul(MICROS_PER_SEC)
            .saturating_add(self.usec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn t(sec: i64, usec: i64) -> Time {
        Time::new(sec, usec)
    }

    #[test]
    fn sums_carry_once_and_share_one_sign() {
        let table = [
            (t(1, 999_999), t(0, 2), t(2, 1)),
            (t(-1, -500_000), t(1, 0), t(0, -500_000)),
            (t(-1, -500_000), t(1, 900_000), t(0, 400_000)),
            (t(0, 0), t(0, -500_000), t(0, -500_000)),
            (t(1, -300_000), t(0, 0), t(0, 700_000)),
            (t(0, 2_500_000), t(0, 0), t(1, 1_500_000)),
            (t(0, 999_999), t(0, 999_999), t(1, 999_998)),
            (t(0, -2_500_000), t(0, 0), t(-1, -1_500_000)),
            (t(-1, 300_000), t(0, 0), t(0, -700_000)),
        ];
        for (a, b, sum) in table {
            assert_eq!(a.plus(b), sum, "{a:?} + {b:?}");
        }
    }

    #[test]
    fn differences_add_the_negated_value() {
        assert_eq!(t(0, 0).minus(t(0, 500_000)), t(0, -500_000));
        assert_eq!(t(2, 1).minus(t(0, 2)), t(1, 999_999));
        assert_eq!(t(3, -4).negated(), t(-3, 4));
    }

    #[test]
    fn comparison_looks_at_the_fields_only() {
        assert_eq!(
            t(1, -900_000).compare_fields(t(0, 999_999)),
            Ordering::Greater
        );
        assert_eq!(t(0, 1).compare_fields(t(0, 2)), Ordering::Less);
        assert_eq!(t(-1, 5).compare_fields(t(-1, 5)), Ordering::Equal);
    }

    #[test]
    fn no_value_overflows() {
        let extremes = [
            i64::MIN,
            i64::MIN + 1,
            -MICROS_PER_SEC,
            -1,
            0,
            1,
            i64::MAX - 1,
            i64::MAX,
        ];
        for a in extremes {
            for b in extremes {
                for c in extremes {
                    for d in extremes {
                        let (x, y) = (t(a, b), t(c, d));
                        let _ = (x.plus(y), x.minus(y), x.negated(), x.to_micros());
                        let _ = (x.compare_fields(y), Time::from_clock(a, b));
                    }
                }
            }
        }
        assert_eq!(t(i64::MAX, 999_999).plus(t(0, 1)), t(i64::MIN, 0));
        assert_eq!(t(i64::MAX, 0).to_micros(), i64::MAX);
        assert_eq!(t(i64::MIN, 0).to_micros(), i64::MIN);
    }

    #[test]
    fn clock_readings_are_rounded_and_normalised() {
        assert_eq!(Time::from_clock(5, 499), t(5, 0));
        assert_eq!(Time::from_clock(5, 500), t(5, 1));
        assert_eq!(Time::from_clock(5, 999_999_499), t(5, 999_999));
        assert_eq!(Time::from_clock(5, 999_999_500), t(6, 0));
    }
}
