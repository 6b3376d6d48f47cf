/* Flush Spread, FL_*: groups with virtual synchrony. A program includes this file and links with -lspread.
 *
 * A view is delivered only after all of its members have flushed: see FL_receive and FL_flush.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_FL
#define INC_FL

#include <sp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Given to FL_receive() in the service type: return WOULD_BLOCK instead of waiting. */
#define DONT_BLOCK              0x10000000

/* Kinds of received messages: the library asks for FL_flush(), */
#define FLUSH_REQ_MESS          0x20000000
/* and a message to a part of a group. */
#define SUBGROUP_CAST           0x40000000

/* Looking at a received type: 1 or 0. */
#define Is_flush_req_mess(type) (((type) & FLUSH_REQ_MESS) != 0)
#define Is_subgroup_mess(type)  (((type) & SUBGROUP_CAST) != 0)

/* Results, beside those of sp.h. FL_error() prints them all. */
#define ILLEGAL_PARAM           (-24)   /* a count that is negative */
#define WOULD_BLOCK             (-25)   /* nothing to receive */
#define ILLEGAL_MESSAGE_TYPE    (-26)   /* less than FL_MIN_LEGAL_MESS_TYPE */
#define ILLEGAL_STATE           (-27)   /* not at this moment of a change */
#define ILLEGAL_RECEIVERS       (-28)   /* not in the view */

/* Elements of a scatter that is sent. */
#define FL_MAX_SCATTER_ELEMENTS 99

/* The least message type of a program; the library uses those below. */
#define FL_MIN_LEGAL_MESS_TYPE  (-32765)

/**
 * Prints a result code and its text on standard output.
 *
 * Writes `FL_error: (-25) ` with a text and a newline for the codes of this header, and what
 * `SP_error` writes for all others. Any thread may call this at any time.
 */
void FL_error(int error);

/**
 * Receives the next message.
 *
 * On entry the bits `DONT_BLOCK` and `DROP_RECV` of `service_type` count, so set the variable
 * before each call. What can come, beside messages of members:
 *
 * - a request to flush (`FLUSH_REQ_MESS`; `sender` is the group, all else empty). The group is
 *   about to change. Send what belongs to the present view, then call `FL_flush`;
 * - a view (`REG_MEMB_MESS` and its cause): the group has changed, and all members have flushed.
 *   `groups` are its members, `mess_type` the index of the own private group among them; the body
 *   is told of at `FL_get_vs_set_offset_memb_mess`, and none for `SP_get_memb_info`;
 * - a transitional signal (`TRANSITION_MESS`; all else empty), once in a view: from here on members
 *   who have gone may have missed messages;
 * - the end of the own membership (`CAUSED_BY_LEAVE` alone; `mess_type` -1, all else empty).
 *
 * Messages of members come in the view in which they were sent; those of others do not come.
 * Messages to the own private group belong to no view. A message to a part of a group has
 * `SUBGROUP_CAST`, and the group is the last of `groups`, behind the receivers.
 *
 * Returns the length of the body, and in `more_messes` how many messages wait inside the library.
 * `ILLEGAL_PARAM` for negative `max_groups`; `WOULD_BLOCK` with `DONT_BLOCK` if no message is there.
 * If the message does not fit nothing is lost: `GROUPS_TOO_SHORT` or `BUFFER_TOO_SHORT`, with minus
 * the number of groups in `num_groups` and minus the size in `endian_mismatch`, each 0 if that part
 * would fit; the next call gets the same message. (The size is that of the message on its way,
 * which is up to 46 bytes more than the body.) With `DROP_RECV` the message is taken and cut, and
 * the same codes are returned. `CONNECTION_CLOSED` when the connection is found broken, after
 * everything that came before it: the mailbox is gone then, and every later call returns
 * `ILLEGAL_SESSION`. `ILLEGAL_MESSAGE` if an output pointer is null or the daemon makes no sense.
 *
 * Blocks until a message is there; signals do not end it, cancellation does. A member that does not
 * receive keeps the others from their next view. Any thread; several receivers take turns.
 *
 * What the caller grants:
 * Each output may be written: `sender` for 32 bytes, `groups` for `max_groups` names, `mess` for
 * `max_mess_len` bytes. `more_messes` may be null.
 */
int FL_receive(mailbox mbox,
               service *service_type,
               char sender[MAX_GROUP_NAME],
               int max_groups,
               int *num_groups,
               char groups[][MAX_GROUP_NAME],
               int16 *mess_type,
               int *endian_mismatch,
               int max_mess_len,
               char *mess,
               int *more_messes);

/**
 * Receives the next message into pieces.
 *
 * As `FL_receive`; the body goes into the elements of `mess` in their order, empty ones left out.
 * Their lengths are not changed. `ILLEGAL_MESSAGE` if `mess` is null or has more than
 * `MAX_CLIENT_SCATTER_ELEMENTS` elements.
 *
 * What the caller grants:
 * As `FL_receive`; `mess` is null, or readable and each of its elements may be written.
 */
int FL_scat_receive(mailbox mbox,
                    service *service_type,
                    char sender[MAX_GROUP_NAME],
                    int max_groups,
                    int *num_groups,
                    char groups[][MAX_GROUP_NAME],
                    int16 *mess_type,
                    int *endian_mismatch,
                    scatter *mess,
                    int *more_messes);

/**
 * Joins a group.
 *
 * The first view that lists the session is the answer; it comes when all other members have
 * flushed. `group` has the characters of `SP_join`. Joining again before the daemon's first answer
 * was taken in is harmless.
 *
 * Returns 0 once the request is handed over. `ILLEGAL_SESSION`; `ILLEGAL_GROUP` for a bad name, or
 * if the session is in the group, or on its way in or out; `CONNECTION_CLOSED` when the connection
 * is found broken, after which the mailbox is gone. Blocks while the daemon does not read. Any
 * thread.
 *
 * What the caller grants:
 * `group` is null or a C string.
 */
int FL_join(mailbox mbox, const char *group);

/**
 * Leaves a group.
 *
 * Nothing can be sent to it any more. The last message for the group is the self-leave (type
 * `CAUSED_BY_LEAVE` alone).
 *
 * Returns as `FL_join`; `ILLEGAL_GROUP` unless a view of the group has been received, and on a
 * second leave.
 *
 * What the caller grants:
 * `group` is null or a C string.
 */
int FL_leave(mailbox mbox, const char *group);

/**
 * Agrees to the next view of a group: the answer to a request to flush.
 *
 * Until the view comes nothing can be sent to the group. Each request is answered once.
 *
 * Returns 0. `ILLEGAL_SESSION`; `ILLEGAL_GROUP` for a group that is not known, or is being left;
 * `ILLEGAL_STATE` without an unanswered request; `CONNECTION_CLOSED` when the connection is found
 * broken, after which the mailbox is gone. Blocks while the daemon does not read. Any thread.
 *
 * What the caller grants:
 * `group` is null or a C string.
 */
int FL_flush(mailbox mbox, const char *group);

/**
 * Sends a message to all members of a group's view, or to a private group.
 *
 * `service_type` has exactly one of the service bits (`UNRELIABLE_MESS` to `SAFE_MESS`), and may
 * have `SELF_DISCARD`. `group` is a group that the session is in, or a private group, which belongs
 * to no view. `mess_type` is at least `FL_MIN_LEGAL_MESS_TYPE`. `mess` is `mess_len` bytes and may
 * be null if that is 0.
 *
 * Returns `mess_len`. In this order: `ILLEGAL_SESSION`; `ILLEGAL_SERVICE` for bits that are not a
 * program's to set; `ILLEGAL_MESSAGE_TYPE`; `ILLEGAL_GROUP` for a group of which no view has been
 * received, or that is being left; `ILLEGAL_STATE` between `FL_flush` and the view; then the codes
 * of `SP_multicast`, where `MESSAGE_TOO_LONG` counts up to 46 bytes that the library adds.
 * `CONNECTION_CLOSED` when the connection is found broken, after which the mailbox is gone. Blocks
 * while the daemon does not read. Any thread; messages of several threads do not mix.
 *
 * What the caller grants:
 * `group` is null or a C string, `mess` null or readable for `mess_len` bytes.
 */
int FL_multicast(mailbox mbox,
                 service service_type,
                 const char *group,
                 int16 mess_type,
                 int mess_len,
                 const char *mess);

/**
 * Sends a message in pieces to all members of a group's view, or to a private group.
 *
 * As `FL_multicast`; the body is the pieces of `mess` in their order, which are not changed.
 * `ILLEGAL_MESSAGE`, behind `ILLEGAL_MESSAGE_TYPE`, for more than `FL_MAX_SCATTER_ELEMENTS` pieces.
 *
 * What the caller grants:
 * `group` is null or a C string; `mess` is null or readable, with its pieces.
 */
int FL_scat_multicast(mailbox mbox, service service_type, const char *group, int16 mess_type, const scatter *mess);

/**
 * Sends a message to one member of a group's view.
 *
 * As `FL_multicast`; `ILLEGAL_RECEIVERS`, behind `ILLEGAL_STATE`, if `recvr_name` is not in the view
 * (whoever has left since counts as there). To a private group, `recvr_name` must be the same.
 *
 * What the caller grants:
 * `group` and `recvr_name` are null or C strings, `mess` null or readable for `mess_len` bytes.
 */
int FL_unicast(mailbox mbox,
               service service_type,
               const char *group,
               const char *recvr_name,
               int16 mess_type,
               int mess_len,
               const char *mess);

/**
 * Sends a message in pieces to one member of a group's view.
 *
 * As `FL_unicast` and `FL_scat_multicast`.
 *
 * What the caller grants:
 * `group` and `recvr_name` are null or C strings; `mess` is null or readable, with its pieces.
 */
int FL_scat_unicast(mailbox mbox,
                    service service_type,
                    const char *group,
                    const char *recvr_name,
                    int16 mess_type,
                    const scatter *mess);

/**
 * Sends a message to some members of a group's view.
 *
 * As `FL_unicast`, with `num_recvrs` names of 32 bytes each, 0 to 100 (`ILLEGAL_PARAM` for fewer,
 * before `ILLEGAL_SERVICE`; `ILLEGAL_GROUP` for more). A 5.0.1 daemon accepts more than 43 and
 * delivers to nobody then.
 *
 * What the caller grants:
 * `group` is null or a C string; `recvr_names` may be read for `num_recvrs` names, `mess` for
 * `mess_len` bytes; either may be null.
 */
int FL_subgroupcast(mailbox mbox,
                    service service_type,
                    const char *group,
                    int num_recvrs,
                    char recvr_names[][MAX_GROUP_NAME],
                    int16 mess_type,
                    int mess_len,
                    const char *mess);

/**
 * Sends a message in pieces to some members of a group's view.
 *
 * As `FL_subgroupcast` and `FL_scat_multicast`.
 *
 * What the caller grants:
 * `group` is null or a C string; `recvr_names` may be read for `num_recvrs` names or be null;
 * `mess` is null or readable, with its pieces.
 */
int FL_scat_subgroupcast(mailbox mbox,
                         service service_type,
                         const char *group,
                         int num_recvrs,
                         char recvr_names[][MAX_GROUP_NAME],
                         int16 mess_type,
                         const scatter *mess);

/**
 * Makes the library ready. Need not be called.
 *
 * Returns 0, and `ILLEGAL_STATE` on every later call. Any thread may call this at any time.
 */
int FL_lib_init(void);

/**
 * Tells the version of the classic layer that this one stands for: 2, 0, 0.
 *
 * Any thread may call this at any time.
 *
 * What the caller grants:
 * Each pointer is null or points to an `int` that may be written.
 */
void FL_version(int *major_version, int *minor_version, int *patch_version);

/**
 * Opens a session with a daemon, for the calls of this header.
 *
 * As `SP_connect`, with membership messages. `user` null or empty: the daemon makes up a name. Do
 * not use `SP_receive`, `SP_join`, `SP_leave` or their kin on the mailbox; `SP_multicast` can be
 * used, but other members of a group do not take part in its guarantees.
 *
 * Returns `ACCEPT_SESSION` (1), or the codes of `SP_connect`; `mbox` and `private_group` are
 * written on success only. Blocks as `SP_connect`.
 *
 * What the caller grants:
 * As `SP_connect`.
 */
int FL_connect(const char *daemon_name, const char *user, int priority, mailbox *mbox, char *private_group);

/**
 * Ends a session, as `SP_disconnect`.
 *
 * Other members of its groups get a view without it, once they have flushed. A thread blocked in a
 * receive on this mailbox wakes with `CONNECTION_CLOSED`.
 *
 * Returns 0; `ILLEGAL_SESSION` for a mailbox that `FL_connect` has not given, and for one whose
 * loss a call has reported.
 */
int FL_disconnect(mailbox mbox);

/**
 * Tells how many messages wait inside the library.
 *
 * The next so many receives do not block. More may wait in the connection: see `FL_poll`.
 *
 * Returns that number, or `ILLEGAL_SESSION`. Never blocks. Any thread.
 */
int FL_more_msgs(mailbox mbox);

/**
 * Tells whether something waits.
 *
 * Returns the number of bytes: inside the library (88 for each message, 32 for each of its groups,
 * and its body), and of the daemon's stream as `SP_poll` counts them, which may be messages that
 * the library takes in without giving any to the program. So more than 0 does not mean that a
 * receive would not block: use `DONT_BLOCK`. At the end of the connection 1, until a call has
 * reported the loss. `ILLEGAL_SESSION` for an unknown mailbox. Never blocks. Any thread.
 */
int FL_poll(mailbox mbox);

/**
 * Where the group id is in the body of a view: at its start. It has 12 bytes, in the order of the
 * machine.
 */
int FL_get_gid_offset_memb_mess(void);

/**
 * Where the number of names is in the body of a view: an `int` at 12.
 */
int FL_get_num_vs_offset_memb_mess(void);

/**
 * Where the names begin in the body of a view: at 16, `MAX_GROUP_NAME` bytes each.
 *
 * After a join, a leave or a disconnect it is one, of the member concerned. After a change of the
 * network it is those who have come from the previous view together with the receiver, itself
 * among them.
 */
int FL_get_vs_set_offset_memb_mess(void);

#ifdef __cplusplus
}
#endif

#endif /* INC_FL */
