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

