/* Joining, leaving, flushing: which messages come when, on a daemon. */
#include <string.h>

#include "flush/flush.h"

static char group[MAX_GROUP_NAME];

static void alone(const char *name)
{
    struct member a;

    check_case("%s: alone in a group", name);
    new_group(group, "alone");
    member_open(&a, name);
    CHECK_EQ(FL_flush(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_leave(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_join(a.mbox, group), 0);
    /* The daemon's answer has not been taken in: a second join does no harm. */
    CHECK_EQ(FL_join(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a), MEMBERS(&a));
    EXPECT_NOTHING(&a);
    CHECK_EQ(FL_join(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_flush(a.mbox, group), ILLEGAL_STATE);

    CHECK_EQ(FL_leave(a.mbox, group), 0);
    CHECK_EQ(FL_leave(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_join(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_flush(a.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, group, 0, 1, "x"), ILLEGAL_GROUP);
    EXPECT_SELF_LEAVE(&a, group);
    EXPECT_NOTHING(&a);
    /* A group starts over with the same group id. */
    found(&a, group);
    members_close();
}

static void names_of_groups(const char *name)
{
    static const char *const bad[] = {"", "a b", "a#b", "#a", "\x7f", "\xe4", "0123456789012345678901234567890123456789", NULL};
    char longest[MAX_GROUP_NAME];
    struct member a;
    size_t i;

    check_case("%s: names of groups", name);
    member_open(&a, name);
    for (i = 0; i < COUNT_OF(bad); i++) {
        if (bad[i] == NULL && CLASSIC("null pointers"))
            continue;
        CHECK_EQ(FL_join(a.mbox, bad[i]), ILLEGAL_GROUP);
        CHECK_EQ(FL_leave(a.mbox, bad[i]), ILLEGAL_GROUP);
        CHECK_EQ(FL_flush(a.mbox, bad[i]), ILLEGAL_GROUP);
    }
    new_group(longest, "long");
    memset(longest + strlen(longest), 'x', MAX_GROUP_NAME - 1 - strlen(longest));
    found(&a, longest);
    if (!CLASSIC("names that are too long")) {
        /* Must not be cut to the name of a group that is there. */
        char longer[MAX_GROUP_NAME + 1];

        memcpy(longer, longest, sizeof longest);
        longer[MAX_GROUP_NAME - 1] = 'y';
        longer[MAX_GROUP_NAME] = '\0';
        CHECK_EQ(FL_leave(a.mbox, longer), ILLEGAL_GROUP);
    }
    members_close();
}

static void one_comes_and_goes(const char *name)
{
    struct member a;
    struct member b;

    check_case("%s: a second member comes and goes", name);
    new_group(group, "second");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);

    CHECK_EQ(FL_join(b.mbox, group), 0);
    EXPECT_REQUEST(&a, group);
    /* The view waits for the flush, and only for that. */
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    CHECK_EQ(FL_flush(b.mbox, group), ILLEGAL_STATE);
    CHECK_EQ(FL_leave(b.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_multicast(b.mbox, FIFO_MESS, group, 0, 1, "x"), ILLEGAL_GROUP);
    CHECK_EQ(FL_join(b.mbox, group), ILLEGAL_GROUP);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    CHECK_EQ(FL_flush(a.mbox, group), ILLEGAL_STATE);
    CHECK_EQ(FL_multicast(a.mbox, FIFO_MESS, group, 0, 1, "x"), ILLEGAL_STATE);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));

    CHECK_EQ(FL_leave(b.mbox, group), 0);
    EXPECT_SELF_LEAVE(&b, group);
    EXPECT_REQUEST(&a, group);
    EXPECT_TRANSITION(&a, group);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_LEAVE, group, MEMBERS(&a), MEMBERS(&b));

    enter(&b, group, MEMBERS(&a));
    {
        struct member gone = b;

        member_close(&b);
        EXPECT_REQUEST(&a, group);
        EXPECT_TRANSITION(&a, group);
        CHECK_EQ(FL_flush(a.mbox, group), 0);
        EXPECT_VIEW(&a, CAUSED_BY_DISCONNECT, group, MEMBERS(&a), MEMBERS(&gone));
    }
    EXPECT_NOTHING(&a);
    members_close();
}

/* Two come behind one request: two views, and a request between them. */
static void two_come(const char *name)
{
    struct member a;
    struct member b;
    struct member c;

    check_case("%s: two come behind one request", name);
    new_group(group, "two");
    member_open(&a, name);
    member_open(&b, name);
    member_open(&c, name);
    found(&a, group);
    CHECK_EQ(FL_join(b.mbox, group), 0);
    EXPECT_REQUEST(&a, group);
    CHECK_EQ(FL_join(c.mbox, group), 0);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&c);
    EXPECT_NOTHING(&a);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));
    EXPECT_REQUEST(&a, group);
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));
    EXPECT_REQUEST(&b, group);
    CHECK_EQ(FL_flush(b.mbox, group), 0);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c), MEMBERS(&c));
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c), MEMBERS(&c));
    EXPECT_VIEW(&c, CAUSED_BY_JOIN, group, MEMBERS(&a, &b, &c), MEMBERS(&c));
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&c);
    members_close();
}

/* A joiner that never votes, as it is no member of this layer, keeps the others waiting until it goes. */
static void one_never_votes(const char *name)
{
    struct member a;
    struct member b;
    mailbox plain;

    check_case("%s: a joiner that never votes", name);
    new_group(group, "plain");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    plain = session(name, true, NULL);
    CHECK_EQ(SP_join(plain, group), 0);
    EXPECT_REQUEST(&a, group);
    EXPECT_REQUEST(&b, group);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    CHECK_EQ(SP_multicast(plain, AGREED_MESS, group, 0, 8, "outsider"), 8);
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    CHECK_EQ(SP_disconnect(plain), 0);
    /* Whoever has flushed has nothing more to flush; the request of the other one stands. No transitional signal: it was in no view. */
    EXPECT_NOTHING(&a);
    EXPECT_NOTHING(&b);
    CHECK_EQ(FL_flush(b.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_NETWORK, group, MEMBERS(&a, &b), MEMBERS(&a, &b));
    EXPECT_VIEW(&b, CAUSED_BY_NETWORK, group, MEMBERS(&a, &b), MEMBERS(&a, &b));
    members_close();
}

/* One goes that has flushed: its vote counts, and the next change follows at once. */
static void one_flushes_and_goes(const char *name)
{
    struct member a;
    struct member b;
    struct member c;
    struct member gone;

    check_case("%s: a member flushes and goes", name);
    new_group(group, "goes");
    member_open(&a, name);
    member_open(&b, name);
    member_open(&c, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    CHECK_EQ(FL_join(c.mbox, group), 0);
    EXPECT_REQUEST(&a, group);
    EXPECT_REQUEST(&b, group);
    CHECK_EQ(FL_flush(b.mbox, group), 0);
    EXPECT_NOTHING(&b);
    EXPECT_NOTHING(&a);
    gone = b;
    member_close(&b);
    /* In an open request a departure is a transitional signal alone. */
    EXPECT_TRANSITION(&a, group);
    EXPECT_NOTHING(&c);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &gone, &c), MEMBERS(&c));
    EXPECT_REQUEST(&a, group);
    EXPECT_TRANSITION(&a, group);
    EXPECT_VIEW(&c, CAUSED_BY_JOIN, group, MEMBERS(&a, &gone, &c), MEMBERS(&c));
    EXPECT_REQUEST(&c, group);
    EXPECT_TRANSITION(&c, group);
    CHECK_EQ(FL_flush(c.mbox, group), 0);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_DISCONNECT, group, MEMBERS(&a, &c), MEMBERS(&gone));
    EXPECT_VIEW(&c, CAUSED_BY_DISCONNECT, group, MEMBERS(&a, &c), MEMBERS(&gone));
    members_close();
}

/* A member flushes, leaves, and then the change collapses: nothing but the self-leave comes. */
static void leaves_after_flush(const char *name)
{
    struct member a;
    struct member b;
    mailbox plain;

    check_case("%s: a member flushes, leaves, and the joiner goes", name);
    new_group(group, "leaves");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    plain = session(name, true, NULL);
    CHECK_EQ(SP_join(plain, group), 0);
    EXPECT_REQUEST(&a, group);
    EXPECT_REQUEST(&b, group);
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    CHECK_EQ(SP_disconnect(plain), 0);
    CHECK_EQ(FL_leave(a.mbox, group), 0);
    if (!CLASSIC("leave after flush")) {
        EXPECT_SELF_LEAVE(&a, group);
        EXPECT_NOTHING(&a);
    }
    member_close(&a);
    EXPECT_TRANSITION(&b, group);
    CHECK_EQ(FL_flush(b.mbox, group), 0);
    EXPECT_VIEW(&b, CAUSED_BY_NETWORK, group, MEMBERS(&b), MEMBERS(&b));
    members_close();
}

/* Groups do not know of each other. */
static void two_groups(const char *name)
{
    char second[MAX_GROUP_NAME];
    struct member a;
    struct member b;

    check_case("%s: two groups", name);
    new_group(group, "one");
    new_group(second, "other");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);
    found(&a, second);
    CHECK_EQ(FL_join(b.mbox, group), 0);
    CHECK_EQ(FL_join(b.mbox, second), 0);
    EXPECT_REQUEST(&a, group);
    EXPECT_REQUEST(&a, second);
    CHECK_EQ(FL_flush(a.mbox, second), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, second, MEMBERS(&a, &b), MEMBERS(&b));
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, second, MEMBERS(&a, &b), MEMBERS(&b));
    CHECK_EQ(FL_multicast(b.mbox, AGREED_MESS, second, 1, 5, "hello"), 5);
    EXPECT_GROUP_DATA(&a, AGREED_MESS, b.name, second, 1, "hello");
    EXPECT_GROUP_DATA(&b, AGREED_MESS, b.name, second, 1, "hello");
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    EXPECT_VIEW(&a, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));
    EXPECT_VIEW(&b, CAUSED_BY_JOIN, group, MEMBERS(&a, &b), MEMBERS(&b));
    members_close();
}

/* What waits inside the library is told by FL_more_msgs and FL_poll, and by more_messes. */
static void what_waits(const char *name)
{
    struct member a;
    struct member b;
    struct news *news;

    check_case("%s: what waits", name);
    new_group(group, "waits");
    member_open(&a, name);
    member_open(&b, name);
    found(&a, group);
    enter(&b, group, MEMBERS(&a));
    EXPECT_NOTHING(&a);
    CHECK_EQ(FL_more_msgs(a.mbox), 0);
    member_close(&b);
    news = next_news(&a);
    CHECK_EQ(news->type, FLUSH_REQ_MESS);
    CHECK_EQ(news->more, 1);
    news_free(news);
    news = next_news(&a);
    CHECK_EQ(news->type, TRANSITION_MESS);
    CHECK_EQ(news->more, 0);
    news_free(news);

    /* One message by hand: the request, and the signal behind it. */
    CHECK_EQ(FL_flush(a.mbox, group), 0);
    news_free(next_news(&a));
    EXPECT_NOTHING(&a);
    member_open(&b, name);
    enter(&b, group, MEMBERS(&a));
    EXPECT_NOTHING(&a);
    member_close(&b);
    {
        char sender[MAX_GROUP_NAME];
        char groups[1][MAX_GROUP_NAME];
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian;
        int more;

        /* Neither needs any room. */
        CHECK_EQ(FL_receive(a.mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, 56, (char[56]){0}, &more), 0);
        CHECK_EQ(type, FLUSH_REQ_MESS);
        CHECK_EQ(more, 1);
        CHECK_EQ(FL_more_msgs(a.mbox), 1);
        CHECK_EQ(FL_poll(a.mbox), 88);
        type = 0;
        CHECK_EQ(FL_receive(a.mbox, &type, sender, 0, &num_groups, groups, &mess_type, &endian, 0, sender, &more), 0);
        CHECK_EQ(type, TRANSITION_MESS);
        CHECK_EQ(FL_poll(a.mbox), 0);
    }
    members_close();
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fl_views", 60);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        alone(check_name(i));
        names_of_groups(check_name(i));
        one_comes_and_goes(check_name(i));
        two_come(check_name(i));
        one_never_votes(check_name(i));
        one_flushes_and_goes(check_name(i));
        leaves_after_flush(check_name(i));
        two_groups(check_name(i));
        what_waits(check_name(i));
    }
    return check_done();
}
