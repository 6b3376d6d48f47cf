//! Numbers that nobody can foresee well: for orders and pauses, not for secrets.
//!
//! The generator is a value, so that whoever uses it can be tested with a known seed.

use std::hash::{BuildHasher, RandomState};

/// A `SplitMix64` generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One that differs from thread to thread, process to process and machine to machine.
    pub(crate) fn new() -> Self {
        // The standard library's hasher is seeded by the system.
        Self(RandomState::new().hash_one(std::process::id()))
    }

    /// A known one.
    #[cfg(test)]
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of the multiplication is far below what anybody could measure here.
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Puts a list into an order that is as likely as any other.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            list.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_about_as_often() {
        let mut random = Random::seeded(7);
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6000 {
            let mut list = [1, 2, 3];
            random.shuffle(&mut list);
            *seen.entry(list).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = Random::seeded(1);
        for bound in [0, 1, 2, 3, 1000, u64::MAX] {
            for _ in 0..100 {
                let number = random.below(bound);
                assert!(number < bound || bound == 0);
            }
        }
    }
}
