//! `SPX_event_fd`, `SPX_next_event`, `SPX_set_event_cb`.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use spread_client::{Ending, Event, Name};

use crate::errors;
use crate::guard::guard;
use crate::ptr;
use crate::types::{GroupName, MAX_GROUP_NAME, Mailbox, group_name};

/// `SPX_MAX_DAEMON`: room for an address and port, or a path.
const MAX_DAEMON: usize = 128;

/// `SPX_EVENT_CONNECTED` and so on.
mod kinds {
    use std::ffi::c_int;
    pub(super) const CONNECTED: c_int = 1;
    pub(super) const DAEMON_LOST: c_int = 2;
    pub(super) const RECONNECTING: c_int = 3;
    pub(super) const RECONNECTED: c_int = 4;
    pub(super) const SLOW: c_int = 5;
    pub(super) const SLOW_CLEARED: c_int = 6;
    pub(super) const DROPPED: c_int = 7;
    pub(super) const CLOSED: c_int = 8;
    pub(super) const BLOCKED: c_int = 9;
    /// Of a kind that this header does not have a name for.
    pub(super) const OTHER: c_int = 0;
}

/// `SPX_CLOSED_BY_DAEMON` and so on.
mod reasons {
    use std::ffi::c_int;
    pub(super) const OTHER: c_int = 0;
    pub(super) const DAEMON_GONE: c_int = 1;
    pub(super) const NOT_RESTORED: c_int = 2;
    pub(super) const BY_PROGRAM: c_int = 3;
    pub(super) const BROKEN_FRAME: c_int = 4;
    pub(super) const OVERFLOW: c_int = 5;
}

/// `SPX_event`, laid out as the header has it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpxEvent {
    size: usize,
    kind: c_int,
    reason: c_int,
    attempts: c_uint,
    groups: c_uint,
    outages: c_uint,
    reserved: c_uint,
    ms: c_ulong,
    messages: c_ulong,
    bytes: c_ulong,
    private_group: GroupName,
    old_private_group: GroupName,
    daemon: [c_char; MAX_DAEMON],
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<SpxEvent>() == 248);
    assert!(align_of::<SpxEvent>() == 8);
    assert!(std::mem::offset_of!(SpxEvent, ms) == 32);
    assert!(std::mem::offset_of!(SpxEvent, private_group) == 56);
    assert!(std::mem::offset_of!(SpxEvent, daemon) == 120);
};

impl SpxEvent {
    const EMPTY: Self = Self {
        size: size_of::<Self>(),
        kind: kinds::OTHER,
        reason: reasons::OTHER,
        attempts: 0,
        groups: 0,
        outages: 0,
        reserved: 0,
        ms: 0,
        messages: 0,
        bytes: 0,
        private_group: [0; MAX_GROUP_NAME],
        old_private_group: [0; MAX_GROUP_NAME],
        daemon: [0; MAX_DAEMON],
    };

    fn of(event: &Event) -> Self {
        let mut out = Self::EMPTY;
        match event {
            Event::Connected {
                private_group,
                daemon,
            } => {
                out.kind = kinds::CONNECTED;
                out.private_group = field(*private_group);
                out.set_daemon(daemon);
            }
            Event::DaemonLost { daemon } => {
                out.kind = kinds::DAEMON_LOST;
                out.set_daemon(daemon);
            }
            Event::Reconnecting { attempt, pause } => {
                out.kind = kinds::RECONNECTING;
                out.attempts = *attempt;
                out.ms = number(pause.as_millis());
            }
            Event::Reconnected(how) => {
                out.kind = kinds::RECONNECTED;
                out.private_group = field(how.private_group);
                out.old_private_group = field(how.old_private_group);
                out.set_daemon(&how.daemon);
                out.ms = number(how.gap.as_millis());
                out.groups = how.groups;
                out.attempts = how.attempts;
                out.outages = how.outages;
            }
            Event::Slow { messages, bytes } => out.count(kinds::SLOW, *messages, *bytes),
            Event::SlowCleared { messages, bytes } => {
                out.count(kinds::SLOW_CLEARED, *messages, *bytes);
            }
            Event::Dropped { messages, bytes } => out.count(kinds::DROPPED, *messages, *bytes),
            Event::Blocked { .. } => out.kind = kinds::BLOCKED,
            Event::Closed(ending) => {
                out.kind = kinds::CLOSED;
                out.reason = match ending {
                    Ending::DaemonGone => reasons::DAEMON_GONE,
                    Ending::NotRestored => reasons::NOT_RESTORED,
                    Ending::ByProgram => reasons::BY_PROGRAM,
                    Ending::BrokenFrame => reasons::BROKEN_FRAME,
                    Ending::Overflow => reasons::OVERFLOW,
                    _ => reasons::OTHER,
                };
            }
            _ => {}
        }
        out
    }

    fn count(&mut self, kind: c_int, messages: u64, bytes: u64) {
        self.kind = kind;
        self.messages = number(messages.into());
        self.bytes = number(bytes.into());
    }

    /// Cut so that it ends with a NUL.
    fn set_daemon(&mut self, daemon: &str) {
        for (to, byte) in self.daemon[..MAX_DAEMON - 1].iter_mut().zip(daemon.bytes()) {
            *to = byte.cast_signed();
        }
    }
}

fn field(name: Name) -> GroupName {
    group_name(name.raw())
}

fn number(value: u128) -> c_ulong {
    c_ulong::try_from(value).unwrap_or(c_ulong::MAX)
}

/// Tells a descriptor that is readable while events of a session wait to be taken.
///
/// For `select`, `poll` and event loops, beside the mailbox or instead of it. It belongs to the
/// library: it may not be read or closed. It is the same at every call, and ends with the session.
///
/// Returns the descriptor, `ILLEGAL_SESSION`, or `SP_BUG` where the process has no descriptor left.
/// Any thread may call this. In a forked child a session's events begin anew.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_event_fd(mbox: Mailbox) -> c_int {
    guard(|| spread_client::event_fd(mbox).unwrap_or_else(errors::code))
}

/// Takes the oldest event of a session that the program has not been told of.
///
/// The program sets `event->size` to `sizeof(SPX_event)` before. Which of the other members have a
/// meaning depends on the type, see `SPX_event`; the others are 0. Never waits. Events keep their
/// order. If a program does not take them, they are merged when there are 64: what it finds then
/// still tells of every reconnect, in sum, and of the state that the session is in. A session that
/// has ended keeps its events until it is disconnected.
///
/// Returns 1 with an event, 0 if there is none, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `event`
/// is null or its size is too small; the event stays then. Any thread may call this.
///
/// # Safety
/// `event` is null, or may be read and written for as many bytes as its `size` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_next_event(mbox: Mailbox, event: *mut SpxEvent) -> c_int {
    guard(|| {
        // SAFETY: the caller's contract; only the size is read.
        let size = unsafe { ptr::in_value(event.cast::<usize>()) };
        if size.is_none_or(|size| size < size_of::<SpxEvent>()) {
            return errors::code(spread_client::Error::IllegalMessage);
        }
        match spread_client::next_event(mbox) {
            Ok(None) => 0,
            Ok(Some(taken)) => {
                // SAFETY: not null, and large enough, as was seen above.
                if let Some(mut out) = unsafe { ptr::Out::new(event) } {
                    out.write(SpxEvent::of(&taken));
                }
                1
            }
            Err(error) => errors::code(error),
        }
    })
}

/// A program's callback for events. It may make any call of the library, and may not leave with
/// `longjmp` or `pthread_exit`.
pub(crate) type EventFunction =
    Option<unsafe extern "C-unwind" fn(Mailbox, *const SpxEvent, *mut c_void)>;

/// Has all events of a session given to a function.
///
/// `event_function` is called with the mailbox, the event and `event_data`, on a thread of the
/// library's own with all signals blocked, one event at a time, those that wait already included;
/// `SPX_next_event` finds none then. It may make any call of this library, and may not leave with
/// `longjmp` or `pthread_exit`. The event is valid during the call. Null ends that: when this
/// returns, the function is not running any more and will not be called again; the same holds for
/// `SP_disconnect` and `SP_kill`. (Unless they are called from the function itself, which they do
/// not wait for.) So a program may not hold a lock there that the function waits for.
///
/// Returns 0 or `ILLEGAL_SESSION`. Any thread may call this. Not inherited by a forked child.
///
/// # Safety
/// The function may be called with these arguments until it is replaced or the session has ended.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_set_event_cb(
    mbox: Mailbox,
    event_function: EventFunction,
    event_data: *mut c_void,
) -> c_int {
    guard(|| {
        // Only handed back.
        let data = event_data as usize;
        let callback = event_function.map(|function| -> spread_client::EventCallback {
            Box::new(move |mailbox, event| {
                let event = SpxEvent::of(event);
                // SAFETY: the program has given the function for such calls; the event is live.
                unsafe { function(mailbox, &raw const event, data as *mut c_void) };
            })
        });
        match spread_client::set_event_callback(mbox, callback) {
            Ok(()) => 0,
            Err(error) => errors::code(error),
        }
    })
}
