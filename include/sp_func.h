/* The functions of the classic interface, SP_*. Included by sp.h.
 *
 * Generated from rust/c by tests/headers; do not edit.
 */
#ifndef INC_SP_FUNC
#define INC_SP_FUNC

#include "sp.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads what a membership message says of the change of the group.
 *
 * `memb_mess` is the body and `service_type` the type, both as `SP_receive` gave them. Of the
 * result
 *
 * - `gid` is the identity of the membership (of a transitional message: of the one that ends);
 * - `changed_member` is who joined, left or was disconnected, and all zero after a change of the
 *   network. Other messages leave it as it was;
 * - `num_vs_sets` is the number of sets of members that came here together, 1 unless the network
 *   has changed, and `my_vs_set` tells where the receiver's own set is. Both are 0 for messages
 *   that list nobody.
 *
 * A self-leave has an empty body: its `gid` is zero.
 *
 * Returns 1, or `ILLEGAL_MESSAGE` if the type is not that of a membership message, the body names
 * places that no message has, or a pointer is null. Nothing is written then. Any thread may call
 * this at any time.
 *
 * What the caller grants:
 * `memb_mess` points to the whole body of a received message; `info` may be written.
 */
int SP_get_memb_info(const char *memb_mess, service service_type, membership_info *info);

/**
 * Lists the sets of a membership message.
 *
 * `memb_mess` is the body of a regular membership message as `SP_receive` gave it, `vs_sets` an
 * array of `num_vs_sets` entries. `SP_get_memb_info` tells how many are needed. Each entry filled
 * can be given to `SP_get_vs_set_members`. `my_vs_set_index` becomes the index of the receiver's
 * own set, if the message names one.
 *
 * Returns the number of sets. `BUFFER_TOO_SHORT` if the array is too small; `ILLEGAL_MESSAGE` if
 * the body names places that no message has, or a pointer is null (`vs_sets` may be if
 * `num_vs_sets` is 0). Nothing is written then. Any thread may call this at any time.
 *
 * What the caller grants:
 * `memb_mess` points to the whole body of a received regular membership message; `vs_sets` may be
 * written for `num_vs_sets` entries, and `my_vs_set_index` for one number.
 */
int SP_get_vs_sets_info(const char *memb_mess, vs_set_info *vs_sets, int num_vs_sets, unsigned int *my_vs_set_index);

/**
 * Lists the members of one set of a membership message.
 *
 * `memb_mess` is the body of a regular membership message as `SP_receive` gave it, `vs_set` one of
 * its sets as `SP_get_memb_info` or `SP_get_vs_sets_info` told it, `member_names` an array of
 * `member_names_count` names.
 *
 * Returns the number of members. `BUFFER_TOO_SHORT` if the array is too small; `ILLEGAL_MESSAGE`
 * if the set lies where no message reaches, or a pointer is null (`member_names` may be if
 * `member_names_count` is 0). Nothing is written then. Any thread may call this at any time.
 *
 * What the caller grants:
 * `memb_mess` points to the whole body of a received regular membership message, `vs_set` to a set
 * of it; `member_names` may be written for `member_names_count` names.
 */
int SP_get_vs_set_members(const char *memb_mess,
                          const vs_set_info *vs_set,
                          char member_names[][MAX_GROUP_NAME],
                          int member_names_count);

/**
 * `SP_get_memb_info` for a message received with `SP_scat_receive`.
 *
 * The length of the scatter bounds what is read: a body that names places beyond it gives
 * `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
 *
 * What the caller grants:
 * `memb_mess` and its elements point to memory as they say; `info` may be written.
 */
int SP_scat_get_memb_info(const scatter *memb_mess, service service_type, membership_info *info);

/**
 * `SP_get_vs_sets_info` for a message received with `SP_scat_receive`.
 *
 * The length of the scatter bounds what is read: a body that names places beyond it gives
 * `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
 *
 * What the caller grants:
 * `memb_mess` and its elements point to memory as they say; `vs_sets` may be written for
 * `num_vs_sets` entries, and `my_vs_set_index` for one number.
 */
int SP_scat_get_vs_sets_info(const scatter *memb_mess,
                             vs_set_info *vs_sets,
                             int num_vs_sets,
                             unsigned int *my_vs_set_index);

/**
 * `SP_get_vs_set_members` for a message received with `SP_scat_receive`.
 *
 * The length of the scatter bounds what is read: a body that names places beyond it gives
 * `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
 *
 * What the caller grants:
 * `memb_mess` and its elements point to memory as they say, `vs_set` to a set of the message;
 * `member_names` may be written for `member_names_count` names.
 */
int SP_scat_get_vs_set_members(const scatter *memb_mess,
                               const vs_set_info *vs_set,
                               char member_names[][MAX_GROUP_NAME],
                               int member_names_count);

/**
 * Sets the one authentication method that every later connect of this process uses.
 *
 * `auth_name` has fewer than 30 characters; a daemon must offer it. `auth_function` is called
 * during each connect, on the connecting thread, with the connected socket in blocking mode and
 * `auth_data`; it answers 0 for failure, anything else for success. It replaces all methods set
 * before; at the start there is one, `NULL`, that always succeeds.
 *
 * Returns 1. Returns 0, and changes nothing, if the name is too long or a pointer (but
 * `auth_data`) is null. Any thread may call this; connects that have begun are not affected.
 *
 * What the caller grants:
 * `auth_name` is null or a C string; `auth_function` may be called with `auth_data` during every
 * later connect.
 */
int SP_set_auth_method(const char *auth_name, int (*auth_function)(int, void*), void *auth_data);

/**
 * Sets up to 3 authentication methods that every later connect of this process uses, all of them,
 * in this order.
 *
 * The arrays have `num_methods` entries each, with the rules of `SP_set_auth_method`. All callbacks
 * are called, even if an early one fails. With 0 methods every connect fails with `REJECT_AUTH`.
 *
 * Returns 1. Returns 0, and changes nothing, if there are more than 3 or fewer than 0, a name is
 * too long, or a pointer (but the data) is null.
 *
 * What the caller grants:
 * Each array may be read for `num_methods` entries, each name is null or a C string, and each
 * function may be called with its data during every later connect.
 */
int SP_set_auth_methods(int num_methods, const char **auth_name, int (**auth_function)(int, void*), void **auth_data);

/**
 * Opens a session with a daemon.
 *
 * `spread_name` says where the daemon is: `4803` is the unix socket of that port on this machine,
 * `4803@host` a port at a host name or address (IPv6 with or without brackets); null or empty
 * stands for `4803`. A list of such entries, with commas, semicolons or blanks between them, is
 * tried in its order, and every address of a host name. `private_name` (at most 10 characters,
 * the rest is cut off; null or empty: the daemon makes one up) must be unique at that daemon.
 * `priority` has no effect. With `group_membership` other than 0 the session gets membership
 * messages. `mbox` and `private_group` (32 bytes) are written on success only.
 *
 * Returns `ACCEPT_SESSION` (1), or
 *
 * - `ILLEGAL_SPREAD`: the name cannot be parsed, or the host is unknown;
 * - `COULD_NOT_CONNECT`: nobody listens there, or the resolver is in trouble;
 * - `CONNECTION_CLOSED`: the connection ended during the handshake, or the time limit was reached;
 * - `REJECT_QUOTA`, `REJECT_ILLEGAL_NAME`, `REJECT_NOT_UNIQUE`, `REJECT_VERSION`, `REJECT_AUTH`,
 *   or another number: the daemon's own code, as it came.
 *
 * Blocks as long as the daemon takes; signals do not end it, cancellation does. SIGPIPE is ignored
 * in the process from the first call on. `mbox` null is `ILLEGAL_SESSION`, `private_group` null
 * `CONNECTION_CLOSED`; nothing is tried then.
 *
 * What the caller grants:
 * The strings are null or C strings, `mbox` may be written, `private_group` for 32 bytes.
 */
int SP_connect(const char *spread_name,
               const char *private_name,
               int priority,
               int group_membership,
               mailbox *mbox,
               char *private_group);

/**
 * Opens a session with a daemon within a time limit.
 *
 * As `SP_connect`. `time_out` counts from the call and covers everything up to the daemon's last
 * answer; both fields 0 is no limit, negative has expired at once. An authentication callback is
 * not cut short, but its time counts.
 *
 * Returns as `SP_connect`; `CONNECTION_CLOSED` when time is up, `ILLEGAL_TIME` if the fields have
 * opposite signs or there are a million microseconds or more.
 *
 * What the caller grants:
 * As `SP_connect`.
 */
int SP_connect_timeout(const char *spread_name,
                       const char *private_name,
                       int priority,
                       int group_membership,
                       mailbox *mbox,
                       char *private_group,
                       sp_time time_out);

/**
 * Receives the next message.
 *
 * On entry only the bit `DROP_RECV` of `service_type` counts, so set the variable before the call.
 * Of the message come: its type in `service_type`; in `sender` (32 bytes) who sent it, or the group
 * of a membership message; in `groups` up to `max_groups` destinations, or the members of a regular
 * membership; `num_groups`; in `mess_type` the sender's own number, of a regular membership the
 * index of the own private group in `groups`, otherwise -1; in `endian_mismatch` 1 if the sender
 * has another byte order, else 0; in `mess` up to `max_mess_len` bytes, to which no NUL is added.
 *
 * Returns the length of the body. If the message does not fit, nothing is lost:
 * `GROUPS_TOO_SHORT` or `BUFFER_TOO_SHORT`, with minus the number of groups in `num_groups` and
 * minus the length in `endian_mismatch`, each 0 if that part would fit; the next call gets the same
 * message. With `DROP_RECV` the message is taken in any case and cut: too few groups give minus
 * their number in `num_groups` and no error, too small a buffer `BUFFER_TOO_SHORT`.
 *
 * `ILLEGAL_SESSION`; `CONNECTION_CLOSED` once when the connection is found broken, after everything
 * that came before it, later `NET_ERROR_ON_SESSION`; `ILLEGAL_MESSAGE` if what the daemon sent
 * makes no sense (the session is in error then), or an output pointer is null. `groups` and `mess`
 * may be null, for no room.
 *
 * Blocks until a message is there; signals do not end it, cancellation does. Any thread; several
 * receivers take turns.
 *
 * What the caller grants:
 * Each output may be written: `sender` for 32 bytes, `groups` for `max_groups` names, `mess` for
 * `max_mess_len` bytes.
 */
int SP_receive(mailbox mbox,
               service *service_type,
               char sender[MAX_GROUP_NAME],
               int max_groups,
               int *num_groups,
               char groups[][MAX_GROUP_NAME],
               int16 *mess_type,
               int *endian_mismatch,
               int max_mess_len,
               char *mess);

/**
 * Receives the next message into pieces.
 *
 * As `SP_receive`; the body goes into the elements of `mess` in their order. Their lengths are not
 * changed.
 *
 * What the caller grants:
 * As `SP_receive`; `mess` is readable and each of its elements may be written.
 */
int SP_scat_receive(mailbox mbox,
                    service *service_type,
                    char sender[MAX_GROUP_NAME],
                    int max_groups,
                    int *num_groups,
                    char groups[][MAX_GROUP_NAME],
                    int16 *mess_type,
                    int *endian_mismatch,
                    scatter *mess);

/**
 * Joins a group.
 *
 * `group` has 1 to 31 characters from `$` to `~`. The daemon's answer is a membership message that
 * lists the session, if it asked for those. Joining twice does nothing.
 *
 * Returns 0 once the request is handed over. `ILLEGAL_GROUP` for a bad name, before the mailbox is
 * looked at; `ILLEGAL_SESSION`; `CONNECTION_CLOSED` when the connection is found broken, later
 * `NET_ERROR_ON_SESSION`. Blocks while the daemon does not read. Any thread.
 *
 * What the caller grants:
 * `group` is null or a C string.
 */
int SP_join(mailbox mbox, const char *group);

/**
 * Leaves a group.
 *
 * The last message for the group is the self-leave (type `CAUSED_BY_LEAVE` alone), if the session
 * asked for membership messages. Leaving a group that was not joined does nothing.
 *
 * Returns as `SP_join`.
 *
 * What the caller grants:
 * `group` is null or a C string.
 */
int SP_leave(mailbox mbox, const char *group);

/**
 * Sends a message to a group.
 *
 * `service_type` has exactly one of the service bits (`UNRELIABLE_MESS` to `SAFE_MESS`), and may
 * have `SELF_DISCARD`. `group` is a group, joined or not, or a private group; it is cut to 31 bytes
 * and not checked. `mess_type` reaches the receivers as it is. `mess` is `mess_len` bytes and may be
 * null if that is 0.
 *
 * Returns `mess_len` once the message is handed to the system, in one piece. In this order:
 * `ILLEGAL_SERVICE` without a service bit, `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION` after a loss,
 * `MESSAGE_TOO_LONG` (body plus 32 bytes a group above 143144); then, where the classic library
 * would lose the session or the daemon, `ILLEGAL_SERVICE` (several service bits, or bits that are
 * not a client's), `ILLEGAL_GROUP`, `ILLEGAL_MESSAGE` (negative length, null); and
 * `CONNECTION_CLOSED` when the connection is found broken. Blocks while the daemon does not read.
 * Any thread; messages of several threads do not mix.
 *
 * What the caller grants:
 * `group` is null or a C string, `mess` null or readable for `mess_len` bytes.
 */
int SP_multicast(mailbox mbox,
                 service service_type,
                 const char *group,
                 int16 mess_type,
                 int mess_len,
                 const char *mess);

/**
 * Sends a message in pieces to a group.
 *
 * As `SP_multicast`; the body is the pieces of `mess` in their order. Receivers cannot see the
 * borders.
 *
 * What the caller grants:
 * `group` is null or a C string; `mess` is null or readable, with its pieces.
 */
int SP_scat_multicast(mailbox mbox, service service_type, const char *group, int16 mess_type, const scatter *mess);

/**
 * Sends a message to several groups. A receiver in several of them gets it once.
 *
 * As `SP_multicast`, with `num_groups` names of 32 bytes each, 0 to 100, else `ILLEGAL_GROUP`. A
 * 5.0.1 daemon accepts more than 43 and delivers to nobody then.
 *
 * What the caller grants:
 * `groups` may be read for `num_groups` names, `mess` for `mess_len` bytes; either may be null.
 */
int SP_multigroup_multicast(mailbox mbox,
                            service service_type,
                            int num_groups,
                            const char groups[][MAX_GROUP_NAME],
                            int16 mess_type,
                            int mess_len,
                            const char *mess);

/**
 * Sends a message in pieces to several groups.
 *
 * As `SP_multigroup_multicast` and `SP_scat_multicast`.
 *
 * What the caller grants:
 * `groups` may be read for `num_groups` names or be null; `mess` is null or readable, with its
 * pieces.
 */
int SP_multigroup_scat_multicast(mailbox mbox,
                                 service service_type,
                                 int num_groups,
                                 const char groups[][MAX_GROUP_NAME],
                                 int16 mess_type,
                                 const scatter *mess);

/**
 * Ends a session.
 *
 * The daemon is told, and the other members of the session's groups get a membership message with
 * `CAUSED_BY_DISCONNECT`. Messages sent before arrive, also when the program exits right
 * afterwards: the call waits until the daemon has closed the connection, at most 1 second (option
 * `disconnect_ms`; 0 returns at once, as the classic library does, which loses messages). It does
 * not wait where nothing can be lost. What has not been received is dropped, and the mailbox number
 * is free. A thread blocked in a receive on this mailbox wakes with `CONNECTION_CLOSED`.
 *
 * Returns 0, also for a session whose connection is lost. `ILLEGAL_SESSION` for an unknown mailbox.
 */
int SP_disconnect(mailbox mbox);

/**
 * Frees a mailbox without telling the daemon.
 *
 * For a process that was forked and leaves the session to the other one, and for sessions in
 * error. If no other process holds the connection, the daemon sees it close and the others get a
 * membership message with `CAUSED_BY_DISCONNECT`; a thread blocked in a receive on this mailbox
 * wakes with `CONNECTION_CLOSED` then (in the classic library it stays blocked). An unknown mailbox
 * is nothing to do. Never blocks for long.
 */
void SP_kill(mailbox mbox);

/**
 * Tells whether a message waits.
 *
 * Returns the number of bytes of the daemon's stream that have come and have not been received, 0
 * if there are none. At the end of the connection 1, until a call has reported the loss (the
 * classic library: 0). `ILLEGAL_SESSION` for an unknown mailbox, or one whose number the program
 * has closed itself. Never blocks; any thread may call this, also while another is blocked in a
 * receive.
 */
int SP_poll(mailbox mbox);

/**
 * Tells the text of a result code.
 *
 * Returns a text in English for every number, never null. A number that is no error code, 0 and
 * `ACCEPT_SESSION` among them, gives `Unrecognized error.` The text is constant: do not free or
 * change it. Any thread may call this at any time.
 */
const char *SP_strerror(int error);

/**
 * Prints a result code and its text on standard output.
 *
 * Writes `SP_error: (-8) Connection closed by Spread.` and a newline through the C library's
 * `stdout`, so it comes in order with what the program prints itself. Nothing else in this library
 * prints. Any thread may call this at any time.
 */
void SP_error(int error);

/**
 * Tells the version of the classic library that this one stands for: 5, 0, 1.
 *
 * Returns 1. If any pointer is null, returns 0 and writes nothing. Any thread may call this at any
 * time.
 *
 * What the caller grants:
 * Each pointer is null or points to an `int` that may be written.
 */
int SP_version(int *major_version, int *minor_version, int *patch_version);

/**
 * Compares two group ids.
 *
 * Returns 1 if both name the same membership of a group, else 0. Any thread may call this at any
 * time.
 */
int SP_equal_group_ids(group_id g1, group_id g2);

#ifdef __cplusplus
}
#endif

#endif /* INC_SP_FUNC */
