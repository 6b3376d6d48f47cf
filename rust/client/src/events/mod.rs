//! The engine of the `E_*` event loop: timers, attached descriptors, and the rules of who is
//! called when. It is pure: no system call, no clock, no user code, no lock.
//!
//! A driver owns the lock and the thread. It asks [`Events::next`] what to do, lets go of the
//! lock, does it (calls back, or waits), and asks again:
//!
//! ```
//! use spread_client::events::{Action, Events, FdKind, ItselfOnly, Outcome, PollSet, Priority, Run, Time};
//!
//! let mut events: Events<&str, &str> = Events::new();
//! events.attach(7, FdKind::Read, Priority::High, Some("mailbox")).unwrap();
//! events.queue("tick", 1_000, Time::new(0, 500)).unwrap();
//!
//! let (mut run, mut set) = (Run::new(), PollSet::new());
//! assert_eq!(events.next(&mut run, 1_000, false), Action::Poll { timeout_us: Some(500), select: false });
//! events.fill(1_000, None, &mut ItselfOnly, &mut set);
//! set.fds_mut()[0].revents = libc::POLLIN; // what the wait reports
//! events.polled(&mut run, 1_200, &set, Outcome::Ready);
//! assert_eq!(events.next(&mut run, 1_200, false), Action::CallFd { fd: 7, callback: "mailbox" });
//! assert_eq!(events.next(&mut run, 1_200, true), Action::Return);
//! ```
//!
//! | where | what |
//! | --- | --- |
//! | `time` | the classic time value and its arithmetic |
//! | `timers` | the pending timers, one per key |
//! | `registry` | the attached descriptors, by priority |
//! | `poll_set`, `select_set` | what one wait looks at |
//! | `mailboxes` | what that is for a mailbox |
//! | `scheduler` | the rounds |
//! | `lone` | rounds that serve one registration alone |

mod lone;
mod mailboxes;
mod poll_set;
mod registry;
mod scheduler;
mod select_set;
mod time;
mod timers;

pub use lone::Lone;
pub use mailboxes::Mailboxes;
pub use poll_set::{FdSources, ItselfOnly, PollSet};
pub use registry::{Attached, FdKind, Priority};
pub use scheduler::{Action, CLOSED_PROBE_US, Events, MAX_STARTING_ROUNDS, Outcome, Run};
pub use select_set::SelectSet;
pub use time::{MICROS_PER_SEC, Time};
