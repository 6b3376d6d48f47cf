//! The timers: at most one per key, due in the order of time, then of queueing.
//!
//! An indexed binary heap: queue, remove and pop are O(log n), and once the vectors have grown to
//! the number of timers in use nothing is allocated any more.

use std::collections::HashMap;
use std::collections::TryReserveError;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash};

/// Hashes with fixed keys, so that an empty table can be built in a constant. The keys hashed are
/// numbers and addresses that the program itself chose, nothing that comes from a network.
pub(super) type FixedState = BuildHasherDefault<DefaultHasher>;

/// Where a timer is kept.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At this index of `heap`.
    Heap(usize),
    /// At this index of `held`.
    Held(usize),
}

#[derive(Clone, Copy, Debug)]
struct Timer<K> {
    key: K,
    due: i64,
    /// Number of the queueing: orders timers that are due at the same time.
    seq: u64,
    place: Place,
}

/// The set of pending timers. Times are microseconds of one monotonic clock.
///
/// While a *pass* is open (a round is running its due timers), timers queued meanwhile are held
/// back: they exist, and can be removed, but are not due before the next pass. So a timer that
/// queues itself again with no delay, or a negative one, cannot keep a pass going for ever.
#[derive(Debug)]
pub(super) struct Timers<K> {
    /// Slots of `timers`, a binary heap by (due, seq).
    heap: Vec<usize>,
    /// Slots of timers queued while a pass is open, in no particular order.
    held: Vec<usize>,
    pass_open: bool,
    timers: Vec<Timer<K>>,
    /// Key to slot of `timers`.
    slots: HashMap<K, usize, FixedState>,
    next_seq: u64,
}

impl<K> Timers<K> {
    pub(super) const fn new() -> Self {
        Self {
            heap: Vec::new(),
            held: Vec::new(),
            pass_open: false,
            timers: Vec::new(),
            slots: HashMap::with_hasher(FixedState::new()),
            next_seq: 0,
        }
    }
}

impl<K: Copy + Eq + Hash> Timers<K> {
    /// Puts a timer in; one with the same key is removed first.
    ///
    /// # Errors
    /// Out of memory: nothing is changed.
    pub(super) fn queue(&mut self, key: K, due: i64) -> Result<(), TryReserveError> {
        // Room for one more everywhere, before anything changes: the rest cannot fail. Each list
        // of slots gets the room for all timers, as releasing the held ones must not fail either.
        self.timers.try_reserve(1)?;
        self.slots.try_reserve(1)?;
        let room = self.timers.len() + 1;
        self.heap.try_reserve(room - self.heap.len())?;
        self.held.try_reserve(room - self.held.len())?;

        self.remove(&key);
        let slot = self.timers.len();
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        let list = if self.pass_open {
            &mut self.held
        } else {
            &mut self.heap
        };
        let at = list.len();
        list.push(slot);
        let place = if self.pass_open {
            Place::Held(at)
        } else {
            Place::Heap(at)
        };
        self.timers.push(Timer {
            key,
            due,
            seq,
            place,
        });
        self.slots.insert(key, slot);
        if !self.pass_open {
            self.sift_up(at);
        }
        Ok(())
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.slots.contains_key(key)
    }

    /// Takes the timer of this key out; tells whether there was one.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        let Some(slot) = self.slots.remove(key) else {
            return false;
        };
        match self.timers[slot].place {
            Place::Heap(at) => self.unlink_from_heap(at),
            Place::Held(at) => {
                self.held.swap_remove(at);
                if let Some(&moved) = self.held.get(at) {
                    self.timers[moved].place = Place::Held(at);
                }
            }
        }
        self.free(slot);
        true
    }

    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.held.clear();
        self.pass_open = false;
        self.timers.clear();
        self.slots.clear();
    }

    /// When the earliest timer is due, those held back left aside.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.heap.first().map(|&slot| self.timers[slot].due)
    }

    /// Starts a pass; ends one that is still open (its loop was left by a jump out of a timer).
    pub(super) fn open_pass(&mut self) {
        self.close_pass();
        self.pass_open = true;
    }

    /// Ends the pass: what was held back counts from now on.
    pub(super) fn close_pass(&mut self) {
        self.pass_open = false;
        while let Some(slot) = self.held.pop() {
            let at = self.heap.len();
            self.heap.push(slot);
            self.timers[slot].place = Place::Heap(at);
            self.sift_up(at);
        }
    }

    /// Takes out the earliest timer, if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: i64) -> Option<K> {
        let slot = *self.heap.first()?;
        let timer = self.timers[slot];
        if timer.due > now {
            return None;
        }
        self.unlink_from_heap(0);
        self.slots.remove(&timer.key);
        self.free(slot);
        Some(timer.key)
    }

    fn earlier(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.timers[a], &self.timers[b]);
        (a.due, a.seq) < (b.due, b.seq)
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.timers[self.heap[a]].place = Place::Heap(a);
        self.timers[self.heap[b]].place = Place::Heap(b);
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.earlier(self.heap[at], self.heap[parent]) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut first = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.earlier(self.heap[child], self.heap[first]) {
                    first = child;
                }
            }
            if first == at {
                break;
            }
            self.swap(at, first);
            at = first;
        }
    }

    fn unlink_from_heap(&mut self, at: usize) {
        let last = self.heap.len() - 1;
        if at != last {
            self.swap(at, last);
        }
        self.heap.pop();
        if at != last {
            self.sift_up(at);
            self.sift_down(at);
        }
    }

    /// Gives the slot of an unlinked timer back; the last timer moves into it.
    fn free(&mut self, slot: usize) {
        self.timers.swap_remove(slot);
        if let Some(&moved) = self.timers.get(slot) {
            match moved.place {
                Place::Heap(at) => self.heap[at] = slot,
                Place::Held(at) => self.held[at] = slot,
            }
            if let Some(entry) = self.slots.get_mut(&moved.key) {
                *entry = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn drain(timers: &mut Timers<u32>, now: i64) -> Vec<u32> {
        std::iter::from_fn(|| timers.pop_due(now)).collect()
    }

    #[test]
    fn timers_run_in_the_order_of_time_then_of_queueing() {
        let mut timers = Timers::new();
        for (key, due) in [(1, 30), (2, 10), (3, 20), (4, 10), (5, -5), (6, 10)] {
            timers.queue(key, due).unwrap();
        }
        assert_eq!(timers.next_due(), Some(-5));
        assert_eq!(drain(&mut timers, 20), [5, 2, 4, 6, 3]);
        assert_eq!(timers.next_due(), Some(30));
        assert_eq!(drain(&mut timers, 29), []);
        assert_eq!(drain(&mut timers, 30), [1]);
        assert_eq!(timers.next_due(), None);
    }

    #[test]
    fn queueing_a_key_again_replaces_its_time() {
        let mut timers = Timers::new();
        for due in [50, 10, 20] {
            timers.queue(7, due).unwrap();
        }
        timers.queue(8, 20).unwrap();
        timers.queue(7, 20).unwrap();
        assert_eq!(
            drain(&mut timers, 100),
            [8, 7],
            "the newer queueing also goes behind its equals"
        );
    }

    #[test]
    fn a_pass_does_not_see_what_is_queued_during_it() {
        let mut timers = Timers::new();
        timers.queue(1, 0).unwrap();
        timers.queue(2, 0).unwrap();
        timers.open_pass();
        assert_eq!(timers.pop_due(0), Some(1));
        timers.queue(1, -100).unwrap();
        timers.queue(2, -50).unwrap();
        timers.queue(3, 0).unwrap();
        assert!(timers.contains(&1) && timers.contains(&2));
        assert_eq!(
            timers.pop_due(0),
            None,
            "2 was queued anew, so it waits as well"
        );
        assert!(timers.remove(&3));
        timers.close_pass();
        assert_eq!(drain(&mut timers, 0), [1, 2]);
    }

    #[test]
    fn a_pass_left_open_holds_nothing_back_for_ever() {
        let mut timers = Timers::new();
        timers.open_pass();
        timers.queue(1, 0).unwrap();
        timers.open_pass();
        assert_eq!(timers.pop_due(0), Some(1));
        timers.queue(2, 0).unwrap();
        timers.clear();
        assert!(!timers.contains(&2));
        timers.queue(3, 0).unwrap();
        assert_eq!(timers.pop_due(0), Some(3), "clear ends the pass too");
    }

    /// A long mixed sequence against a model that is simply sorted.
    #[test]
    fn agrees_with_a_sorted_model() {
        let mut timers = Timers::new();
        let mut model: BTreeMap<u32, (i64, u64)> = BTreeMap::new();
        let mut held: Vec<u32> = Vec::new();
        let mut open = false;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % bound
        };
        for seq in 0..20_000_u64 {
            let key = u32::try_from(random(60)).unwrap();
            let time = i64::try_from(random(50)).unwrap();
            match random(8) {
                0..=3 => {
                    timers.queue(key, time).unwrap();
                    model.insert(key, (time, seq));
                    held.retain(|&k| k != key);
                    if open {
                        held.push(key);
                    }
                }
                4 => {
                    assert_eq!(timers.remove(&key), model.remove(&key).is_some());
                    held.retain(|&k| k != key);
                }
                5 => {
                    let expected = model
                        .iter()
                        .filter(|(k, (due, _))| *due <= time && !held.contains(k))
                        .min_by_key(|(_, order)| **order)
                        .map(|(&k, _)| k);
                    assert_eq!(timers.pop_due(time), expected);
                    if let Some(k) = expected {
                        model.remove(&k);
                    }
                }
                6 => {
                    timers.open_pass();
                    held.clear();
                    open = true;
                }
                _ => {
                    timers.close_pass();
                    held.clear();
                    open = false;
                }
            }
            assert_eq!(timers.contains(&key), model.contains_key(&key));
            let next = model
                .iter()
                .filter(|(k, _)| !held.contains(k))
                .map(|(_, &(due, _))| due)
                .min();
            assert_eq!(timers.next_due(), next);
        }
    }

    #[test]
    fn a_steady_set_of_timers_stops_allocating() {
        let mut timers = Timers::new();
        for key in 0..100 {
            timers.queue(key, 0).unwrap();
        }
        timers.open_pass();
        while let Some(key) = timers.pop_due(0) {
            timers.queue(key, 0).unwrap();
        }
        timers.close_pass();
        let sizes = |t: &Timers<u32>| (t.heap.capacity(), t.held.capacity(), t.timers.capacity());
        let before = sizes(&timers);
        for _ in 0..100 {
            timers.open_pass();
            while let Some(key) = timers.pop_due(0) {
                timers.queue(key, 0).unwrap();
            }
            timers.close_pass();
        }
        assert_eq!(sizes(&timers), before);
    }
}
