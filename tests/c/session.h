/* Sessions and received messages, for programs that talk to a daemon. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>

#include "check.h"

/* ---- sessions ---- */

/* A private name or group name that no other program and no earlier call of this one uses. */
void new_private_name(char name[MAX_PRIVATE_NAME + 1]);
void new_group(char group[MAX_GROUP_NAME], const char *stem);

/* Connects with a new private name; must work. `private_group` may be null. */
mailbox session(const char *spread_name, bool membership, char private_group[MAX_GROUP_NAME]);

/* Joins and takes the message that tells of it, which must be the next one of the session. */
void join(mailbox mbox, const char *group);

/* ---- receiving ---- */

/* One receive: what was offered and what came. All outputs are filled with a pattern before, and groups and body lie in memory of
 * exactly the size offered, so that a sanitizer or valgrind sees every byte too far. */
struct got {
    int result;
    service type;
    char sender[MAX_GROUP_NAME];
    int num_groups;
    char (*groups)[MAX_GROUP_NAME];
    int16 mess_type;
    int endian_mismatch;
    char *body;
    int max_groups;
    int max_size;
    service type_before;
};

/* SP_receive with this room; `type` is what service_type holds before. Free with got_free. */
void receive(mailbox mbox, struct got *got, service type, int max_groups, int max_size);

/* With ample room. */
void receive_any(mailbox mbox, struct got *got);

void got_free(struct got *got);

/* Whether an output has still the pattern. */
bool untouched(const void *output, size_t size);

/* Fills memory with the pattern. */
void fill(void *output, size_t size);

/* No output was written. */
#define CHECK_UNTOUCHED(got) check_untouched(__FILE__, __LINE__, (got))
void check_untouched(const char *file, int line, const struct got *got);

/* Groups and body were not written from this group and this byte on. */
#define CHECK_UNTOUCHED_FROM(got, group, byte) check_untouched_from(__FILE__, __LINE__, (got), (group), (byte))
void check_untouched_from(const char *file, int line, const struct got *got, int group, int byte);

/* Receives until a message of this session's own loss, thus the code; what comes before is dropped. */
int receive_to_the_end(mailbox mbox);

/* Receives one message, which must be data with exactly these contents, and one destination group. */
#define EXPECT_DATA(mbox, type, sender, group, mess_type, body, size) \
    expect_data(__FILE__, __LINE__, (mbox), (type), (sender), (group), (mess_type), (body), (size))
void expect_data(const char *file, int line, mailbox mbox, service type, const char *sender, const char *group, int mess_type,
                 const void *body, int size);

/* Receives one message, which must be a membership message of this type for this group. The members are in got.groups. */
#define EXPECT_MEMBERSHIP(mbox, type, group, got) expect_membership(__FILE__, __LINE__, (mbox), (type), (group), (got))
void expect_membership(const char *file, int line, mailbox mbox, service type, const char *group, struct got *got);

/* Whether a name is among the groups. */
bool has_group(const struct got *got, const char *name);

/* ---- numbered messages: for checking that none is lost, doubled or in the wrong place ---- */

/* Fills a body so that each byte depends on the number. */
void number_body(char *body, int size, unsigned number);

/* The number that such a body carries; fails if any byte is wrong. A body has at least 4 bytes. */
#define NUMBER_OF_BODY(body, size) number_of_body(__FILE__, __LINE__, (body), (size))
unsigned number_of_body(const char *file, int line, const char *body, int size);

#endif
