/* Members of flush groups, for programs that talk to a daemon.
 *
 * The layer works only inside the calls of a program, so a member that does not receive keeps the others from their next view. All
 * members of a program are therefore known here, and whoever waits for a message of one of them receives for all:
 *
 *     struct member a;
 *     struct member b;
 *
 *     member_open(&a, name);
 *     member_open(&b, name);
 *     found(&a, group);                the first view
 *     enter(&b, group);                the others are asked, flush, and have the view
 *     expect_data(&a, ...);
 *     members_close();
 */
#ifndef FLUSH_H
#define FLUSH_H

#include <stdbool.h>

#include "../check.h"
#include "../session.h"
#include "fl.h"

#define MAX_MEMBERS 8

/* A message that a member has received. */
struct news {
    struct news *next;
    int result;
    service type;
    char sender[MAX_GROUP_NAME];
    int num_groups;
    char groups[100][MAX_GROUP_NAME];
    int16 mess_type;
    int endian_mismatch;
    int more;
    char body[1000];
};

struct member {
    mailbox mbox;
    char name[MAX_GROUP_NAME];  /* the private group */
    struct news *first;         /* received, and not looked at */
    struct news **last;
};

/* Connects with a new private name; must work. */
void member_open(struct member *member, const char *spread_name);

/* Disconnects one, or all that are there. What was not looked at is dropped. */
void member_close(struct member *member);
void members_close(void);

/* Waits until the member has a message, receiving for all members, and gives it. Free it with news_free. */
struct news *next_news(struct member *member);
void news_free(struct news *news);

/* The member's next message must be a view of this group with this cause, and the named members in this order (as the daemon has
 * them: by name). `set` is what its body must list. The lists end with a null. */
#define EXPECT_VIEW(member, cause, group, members, set) expect_view(__FILE__, __LINE__, (member), (cause), (group), (members), (set))
void expect_view(const char *file, int line, struct member *member, service cause, const char *group, struct member *const *members,
                 struct member *const *set);

/* The member's next message must be one of these. */
#define EXPECT_REQUEST(member, group) expect_notice(__FILE__, __LINE__, (member), FLUSH_REQ_MESS, (group), 0)
#define EXPECT_TRANSITION(member, group) expect_notice(__FILE__, __LINE__, (member), TRANSITION_MESS, (group), 0)
#define EXPECT_SELF_LEAVE(member, group) expect_notice(__FILE__, __LINE__, (member), CAUSED_BY_LEAVE, (group), -1)
void expect_notice(const char *file, int line, struct member *member, service type, const char *group, int mess_type);

/* The member's next message must be this data, from this sender to the whole group. */
#define EXPECT_GROUP_DATA(member, type, sender, group, mess_type, text) \
    expect_group_data(__FILE__, __LINE__, (member), (type), (sender), (group), (mess_type), (text))
void expect_group_data(const char *file, int line, struct member *member, service type, const char *sender, const char *group,
                       int mess_type, const char *text);

/* Nothing waits for the member: a private message that it sends to itself is its next one. */
#define EXPECT_NOTHING(member) expect_nothing(__FILE__, __LINE__, (member))
void expect_nothing(const char *file, int line, struct member *member);

/* The first member of a new group; with its view. */
void found(struct member *member, const char *group);

/* Another one joins; the `others` (up to a null) are asked, flush, and all have the view. */
void enter(struct member *member, const char *group, struct member *const *others);

/* The members, without those that are null, in the order of the daemon. For lists on the spot: MEMBERS(&a, &b). */
#define MEMBERS(...) ((struct member *const[]){__VA_ARGS__, NULL})

#endif
