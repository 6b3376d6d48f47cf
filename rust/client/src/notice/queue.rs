//! The events that wait for the program: in order, bounded, and without losing a state.
//!
//! At the bound the oldest progress reports ([`Event::Reconnecting`]) go first. Then neighbours are
//! merged that say together what each of them said: counts of dropped messages are added up, and of
//! several gaps one remains, from the first name to the last, with their number and their sum. A
//! time of slowness that is over is forgotten. So after any number of events the program finds
//! every reconnect counted, and the state that the session is in.

use std::collections::VecDeque;

use super::{Event, Reconnected};

/// Most events that wait.
pub(crate) const MOST: usize = 64;

/// Events in order. See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    list: VecDeque<Event>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.list.pop_front()
    }

    pub(super) fn push(&mut self, event: Event) {
        // Of drops only the sum matters, wherever nothing else has happened between.
        if let (
            Event::Dropped { messages, bytes },
            Some(Event::Dropped {
                messages: all,
                bytes: all_bytes,
            }),
        ) = (&event, self.list.back_mut())
        {
            *all = all.saturating_add(*messages);
            *all_bytes = all_bytes.saturating_add(*bytes);
            return;
        }
        if self.list.len() >= MOST {
            self.make_room();
        }
        self.list.push_back(event);
    }

    fn make_room(&mut self) {
        let progress = |event: &Event| matches!(event, Event::Reconnecting { .. });
        if let Some(at) = self.list.iter().position(progress) {
            self.list.remove(at);
            return;
        }
        if self.merge_outages() || self.forget_slowness() || self.merge_drops() {
            return;
        }
        // Not reached: of each kind one or two are left, far below the bound.
        self.list.pop_front();
    }

    /// `Lost, Reconnected(a), Lost, Reconnected(b)` become `Lost, Reconnected(a and b)`, whatever else
    /// stands between.
    fn merge_outages(&mut self) -> bool {
        let mut ends = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, event)| matches!(event, Event::Reconnected(_)))
            .map(|(at, _)| at);
        let (Some(first), Some(second)) = (ends.next(), ends.next()) else {
            return false;
        };
        let Some(Event::Reconnected(earlier)) = self.list.get(first) else {
            return false;
        };
        let earlier = earlier.clone();
        if let Some(Event::Reconnected(later)) = self.list.get_mut(second) {
            **later = merged(&earlier, later);
        }
        // The loss that the later of the two belongs to, then the earlier end.
        let lost =
            (first..second).find(|&at| matches!(self.list.get(at), Some(Event::DaemonLost { .. })));
        if let Some(at) = lost {
            self.list.remove(at);
        }
        self.list.remove(first);
        true
    }

    /// `Slow, SlowCleared` are taken out.
    fn forget_slowness(&mut self) -> bool {
        let Some(slow) = self
            .list
            .iter()
            .position(|event| matches!(event, Event::Slow { .. }))
        else {
            return false;
        };
        let cleared = (slow..self.list.len())
            .find(|&at| matches!(self.list.get(at), Some(Event::SlowCleared { .. })));
        let Some(cleared) = cleared else {
            return false;
        };
        self.list.remove(cleared);
        // A time of not reading was a part of it.
        for at in (slow..cleared).rev() {
            if at == slow || matches!(self.list.get(at), Some(Event::Blocked { .. })) {
                self.list.remove(at);
            }
        }
        true
    }

    /// Two counts of dropped messages become one, at the place of the later.
    fn merge_drops(&mut self) -> bool {
        let mut drops = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, event)| matches!(event, Event::Dropped { .. }))
            .map(|(at, _)| at);
        let (Some(first), Some(second)) = (drops.next(), drops.next()) else {
            return false;
        };
        let Some(&Event::Dropped { messages, bytes }) = self.list.get(first) else {
            return false;
        };
        if let Some(Event::Dropped {
            messages: all,
            bytes: all_bytes,
        }) = self.list.get_mut(second)
        {
            *all = all.saturating_add(messages);
            *all_bytes = all_bytes.saturating_add(bytes);
        }
        self.list.remove(first);
        true
    }
}

fn merged(earlier: &Reconnected, later: &Reconnected) -> Reconnected {
    Reconnected {
        old_private_group: earlier.old_private_group,
        gap: earlier.gap.saturating_add(later.gap),
        attempts: earlier.attempts.saturating_add(later.attempts),
        outages: earlier.outages.saturating_add(later.outages),
        ..later.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use spread_proto::Name;

    use super::super::Ending;
    use super::*;

    fn name(number: usize) -> Name {
        Name::new(format!("#u#d{number}").as_bytes())
    }

    fn reconnected(number: usize) -> Event {
        Event::Reconnected(Box::new(Reconnected {
            old_private_group: name(number),
            private_group: name(number + 1),
            daemon: format!("d{}", number + 1),
            gap: Duration::from_millis(1),
            groups: 1,
            attempts: 1,
            outages: 1,
        }))
    }

    fn lost(number: usize) -> Event {
        Event::DaemonLost {
            daemon: format!("d{number}"),
        }
    }

    fn all(mut queue: Queue) -> Vec<Event> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn events_come_out_in_their_order() {
        let mut queue = Queue::default();
        let events = [lost(0), reconnected(0), Event::Closed(Ending::DaemonGone)];
        for event in events.clone() {
            queue.push(event);
        }
        assert_eq!(all(queue), events);
    }

    #[test]
    fn drops_in_a_row_are_one_event() {
        let mut queue = Queue::default();
        for _ in 0..1000 {
            queue.push(Event::Dropped {
                messages: 2,
                bytes: 10,
            });
        }
        assert_eq!(
            all(queue),
            [Event::Dropped {
                messages: 2000,
                bytes: 10_000
            }]
        );
    }

    #[test]
    fn a_program_that_never_looks_finds_one_long_outage_in_the_end() {
        let mut queue = Queue::default();
        for number in 0..1000 {
            queue.push(lost(number));
            for attempt in 1..5 {
                queue.push(Event::Reconnecting {
                    attempt,
                    pause: Duration::ZERO,
                });
            }
            queue.push(reconnected(number));
        }
        queue.push(lost(1000));
        let events = all(queue);
        assert!(events.len() <= MOST);
        assert_eq!(events[0], lost(0));
        assert_eq!(events.last(), Some(&lost(1000)));
        let mut outages = 0;
        let mut gap = Duration::ZERO;
        for event in &events {
            if let Event::Reconnected(one) = event {
                outages += one.outages;
                gap += one.gap;
            }
        }
        assert_eq!((outages, gap), (1000, Duration::from_secs(1)));
    }

    proptest! {
        /// Whatever comes: the bound holds, names chain from the first to the last, losses and
        /// reconnects take turns, nothing is uncounted, and slowness ends as it really has.
        #[test]
        fn merging_loses_no_state(steps in prop::collection::vec(0..5_u8, 0..600)) {
            let mut queue = Queue::default();
            let (mut reconnects, mut up, mut slow) = (0_usize, true, false);
            let mut dropped = 0_u64;
            for step in steps {
                match step {
                    0 if up => { queue.push(lost(reconnects)); up = false; }
                    0 | 1 if !up => { queue.push(reconnected(reconnects)); reconnects += 1; up = true; }
                    2 if !up => queue.push(Event::Reconnecting { attempt: 1, pause: Duration::ZERO }),
                    3 => {
                        let (messages, bytes) = (1, 1);
                        queue.push(if slow { Event::SlowCleared { messages, bytes } } else { Event::Slow { messages, bytes } });
                        slow = !slow;
                    }
                    4 => { queue.push(Event::Dropped { messages: 3, bytes: 1 }); dropped += 3; }
                    _ => {}
                }
                prop_assert!(queue.list.len() <= MOST);
            }
            let (mut is_up, mut is_slow, mut counted, mut drops) = (true, false, 0, 0);
            let mut at = name(0);
            for event in all(queue) {
                match event {
                    Event::DaemonLost { .. } => { prop_assert!(is_up); is_up = false; }
                    Event::Reconnected(one) => {
                        prop_assert!(!is_up);
                        is_up = true;
                        prop_assert_eq!(one.old_private_group, at);
                        at = one.private_group;
                        counted += one.outages as usize;
                    }
                    Event::Slow { .. } => { prop_assert!(!is_slow); is_slow = true; }
                    Event::SlowCleared { .. } => { prop_assert!(is_slow); is_slow = false; }
                    Event::Dropped { messages, .. } => drops += messages,
                    Event::Reconnecting { .. } => prop_assert!(!is_up),
                    _ => prop_assert!(false),
                }
            }
            prop_assert_eq!((is_up, is_slow, counted, drops), (up, slow, reconnects, dropped));
            prop_assert_eq!(at, name(reconnects));
        }
    }
}
