//! Where a trace shows a defect of the classic library, and what ours does there.
//!
//! `docs/COMPATIBILITY.md` describes these differences; a trace that differs anywhere else fails.

use std::ffi::c_int;

/// What ours answers instead.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instead {
    /// This code.
    Code(c_int),
    /// This code, type, and message type.
    Message(c_int, c_int, i16),
    /// What was recorded, but one more message waits behind it.
    OneMoreWaits,
    /// The same code, type and sizes; of the message's contents nothing is written.
    NothingWritten,
}

use Instead::{Code, Message, NothingWritten, OneMoreWaits};

const WOULD_BLOCK: Instead = Code(-25);
const CLOSED: Instead = Code(-8);
const GONE: Instead = Code(-11);
const FLUSH_REQ: Instead = Message(0, 0x2000_0000, 0);
const TRANSITION: Instead = Message(0, 0x2000, 0);
const VIEW: Instead = Message(48, 0x1100, 0);

/// One trace's differences.
struct Row {
    trace: &'static str,
    /// By the number of the call.
    answers: &'static [(u64, Instead)],
    /// Recorded events of the client that ours does not send.
    not_sent: &'static [u64],
    /// From here on the two go different ways, or the classic process is gone.
    ends: Option<u64>,
}

const fn row(trace: &'static str, answers: &'static [(u64, Instead)]) -> Row {
    Row {
        trace,
        answers,
        not_sent: &[],
        ends: None,
    }
}

const TABLE: &[Row] = &[
    // A null user is one without a name.
    row("fl-connect-null-user", &[(1, Code(1))]),
    // The loss is told by the first call that can see it, also by a receive that does not wait.
    row("fl-daemon-dies-join", &[(30, CLOSED), (32, GONE)]),
    row(
        "fl-daemon-dies-leave",
        &[
            (30, CLOSED),
            (32, GONE),
            (34, GONE),
            (36, GONE),
            (38, GONE),
            (40, GONE),
        ],
    ),
    row(
        "fl-daemon-dies-poll",
        &[
            (30, Code(1)),
            (34, Code(1)),
            (36, CLOSED),
            (38, GONE),
            (40, GONE),
            (42, GONE),
            (44, GONE),
        ],
    ),
    row(
        "fl-daemon-dies-receive",
        &[(30, CLOSED), (32, GONE), (34, GONE)],
    ),
    // Messages for which a daemon closes the session are refused (two services, a negative length).
    Row {
        not_sent: &[415, 416, 456],
        ..row(
            "fl-errors",
            &[
                (414, Code(-12)),
                // The recorded daemon closes nevertheless.
                (419, CLOSED),
                (421, GONE),
                (423, GONE),
                (455, Code(-13)),
                (459, CLOSED),
                (461, GONE),
            ],
        )
    },
    // A transitional signal is told in every state, and that of one view does not hide the next's.
    row(
        "fl-fake-transition",
        &[
            (121, OneMoreWaits),
            (123, TRANSITION),
            (170, TRANSITION),
            (217, TRANSITION),
        ],
    ),
    // Votes count once, and for members only: the view comes when all have flushed.
    Row {
        not_sent: &[148, 149, 162, 163],
        ends: Some(190),
        ..row(
            "fl-flush-ok-duplicate",
            &[
                (147, WOULD_BLOCK),
                (161, WOULD_BLOCK),
                (184, VIEW),
                (186, Message(48, 0x1100, 1)),
                (188, Message(48, 0x1100, 2)),
            ],
        )
    },
    Row {
        not_sent: &[136, 137],
        ends: Some(166),
        ..row(
            "fl-flush-ok-repeated",
            &[
                (135, WOULD_BLOCK),
                (162, VIEW),
                (164, Message(48, 0x1100, 1)),
            ],
        )
    },
    // Nothing of the collapse is shown to a member that has left.
    row(
        "fl-leave-after-flush-collapse",
        &[(127, Message(0, 0x200, -1)), (129, WOULD_BLOCK)],
    ),
    // Changes of the network: the signal in the daemon's order, then the request.
    row(
        "fl-partition-crash",
        &[(227, TRANSITION), (243, TRANSITION), (249, TRANSITION)],
    ),
    row(
        "fl-partition-merge",
        &[
            (199, TRANSITION),
            (201, FLUSH_REQ),
            (205, TRANSITION),
            (207, FLUSH_REQ),
            (328, TRANSITION),
            (330, FLUSH_REQ),
        ],
    ),
    // A message for the next view from a member who has flushed and left is dropped.
    row("fl-peer-vulnerable-after-leave", &[(143, WOULD_BLOCK)]),
    // The bit of a refused message is not a program's to set.
    Row {
        not_sent: &[29, 30],
        ends: Some(34),
        ..row("fl-reject-bit", &[(28, Code(-12))])
    },
    // The library's own messages to a private group are not the program's, and a peer cannot fake a
    // request to flush.
    row(
        "fl-reserved-types",
        &[
            (114, Message(11, 0x4, 3)),
            (116, WOULD_BLOCK),
            (118, WOULD_BLOCK),
            (155, Message(13, 0x4, 1)),
        ],
    ),
    // The daemon's memberships never meet the program's buffers.
    Row {
        ends: Some(119),
        ..row(
            "fl-scatter-receive-membership",
            &[
                (13, WOULD_BLOCK),
                (85, WOULD_BLOCK),
                (101, WOULD_BLOCK),
                (117, WOULD_BLOCK),
            ],
        )
    },
    Row {
        ends: Some(13),
        ..row("fl-short-drop-membership", &[(12, WOULD_BLOCK)])
    },
    // Empty elements are left out.
    Row {
        ends: Some(99),
        ..row("fl-scatter-zero-element", &[(97, Code(10))])
    },
    // Bodies that are too short for what they should carry are dropped.
    row("fl-short-body", &[(94, WOULD_BLOCK), (103, WOULD_BLOCK)]),
    // Short buffers matter only for what the program would get, so it comes in an earlier call.
    row(
        "fl-short-buffers",
        &[
            (19, WOULD_BLOCK),
            (21, WOULD_BLOCK),
            (23, WOULD_BLOCK),
            (32, Message(-15, 0x1100, 0)),
            (34, Message(-16, 0x1100, 0)),
            (37, NothingWritten),
            (43, NothingWritten),
            (47, NothingWritten),
            (69, FLUSH_REQ),
            (71, WOULD_BLOCK),
            (73, WOULD_BLOCK),
            (75, WOULD_BLOCK),
            (85, NothingWritten),
            // The group fits.
            (122, Message(-15, 0x4, 1)),
        ],
    ),
    // 101 receivers, for which a daemon closes the session, are refused.
    Row {
        not_sent: &[126, 127],
        ends: Some(130),
        ..row("fl-subgroup-many", &[(125, Code(-14))])
    },
];

fn of(trace: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.trace == trace)
}

/// From here on the two go different ways.
pub(crate) fn ends(trace: &str) -> Option<u64> {
    of(trace)?.ends
}

/// Whether ours does not send a recorded event.
pub(crate) fn is_not_sent(trace: &str, seq: u64) -> bool {
    of(trace).is_some_and(|row| row.not_sent.contains(&seq))
}

/// What is answered instead.
pub(crate) fn answered(trace: &str, seq: u64) -> Option<Instead> {
    let answers = of(trace)?.answers;
    let (_, instead) = answers.iter().find(|(call, _)| *call == seq)?;
    Some(*instead)
}

/// The table's traces.
pub(crate) fn traces() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.trace)
}
