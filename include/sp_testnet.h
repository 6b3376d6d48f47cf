/* A simulated Spread network inside a test program: SPT_*. Link with -lspread_testd.
 *
 * The daemons behave towards their clients as those of Spread 5.0.1 do; they can be killed, frozen, cut off from each
 * other and so on. docs/TESTD.md tells more. Nothing of this is in libspread.so.
 *
 *     int net = SPT_start("daemons=3");
 *     if (net < 0) { fprintf(stderr, "%s\n", SPT_error()); exit(1); }
 *     SP_connect(SPT_spread_name(net, 0), ...);
 *     SPT_kill(net, 0);
 *     ...
 *     SPT_stop(net);
 *
 * All functions may be called from any thread. A number that is no network, or a network that has ended, is an error.
 *
 * Generated from rust/testd-ffi by its tests; do not edit.
 */
#ifndef INC_SP_TESTNET
#define INC_SP_TESTNET

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts a simulated network. Its daemons listen when this returns.
 *
 * `options` are `key=value` pairs with `&`, blanks or line ends between them, such as
 * `"daemons=3&max_session_messages=10"`; NULL or `""` is one daemon at any free port. `SPT_options` lists them.
 *
 * Returns the network's number, which is greater than 0, or -1. The network lives until `SPT_stop`, or until the
 * process ends. Its threads take none of the program's signals. It does not survive in the child of a `fork`.
 *
 * What the caller grants:
 * `options` is null or a string.
 */
int SPT_start(const char *options);

/**
 * Ends a network: all connections are closed, and the unix socket is removed.
 *
 * Strings of the network that were handed out are gone. Returns 0, or -1 for a number that is none.
 */
int SPT_stop(int network);

/**
 * Why the last `SPT_` call of this thread failed; `""` if it did not. Never NULL; valid until the next call.
 */
const char *SPT_error(void);

/**
 * The options of `SPT_start`, one per line, for a program's help. A constant.
 */
const char *SPT_options(void);

/**
 * The commands of `SPT_command`, one per line, for a program's help. A constant.
 */
const char *SPT_commands(void);

/**
 * The number of daemons of a network, or -1.
 */
int SPT_daemons(int network);

/**
 * The name of a daemon, the second part of its clients' private groups. Daemons are counted from 0.
 *
 * NULL if there is no such daemon or network. Valid until `SPT_stop`.
 */
const char *SPT_daemon_name(int network, int daemon);

/**
 * What to pass to `SP_connect` to reach a daemon by TCP: `"43211@127.0.0.1"`.
 *
 * NULL if there is no such daemon or network. Valid until `SPT_stop`.
 */
const char *SPT_spread_name(int network, int daemon);

/**
 * What to pass to `SP_connect` to reach a daemon by its unix socket: `"43211"`.
 *
 * NULL if there is no such daemon or network, or it has no unix socket: only the first one has. Valid until `SPT_stop`.
 */
const char *SPT_unix_name(int network, int daemon);

/**
 * Kills a daemon, as SIGKILL does: its clients' connections are closed when this returns, and connects are refused.
 * The other daemons notice after the option `crash_ms`. Returns 0 or -1.
 */
int SPT_kill(int network, int daemon);

/**
 * Starts a daemon again, at its old port, with no memory. One that is alive is killed first. Returns 0 or -1.
 */
int SPT_restart(int network, int daemon);

/**
 * Makes a daemon do nothing at all, as SIGSTOP does; its connections stay. Returns 0 or -1.
 */
int SPT_freeze(int network, int daemon);

/**
 * Lets a frozen daemon go on. Returns 0 or -1.
 */
int SPT_thaw(int network, int daemon);

/**
 * Splits a network into sets of daemons that cannot reach each other.
 *
 * `sets` are separated by blanks, the daemons of a set by commas, by name or by number: `"d1,d2 d3"`. Those in no set
 * form one more. Returns 0 or -1.
 *
 * What the caller grants:
 * `sets` is null or a string.
 */
int SPT_partition(int network, const char *sets);

/**
 * Ends a partition. Returns 0 or -1.
 */
int SPT_heal(int network);

/**
 * Carries out a command: faults of single connections, refused and ignored connects, held names, a list of sessions.
 * `SPT_commands` lists them. Example: `SPT_command(net, "fault #alice#d1 delay 50", NULL, 0)`.
 *
 * What there is to say is written to `answer`, cut to `room` - 1 bytes, with a NUL behind it. Returns its whole
 * length, which is 0 for most commands and may be more than was written, or -1.
 *
 * What the caller grants:
 * `command` is null or a string; `answer` is null or writable for `room` bytes.
 */
int SPT_command(int network, const char *command, char *answer, int room);

#ifdef __cplusplus
}
#endif

#endif /* INC_SP_TESTNET */
