/* Sending: to groups, to parts of them, to private groups; what is refused, and in which order. On a daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flush/flush.h"

#define LARGEST 143144

/* The largest that is sent. Eight bytes more would fill the last packet at a real daemon to the last byte, which damages its memory (it
 * has died of it some messages later, whatever the library). */
#define SENT (LARGEST - 64)

static char group[MAX_GROUP_NAME];
static struct member a;
static struct member b;
static struct member c;

/* Three members of a new group, in its view. */
static void three(const char *name)
{
    new_group(group, "three");
    member_open(&a, name);
    member_open(&b, name);
    member_open(&c, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    enter(&c, group, MEMBERS(&a, &b));
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&c);
}

static void services(const char *name)
{
    static const service all[] = {UNRELIABLE_MESS, RELIABLE_MESS, FIFO_MESS, CAUSAL_MESS, AGREED_MESS, SAFE_MESS};
    size_t i;

    check_case("%s: services", name);
    for (i = 0; i < COUNT_OF(all); i++) {
        CHECK_EQ(FL_multicast(a.mbox, all[i], group, (int16)i, 5, "hello"), 5);
        EXPECT_GROUP_DATA(&a, all[i], a.name, group, (int)i, "hello");
        EXPECT_GROUP_DATA(&b, all[i], a.name, group, (int)i, "hello");
        EXPECT_GROUP_DATA(&c, all[i], a.name, group, (int)i, "hello");
        CHECK_EQ(FL_multicast(a.mbox, all[i] | SELF_DISCARD, group, 7, 0, NULL), 0);
        EXPECT_GROUP_DATA(&b, all[i] | SELF_DISCARD, a.name, group, 7, "");
        EXPECT_GROUP_DATA(&c, all[i] | SELF_DISCARD, a.name, group, 7, "");
    }
    EXPECT_NOTHING(&a);
    /* The calls' own bits travel; that of a subgroup is taken off. */
    CHECK_EQ(FL_multicast(b.mbox, AGREED_MESS | DONT_BLOCK | DROP_RECV | SUBGROUP_CAST, group, FL_MIN_LEGAL_MESS_TYPE, 1, "x"), 1);
    EXPECT_GROUP_DATA(&a, AGREED_MESS | DONT_BLOCK | DROP_RECV, b.name, group, FL_MIN_LEGAL_MESS_TYPE, "x");
    EXPECT_GROUP_DATA(&b, AGREED_MESS | DONT_BLOCK | DROP_RECV, b.name, group, FL_MIN_LEGAL_MESS_TYPE, "x");
    EXPECT_GROUP_DATA(&c, AGREED_MESS | DONT_BLOCK | DROP_RECV, b.name, group, FL_MIN_LEGAL_MESS_TYPE, "x");
}

/* The next message must be one to a part of the group: the receivers, then the group. */
static void expect_part(struct member *member, const char *sender, int mess_type, const char *text, struct member *const *receivers)
{
    struct news *news = next_news(member);
    int i;

    CHECK_EQ(news->type, AGREED_MESS | SUBGROUP_CAST);
    CHECK(Is_subgroup_mess(news->type));
    CHECK(!Is_flush_req_mess(news->type));
    CHECK_STR(news->sender, sender);
    CHECK_EQ(news->mess_type, mess_type);
    CHECK_EQ(news->result, (int)strlen(text));
    CHECK_MEM(news->body, text, strlen(text));
    for (i = 0; receivers[i] != NULL; i++)
        CHECK_STR(news->groups[i], receivers[i]->name);
    CHECK_STR(news->groups[i], group);
    CHECK_EQ(news->num_groups, i + 1);
    news_free(news);
}

static void parts(const char *name)
{
    static char letters[] = "letters";
    char rows[3][MAX_GROUP_NAME];
    scatter pieces = {.num_elements = 3, .elements = {{letters, 3}, {NULL, 0}, {letters + 3, 4}}};
    scatter same = pieces;

    check_case("%s: parts of a group", name);
    memcpy(rows[0], b.name, MAX_GROUP_NAME);
    memcpy(rows[1], c.name, MAX_GROUP_NAME);
    memcpy(rows[2], b.name, MAX_GROUP_NAME);
    CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, b.name, 1, 3, "one"), 3);
    expect_part(&b, a.name, 1, "one", MEMBERS(&b));
    CHECK_EQ(FL_scat_unicast(a.mbox, AGREED_MESS, group, c.name, 2, &pieces), 7);
    expect_part(&c, a.name, 2, "letters", MEMBERS(&c));
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 2, rows, 3, 3, "two"), 3);
    expect_part(&b, a.name, 3, "two", MEMBERS(&b, &c));
    expect_part(&c, a.name, 3, "two", MEMBERS(&b, &c));
    /* One copy each. */
    CHECK_EQ(FL_scat_subgroupcast(a.mbox, AGREED_MESS, group, 3, rows, 4, &pieces), 7);
    expect_part(&b, a.name, 4, "letters", MEMBERS(&b, &c, &b));
    expect_part(&c, a.name, 4, "letters", MEMBERS(&b, &c, &b));
    /* Nobody. */
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 0, rows, 5, 1, "x"), 1);
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&c);

    CHECK_EQ(FL_scat_multicast(a.mbox, AGREED_MESS, group, 6, &pieces), 7);
    EXPECT_GROUP_DATA(&a, AGREED_MESS, a.name, group, 6, "letters");
    EXPECT_GROUP_DATA(&b, AGREED_MESS, a.name, group, 6, "letters");
    EXPECT_GROUP_DATA(&c, AGREED_MESS, a.name, group, 6, "letters");
    CHECK_MEM(&pieces, &same, sizeof pieces);
}

static void many_pieces(const char *name)
{
    static char letter[] = "x";
    char want[FL_MAX_SCATTER_ELEMENTS + 1] = {0};
    scatter pieces = {.num_elements = FL_MAX_SCATTER_ELEMENTS};
    int i;

    check_case("%s: many pieces", name);
    memset(want, 'x', FL_MAX_SCATTER_ELEMENTS);
    for (i = 0; i < MAX_CLIENT_SCATTER_ELEMENTS; i++)
        pieces.elements[i] = (scat_element){letter, 1};
    CHECK_EQ(FL_scat_multicast(a.mbox, AGREED_MESS, group, 1, &pieces), FL_MAX_SCATTER_ELEMENTS);
    EXPECT_GROUP_DATA(&a, AGREED_MESS, a.name, group, 1, want);
    EXPECT_GROUP_DATA(&b, AGREED_MESS, a.name, group, 1, want);
    EXPECT_GROUP_DATA(&c, AGREED_MESS, a.name, group, 1, want);
    pieces.num_elements++;
    CHECK_EQ(FL_scat_multicast(a.mbox, AGREED_MESS, group, 1, &pieces), ILLEGAL_MESSAGE);
    if (!CLASSIC("null pointers")) {
        CHECK_EQ(FL_scat_multicast(a.mbox, AGREED_MESS, group, 1, NULL), ILLEGAL_MESSAGE);
        pieces.num_elements = (size_t)-1;
        CHECK_EQ(FL_scat_multicast(a.mbox, AGREED_MESS, group, 1, &pieces), ILLEGAL_MESSAGE);
    }
}

/* Private groups belong to no view. */
static void private_groups(const char *name)
{
    char rows[2][MAX_GROUP_NAME];
    mailbox plain = session(name, false, NULL);
    struct news *news;

    check_case("%s: private groups", name);
    CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, b.name, 1, 5, "hello"), 5);
    EXPECT_GROUP_DATA(&b, AGREED_MESS, a.name, b.name, 1, "hello");
    CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, "#nobody#here", 1, 5, "hello"), 5);
    memcpy(rows[0], b.name, MAX_GROUP_NAME);
    memcpy(rows[1], b.name, MAX_GROUP_NAME);
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, b.name, 2, rows, 2, 5, "again"), 5);
    news = next_news(&b);
    CHECK_EQ(news->result, 5);
    CHECK_EQ(news->num_groups, 3);
    CHECK_STR(news->groups[2], b.name);
    news_free(news);
    CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, b.name, a.name, 2, 1, "x"), ILLEGAL_RECEIVERS);
    /* Anybody may send to one; to a group only its members. */
    CHECK_EQ(SP_multicast(plain, AGREED_MESS, group, 1, 8, "outsider"), 8);
    CHECK_EQ(SP_multicast(plain, AGREED_MESS, a.name, 1, 7, "private"), 7);
    news = next_news(&a);
    CHECK_EQ(news->result, 7);
    CHECK_STR(news->groups[0], a.name);
    news_free(news);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&c);
    CHECK_EQ(SP_disconnect(plain), 0);
}

static void refusals(const char *name)
{
    char rows[2][MAX_GROUP_NAME];
    char stranger[MAX_GROUP_NAME] = "#stranger#here";

    check_case("%s: what is refused, in its order", name);
    memcpy(rows[0], b.name, MAX_GROUP_NAME);
    memcpy(rows[1], stranger, MAX_GROUP_NAME);
    CHECK_EQ(FL_subgroupcast(a.mbox, MEMBERSHIP_MESS, "nowhere", -1, rows, -32768, 1, "x"), ILLEGAL_PARAM);
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS | REG_MEMB_MESS, "nowhere", 2, rows, -32768, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS | FLUSH_REQ_MESS, group, 0, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS | 0x00004000, group, 0, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS | 0x00000080, group, 0, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, "nowhere", 2, rows, -32766, 1, "x"), ILLEGAL_MESSAGE_TYPE);
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, "nowhere", 2, rows, 0, 1, "x"), ILLEGAL_GROUP);
    CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 2, rows, 0, 1, "x"), ILLEGAL_RECEIVERS);
    CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, group, 0, 1, "x"), ILLEGAL_RECEIVERS);
    CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, "", 0, 1, "x"), ILLEGAL_RECEIVERS);
    CHECK_EQ(FL_multicast(a.mbox, 0, group, 0, 1, "x"), ILLEGAL_SERVICE);
    CHECK_EQ(FL_multicast(a.mbox, SELF_DISCARD, group, 0, 1, "x"), ILLEGAL_SERVICE);
    if (!CLASSIC("refused, where a daemon would close the session or a receiver abort")) {
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS | FIFO_MESS, group, 0, 1, "x"), ILLEGAL_SERVICE);
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS | REJECT_MESS, group, 0, 1, "x"), ILLEGAL_SERVICE);
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, group, 0, -1, "x"), ILLEGAL_MESSAGE);
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, group, 0, 1, NULL), ILLEGAL_MESSAGE);
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, NULL, 0, 1, "x"), ILLEGAL_GROUP);
        CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, NULL, 0, 1, "x"), ILLEGAL_RECEIVERS);
        CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 1, NULL, 0, 1, "x"), ILLEGAL_RECEIVERS);
        CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 101, rows, 0, 1, "x"), ILLEGAL_GROUP);
        CHECK_EQ(FL_subgroupcast(a.mbox, AGREED_MESS, group, 2147483647, rows, 0, 1, "x"), MESSAGE_TOO_LONG);
    }
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
}

static void sizes(const char *name)
{
    static char body[LARGEST];
    static char got_body[LARGEST];
    char sender[MAX_GROUP_NAME];
    char groups[2][MAX_GROUP_NAME];
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian;
    int more;

    check_case("%s: the largest messages", name);
    number_body(body, SENT, 42);
    if (!CLASSIC("the daemon does not survive larger ones")) {
        CHECK_EQ(FL_multicast(a.mbox, AGREED_MESS, group, 0, LARGEST - 31, body), MESSAGE_TOO_LONG);
        /* A receiver, and the group's name behind the body. */
        CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, b.name, 0, LARGEST - 63, body), MESSAGE_TOO_LONG);
    }
    CHECK_EQ(FL_unicast(a.mbox, AGREED_MESS, group, b.name, 0, SENT, body), SENT);
    CHECK_EQ(FL_receive(b.mbox, &type, sender, 2, &num_groups, groups, &mess_type, &endian, sizeof got_body, got_body, &more),
             SENT);
    CHECK_EQ(NUMBER_OF_BODY(got_body, SENT), 42);
    CHECK_EQ(num_groups, 2);
}

/* Messages sent while a change is under way keep their type, sender and view. */
static void during_a_change(const char *name)
{
    struct member d;
    char rows[2][MAX_GROUP_NAME];

    check_case("%s: during a change", name);
    memcpy(rows[0], b.name, MAX_GROUP_NAME);
    member_open(&d, name);
    CHECK_EQ(FL_join(d.mbox, group), 0);
    EXPECT_REQUEST(&a, group);
    EXPECT_REQUEST(&b, group);
    EXPECT_REQUEST(&c, group);
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, group, -7, 3, "old"), 3);
    EXPECT_GROUP_DATA(&a, FIFO_MESS, a.name, group, -7, "old");
    EXPECT_GROUP_DATA(&b, FIFO_MESS, a.name, group, -7, "old");
    EXPECT_GROUP_DATA(&c, FIFO_MESS, a.name, group, -7, "old");
    CHECK_EQ(FL_subgroupcast(a.mbox, RELIABLE_MESS, group, 1, rows, 8, 4, "part"), 4);
    {
        struct news *news = next_news(&b);

        CHECK_EQ(news->type, RELIABLE_MESS | SUBGROUP_CAST);
        CHECK_EQ(news->mess_type, 8);
        CHECK_EQ(news->result, 4);
        CHECK_STR(news->groups[1], group);
        news_free(news);
    }
    /* The joiner is not a receiver yet. */
    CHECK_EQ(FL_unicast(a.mbox, FIFO_MESS, group, d.name, 0, 1, "x"), ILLEGAL_RECEIVERS);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, group, 0, 1, "x"), ILLEGAL_STATE);
    CHECK_EQ(FL_unicast(a.mbox, FIFO_MESS, group, d.name, 0, 1, "x"), ILLEGAL_STATE);
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, a.name, 5, 1, "x"), 1);
    EXPECT_GROUP_DATA(&a, FIFO_MESS, a.name, a.name, 5, "x");
    /* From a member that has not flushed: still in the old view, also for those who have. */
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS, group, 9, 4, "late"), 4);
    EXPECT_GROUP_DATA(&a, FIFO_MESS, b.name, group, 9, "late");
    EXPECT_GROUP_DATA(&b, FIFO_MESS, b.name, group, 9, "late");
    EXPECT_GROUP_DATA(&c, FIFO_MESS, b.name, group, 9, "late");
    CHECK_EQ(FL_flush(b.mbox, group), 0);
    CHECK_EQ(FL_flush(c.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c, &d), MEMBERS(&d));
    /* Right after the view: in the new one, whoever has it already. */
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, group, 10, 3, "new"), 3);
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c, &d), MEMBERS(&d));
    EXPECT_VIEW(&c, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c, &d), MEMBERS(&d));
    EXPECT_VIEW(&d, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c, &d), MEMBERS(&d));
    EXPECT_GROUP_DATA(&a, FIFO_MESS, a.name, group, 10, "new");
    EXPECT_GROUP_DATA(&b, FIFO_MESS, a.name, group, 10, "new");
    EXPECT_GROUP_DATA(&c, FIFO_MESS, a.name, group, 10, "new");
    EXPECT_GROUP_DATA(&d, FIFO_MESS, a.name, group, 10, "new");

    /* One who has left is a receiver as long as the view stands. */
    member_close(&d);
    EXPECT_REQUEST(&a, group);
    EXPECT_TRANSITION(&a, group);
    CHECK_EQ(FL_unicast(a.mbox, FIFO_MESS, group, d.name, 0, 1, "x"), 1);
    EXPECT_REQUEST(&b, group);
    EXPECT_TRANSITION(&b, group);
    EXPECT_REQUEST(&c, group);
    EXPECT_TRANSITION(&c, group);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fl_messages", 60);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        three(check_name(i));
        services(check_name(i));
        parts(check_name(i));
        many_pieces(check_name(i));
        private_groups(check_name(i));
        refusals(check_name(i));
        sizes(check_name(i));
        during_a_change(check_name(i));
        members_close();
    }
    return check_done();
}
