/* What Everspread adds to the classic interface: the functions SPX_*.
 *
 * A session is one, however it was opened: SP_ and SPX_ calls can be mixed. Link with -lspread, as for sp.h. These functions
 * are in no other library: a program that should run on the classic library too can look for SPX_version with dlsym.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_EXT
#define INC_SP_EXT

#include <stddef.h>

#include "sp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Result codes of SPX_ calls only. SP_ calls never return them. */
#define SPX_TRY_AGAIN           (-101)  /* The call would have to wait. */
#define SPX_TIMEOUT             (-102)  /* The time limit was reached. */
#define SPX_INTERRUPTED         (-103)  /* SPX_interrupt has ended the wait. */
#define SPX_BAD_OPTION          (-104)  /* There is no such option, or it does not take this value. */

/* A set of options, see SPX_conf_new. */
typedef struct SPX_conf SPX_conf;

/* A message of SPX_receive: the program's until SPX_message_free. Only the library makes these; later ones may have more. */
typedef struct SPX_message {
    service service_type;               /* As of SP_receive. */
    int num_groups;
    const char (*groups)[MAX_GROUP_NAME];
    size_t mess_len;
    const char *mess;                   /* With a NUL behind it, which does not count. */
    char sender[MAX_GROUP_NAME];
    int16 mess_type;
    int16 reserved;
    int endian_mismatch;
} SPX_message;

/* How a session stands: SPX_state. */
#define SPX_STATE_OPEN          1
#define SPX_STATE_RECONNECTING  2   /* The connection is lost and is being restored (failover=auto). */
#define SPX_STATE_ENDING        3   /* It is lost; what came before can still be received. */
#define SPX_STATE_FAILED        4   /* A call has told so, or a send has failed. */

/* The figures of a session: SPX_get_stats. Bytes are those of the wire: headers, groups and bodies. */
typedef struct SPX_stats {
    size_t size;                        /* Set by the program: sizeof(SPX_stats). */
    int state;
    int reserved;
    unsigned long messages_in;          /* Received by the program. */
    unsigned long bytes_in;
    unsigned long messages_out;         /* Sent by the program, without joins and leaves. */
    unsigned long bytes_out;
    unsigned long waiting_messages;     /* Whole messages that the program has not received yet. */
    unsigned long waiting_bytes;        /* In memory and on disk. */
    unsigned long spilled_bytes;        /* The part of them that is on disk. */
    unsigned long peak_messages;        /* The most that have waited. */
    unsigned long peak_bytes;
    unsigned long oldest_ms;            /* Since the oldest of the waiting bytes in memory have come. */
    unsigned long send_blocked_ms;      /* Sends have waited for the daemon, in sum. */
    unsigned long reconnects;           /* How often the connection was restored. */
    unsigned long dropped_messages;     /* As recv_policy says. */
    unsigned long dropped_bytes;
    unsigned long in_flight;            /* Own messages that have not come back yet; counted with send_window only. */
    unsigned long window_waited_ms;     /* Sends have waited for send_window, in sum. */
} SPX_stats;

/* What an event tells: the type of an SPX_event, and the members that have a meaning then. */
#define SPX_EVENT_CONNECTED     1   /* The session has begun: private_group, daemon. */
#define SPX_EVENT_DAEMON_LOST   2   /* The connection is lost: daemon. What was received before can still be taken. */
#define SPX_EVENT_RECONNECTING  3   /* All daemons were tried in vain: attempts so far, ms until the next. */
#define SPX_EVENT_RECONNECTED   4   /* The session goes on: private_group, old_private_group, daemon, ms without one,
                                     * groups that were joined again, attempts to connect, outages that this stands for. */
#define SPX_EVENT_SLOW          5   /* More waits for the program than a warning mark: messages, bytes. */
#define SPX_EVENT_SLOW_CLEARED  6   /* It has caught up: messages, bytes. */
#define SPX_EVENT_DROPPED       7   /* Messages were dropped by the session's policy: messages, bytes. */
#define SPX_EVENT_CLOSED        8   /* The session has ended: reason. */
#define SPX_EVENT_BLOCKED       9   /* Nothing more is read from the daemon until the program has caught up; the log tells why. */

/* Why a session has ended: the reason of an SPX_EVENT_CLOSED. Others may be added. */
#define SPX_CLOSED_DAEMON_GONE  1   /* The daemon, or the way to it, is gone. */
#define SPX_CLOSED_NOT_RESTORED 2   /* So it is, and no other one could be reached in time (failover=auto). */
#define SPX_CLOSED_BY_PROGRAM   3   /* The program has closed or shut down the mailbox's descriptor. */
#define SPX_CLOSED_BROKEN_FRAME 4   /* The daemon has sent what is no message. */
#define SPX_CLOSED_OVERFLOW     5   /* More was received than may wait, and the session's policy is to end then. */

/* Room for an address and port, or a path. */
#define SPX_MAX_DAEMON          128

/* Something that has happened to a session. Types and reasons that a program does not know are to be passed over. */
typedef struct SPX_event {
    size_t size;            /* Set by the program: sizeof(SPX_event). */
    int type;               /* SPX_EVENT_... */
    int reason;             /* SPX_CLOSED_... */
    unsigned int attempts;
    unsigned int groups;
    unsigned int outages;   /* 1; more if the program has not taken its events for long. Then ms is a sum. */
    unsigned int reserved;
    unsigned long ms;
    unsigned long messages;
    unsigned long bytes;
    char private_group[MAX_GROUP_NAME];
    char old_private_group[MAX_GROUP_NAME];
    char daemon[SPX_MAX_DAEMON];
} SPX_event;

/**
 * Collects the messages that are sent on a mailbox, until `SPX_uncork`.
 *
 * For programs that send many small messages and want throughput rather than each message on its way
 * when the call returns: up to 64 KiB of messages go out in one system call. The order stays that of
 * the calls. What is collected is sent when it fills 64 KiB, by `SPX_uncork`, before a join, a leave, a
 * disconnect, and before a receive on the same mailbox waits; not before a `select()` of the program, and
 * not by `SP_kill`. A message of more than 64 KiB goes out at once, after what was collected before it.
 * Corking twice is as once. With failover=auto nothing is collected, as messages must not outlive the
 * connection that they were made for.
 *
 * Calls that only collect succeed as long as the session is not known to be lost; the call that sends
 * the collected messages reports the loss.
 *
 * Returns 0; `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION`. Does not block. Any thread.
 */
int SPX_cork(mailbox mbox);

/**
 * Sends what has been collected since `SPX_cork`, and collects no more.
 *
 * Without a cork it sends what the option `send_batch_us` has collected.
 *
 * Returns 0 when all has been handed to the kernel; `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION`,
 * `CONNECTION_CLOSED` if the connection is lost, and with it what was collected. Blocks as long as
 * the daemon does not take it; a cancellation point. Any thread.
 */
int SPX_uncork(mailbox mbox);

/**
 * Makes an empty set of options.
 *
 * To be filled with `SPX_conf_set`, given to any number of `SPX_connect`, and freed with
 * `SPX_conf_free`. Sessions keep copies of what they need. Different sets may be used by different
 * threads at the same time; one set by one thread at a time, but several threads may connect with
 * it.
 *
 * Returns the set, never null (where there is no memory, the program ends).
 */
SPX_conf *SPX_conf_new(void);

/**
 * Sets an option in a set.
 *
 * `name` and `value` are texts, as docs/OPTIONS.md has them: `SPX_conf_set(conf, "recv_max_bytes",
 * "512M")`. What is set here goes before the same option in a daemon's name, in the environment
 * (`SPREAD_OPTIONS`) and in the file of options. A later value replaces an earlier one.
 *
 * Returns 0, or `SPX_BAD_OPTION`, with the reason in `SPX_last_error`: there is no such option, it
 * does not take the value, or a pointer is null. Nothing is changed then.
 *
 * What the caller grants:
 * `conf` is null or a set that is not freed and not in use by another thread; the others are null or
 * C strings.
 */
int SPX_conf_set(SPX_conf *conf, const char *name, const char *value);

/**
 * Frees a set of options. Null is nothing to do; sessions that were opened with it live on.
 *
 * What the caller grants:
 * `conf` is null or a set that is not freed yet, and nobody uses it from now on.
 */
void SPX_conf_free(SPX_conf *conf);

/**
 * Opens a session with a daemon, with options.
 *
 * As `SP_connect_timeout`, and the session is used with the same calls; with `conf` (null: none) as
 * its options, which go before those of the name, the environment and the file. `timeout_ms` covers
 * the whole call; negative is no limit, 0 has expired at once.
 *
 * Returns as `SP_connect`. When time is up, `CONNECTION_CLOSED`. `SPX_last_error` tells what became
 * of each address that was tried.
 *
 * What the caller grants:
 * The strings are null or C strings, `conf` is null or a set of options that nobody changes
 * meanwhile, `mbox` may be written, `private_group` for 32 bytes.
 */
int SPX_connect(const char *spread_name,
                const char *private_name,
                int group_membership,
                const SPX_conf *conf,
                int timeout_ms,
                mailbox *mbox,
                char *private_group);

/**
 * Tells why the last failing call of this thread has failed.
 *
 * Counts `SP_` and `SPX_` calls that have to do with sessions and options. Unlike a code the text
 * tells what really happened: which option, what became of each address of a daemon, why the
 * connection was lost. Calls that succeed leave it alone, so ask right after the failure.
 *
 * Returns a text in English, empty if no call has failed yet; never null. It stays until the next
 * call of this function on the same thread, and may not be freed or changed.
 */
const char *SPX_last_error(void);

/**
 * Tells the text of a result code, classic or of an `SPX_` call.
 *
 * As `SP_strerror`, which does not know the codes from -101 down. The text is constant. Any thread
 * may call this at any time.
 */
const char *SPX_strerror(int code);

/**
 * Tells the version of Everspread, such as `0.1.0`.
 *
 * Returns a constant text. Any thread may call this at any time. That the symbol exists tells a
 * program that looks for it with `dlsym` that it runs on Everspread.
 */
const char *SPX_version(void);

/**
 * Tells a descriptor that is readable while events of a session wait to be taken.
 *
 * For `select`, `poll` and event loops, beside the mailbox or instead of it. It belongs to the
 * library: it may not be read or closed. It is the same at every call, and ends with the session.
 *
 * Returns the descriptor, `ILLEGAL_SESSION`, or `SP_BUG` where the process has no descriptor left.
 * Any thread may call this. In a forked child a session's events begin anew.
 */
int SPX_event_fd(mailbox mbox);

/**
 * Takes the oldest event of a session that the program has not been told of.
 *
 * The program sets `event->size` to `sizeof(SPX_event)` before. Which of the other members have a
 * meaning depends on the type, see `SPX_event`; the others are 0. Never waits. Events keep their
 * order. If a program does not take them, they are merged when there are 64: what it finds then
 * still tells of every reconnect, in sum, and of the state that the session is in. A session that
 * has ended keeps its events until it is disconnected.
 *
 * Returns 1 with an event, 0 if there is none, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `event`
 * is null or its size is too small; the event stays then. Any thread may call this.
 *
 * What the caller grants:
 * `event` is null, or may be read and written for as many bytes as its `size` says.
 */
int SPX_next_event(mailbox mbox, SPX_event *event);

/**
 * Has all events of a session given to a function.
 *
 * `event_function` is called with the mailbox, the event and `event_data`, on a thread of the
 * library's own with all signals blocked, one event at a time, those that wait already included;
 * `SPX_next_event` finds none then. It may make any call of this library, and may not leave with
 * `longjmp` or `pthread_exit`. The event is valid during the call. Null ends that: when this
 * returns, the function is not running any more and will not be called again; the same holds for
 * `SP_disconnect` and `SP_kill`. (Unless they are called from the function itself, which they do
 * not wait for.) So a program may not hold a lock there that the function waits for.
 *
 * Returns 0 or `ILLEGAL_SESSION`. Any thread may call this. Not inherited by a forked child.
 *
 * What the caller grants:
 * The function may be called with these arguments until it is replaced or the session has ended.
 */
int SPX_set_event_cb(mailbox mbox, void (*event_function)(mailbox, const SPX_event*, void*), void *event_data);

/**
 * Tells the name of a session at its daemon, its private group.
 *
 * With `failover=auto` it changes when the session goes to another daemon; the event
 * `SPX_EVENT_RECONNECTED` tells the old and the new one. `private_group` has room for
 * `MAX_GROUP_NAME` bytes.
 *
 * Returns 0, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `private_group` is null. Any thread may call
 * this.
 *
 * What the caller grants:
 * `private_group` is null or may be written for 32 bytes.
 */
int SPX_private_group(mailbox mbox, char *private_group);

/**
 * Tells where the daemon of a session is, or was if it is lost.
 *
 * `127.0.0.1:4803`, `[::1]:4803`, or the path of a unix socket, with a NUL at its end, cut to
 * `max_len` bytes. With a null `text`, or room for nothing, nothing is written.
 *
 * Returns the length of the whole text, so that a cut is seen (as `snprintf`), `ILLEGAL_SESSION`, or
 * `ILLEGAL_MESSAGE` for a negative `max_len`. Any thread may call this.
 *
 * What the caller grants:
 * `text` is null or may be written for `max_len` bytes.
 */
int SPX_daemon(mailbox mbox, int max_len, char *text);

/**
 * Has a session with `failover=auto` go to another daemon of its name.
 *
 * A connection to another daemon is made first; then the present one is told good-bye, and all that
 * it has still sent is received. What the program sends meanwhile waits, up to `send_wait_ms`. The
 * groups are joined again, as after a loss: see docs/GUARANTEES.md. Where no other daemon accepts,
 * the session stays where it is.
 *
 * Returns 0 at once, before the move: `SPX_EVENT_RECONNECTED` tells when it is done.
 * `ILLEGAL_SESSION`, or `NET_ERROR_ON_SESSION` if the session has ended or does not have
 * `failover=auto`. Any thread may call this.
 */
int SPX_reconnect(mailbox mbox);

/**
 * Receives the next message, of any size, within a time limit.
 *
 * The message is the program's: `*message` stays until `SPX_message_free`, also after the session's
 * end. Nothing can be too short. `timeout_ms` negative is no limit, 0 does not wait. A readable
 * mailbox means, as for `SP_receive`, that something has come; where it is a part of a message, a
 * call with 0 says `SPX_TRY_AGAIN`.
 *
 * Returns the length of the body, or
 *
 * - `SPX_TRY_AGAIN` (only with 0), `SPX_TIMEOUT`, `SPX_INTERRUPTED`: no message was taken;
 * - `CONNECTION_CLOSED` once when the connection is lost and all that came before is received, then
 *   `NET_ERROR_ON_SESSION`; also after a send has failed what waits is delivered (which
 *   `SP_receive` does not);
 * - `ILLEGAL_SESSION`; `ILLEGAL_MESSAGE` for a broken frame, or if `message` is null.
 *
 * `*message` is written on success only. The thread may be cancelled while it waits.
 *
 * What the caller grants:
 * `message` is null or may be written.
 */
int SPX_receive(mailbox mbox, SPX_message **message, int timeout_ms);

/**
 * Frees a message that `SPX_receive` has given. Null is nothing to do.
 *
 * What the caller grants:
 * `message` is null or from `SPX_receive`, not freed yet, and nobody uses it from now on.
 */
void SPX_message_free(SPX_message *message);

/**
 * Ends the wait of a thread in `SPX_receive`, or of the next one.
 *
 * The call that waits on this mailbox now, or else the next that is to wait, returns
 * `SPX_INTERRUPTED`; messages that have come are delivered first. Not for `SP_receive`. Several calls
 * before that are one. May be called from any thread, and from a signal handler: it takes no lock,
 * and leaves `errno` alone.
 *
 * Returns 0 or `ILLEGAL_SESSION`.
 */
int SPX_interrupt(mailbox mbox);

/**
 * Sends a message to groups, waiting for a limited time.
 *
 * As `SP_multigroup_multicast`, but where the daemon does not take more it waits for at most
 * `timeout_ms` (negative: no limit, 0: not at all) until the first byte can be handed over. With
 * `failover=auto` it does not wait longer for a connection either. With `send_window` it does not wait
 * longer for room in the window, whatever `send_window_ms` says; with a negative `timeout_ms` it waits
 * for that as the `SP_` calls do: `send_window_ms`, and then the message is sent all the same.
 *
 * Returns as `SP_multigroup_multicast`, or `SPX_TRY_AGAIN`: nothing has been sent, the same call can
 * be made again. Once a part of a message is handed over the rest is waited for, so that the
 * connection stays usable.
 *
 * What the caller grants:
 * As `SP_multigroup_multicast`.
 */
int SPX_multicast(mailbox mbox,
                  service service_type,
                  int num_groups,
                  const char groups[][MAX_GROUP_NAME],
                  int16 mess_type,
                  int mess_len,
                  const char *mess,
                  int timeout_ms);

/**
 * Waits until the daemon has taken what was sent.
 *
 * On a unix socket until the daemon has read it, on TCP until its machine has acknowledged it; for
 * at most `timeout_ms` (negative: no limit). That it has been delivered to others is not waited for:
 * for that a program sends to itself, too. `SP_disconnect` waits by itself. Not a point of
 * cancellation.
 *
 * Returns 0, `SPX_TIMEOUT`, `CONNECTION_CLOSED` or `NET_ERROR_ON_SESSION` if the connection is lost,
 * `ILLEGAL_SESSION`.
 */
int SPX_drain(mailbox mbox, int timeout_ms);

/**
 * Tells how a session stands.
 *
 * Returns `SPX_STATE_OPEN`, `SPX_STATE_RECONNECTING` (with `failover=auto`), `SPX_STATE_ENDING` (the
 * connection is lost; what came before can still be received), `SPX_STATE_FAILED` (a call has told
 * so), or `ILLEGAL_SESSION`. Never waits; any thread may call this.
 */
int SPX_state(mailbox mbox);

/**
 * Gives the figures of a session.
 *
 * The program sets `stats->size` to `sizeof(SPX_stats)` before; newer libraries with more figures
 * write no more than that, and `size` then tells how much has been written. See `SPX_stats` for what
 * they are. Never waits for the network; any thread may call this. Where hundreds of thousands of
 * messages wait, counting them takes some milliseconds the first time.
 *
 * Returns 0, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `stats` is null or its size is too small.
 *
 * What the caller grants:
 * `stats` is null, or may be read and written for as many bytes as its `size` says.
 */
int SPX_get_stats(mailbox mbox, SPX_stats *stats);

/**
 * Gives the figures of a session as one line of JSON.
 *
 * With a NUL at its end, cut to `max_len` bytes; 2048 are enough. The members have the names of
 * `SPX_stats`, and `daemon`, `private_group` and `last_loss` beside them.
 *
 * Returns the length of the whole text, so that a cut is seen (as `snprintf`), `ILLEGAL_SESSION`, or
 * `ILLEGAL_MESSAGE` for a negative `max_len`. Any thread may call this.
 *
 * What the caller grants:
 * `text` is null or may be written for `max_len` bytes.
 */
int SPX_stats_json(mailbox mbox, int max_len, char *text);

#ifdef __cplusplus
}
#endif

#endif /* INC_SP_EXT */
