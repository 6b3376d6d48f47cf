/* FL_connect, FL_disconnect and the calls that only tell something; unknown mailboxes. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "flush/flush.h"

static void once_in_a_process(void)
{
    check_case("FL_lib_init");
    CHECK_EQ(FL_lib_init(), 0);
    CHECK_EQ(FL_lib_init(), ILLEGAL_STATE);
    CHECK_EQ(FL_lib_init(), ILLEGAL_STATE);
}

static void constants(void)
{
    int major = -1;
    int minor = -1;
    int patch = -1;

    check_case("version and offsets");
    FL_version(&major, &minor, &patch);
    CHECK_EQ(major, 2);
    CHECK_EQ(minor, 0);
    CHECK_EQ(patch, 0);
    CHECK_EQ(FL_get_gid_offset_memb_mess(), 0);
    CHECK_EQ(FL_get_num_vs_offset_memb_mess(), 12);
    CHECK_EQ(FL_get_vs_set_offset_memb_mess(), 16);
    if (!CLASSIC("null pointers")) {
        major = -1;
        FL_version(&major, NULL, NULL);
        CHECK_EQ(major, 2);
        FL_version(NULL, NULL, NULL);
    }
}

/* What FL_error prints for a code. */
static void printed(int code, char *text, size_t size)
{
    int pipes[2];
    int out;
    ssize_t count;

    fflush(stdout);
    SYS(pipe(pipes));
    out = (int)SYS(dup(STDOUT_FILENO));
    SYS(dup2(pipes[1], STDOUT_FILENO));
    FL_error(code);
    fflush(stdout);
    SYS(dup2(out, STDOUT_FILENO));
    SYS(close(out));
    SYS(close(pipes[1]));
    count = SYS(read(pipes[0], text, size - 1));
    text[count] = '\0';
    SYS(close(pipes[0]));
}

static void errors_are_printed(void)
{
    static const int own[] = {ILLEGAL_PARAM, WOULD_BLOCK, ILLEGAL_MESSAGE_TYPE, ILLEGAL_STATE, ILLEGAL_RECEIVERS};
    static const int others[] = {ILLEGAL_SESSION, ILLEGAL_GROUP, 1, 0, -99};
    char text[200];
    char start[30];
    size_t i;

    check_case("FL_error");
    for (i = 0; i < COUNT_OF(own); i++) {
        snprintf(start, sizeof start, "FL_error: (%d) ", own[i]);
        printed(own[i], text, sizeof text);
        CHECK(strncmp(text, start, strlen(start)) == 0);
        CHECK(strlen(text) > strlen(start) + 5);
        CHECK(text[strlen(text) - 1] == '\n');
    }
    for (i = 0; i < COUNT_OF(others); i++) {
        char want[200];

        snprintf(start, sizeof start, "SP_error: (%d) ", others[i]);
        printed(others[i], text, sizeof text);
        snprintf(want, sizeof want, "%s%s\n", start, SP_strerror(others[i]));
        CHECK_STR(text, want);
    }
}

/* Every call on a mailbox that is none of this layer. */
static void no_session(mailbox mbox)
{
    scatter pieces = {.num_elements = 0};
    char names[1][MAX_GROUP_NAME] = {"#x#y"};
    service type = 0;
    char sender[MAX_GROUP_NAME];
    char groups[1][MAX_GROUP_NAME];
    char body[10];
    int num_groups;
    int16 mess_type;
    int endian;
    int more;

    CHECK_EQ(FL_join(mbox, "g"), ILLEGAL_SESSION);
    CHECK_EQ(FL_leave(mbox, "g"), ILLEGAL_SESSION);
    CHECK_EQ(FL_flush(mbox, "g"), ILLEGAL_SESSION);
    CHECK_EQ(FL_multicast(mbox, FIFO_MESS, "g", 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(FL_scat_multicast(mbox, FIFO_MESS, "g", 0, &pieces), ILLEGAL_SESSION);
    CHECK_EQ(FL_unicast(mbox, FIFO_MESS, "g", "#x#y", 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(FL_scat_unicast(mbox, FIFO_MESS, "g", "#x#y", 0, &pieces), ILLEGAL_SESSION);
    CHECK_EQ(FL_subgroupcast(mbox, FIFO_MESS, "g", 1, names, 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(FL_scat_subgroupcast(mbox, FIFO_MESS, "g", 1, names, 0, &pieces), ILLEGAL_SESSION);
    CHECK_EQ(FL_more_msgs(mbox), ILLEGAL_SESSION);
    CHECK_EQ(FL_poll(mbox), ILLEGAL_SESSION);
    CHECK_EQ(FL_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, 10, body, &more), ILLEGAL_SESSION);
    CHECK_EQ(FL_scat_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, &pieces, &more), ILLEGAL_SESSION);
    /* Looked at before the mailbox. */
    CHECK_EQ(FL_receive(mbox, &type, sender, -1, &num_groups, groups, &mess_type, &endian, 10, body, &more), ILLEGAL_PARAM);
    CHECK_EQ(FL_disconnect(mbox), ILLEGAL_SESSION);
}

static void unknown_mailboxes(void)
{
    check_case("unknown mailboxes");
    no_session(-1);
    no_session(9999);
    no_session(STDIN_FILENO);
}

/* A session that was not opened by FL_connect. */
static void plain_session(const char *name)
{
    mailbox mbox = session(name, true, NULL);

    check_case("%s: a plain session", name);
    no_session(mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void connected_and_gone(const char *name)
{
    struct member member;
    mailbox mbox;

    check_case("%s: FL_connect and FL_disconnect", name);
    member_open(&member, name);
    mbox = member.mbox;
    CHECK(member.name[0] == '#');
    CHECK_EQ(FL_poll(mbox), 0);
    CHECK_EQ(FL_more_msgs(mbox), 0);
    EXPECT_NOTHING(&member);
    member_close(&member);
    no_session(mbox);

    /* The daemon knows it as a session with membership messages; SP_disconnect ends it too. */
    member_open(&member, name);
    mbox = member.mbox;
    CHECK_EQ(SP_disconnect(mbox), 0);
    {
        char sender[MAX_GROUP_NAME];
        char groups[1][MAX_GROUP_NAME];
        char body[10];
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian;
        int more;

        CHECK_EQ(FL_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian, 10, body, &more), ILLEGAL_SESSION);
    }
    FL_disconnect(mbox);
}

static void names(const char *name)
{
    char private_group[MAX_GROUP_NAME];
    char second[MAX_GROUP_NAME];
    char own[MAX_PRIVATE_NAME + 1];
    char start[MAX_GROUP_NAME];
    mailbox mbox = -77;
    mailbox other = -77;

    check_case("%s: names of users", name);
    CHECK_EQ(FL_connect(name, "", 0, &mbox, private_group), ACCEPT_SESSION);
    CHECK(private_group[0] == '#' && strlen(private_group) > 2);
    CHECK_EQ(FL_disconnect(mbox), 0);
    if (!CLASSIC("null user")) {
        CHECK_EQ(FL_connect(name, NULL, 0, &mbox, private_group), ACCEPT_SESSION);
        CHECK(private_group[0] == '#' && strlen(private_group) > 2);
        CHECK_EQ(FL_disconnect(mbox), 0);
    }

    new_private_name(own);
    CHECK_EQ(FL_connect(name, own, 1, &mbox, private_group), ACCEPT_SESSION);
    snprintf(start, sizeof start, "#%s#", own);
    CHECK(strncmp(private_group, start, strlen(start)) == 0);
    fill(second, sizeof second);
    CHECK_EQ(FL_connect(name, own, 0, &other, second), REJECT_NOT_UNIQUE);
    CHECK_EQ(FL_connect(name, "a#b", 0, &other, second), REJECT_ILLEGAL_NAME);
    CHECK_EQ(other, -77);
    CHECK(untouched(second, sizeof second));
    CHECK_EQ(FL_disconnect(mbox), 0);
}

static void no_daemon(void)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;

    check_case("no daemon");
    fill(private_group, sizeof private_group);
    CHECK_EQ(FL_connect("1@127.0.0.1", "me", 0, &mbox, private_group), COULD_NOT_CONNECT);
    CHECK_EQ(FL_connect("nonsense", "me", 0, &mbox, private_group), ILLEGAL_SPREAD);
    CHECK_EQ(mbox, -77);
    CHECK(untouched(private_group, sizeof private_group));
    if (!CLASSIC("null pointers")) {
        CHECK_EQ(FL_connect("1@127.0.0.1", "me", 0, NULL, private_group), ILLEGAL_SESSION);
        CHECK_EQ(FL_connect("1@127.0.0.1", "me", 0, &mbox, NULL), CONNECTION_CLOSED);
    }
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "fl_connect", 30);
    check_needs_names();
    once_in_a_process();
    constants();
    errors_are_printed();
    unknown_mailboxes();
    no_daemon();
    for (i = 0; i < check_names; i++) {
        plain_session(check_name(i));
        connected_and_gone(check_name(i));
        names(check_name(i));
    }
    return check_done();
}
