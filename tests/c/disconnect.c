/* SP_disconnect and SP_kill from one thread: what is sent, what others see, and what is left. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;

/* The frame that a client says good-bye with. */
#define KILL 0x00040000u

static void unknown_to_every_call(mailbox mbox)
{
    char groups[1][MAX_GROUP_NAME] = {"room"};
    scatter nothing = {.num_elements = 0};
    struct got got;

    CHECK_EQ(SP_disconnect(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SP_join(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(SP_leave(mbox, "room"), ILLEGAL_SESSION);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &nothing), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 1, (const char(*)[MAX_GROUP_NAME])groups, 0, 1, "x"), ILLEGAL_SESSION);
    CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 1, (const char(*)[MAX_GROUP_NAME])groups, 0, &nothing), ILLEGAL_SESSION);
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
    receive(mbox, &got, 0, 5, 100);
    CHECK_EQ(got.result, ILLEGAL_SESSION);
    CHECK_UNTOUCHED(&got);
    got_free(&got);
    SP_kill(mbox);
}

static void descriptor_is_closed(mailbox mbox)
{
    CHECK(fcntl(mbox, F_GETFD) == -1 && errno == EBADF);
}

static void disconnect_says_goodbye(const char *name)
{
    struct sent sent;
    char want[MAX_GROUP_NAME] = FAKE_PRIVATE_GROUP;
    mailbox mbox;
    int daemon;
    long long start;

    check_case("%s: what SP_disconnect sends", name);
    daemon = fake_session(&fake, name, &mbox);
    start = now_ms();
    CHECK_EQ(SP_disconnect(mbox), 0);
    /* A session that has sent nothing has nothing to wait for. */
    CHECK_BETWEEN(now_ms() - start, 0, scaled(800));
    CHECK(fake_receive(daemon, &sent));
    CHECK_EQ(sent.type, KILL | MARKERS);
    CHECK_MEM(sent.sender, want, sizeof want);
    CHECK_EQ(sent.num_groups, 1);
    CHECK_STR(sent.groups[0], want);
    if (!CLASSIC("D19: zero bytes after the name"))
        CHECK_MEM(sent.groups[0], want, sizeof want);
    CHECK_EQ(sent.hint, MARKERS);
    CHECK_EQ(sent.size, 0);
    sent_free(&sent);
    CHECK(!fake_receive(daemon, &sent));
    SYS(close(daemon));
    descriptor_is_closed(mbox);
    unknown_to_every_call(mbox);
}

static void kill_says_nothing(const char *name)
{
    struct sent sent;
    mailbox mbox;
    int daemon;

    check_case("%s: SP_kill", name);
    daemon = fake_session(&fake, name, &mbox);
    SP_kill(mbox);
    CHECK(!fake_receive(daemon, &sent));
    SYS(close(daemon));
    descriptor_is_closed(mbox);
    unknown_to_every_call(mbox);
    /* Numbers that never were mailboxes. */
    SP_kill(mbox);
    SP_kill(1000000);
}

static void with_unread_messages(const char *name)
{
    static const struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
    mailbox mbox;
    int daemon;

    check_case("%s: with unread messages", name);
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &frame);
    fake_send_part(daemon, &frame, 0, 60);
    WAIT_READABLE(mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
    unknown_to_every_call(mbox);
    SYS(close(daemon));
}

/* A daemon that does not close its end: the program is held up for a bounded time only. */
static void daemon_that_does_not_close(const char *name)
{
    static const struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
    mailbox mbox;
    int daemon;
    long long start;

    check_case("%s: a daemon that does not close its end", name);
    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), 5);
    fake_send(daemon, &frame);
    WAIT_READABLE(mbox);
    start = now_ms();
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_BETWEEN(now_ms() - start, 0, scaled(2500));
    unknown_to_every_call(mbox);
    SYS(close(daemon));
}

static void session_in_error(const char *name)
{
    struct got got;
    mailbox mbox;

    check_case("%s: SP_disconnect of a session in error", name);
    SYS(close(fake_session(&fake, name, &mbox)));
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    CHECK(fcntl(mbox, F_GETFD) >= 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
    descriptor_is_closed(mbox);
    unknown_to_every_call(mbox);

    check_case("%s: SP_kill of a session in error", name);
    SYS(close(fake_session(&fake, name, &mbox)));
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    SP_kill(mbox);
    unknown_to_every_call(mbox);
}

/* How a member can go. */
static void by_disconnect(mailbox mbox)
{
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void by_kill(mailbox mbox)
{
    SP_kill(mbox);
}

static void by_close(mailbox mbox)
{
    SYS(close(mbox));
}

static void others_see_it(const char *name, const char *how, void (*go)(mailbox))
{
    char gone[MAX_GROUP_NAME];
    char group[MAX_GROUP_NAME];
    membership_info info;
    struct got got;
    mailbox watcher;
    mailbox mbox;

    check_case("%s: others see a member go by %s", name, how);
    new_group(group, "go");
    watcher = session(name, true, NULL);
    join(watcher, group);
    mbox = session(name, true, gone);
    join(mbox, group);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    CHECK_EQ(got.num_groups, 2);
    got_free(&got);
    go(mbox);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_DISCONNECT, group, &got);
    CHECK_EQ(got.num_groups, 1);
    CHECK_EQ(SP_get_memb_info(got.body, got.type, &info), 1);
    CHECK_STR(info.changed_member, gone);
    got_free(&got);
    CHECK_EQ(SP_disconnect(watcher), 0);
    if (go == by_close)
        CHECK_EQ(SP_disconnect(mbox), 0);
}

/* A process that just ends. */
static void process_that_exits(const char *name)
{
    char group[MAX_GROUP_NAME];
    struct got got;
    mailbox watcher;
    pid_t child;

    check_case("%s: a process ends without disconnecting", name);
    new_group(group, "exit");
    watcher = session(name, true, NULL);
    join(watcher, group);
    child = fork_checked();
    if (child == 0) {
        join(session(name, true, NULL), group);
        child_done();
    }
    wait_for_child(child);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_DISCONNECT, group, &got);
    CHECK_EQ(got.num_groups, 1);
    got_free(&got);
    CHECK_EQ(SP_disconnect(watcher), 0);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "disconnect", 20);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        disconnect_says_goodbye(name);
        kill_says_nothing(name);
        with_unread_messages(name);
        daemon_that_does_not_close(name);
        session_in_error(name);
    }
    for (i = 0; i < check_names; i++) {
        others_see_it(check_name(i), "SP_disconnect", by_disconnect);
        others_see_it(check_name(i), "SP_kill", by_kill);
        others_see_it(check_name(i), "close", by_close);
        process_that_exits(check_name(i));
    }
    fake_close(&fake);
    return check_done();
}
