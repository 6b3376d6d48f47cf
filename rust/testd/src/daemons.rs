//! Sets of daemons.

use std::fmt;

/// Most daemons of one network.
pub const MAX_DAEMONS: usize = 128;

/// A set of daemons, by their place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct DaemonSet(u128);

impl DaemonSet {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) fn only(index: usize) -> Self {
        let mut set = Self::EMPTY;
        set.insert(index);
        set
    }

    pub(crate) fn insert(&mut self, index: usize) {
        debug_assert!(index < MAX_DAEMONS);
        self.0 |= 1 << index;
    }

    #[inline]
    pub(crate) fn contains(self, index: usize) -> bool {
        index < MAX_DAEMONS && self.0 >> index & 1 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// In the order of the configuration.
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            (left != 0).then(|| {
                left &= left - 1;
                index
            })
        })
    }

    pub(crate) fn first(self) -> Option<usize> {
        self.iter().next()
    }
}

impl FromIterator<usize> for DaemonSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let mut set = Self::EMPTY;
        for index in indices {
            set.insert(index);
        }
        set
    }
}

impl fmt::Debug for DaemonSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order() {
        let set: DaemonSet = [5, 0, 127].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 127]);
        assert_eq!(set.first(), Some(0));
        assert!(set.contains(127) && !set.contains(6) && !set.contains(4000));
        assert_eq!(set.without(DaemonSet::only(5)).iter().count(), 2);
    }
}
