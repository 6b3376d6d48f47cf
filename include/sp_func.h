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
