/* SP_join and SP_leave: which group names they take, what they send, and what a session is told. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define JOIN 0x00010000u
#define LEAVE 0x00020000u
#define LONGEST "abcdefghijklmnopqrstuvwxyz01234"

static struct fake fake;

static void illegal_names(mailbox mbox)
{
    static const char *const names[] = {
        "", "#", "#room", "a#b", " ", "a b", "room ", "\t", "!", "a\"b", "a\nb", "a\177", "\200", "caf\351", LONGEST "5",
        LONGEST LONGEST,
    };
    size_t i;

    for (i = 0; i < COUNT_OF(names); i++) {
        check_case("illegal group \"%s\"", names[i]);
        CHECK_EQ(SP_join(mbox, names[i]), ILLEGAL_GROUP);
        CHECK_EQ(SP_leave(mbox, names[i]), ILLEGAL_GROUP);
        /* The name is looked at before the mailbox. */
        CHECK_EQ(SP_join(1000000, names[i]), ILLEGAL_GROUP);
        CHECK_EQ(SP_leave(1000000, names[i]), ILLEGAL_GROUP);
    }
}

static void is_sent(int daemon, unsigned type, const char *group)
{
    char own[MAX_GROUP_NAME] = FAKE_PRIVATE_GROUP;
    char want[MAX_GROUP_NAME] = {0};
    struct sent sent;

    memcpy(want, group, strlen(group));
    CHECK(fake_receive(daemon, &sent));
    CHECK_EQ(sent.type, type | MARKERS);
    CHECK_MEM(sent.sender, own, sizeof own);
    CHECK_EQ(sent.num_groups, 1);
    CHECK_MEM(sent.groups[0], want, sizeof want);
    CHECK_EQ(sent.hint, MARKERS);
    CHECK_EQ(sent.size, 0);
    sent_free(&sent);
}

static void frames(const char *name)
{
    static const char *const names[] = {"a", "room", "$", "~", "$%&'()*+,-./0123456789:;<=>?", "@[\\]^_`{|}~", LONGEST};
    mailbox mbox;
    size_t i;
    int daemon = fake_session(&fake, name, &mbox);

    for (i = 0; i < COUNT_OF(names); i++) {
        check_case("%s: group \"%s\"", name, names[i]);
        CHECK_EQ(SP_join(mbox, names[i]), 0);
        is_sent(daemon, JOIN, names[i]);
        CHECK_EQ(SP_leave(mbox, names[i]), 0);
        is_sent(daemon, LEAVE, names[i]);
    }
    illegal_names(mbox);
    CHECK(!is_readable(daemon));
    SP_kill(mbox);
    SYS(close(daemon));
}

static void membership_of(mailbox mbox, service type, const char *group, int index, const char *const members[], int number,
                          const char *changed)
{
    membership_info info;
    struct got got;
    int i;

    EXPECT_MEMBERSHIP(mbox, type, group, &got);
    CHECK_EQ(got.num_groups, number);
    CHECK_EQ(got.mess_type, index);
    for (i = 0; i < number; i++)
        CHECK_STR(got.groups[i], members[i]);
    CHECK_EQ(SP_get_memb_info(got.body, got.type, &info), 1);
    CHECK_STR(info.changed_member, changed);
    CHECK_EQ(info.num_vs_sets, 1);
    CHECK_EQ(info.my_vs_set.num_members, 1);
    got_free(&got);
}

static void self_leave(mailbox mbox, const char *group)
{
    struct got got;

    EXPECT_MEMBERSHIP(mbox, CAUSED_BY_LEAVE, group, &got);
    CHECK_EQ(got.result, 0);
    CHECK_EQ(got.num_groups, 0);
    CHECK_EQ(got.mess_type, -1);
    CHECK(Is_self_leave(got.type));
    got_free(&got);
}

static void life_of_a_group(const char *name)
{
    char groups[2][MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    const char *both[2];
    const char *left[1];
    mailbox a;
    mailbox b;
    int index_of_a;

    check_case("%s: two members come and go", name);
    new_group(group, "life");
    a = session(name, true, groups[0]);
    b = session(name, true, groups[1]);
    index_of_a = strcmp(groups[0], groups[1]) < 0 ? 0 : 1;
    both[index_of_a] = groups[0];
    both[1 - index_of_a] = groups[1];

    left[0] = groups[0];
    CHECK_EQ(SP_join(a, group), 0);
    membership_of(a, REG_MEMB_MESS | CAUSED_BY_JOIN, group, 0, left, 1, groups[0]);
    CHECK_EQ(SP_join(b, group), 0);
    membership_of(a, REG_MEMB_MESS | CAUSED_BY_JOIN, group, index_of_a, both, 2, groups[1]);
    membership_of(b, REG_MEMB_MESS | CAUSED_BY_JOIN, group, 1 - index_of_a, both, 2, groups[1]);

    /* Joining twice, and leaving what was not joined, tells nobody anything. */
    CHECK_EQ(SP_join(a, group), 0);
    CHECK_EQ(SP_leave(a, "no-such-group"), 0);
    CHECK_EQ(SP_multicast(a, AGREED_MESS, group, 1, 6, "marker"), 6);
    EXPECT_DATA(a, AGREED_MESS, groups[0], group, 1, "marker", 6);
    EXPECT_DATA(b, AGREED_MESS, groups[0], group, 1, "marker", 6);

    CHECK_EQ(SP_leave(a, group), 0);
    self_leave(a, group);
    left[0] = groups[1];
    membership_of(b, REG_MEMB_MESS | CAUSED_BY_LEAVE, group, 0, left, 1, groups[0]);

    /* No data comes to who has left, but who is no member can send. */
    CHECK_EQ(SP_multicast(a, AGREED_MESS, group, 2, 5, "after"), 5);
    CHECK_EQ(SP_multicast(a, AGREED_MESS, groups[0], 3, 6, "marker"), 6);
    EXPECT_DATA(a, AGREED_MESS, groups[0], groups[0], 3, "marker", 6);
    EXPECT_DATA(b, AGREED_MESS, groups[0], group, 2, "after", 5);

    CHECK_EQ(SP_leave(b, group), 0);
    self_leave(b, group);
    CHECK_EQ(SP_disconnect(a), 0);
    CHECK_EQ(SP_disconnect(b), 0);
}

static void without_membership(const char *name)
{
    char own[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    mailbox mbox;

    check_case("%s: a session without membership messages", name);
    new_group(group, "quiet");
    mbox = session(name, false, own);
    CHECK_EQ(SP_join(mbox, group), 0);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 1, 3, "one"), 3);
    EXPECT_DATA(mbox, AGREED_MESS, own, group, 1, "one", 3);
    CHECK_EQ(SP_leave(mbox, group), 0);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 1, 3, "two"), 3);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, own, 1, 5, "three"), 5);
    EXPECT_DATA(mbox, AGREED_MESS, own, own, 1, "three", 5);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void many_groups(const char *name)
{
    char group[MAX_GROUP_NAME];
    char own[MAX_GROUP_NAME];
    mailbox mbox = session(name, true, own);
    int i;

    check_case("%s: many groups at a time", name);
    for (i = 0; i < 50; i++) {
        new_group(group, "many");
        join(mbox, group);
    }
    /* The longest name there is. */
    snprintf(group, sizeof group, "%-31u", (unsigned)getpid());
    for (i = 0; i < MAX_GROUP_NAME - 1; i++)
        if (group[i] == ' ')
            group[i] = '.';
    CHECK_EQ(strlen(group), 31);
    join(mbox, group);
    CHECK_EQ(SP_multicast(mbox, SAFE_MESS, group, 1, 3, "all"), 3);
    EXPECT_DATA(mbox, SAFE_MESS, own, group, 1, "all", 3);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "join_leave", 20);
    check_needs_names();
    fake_open(&fake);
    frames(fake.unix_name);
    frames(fake.tcp_name);
    for (i = 0; i < check_names; i++) {
        life_of_a_group(check_name(i));
        without_membership(check_name(i));
        many_groups(check_name(i));
    }
    fake_close(&fake);
    return check_done();
}
