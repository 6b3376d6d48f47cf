//! The table of options. A new option is one entry in [`options!`]: the field of
//! [`Options`](super::Options), its default, its range and its documentation come from there.

use std::path::PathBuf;

use super::value::{Bytes, Choice, Folder, Kind, Number};
use super::{Failover, MailboxKind, RecvPolicy, Sigpipe};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// As it is written.
    pub name: &'static str,
    /// What kind of value it has: `number`, `bytes`, `word`, `path`.
    pub kind: &'static str,
    /// Without a word from anybody.
    pub default: &'static str,
    /// What it does, in plain text.
    pub doc: &'static str,
    pub(super) takes: fn() -> String,
    pub(super) set: fn(&mut Options, &str) -> bool,
    pub(super) show: fn(&Options) -> String,
}

/// Makes the structure, its defaults and the table of one list of entries:
/// `/// documentation`, `name: type = "default", kind of value;`
macro_rules! options {
    ($($(#[doc = $doc:literal])+ $name:ident: $value:ty = $default:literal, $kind:expr;)+) => {
        /// What a session is told. Each field is an option of the same name.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Options {
            $($(#[doc = $doc])+ pub $name: $value,)+
        }

        impl Options {
            /// Reads the defaults out of the table.
            pub(super) fn of_table() -> Option<Self> {
                Some(Self { $($name: $kind.parse($default)?,)+ })
            }
        }

        /// All options, in the order of the documentation.
        pub const TABLE: &[OptionRow] = &[$(OptionRow {
            name: stringify!($name),
            kind: name_of(&$kind),
            default: $default,
            doc: concat!($($doc, "\n",)+),
            takes: || $kind.takes(),
            set: |options, text| match $kind.parse(text) {
                Some(value) => {
                    options.$name = value;
                    true
                }
                None => false,
            },
            show: |options| $kind.show(&options.$name),
        },)+];
    };
}

const fn name_of<K: Kind>(_: &K) -> &'static str {
    K::NAME
}

options! {
    /// How many bytes a session keeps for a program that does not receive them yet, in memory.
    /// `recv_policy` says what is done about more.
    recv_max_bytes: usize = "256M", Bytes(65_536..=1 << 40);

    /// How many messages it keeps, if that is reached before `recv_max_bytes`; 0 is no limit. With
    /// `recv_policy=block` or `close` it is looked at after each read of the connection, so some
    /// hundred small messages more may wait.
    recv_max_messages: u32 = "0", Number(0..=1_000_000_000);

    /// What is done when more has come than may wait. `block` stops reading: the daemon buffers for
    /// the session, and ends it when that is too much (1000 messages), as with the classic library.
    /// When the daemon has hung up, what the system still has of it is read beyond the limit (some
    /// 400 KiB, 1 MiB at most until the program has caught up), so that the loss is noticed, and with
    /// failover=auto mended, though the program does not receive. Over TCP the end comes behind
    /// what the daemon had sent and the system had no room for: then it is noticed when the program
    /// receives.
    /// `spill` writes what does not fit to a file, up to `spill_max_bytes`, and gives it to the program
    /// in its order; where that is not possible (the limit, a full disk), it is as `block`, and an
    /// event tells so.
    /// `drop_oldest` and `drop_newest` drop data messages, never membership messages, and never the
    /// only one that waits; events and statistics count them. `close` ends the session at once: what
    /// has come is delivered, then `CONNECTION_CLOSED`. For sessions of the flush layer
    /// (`FL_connect`), which depend on all messages, the two that drop are as `block`.
    recv_policy: RecvPolicy = "block", Choice(&[
        ("block", RecvPolicy::Block),
        ("spill", RecvPolicy::Spill),
        ("drop_oldest", RecvPolicy::DropOldest),
        ("drop_newest", RecvPolicy::DropNewest),
        ("close", RecvPolicy::Close),
    ]);

    /// With `recv_policy=spill`: the folder of the file. Empty stands for `$TMPDIR`, or `/var/tmp` where
    /// that is not set. The file has no name and can be read by its user only; it holds messages as
    /// they came over the wire, not encrypted, until they are received or the session ends.
    spill_dir: PathBuf = "", Folder;

    /// With `recv_policy=spill`: how much space of the disk the file may take. What is on its way to the
    /// disk is in memory beyond `recv_max_bytes`: at most a quarter of that, but up to 4 MiB where it
    /// is less, and never more than 32 MiB. When as much waits for a disk that is stuck, reading pauses.
    spill_max_bytes: usize = "4G", Bytes(1 << 20..=1 << 40);

    /// From what share of `recv_max_bytes` or `recv_max_messages` on, in percent, the program counts
    /// as slow: an event and, at most once a minute, a warning tell so.
    recv_high_pct: u32 = "80", Number(1..=100);

    /// At what share the program counts as quick again, in percent, and reading goes on where it had
    /// stopped. Must be below `recv_high_pct`.
    recv_low_pct: u32 = "50", Number(0..=99);

    /// How long `SP_disconnect` waits for the daemon to have read what was sent, in milliseconds.
    /// 0 does not wait, as the classic library, and may lose what was sent last.
    disconnect_ms: u32 = "1000", Number(0..=60_000);

    /// Largest body plus 32 bytes per group that is sent. Above the default a real daemon aborts or
    /// drops the sender; 144000 is the limit of the classic library.
    max_message: usize = "143144", Bytes(1..=spread_proto::limits::CLASSIC_MAX_MESSAGE);

    /// How long one address of a name is tried while there are others to try, in milliseconds.
    attempt_timeout_ms: u32 = "5000", Number(1..=600_000);

    /// What is done about a daemon that cannot be reached, or is lost. `off`: a connect tries only the
    /// first address of the first entry. `connect`: it tries all addresses and entries. `auto`: the
    /// same, and a lost connection is restored under the same mailbox number.
    failover: Failover = "connect", Choice(&[
        ("off", Failover::Off),
        ("connect", Failover::Connect),
        ("auto", Failover::Auto),
    ]);

    /// Whether the addresses of one name are tried in a random order, so that clients spread over
    /// the daemons.
    shuffle: bool = "on", Choice(&[("on", true), ("off", false)]);

    /// For how long, in milliseconds, an address that has failed is tried after all others, in the
    /// whole process.
    avoid_ms: u32 = "10000", Number(0..=3_600_000);

    /// With failover=auto: for how long, in milliseconds, a lost connection is tried to be restored
    /// before the program is told.
    reconnect_for_ms: u32 = "60000", Number(0..=86_400_000);

    /// With failover=auto: the first pause, in milliseconds, after a vain try of everything; it
    /// doubles each time.
    reconnect_min_ms: u32 = "100", Number(1..=60_000);

    /// With failover=auto: the longest pause between two tries, in milliseconds.
    reconnect_max_ms: u32 = "10000", Number(1..=600_000);

    /// With failover=auto: how long, in milliseconds, a send waits while the connection is being
    /// restored; then `CONNECTION_CLOSED`.
    send_wait_ms: u32 = "10000", Number(0..=3_600_000);

    /// With failover=auto: how often, in milliseconds, a session that is not where it belongs tries to go
    /// back; 0 never does. It belongs to the daemon at which it was first (or to which `SPX_reconnect`
    /// has moved it), and to any of an earlier entry of its name before one of a later entry. Without
    /// it a daemon that was restarted stays without sessions. Each pause is between three quarters and one
    /// and a half of that.
    failback_ms: u32 = "0", Number(0..=86_400_000);

    /// Messages are collected for so many microseconds and sent together: fewer system calls, and each
    /// message may be as late. 0 sends each at once. What is collected goes out when it fills 64 KiB, before
    /// a receive waits and before a disconnect. A loss is told by the call that finds it. Without effect with
    /// failover=auto. See
    /// `SPX_cork` for collecting by hand.
    send_batch_us: u32 = "0", Number(0..=1_000_000);

    /// How many of its own messages a session may have under way: sent, and not come back yet. A send
    /// beyond that waits. 0 is no limit. A message counts if it comes back to the session for certain: to a
    /// group that it has joined or to its own private group, without `SELF_DISCARD`, of the services FIFO to
    /// SAFE; a RELIABLE one once the session has seen itself in the group; an UNRELIABLE one never. It is
    /// back when the library has it, whether the program has received it or not.
    send_window: u32 = "0", Number(0..=1_000_000);

    /// With `send_window`: how long, in milliseconds, a send waits for room. After that it sends all the
    /// same, and a warning tells so: classic programs know no code for it. `SPX_multicast` with a limit of
    /// its own waits for that instead, and then sends nothing: `SPX_TRY_AGAIN`.
    send_window_ms: u32 = "10000", Number(0..=3_600_000);

    /// What a mailbox number is: `socket`, the link's socket itself, `stable`, a descriptor of its own,
    /// or `auto`: socket on unix links, stable on TCP and with `failover=auto`. `socket` is for unix
    /// links only, and not for `failover=auto`, where the link changes: a connect that is told so by the
    /// program gives `ILLEGAL_SPREAD` if its name has an entry that is reached over TCP. Where the
    /// environment or the file says so, it is `stable` then, with a warning.
    mailbox: MailboxKind = "auto", Choice(&[
        ("auto", MailboxKind::Auto),
        ("socket", MailboxKind::Socket),
        ("stable", MailboxKind::Stable),
    ]);

    /// Whether the first connect has SIGPIPE ignored in the whole process, as the classic library
    /// does: `ignore` or `leave`. Counts where it can be known before the first connect: in the
    /// environment and the file, and with `SPX_connect`.
    sigpipe: Sigpipe = "ignore", Choice(&[("ignore", Sigpipe::Ignore), ("leave", Sigpipe::Leave)]);
}
