/* Null pointers in every argument that is a pointer. Where the reference library crashes, ours gives a code, after all checks of the
 * reference library, and nothing is sent or consumed. */
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static mailbox mbox;
static int daemon_end;

static const struct frame hello = {.type = FIFO_MESS, .groups = "room hall", .mess_type = 3, .body = "hello", .size = 5};
static const char groups[2][MAX_GROUP_NAME] = {"room", "hall"};

static void fresh(const char *name)
{
    daemon_end = fake_session(&fake, name, &mbox);
}

static void done(void)
{
    SP_kill(mbox);
    SYS(close(daemon_end));
}

/* The waiting message is as it was. */
static void still_there(void)
{
    struct got got;

    CHECK_EQ(SP_poll(mbox), (int)frame_size(&hello));
    receive_any(mbox, &got);
    CHECK_EQ(got.result, 5);
    CHECK_EQ(got.num_groups, 2);
    CHECK_STR(got.groups[1], "hall");
    CHECK_MEM(got.body, "hello", 5);
    got_free(&got);
}

static void connecting(const char *name)
{
    char private_group[MAX_GROUP_NAME];
    sp_time limit = {5, 0};
    mailbox given = -77;

    check_case("%s: SP_connect", name);
    if (CLASSIC("NULL: SP_connect"))
        return;
    CHECK_EQ(SP_connect(name, "me", 0, 1, NULL, private_group), ILLEGAL_SESSION);
    CHECK_EQ(SP_connect_timeout(name, "me", 0, 1, NULL, private_group, limit), ILLEGAL_SESSION);
    CHECK_EQ(SP_connect(name, "me", 0, 1, &given, NULL), CONNECTION_CLOSED);
    CHECK_EQ(SP_connect_timeout(name, "me", 0, 1, &given, NULL, limit), CONNECTION_CLOSED);
    CHECK_EQ(SP_connect(name, "me", 0, 1, NULL, NULL), ILLEGAL_SESSION);
    CHECK_EQ(given, -77);
    CHECK(!fake_has_visitor(&fake));
}

static void sending(const char *name)
{
    scatter hole = {.num_elements = 2, .elements = {{NULL, 0}, {NULL, 5}}};
    scatter nothing = {.num_elements = 1, .elements = {{NULL, 0}}};

    fresh(name);
    check_case("%s: sending nothing from nowhere", name);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 0, NULL), 0);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &nothing), 0);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 0, NULL, 0, 0, NULL), 0);
    WAIT_READABLE(daemon_end);

    check_case("%s: sending", name);
    if (CLASSIC("NULL: mess")) {
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, NULL), CONNECTION_CLOSED);
        done();
        return;
    }
    done();
    fresh(name);
    CHECK_EQ(SP_join(mbox, NULL), ILLEGAL_GROUP);
    CHECK_EQ(SP_leave(mbox, NULL), ILLEGAL_GROUP);
    CHECK_EQ(SP_join(1000000, NULL), ILLEGAL_GROUP);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, NULL, 0, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, NULL, 0, &nothing), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 1, NULL, 0, 5, "hello"), ILLEGAL_GROUP);
    CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 2, NULL, 0, &nothing), ILLEGAL_GROUP);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 2, groups, 0, 5, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 2, groups, 0, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &hole), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 2, groups, 0, &hole), ILLEGAL_MESSAGE);

    check_case("%s: other faults come first", name);
    CHECK_EQ(SP_multicast(mbox, 0, NULL, 0, 5, NULL), ILLEGAL_SERVICE);
    CHECK_EQ(SP_multicast(1000000, FIFO_MESS, NULL, 0, 5, NULL), ILLEGAL_SESSION);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, NULL, 0, 200000, NULL), MESSAGE_TOO_LONG);
    CHECK_EQ(SP_scat_multicast(1000000, FIFO_MESS, NULL, 0, NULL), ILLEGAL_SESSION);

    /* Nothing went out, and the session is well. */
    CHECK(!is_readable(daemon_end));
    CHECK_EQ(SP_join(mbox, "room"), 0);
    done();
}

/* Each output of SP_receive in turn. */
static void outputs(const char *name)
{
    char sender[MAX_GROUP_NAME];
    char names[5][MAX_GROUP_NAME];
    char body[100];
    scatter one = {.num_elements = 1, .elements = {{body, sizeof body}}};
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian;
    mailbox bad = 1000000;

    if (CLASSIC("NULL: outputs of a receive"))
        return;
    fresh(name);
    fake_send(daemon_end, &hello);
    WAIT_UNTIL(SP_poll(mbox) == (int)frame_size(&hello));
    check_case("%s: outputs of SP_receive", name);
    CHECK_EQ(SP_receive(mbox, NULL, sender, 5, &num_groups, names, &mess_type, &endian, 100, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_receive(mbox, &type, NULL, 5, &num_groups, names, &mess_type, &endian, 100, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, NULL, names, &mess_type, &endian, 100, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, names, NULL, &endian, 100, body), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, NULL, 100, body), ILLEGAL_MESSAGE);
    check_case("%s: outputs of SP_scat_receive", name);
    CHECK_EQ(SP_scat_receive(mbox, NULL, sender, 5, &num_groups, names, &mess_type, &endian, &one), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_receive(mbox, &type, NULL, 5, &num_groups, names, &mess_type, &endian, &one), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 5, NULL, names, &mess_type, &endian, &one), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 5, &num_groups, names, NULL, &endian, &one), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, NULL, &one), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, &endian, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(type, 0);
    check_case("%s: the mailbox is looked at first", name);
    CHECK_EQ(SP_receive(bad, NULL, NULL, 5, NULL, NULL, NULL, NULL, 100, NULL), ILLEGAL_SESSION);
    CHECK_EQ(SP_scat_receive(bad, NULL, NULL, 5, NULL, NULL, NULL, NULL, NULL), ILLEGAL_SESSION);
    still_there();

    check_case("%s: groups or body nowhere, though with room", name);
    fake_send(daemon_end, &hello);
    type = 0;
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, NULL, &mess_type, &endian, 100, body), GROUPS_TOO_SHORT);
    CHECK_EQ(num_groups, -2);
    CHECK_EQ(endian, 0);
    type = 0;
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, &endian, 100, NULL), BUFFER_TOO_SHORT);
    CHECK_EQ(num_groups, 0);
    CHECK_EQ(endian, -5);
    one.elements[0].buf = NULL;
    type = 0;
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, &endian, &one), BUFFER_TOO_SHORT);
    type = DROP_RECV;
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, NULL, &mess_type, &endian, 100, body), 5);
    CHECK_EQ(num_groups, -2);
    fake_send(daemon_end, &hello);
    type = DROP_RECV;
    CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, names, &mess_type, &endian, 100, NULL), BUFFER_TOO_SHORT);
    CHECK_EQ(num_groups, 2);
    CHECK_EQ(SP_poll(mbox), 0);

    check_case("%s: a session in error", name);
    SYS(close(daemon_end));
    CHECK_EQ(receive_to_the_end(mbox), CONNECTION_CLOSED);
    CHECK_EQ(SP_receive(mbox, NULL, NULL, 5, NULL, NULL, NULL, NULL, 100, NULL), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, NULL, 0, 5, NULL), NET_ERROR_ON_SESSION);
    SP_kill(mbox);
}

/* What the reference library does with groups or body nowhere, though with room: an error of the system call. */
static void classic_receive(const char *name)
{
    char sender[MAX_GROUP_NAME];
    char names[5][MAX_GROUP_NAME];
    char body[100];
    service type;
    int num_groups;
    int16 mess_type;
    int endian;
    int i;

    for (i = 0; i < 2; i++) {
        check_case("%s: %s nowhere", name, i == 0 ? "groups" : "the body");
        fresh(name);
        fake_send(daemon_end, &hello);
        type = 0;
        CHECK_EQ(SP_receive(mbox, &type, sender, 5, &num_groups, i == 0 ? NULL : names, &mess_type, &endian, 100, i == 0 ? body : NULL),
                 CONNECTION_CLOSED);
        done();
    }
}

static void parsing(void)
{
    static const int gid[3] = {1, 2, 3};
    unsigned char bytes[200];
    const char *body = (const char *)bytes;
    const service type = REG_MEMB_MESS | CAUSED_BY_JOIN;
    scatter whole = {.num_elements = 1, .elements = {{(char *)bytes, sizeof bytes}}};
    scatter hole = {.num_elements = 1, .elements = {{NULL, 100}}};
    membership_info info;
    vs_set_info set = {1, 24};
    char members[1][MAX_GROUP_NAME];
    unsigned index = 9;

    check_case("parsing");
    if (CLASSIC("NULL: SP_get_* and SP_scat_get_*"))
        return;
    memset(bytes, 0, sizeof bytes);
    membership_body(bytes, gid, 0, "#a#fake", false);
    CHECK_EQ(SP_get_memb_info(NULL, type, &info), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_memb_info(body, type, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_sets_info(NULL, &set, 1, &index), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_sets_info(body, NULL, 1, &index), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_sets_info(body, &set, 1, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_set_members(NULL, &set, members, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_set_members(body, NULL, members, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_get_vs_set_members(body, &set, NULL, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_memb_info(NULL, type, &info), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_memb_info(&hole, type, &info), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_memb_info(&whole, type, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_sets_info(NULL, &set, 1, &index), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_sets_info(&whole, NULL, 1, &index), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_sets_info(&whole, &set, 1, NULL), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_set_members(NULL, &set, members, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_set_members(&whole, NULL, members, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(SP_scat_get_vs_set_members(&whole, &set, NULL, 1), ILLEGAL_MESSAGE);
    CHECK_EQ(index, 9);
    CHECK_EQ(set.num_members, 1);
}

static void version(void)
{
    int major = -7;
    int minor = -7;
    int patch = -7;

    check_case("SP_version");
    CHECK_EQ(SP_version(NULL, &minor, &patch), 0);
    CHECK_EQ(SP_version(&major, NULL, &patch), 0);
    CHECK_EQ(SP_version(&major, &minor, NULL), 0);
    CHECK(major == -7 && minor == -7 && patch == -7);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "null_pointers", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        connecting(name);
        sending(name);
        outputs(name);
        if (CLASSIC("NULL: groups or mess with room"))
            classic_receive(name);
    }
    parsing();
    version();
    fake_close(&fake);
    return check_done();
}
