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

