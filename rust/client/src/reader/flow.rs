//! Flow: how much of a session may wait for the program, and what is done about more.
//!
//! The reader asks [`room`] before each read of a link and tells what it has read with [`took`];
//! receivers tell that something has been taken with [`eased`]. All of it under the session's `rx`
//! lock, and without a wait.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::inbox::{Dropped, Inbox, Limits, SLAB_LEN};
use crate::notice::{Ending, Event};
use crate::options::{Options, RecvPolicy};
use crate::session::{Kind, Rx, Session};
use crate::spill::{Refill, Spill};
use crate::sys::fd;
use crate::window;

/// Where messages are dropped, reads are no longer than this beyond the limit.
const STEP: usize = SLAB_LEN;

/// Messages that are no data are never dropped. So many times the limit may wait before reading
/// stops for their sake.
const MOST_KEPT: usize = 2;

/// Where reading has stopped and the daemon has hung up, so many bytes more are read, to come to the
/// end of the stream. What the system holds of a connection is less: the socket's buffers have 400 KiB.
const REST: usize = 1 << 20;

/// Warnings about one session are not given more often.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// A daemon that closes a connection on which so much was still to be read has thrown a slow reader
/// out: it writes no more than that to a reader that keeps up. Sockets hold some 200 KiB.
const BEHIND: usize = 96 << 10;

/// And so many messages on a unix socket, where each takes its 768 bytes of the daemon's buffer however
/// small it is: 267 of up to 100 bytes fit.
const BEHIND_MESSAGES: u64 = 200;

/// From so many bytes on, memory is given back to the system when they are taken.
const BIG: usize = 4 << 20;

/// From so many bytes on, messages are counted as they come; below, when somebody asks.
const COUNT_FROM: usize = SLAB_LEN;

/// How a session stands with its limits; part of its receiving half.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// More than the high mark waits, or has waited and the low mark is not reached yet.
    slow: bool,
    /// Nothing more is read until the low mark is reached.
    full: bool,
    /// Bytes that have been read all the same since then, as the daemon had hung up.
    over: usize,
    /// Reading can go on, which the reader has not been told yet.
    look: bool,
    /// With so few bytes in the inbox a receiver has to look whether the time of slowness is over.
    /// Not 0 only in such a time.
    pub(super) eases_at: usize,
    /// Messages dropped so far.
    pub(crate) dropped: Dropped,
    /// The most that has waited.
    pub(crate) peak: Waiting,
    warned: Option<Instant>,
    /// What waited when the daemon closed the connection, if that was seen before its end was read.
    at_hang_up: Option<Waiting>,
    /// So much has waited that the memory is to be given back when it is gone.
    big: bool,
    /// Bytes that have been read in bulk since the link was last found empty.
    since_dry: usize,
    /// The link had one byte left, which stays there; it is empty if the next read brings more.
    one_left: bool,
}

/// What waits for the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Flow {
    /// Reading goes on, over a new link: the limits are looked at anew, and what was left in the old one
    /// tells nothing of this one. What was read beyond the limits still counts: or it would grow with
    /// each link.
    pub(super) fn resume(&mut self) {
        self.full = false;
        self.since_dry = 0;
        self.one_left = false;
        self.at_hang_up = None;
    }

    /// Nothing is read for the time being.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Reading may go on, as so much has been taken. True: it had stopped.
    fn reopen(&mut self) -> bool {
        self.over = 0;
        std::mem::take(&mut self.full)
    }
}

impl Rx {
    /// How many messages have been given to the program that count for the newest inbox.
    fn taken_of_newest(&self) -> u64 {
        if self.later.is_empty() { self.taken } else { 0 }
    }

    /// What waits now.
    pub(crate) fn waiting(&mut self) -> Waiting {
        // In the middle of a direct read the inbox does not begin with a header.
        let mut messages = if self.in_hand > 0 {
            0
        } else {
            self.inbox.messages(self.taken)
        };
        // Inboxes of later links are counted by themselves.
        for epoch in &mut self.later {
            messages += epoch.inbox.messages(0);
        }
        for spill in self.spills() {
            messages += spill.messages();
        }
        let bytes = self.waiting_bytes_now();
        Waiting { messages, bytes }
    }

    /// The bytes of it.
    fn waiting_bytes_now(&mut self) -> u64 {
        let held = self.held_bytes() as u64;
        held + self.spills().map(|spill| spill.len()).sum::<u64>()
    }
}

fn limits(options: &Options) -> Limits {
    Limits {
        bytes: options.recv_max_bytes,
        messages: u64::from(options.recv_max_messages),
    }
}

/// A part of a limit.
fn share(limit: u64, percent: u32) -> u64 {
    // Below 2^40 times 100.
    limit * u64::from(percent) / 100
}

/// Whether so much is at least this share of a limit.
fn reaches(waiting: Waiting, options: &Options, percent: u32) -> bool {
    let most = limits(options);
    waiting.bytes >= share(most.bytes as u64, percent)
        || most.messages != 0 && waiting.messages >= share(most.messages, percent).max(1)
}

/// What is done at the limits. A session of the flush layer must not lose a vote, so nothing of it is
/// ever dropped.
fn policy(session: &Session) -> RecvPolicy {
    match session.options.recv_policy {
        RecvPolicy::DropOldest | RecvPolicy::DropNewest if session.flush.get().is_some() => {
            RecvPolicy::Block
        }
        policy => policy,
    }
}

/// How many bytes the reader may read now. 0: reading has stopped, or the session has ended, for the
/// sake of the limits.
pub(super) fn room(session: &Session, rx: &mut Rx) -> usize {
    let options = &session.options;
    let most = limits(options);
    let have = rx.held_bytes();
    if let RecvPolicy::DropOldest | RecvPolicy::DropNewest = policy(session) {
        if have < most.bytes.saturating_mul(MOST_KEPT).saturating_add(STEP) {
            return STEP;
        }
        stop(session, rx, "what may not be dropped takes all there is");
        return 0;
    }
    if rx.newest().1.is_some() {
        return room_on_disk(session, rx);
    }
    let too_many = most.messages != 0 && rx.waiting().messages >= most.messages;
    if have < most.bytes && !too_many {
        return most.bytes - have;
    }
    let limit = if too_many {
        "recv_max_messages is reached"
    } else {
        "recv_max_bytes is reached"
    };
    if options.recv_policy == RecvPolicy::Spill {
        return begin_to_spill(session, rx);
    }
    if options.recv_policy == RecvPolicy::Close {
        tracing::warn!(
            "the session at {} is ended, as more waits for the program than may (recv_policy=close)",
            session.link.daemon
        );
        session.finish(rx, Ending::Overflow);
        // The daemon learns it now; what has come is still delivered.
        session.shut_down();
    } else {
        stop(session, rx, limit);
    }
    0
}

/// How many bytes may be read though reading has stopped: what is left of a daemon that has hung up,
/// so that a program that does not receive does not keep the session from being restored.
pub(super) fn rest(rx: &Rx, link: RawFd) -> usize {
    let flow = &rx.watch.flow;
    // Also for an error: POLLHUP and POLLERR are told unasked.
    if flow.full && flow.over < REST && fd::ready_now(link, libc::POLLRDHUP) != 0 {
        REST - flow.over
    } else {
        0
    }
}

/// So many bytes of the [`rest`] have been read.
pub(super) fn took_of_rest(rx: &mut Rx, count: usize) {
    rx.watch.flow.over += count;
}

/// How many bytes a link may bring before it is handed over to a session.
pub(crate) fn room_for_new_link(session: &Session) -> usize {
    let most = limits(&session.options).bytes;
    most.saturating_sub(session.rx().held_bytes()).max(REST)
}

/// What does not fit goes to disk from now on.
fn begin_to_spill(session: &Session, rx: &mut Rx) -> usize {
    match Spill::begin(&session.options.spill_dir) {
        Ok(mut spill) => {
            // The file begins with a frame, and the inbox ends with one.
            let taken = rx.taken_of_newest();
            let (inbox, place) = rx.newest();
            spill.pending.put(&inbox.split_part(taken));
            spill.pending.set_tap(inbox.take_tap());
            *place = Some(Box::new(spill));
            note_slow(session, rx);
            room_on_disk(session, rx)
        }
        Err(reason) => {
            stop(session, rx, &reason);
            0
        }
    }
}

fn room_on_disk(session: &Session, rx: &mut Rx) -> usize {
    let Some(spill) = rx.newest().1 else { return 0 };
    let most = session.options.spill_max_bytes as u64;
    let reason = if let Some(reason) = spill.failure() {
        reason.to_owned()
    } else if spill.taken_space() >= most {
        "spill_max_bytes is reached".to_owned()
    } else {
        // None is left while the writer is behind; it has us look again.
        let left = usize::try_from(most - spill.taken_space()).unwrap_or(usize::MAX);
        return spill.room().min(left);
    };
    stop(session, rx, &reason);
    0
}

/// Where the reader puts what it reads.
pub(crate) fn target(rx: &mut Rx) -> &mut Inbox {
    match rx.newest() {
        (_, Some(spill)) => &mut spill.pending,
        (inbox, None) => inbox,
    }
}

/// The inbox has no whole frame: moves what comes next into it. False: nothing is left on disk.
pub(crate) fn refill(session: &Session, rx: &mut Rx) -> bool {
    let Some(spill) = &mut rx.spill else {
        return false;
    };
    match spill.refill(&mut rx.inbox, rx.taken) {
        Refill::Some if spill.len() > 0 => {
            // What was on its way may just have been taken: then the next is to go, or reading, which
            // pauses as long as there is no room, would not be told when there is some.
            spill.send_off(session);
            let low = share(
                session.options.spill_max_bytes as u64,
                session.options.recv_low_pct,
            );
            let goes_on = spill.failure().is_none() && spill.taken_space() <= low;
            if goes_on && rx.watch.flow.reopen() {
                rx.watch.flow.look = true;
            }
            true
        }
        found @ (Refill::Some | Refill::Empty) => {
            if let Some(tap) = spill.pending.take_tap() {
                rx.inbox.set_tap(Some(tap));
            }
            rx.spill = None;
            // Reading goes on, and the time of slowness may be over.
            rx.watch.flow.look |= rx.watch.flow.reopen();
            rx.watch.flow.eases_at = usize::MAX;
            matches!(found, Refill::Some)
        }
        Refill::Broken(reason) => {
            tracing::warn!(
                "the session at {} is ended, as what it has on disk cannot be read: {reason}",
                session.link.daemon
            );
            rx.spill = None;
            session.finish(rx, Ending::Overflow);
            session.shut_down();
            false
        }
    }
}

/// Nothing more is read until the low mark is reached.
fn stop(session: &Session, rx: &mut Rx, reason: &str) {
    note_slow(session, rx);
    // Whatever the daemon closes for from now on is not known to be read.
    rx.watch.flow.since_dry = usize::MAX;
    if !std::mem::replace(&mut rx.watch.flow.full, true) {
        session.tell(Event::Blocked {
            reason: reason.to_owned(),
        });
        tracing::warn!(
            "nothing more is read from {} until the program has caught up: {reason}",
            session.link.daemon
        );
    }
}

/// Bytes have been put into the inbox.
pub(super) fn took(session: &Session, rx: &mut Rx, count: usize) {
    gave(rx, count);
    window::settle(session, rx);
    let options = &session.options;
    let taken = rx.taken_of_newest();
    let spare_first = rx.refused && rx.later.is_empty();
    let mut most = limits(options);
    let older = rx.held_bytes();
    let (newest, spill) = rx.newest();
    most.bytes = most.bytes.saturating_sub(older - newest.len());
    let dropped = match policy(session) {
        RecvPolicy::Block | RecvPolicy::Close => Dropped::default(),
        RecvPolicy::Spill => {
            if let Some(spill) = spill {
                spill.send_off(session);
            }
            Dropped::default()
        }
        RecvPolicy::DropOldest => newest.drop_oldest(taken, most, spare_first),
        RecvPolicy::DropNewest => newest.drop_newest(taken, most),
    };
    if dropped.messages > 0 {
        let Dropped { messages, bytes } = dropped;
        let all = &mut rx.watch.flow.dropped;
        all.messages += messages;
        all.bytes += bytes;
        session.tell(Event::Dropped { messages, bytes });
    }
    if rx.held_bytes() >= COUNT_FROM || rx.newest().1.is_some() || options.recv_max_messages != 0 {
        if rx.held_bytes() >= BIG && !std::mem::replace(&mut rx.watch.flow.big, true) {
            let flow = &mut rx.watch.flow;
            flow.eases_at = flow.eases_at.max(COUNT_FROM);
        }
        // Counting messages means to walk through all frames that have not been counted before. So they are
        // only where their number matters, or there is more than ever before.
        let bytes = rx.waiting_bytes_now();
        let counts = options.recv_max_messages != 0 || bytes > rx.watch.flow.peak.bytes;
        let waiting = if counts {
            rx.waiting()
        } else {
            Waiting { messages: 0, bytes }
        };
        let peak = &mut rx.watch.flow.peak;
        peak.messages = peak.messages.max(waiting.messages);
        peak.bytes = peak.bytes.max(waiting.bytes);
        if dropped.messages > 0 || reaches(waiting, options, options.recv_high_pct) {
            note_slow(session, rx);
        }
    }
}

/// The link has been found empty.
pub(crate) fn dry(rx: &mut Rx) {
    rx.watch.flow.since_dry = 0;
    rx.watch.flow.one_left = false;
}

/// The link has been found with the one byte that stays in it. The end of the stream may be behind
/// it.
pub(crate) fn one_left(rx: &mut Rx) {
    rx.watch.flow.one_left = true;
}

/// So many bytes have been read in bulk.
pub(crate) fn gave(rx: &mut Rx, count: usize) {
    let flow = &mut rx.watch.flow;
    if count > 1 && std::mem::take(&mut flow.one_left) {
        flow.since_dry = 0;
    }
    flow.since_dry = flow.since_dry.saturating_add(count);
}

/// From how many bytes on that were still to be read a session was behind, which has got these messages.
fn much_unread(kind: Kind, all: Waiting) -> usize {
    if kind != Kind::Socket || all.messages == 0 {
        return BEHIND;
    }
    let of_so_many = BEHIND_MESSAGES.saturating_mul(all.bytes / all.messages);
    BEHIND.min(usize::try_from(of_so_many).unwrap_or(BEHIND))
}

/// The daemon has closed a connection of which something is still to be read.
pub(super) fn note_hang_up(rx: &mut Rx) {
    if rx.watch.flow.at_hang_up.is_none() {
        rx.watch.flow.at_hang_up = Some(rx.waiting());
    }
}

/// The daemon has closed the connection: keeps why, as far as it can be told.
pub(crate) fn note_loss(session: &Session, rx: &mut Rx) {
    let daemon = session.daemon();
    let now = rx.waiting();
    let all = Waiting {
        messages: now.messages + rx.taken,
        bytes: now.bytes + rx.taken_bytes,
    };
    let Waiting { messages, bytes } = rx.watch.flow.at_hang_up.unwrap_or(now);
    let flow = &rx.watch.flow;
    let behind = flow.full || flow.since_dry >= much_unread(session.kind, all);
    let reason = if behind {
        format!(
            "the daemon at {daemon} closed the connection while {messages} messages ({bytes} bytes) \
             waited for the program, and the library had not read all that was sent: probably \
             dropped as a slow reader"
        )
    } else {
        format!("the daemon at {daemon} closed the connection, or is gone")
    };
    if behind {
        tracing::warn!("{reason}");
    } else {
        tracing::info!("{reason}");
    }
    rx.loss = Some(reason);
}

/// Tells, once, that the program is slow.
fn note_slow(session: &Session, rx: &mut Rx) {
    let Waiting { messages, bytes } = rx.waiting();
    let spills = rx.spills().next().is_some();
    let flow = &mut rx.watch.flow;
    // Messages are not counted by those who only look at bytes. While there is something on disk it
    // is not over yet.
    flow.eases_at = if spills {
        0
    } else if session.options.recv_max_messages == 0 {
        let low = share(
            session.options.recv_max_bytes as u64,
            session.options.recv_low_pct,
        );
        usize::try_from(low).unwrap_or(usize::MAX)
    } else {
        usize::MAX
    };
    if std::mem::replace(&mut flow.slow, true) {
        return;
    }
    session.tell(Event::Slow { messages, bytes });
    if flow.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
        flow.warned = Some(Instant::now());
        tracing::warn!(
            "{messages} messages ({bytes} bytes) from {} wait for the program (recv_policy={})",
            session.link.daemon,
            session.options.recv_policy.name()
        );
    }
}

/// Whether a receiver that has taken something need not look.
#[inline]
pub(super) fn is_content(rx: &Rx) -> bool {
    let eases_at = rx.watch.flow.eases_at;
    eases_at == 0 || rx.inbox.len() > eases_at
}

/// What has become possible because something was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Eased {
    /// Reading had stopped, and can go on.
    pub(super) read: bool,
    /// Much memory is free that the allocator should give back.
    pub(super) trim: bool,
}

/// Something has been taken.
pub(super) fn eased(session: &Session, rx: &mut Rx) -> Eased {
    let options = &session.options;
    let look = Eased {
        read: std::mem::take(&mut rx.watch.flow.look),
        trim: false,
    };
    if is_content(rx) {
        return look;
    }
    let waiting = rx.waiting();
    if reaches_low(waiting, options) {
        return look;
    }
    let Waiting { messages, bytes } = waiting;
    let flow = &mut rx.watch.flow;
    flow.eases_at = if flow.big { COUNT_FROM } else { 0 };
    if std::mem::take(&mut flow.slow) {
        session.tell(Event::SlowCleared { messages, bytes });
    }
    let read = flow.reopen() || look.read;
    let trim = flow.big && bytes <= COUNT_FROM as u64;
    if trim {
        flow.big = false;
        flow.eases_at = 0;
    }
    Eased { read, trim }
}

/// Whether more than the low mark waits.
fn reaches_low(waiting: Waiting, options: &Options) -> bool {
    let most = limits(options);
    waiting.bytes > share(most.bytes as u64, options.recv_low_pct)
        || most.messages != 0 && waiting.messages > share(most.messages, options.recv_low_pct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_shares_of_the_limits() {
        let options = Options {
            recv_max_bytes: 1000 << 10,
            recv_max_messages: 10,
            ..Options::default()
        };
        let waiting = |messages, bytes| Waiting { messages, bytes };
        assert!(!reaches(waiting(7, (800 << 10) - 1), &options, 80));
        assert!(reaches(waiting(0, 800 << 10), &options, 80));
        assert!(reaches(waiting(8, 0), &options, 80));
        assert!(reaches_low(waiting(6, 0), &options));
        assert!(reaches_low(waiting(0, (500 << 10) + 1), &options));
        assert!(!reaches_low(waiting(5, 500 << 10), &options));
    }

    #[test]
    fn a_full_socket_has_fewer_bytes_if_messages_are_small() {
        let all = |messages, bytes| Waiting { messages, bytes };
        assert_eq!(much_unread(Kind::Socket, all(0, 0)), BEHIND);
        assert_eq!(much_unread(Kind::Socket, all(1000, 180_000)), 36_000);
        assert_eq!(much_unread(Kind::Socket, all(10, 100_800)), BEHIND);
        assert_eq!(much_unread(Kind::Stable, all(1000, 180_000)), BEHIND);
    }

    #[test]
    fn the_end_of_an_old_link_tells_nothing_of_a_new_one() {
        let mut flow = Flow {
            slow: true,
            full: true,
            over: REST,
            since_dry: usize::MAX,
            one_left: true,
            at_hang_up: Some(Waiting::default()),
            ..Flow::default()
        };
        flow.resume();
        assert!(flow.slow, "the program is as slow as before");
        assert_eq!(flow.over, REST, "or what waits would have no bound");
        assert!(!flow.full && !flow.one_left);
        assert_eq!((flow.since_dry, flow.at_hang_up), (0, None));
    }

    #[test]
    fn a_limit_of_one_message_has_marks_too() {
        let options = Options {
            recv_max_messages: 1,
            ..Options::default()
        };
        let one = Waiting {
            messages: 1,
            bytes: 1,
        };
        assert!(reaches(one, &options, 80));
        assert!(!reaches(Waiting::default(), &options, 80));
        assert!(!reaches_low(Waiting::default(), &options));
    }
}
