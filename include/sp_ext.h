/* What Everspread adds to the classic interface: the functions SPX_*.
 *
 * A session is one, however it was opened: SP_ and SPX_ calls can be mixed. Link with -lspread, as for sp.h. These functions
 * are in no other library: a program that should run on the classic library too can look for SPX_version with dlsym.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_EXT
#define INC_SP_EXT

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

/**
 * Collects the messages that are sent on a mailbox, until `SPX_uncork`.
 *
 * For programs that send many small messages and want throughput rather than each message on its way
 * when the call returns: up to 64 KiB of messages go out in one system call. The order stays that of
 * the calls. What is collected is sent when it fills 64 KiB, by `SPX_uncork`, before a join, a leave, a
 * disconnect, and before a receive on the same mailbox waits; not before a `select()` of the program, and
 * not by `SP_kill`. A message of more than 64 KiB goes out at once, after what was collected before it.
 * Corking twice is as once.
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

#ifdef __cplusplus
}
#endif

#endif /* INC_SP_EXT */
