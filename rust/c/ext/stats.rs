//! `SPX_state`, `SPX_get_stats`, `SPX_stats_json`.

use std::ffi::{c_char, c_int, c_ulong};
use std::mem::size_of;

use spread_client::{Error, State, Stats, milliseconds};

use crate::errors;
use crate::guard::guard;
use crate::ptr;
use crate::types::Mailbox;

/// `SPX_STATE_OPEN` and so on.
fn state_number(state: State) -> c_int {
    match state {
        State::Open => 1,
        State::Reconnecting => 2,
        State::Ending => 3,
        State::Failed => 4,
        // `State` may grow; a program passes what it does not know over.
        _ => 0,
    }
}

/// `SPX_stats`, laid out as the header has it. What is new stands behind what was there first, so
/// that a program that knows less gets that.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpxStats {
    first: First,
    in_flight: c_ulong,
    window_waited_ms: c_ulong,
}

/// The members that were there first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct First {
    size: usize,
    state: c_int,
    reserved: c_int,
    messages_in: c_ulong,
    bytes_in: c_ulong,
    messages_out: c_ulong,
    bytes_out: c_ulong,
    waiting_messages: c_ulong,
    waiting_bytes: c_ulong,
    spilled_bytes: c_ulong,
    peak_messages: c_ulong,
    peak_bytes: c_ulong,
    oldest_ms: c_ulong,
    send_blocked_ms: c_ulong,
    reconnects: c_ulong,
    dropped_messages: c_ulong,
    dropped_bytes: c_ulong,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<First>() == 128);
    assert!(size_of::<SpxStats>() == 144);
    assert!(std::mem::offset_of!(First, messages_in) == 16);
};

impl SpxStats {
    fn of(stats: &Stats) -> Self {
        Self {
            first: First::of(stats, size_of::<Self>()),
            in_flight: number(stats.in_flight),
            window_waited_ms: number(milliseconds(stats.window_waited)),
        }
    }
}

impl First {
    fn of(stats: &Stats, size: usize) -> Self {
        Self {
            size,
            state: state_number(stats.state),
            reserved: 0,
            messages_in: number(stats.messages_in),
            bytes_in: number(stats.bytes_in),
            messages_out: number(stats.messages_out),
            bytes_out: number(stats.bytes_out),
            waiting_messages: number(stats.waiting_messages),
            waiting_bytes: number(stats.waiting_bytes),
            spilled_bytes: number(stats.spilled_bytes),
            peak_messages: number(stats.peak_messages),
            peak_bytes: number(stats.peak_bytes),
            oldest_ms: number(milliseconds(stats.oldest)),
            send_blocked_ms: number(milliseconds(stats.send_blocked)),
            reconnects: number(stats.reconnects),
            dropped_messages: number(stats.dropped_messages),
            dropped_bytes: number(stats.dropped_bytes),
        }
    }
}

fn number(value: u64) -> c_ulong {
    c_ulong::try_from(value).unwrap_or(c_ulong::MAX)
}

/// Tells how a session stands.
///
/// Returns `SPX_STATE_OPEN`, `SPX_STATE_RECONNECTING` (with `failover=auto`), `SPX_STATE_ENDING` (the
/// connection is lost; what came before can still be received), `SPX_STATE_FAILED` (a call has told
/// so), or `ILLEGAL_SESSION`. Never waits; any thread may call this.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_state(mbox: Mailbox) -> c_int {
    guard(|| match spread_client::state(mbox) {
        Ok(state) => state_number(state),
        Err(error) => errors::code(error),
    })
}

/// Gives the figures of a session.
///
/// The program sets `stats->size` to `sizeof(SPX_stats)` before; newer libraries with more figures
/// write no more than that, and `size` then tells how much has been written. See `SPX_stats` for what
/// they are. Never waits for the network; any thread may call this. Where hundreds of thousands of
/// messages wait, counting them takes some milliseconds the first time.
///
/// Returns 0, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `stats` is null or its size is too small.
///
/// # Safety
/// `stats` is null, or may be read and written for as many bytes as its `size` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_get_stats(mbox: Mailbox, stats: *mut SpxStats) -> c_int {
    guard(|| {
        // SAFETY: the caller's contract; only the size is read.
        let size = unsafe { ptr::in_value(stats.cast::<usize>()) };
        let Some(size) = size.filter(|size| *size >= size_of::<First>()) else {
            return errors::code(Error::IllegalMessage);
        };
        match spread_client::stats(mbox) {
            Ok(figures) if size >= size_of::<SpxStats>() => {
                // SAFETY: not null, and large enough, as was seen above.
                unsafe { ptr::write_to(stats, SpxStats::of(&figures)) };
                0
            }
            Ok(figures) => {
                let first = First::of(&figures, size_of::<First>());
                // SAFETY: not null, and large enough for this, as was seen above.
                unsafe { ptr::write_to(stats.cast(), first) };
                0
            }
            Err(error) => errors::code(error),
        }
    })
}

/// Gives the figures of a session as one line of JSON.
///
/// With a NUL at its end, cut to `max_len` bytes; 2048 are enough. The members have the names of
/// `SPX_stats`, and `daemon`, `private_group` and `last_loss` beside them.
///
/// Returns the length of the whole text, so that a cut is seen (as `snprintf`), `ILLEGAL_SESSION`, or
/// `ILLEGAL_MESSAGE` for a negative `max_len`. Any thread may call this.
///
/// # Safety
/// `text` is null or may be written for `max_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_stats_json(
    mbox: Mailbox,
    max_len: c_int,
    text: *mut c_char,
) -> c_int {
    guard(|| match spread_client::stats(mbox) {
        Ok(stats) => {
            let json = stats.to_json();
            // SAFETY: the caller's contract.
            match unsafe { ptr::put_text(text, max_len, &json) } {
                Ok(()) => errors::length(json.len()),
                Err(ptr::BadLength) => errors::code(Error::IllegalMessage),
            }
        }
        Err(error) => errors::code(error),
    })
}
