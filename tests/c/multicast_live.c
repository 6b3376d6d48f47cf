/* Messages through a daemon: who gets what, in all sizes and services. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static char sender_group[MAX_GROUP_NAME];
static char group[MAX_GROUP_NAME];
static mailbox sender;
static mailbox member;
static mailbox other;

/* A sender outside the group and two members, which may be connected by other kinds of socket. */
static void open_sessions(const char *name, const char *other_name)
{
    struct got got;

    new_group(group, "live");
    sender = session(name, true, sender_group);
    member = session(name, true, NULL);
    other = session(other_name, true, NULL);
    join(member, group);
    join(other, group);
    EXPECT_MEMBERSHIP(member, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
}

static void close_sessions(void)
{
    CHECK_EQ(SP_disconnect(sender), 0);
    CHECK_EQ(SP_disconnect(member), 0);
    CHECK_EQ(SP_disconnect(other), 0);
}

static void services(void)
{
    static const service all[] = {UNRELIABLE_MESS, RELIABLE_MESS, FIFO_MESS, CAUSAL_MESS, AGREED_MESS, SAFE_MESS};
    size_t i;

    for (i = 0; i < COUNT_OF(all); i++) {
        check_case("service %#x", (unsigned)all[i]);
        CHECK_EQ(SP_multicast(sender, all[i], group, -3, 5, "hello"), 5);
        EXPECT_DATA(member, all[i], sender_group, group, -3, "hello", 5);
        EXPECT_DATA(other, all[i], sender_group, group, -3, "hello", 5);
    }
}

static void self_discard(void)
{
    char own[MAX_GROUP_NAME];
    char own_group[MAX_GROUP_NAME];
    struct got got;
    mailbox both = session(check_name(0), true, own);

    check_case("SELF_DISCARD");
    new_group(own_group, "self");
    join(both, own_group);
    CHECK_EQ(SP_join(member, own_group), 0);
    EXPECT_MEMBERSHIP(member, REG_MEMB_MESS | CAUSED_BY_JOIN, own_group, &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(both, REG_MEMB_MESS | CAUSED_BY_JOIN, own_group, &got);
    got_free(&got);
    CHECK_EQ(SP_multicast(both, AGREED_MESS | SELF_DISCARD, own_group, 1, 6, "others"), 6);
    CHECK_EQ(SP_multicast(both, AGREED_MESS | SELF_DISCARD, own, 1, 6, "nobody"), 6);
    CHECK_EQ(SP_multicast(both, AGREED_MESS, own_group, 2, 3, "all"), 3);
    EXPECT_DATA(both, AGREED_MESS, own, own_group, 2, "all", 3);
    EXPECT_DATA(member, AGREED_MESS | SELF_DISCARD, own, own_group, 1, "others", 6);
    EXPECT_DATA(member, AGREED_MESS, own, own_group, 2, "all", 3);
    CHECK_EQ(SP_leave(member, own_group), 0);
    EXPECT_MEMBERSHIP(member, CAUSED_BY_LEAVE, own_group, &got);
    got_free(&got);
    CHECK_EQ(SP_disconnect(both), 0);
}

static void private_messages(void)
{
    char nobody[MAX_GROUP_NAME];

    check_case("private messages");
    snprintf(nobody, sizeof nobody, "#nobody%s", strrchr(sender_group, '#'));
    CHECK_EQ(SP_multicast(member, FIFO_MESS, nobody, 1, 4, "gone"), 4);
    CHECK_EQ(SP_multicast(member, FIFO_MESS, "#nobody#nowhere", 1, 4, "gone"), 4);
    CHECK_EQ(SP_multicast(sender, FIFO_MESS, sender_group, 1, 4, "mine"), 4);
    EXPECT_DATA(sender, FIFO_MESS, sender_group, sender_group, 1, "mine", 4);
}

static void sizes(void)
{
    /* Eight bytes more than the last would be 100 packets of a real daemon, all full: it dies of such messages, sooner or later. */
    static const int all[] = {0, 1, 2, 31, 32, 47, 48, 1351, 1352, 1353, 1432, 4096, 65535, 65536, 100000, 141688, 143112};
    static char body[143112];
    size_t i;

    for (i = 0; i < COUNT_OF(all); i++) {
        check_case("a body of %d bytes", all[i]);
        if (all[i] >= 4)
            number_body(body, all[i], (unsigned)all[i]);
        CHECK_EQ(SP_multicast(sender, AGREED_MESS, group, (int16)i, all[i], body), all[i]);
        EXPECT_DATA(member, AGREED_MESS, sender_group, group, (int)i, body, all[i]);
        EXPECT_DATA(other, AGREED_MESS, sender_group, group, (int)i, body, all[i]);
    }
}

static void several_groups(void)
{
    static char names[43][MAX_GROUP_NAME];
    const char(*list)[MAX_GROUP_NAME] = (const char(*)[MAX_GROUP_NAME])names;
    struct got got;
    size_t number;
    size_t i;

    memset(names, 0, sizeof names);
    for (i = 0; i < COUNT_OF(names); i++)
        new_group(names[i], "side");
    /* A member of two of the groups gets the message once, with all groups. */
    CHECK_EQ(SP_join(member, names[0]), 0);
    EXPECT_MEMBERSHIP(member, REG_MEMB_MESS | CAUSED_BY_JOIN, names[0], &got);
    got_free(&got);
    for (number = 0; number <= COUNT_OF(names); number += number < 3 ? 1 : 20) {
        check_case("%zu groups", number);
        if (number > 0)
            memcpy(names[number - 1], group, MAX_GROUP_NAME);
        CHECK_EQ(SP_multigroup_multicast(sender, AGREED_MESS, (int)number, list, 4, 5, "hello"), 5);
        CHECK_EQ(SP_multicast(sender, AGREED_MESS, group, 5, 6, "marker"), 6);
        if (number > 0) {
            receive_any(member, &got);
            CHECK_EQ(got.result, 5);
            CHECK_EQ(got.num_groups, number);
            CHECK_MEM(got.groups, names, number * MAX_GROUP_NAME);
            CHECK_EQ(got.mess_type, 4);
            CHECK_MEM(got.body, "hello", 5);
            got_free(&got);
            receive_any(other, &got);
            CHECK_EQ(got.result, 5);
            CHECK_EQ(got.num_groups, number);
            got_free(&got);
        }
        EXPECT_DATA(member, AGREED_MESS, sender_group, group, 5, "marker", 6);
        EXPECT_DATA(other, AGREED_MESS, sender_group, group, 5, "marker", 6);
    }
}

static void scatter_sends(void)
{
    static char text[] = "in several pieces";
    scatter pieces = {.num_elements = 4, .elements = {{text, 2}, {NULL, 0}, {text + 2, 9}, {text + 11, 6}}};
    char names[1][MAX_GROUP_NAME];

    check_case("scatters");
    memset(names, 0, sizeof names);
    memcpy(names[0], group, MAX_GROUP_NAME);
    CHECK_EQ(SP_scat_multicast(sender, AGREED_MESS, group, 6, &pieces), 17);
    EXPECT_DATA(member, AGREED_MESS, sender_group, group, 6, text, 17);
    CHECK_EQ(SP_multigroup_scat_multicast(sender, AGREED_MESS, 1, (const char(*)[MAX_GROUP_NAME])names, 6, &pieces), 17);
    EXPECT_DATA(member, AGREED_MESS, sender_group, group, 6, text, 17);
    EXPECT_DATA(other, AGREED_MESS, sender_group, group, 6, text, 17);
    EXPECT_DATA(other, AGREED_MESS, sender_group, group, 6, text, 17);
}

/* Two senders: both members see one and the same order. */
static void one_order(void)
{
    enum { EACH = 100 };
    static char orders[2][2 * EACH];
    unsigned next[2];
    char body[100];
    int i;
    int k;

    check_case("one order of messages");
    for (i = 0; i < EACH; i++)
        for (k = 0; k < 2; k++) {
            number_body(body, sizeof body, (unsigned)i);
            CHECK_EQ(SP_multicast(k == 0 ? sender : member, AGREED_MESS, group, (int16)k, sizeof body, body), (int)sizeof body);
        }
    for (k = 0; k < 2; k++) {
        memset(next, 0, sizeof next);
        for (i = 0; i < 2 * EACH; i++) {
            struct got got;

            receive_any(k == 0 ? member : other, &got);
            CHECK_EQ(got.result, (int)sizeof body);
            CHECK_BETWEEN(got.mess_type, 0, 1);
            CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), next[got.mess_type]);
            next[got.mess_type]++;
            orders[k][i] = (char)got.mess_type;
            got_free(&got);
        }
    }
    CHECK_MEM(orders[0], orders[1], sizeof orders[0]);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "multicast_live", 20);
    check_needs_names();
    for (i = 0; i < check_names; i++) {
        open_sessions(check_name(i), check_name((i + 1) % check_names));
        services();
        self_discard();
        private_messages();
        sizes();
        several_groups();
        scatter_sends();
        one_order();
        close_sessions();
    }
    return check_done();
}
