/* Mailboxes handed from one process to the other by fork: by contract one of the two uses the session from then on, and the other calls
 * SP_kill, or nothing. */
#include <fcntl.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define BACKLOG 20

static struct fake fake;
static int daemon_end;

static void send_numbers(unsigned from, unsigned to)
{
    char body[100];
    struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = sizeof body};

    for (; from < to; from++) {
        number_body(body, sizeof body, from);
        fake_send(daemon_end, &frame);
    }
}

static void take_numbers(mailbox mbox, bool by_select, unsigned from, unsigned to)
{
    for (; from < to; from++) {
        struct got got;

        if (by_select) {
            struct timeval time = {scaled(10), 0};
            fd_set set;

            FD_ZERO(&set);
            FD_SET(mbox, &set);
            CHECK_EQ(select(mbox + 1, &set, NULL, NULL, &time), 1);
        }
        receive_any(mbox, &got);
        CHECK_EQ(got.result, 100);
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), from);
        got_free(&got);
    }
}

/* Tells the other process to go on, and waits to be told. */
static int to_parent[2];
static int to_child[2];

static void tell(const int pipe[2])
{
    write_all(pipe[1], "x", 1);
}

static void wait_to_be_told(const int pipe[2])
{
    char byte;

    read_all(pipe[0], &byte, 1);
}

static void open_pipes(void)
{
    SYS(pipe2(to_parent, O_CLOEXEC));
    SYS(pipe2(to_child, O_CLOEXEC));
}

static void close_pipes(void)
{
    SYS(close(to_parent[0]));
    SYS(close(to_parent[1]));
    SYS(close(to_child[0]));
    SYS(close(to_child[1]));
}

/* What the giving process does with its mailbox. */
enum giver { KILLS_IT, LEAVES_IT, RECEIVED_BEFORE, GIVERS };

static const char *const givers[] = {"calls SP_kill", "leaves it alone", "has received some"};

/* The parent gives, the child takes: messages from before and after. */
static void to_the_child(const char *name, enum giver giver, bool by_select)
{
    unsigned taken = giver == RECEIVED_BEFORE ? 5 : 0;
    struct sent sent;
    mailbox mbox;
    pid_t child;

    check_case("%s: to the child%s, the parent %s", name, by_select ? " with select" : "", givers[giver]);
    open_pipes();
    daemon_end = fake_session(&fake, name, &mbox);
    send_numbers(0, BACKLOG);
    WAIT_UNTIL(SP_poll(mbox) == BACKLOG * 180);
    take_numbers(mbox, by_select, 0, taken);
    child = fork_checked();
    if (child == 0) {
        SYS(close(daemon_end));
        wait_to_be_told(to_child);
        take_numbers(mbox, by_select, taken, 2 * BACKLOG);
        CHECK_EQ(SP_poll(mbox), 0);
        CHECK_EQ(SP_join(mbox, "room"), 0);
        tell(to_parent);
        take_numbers(mbox, by_select, 2 * BACKLOG, 3 * BACKLOG);
        CHECK_EQ(SP_disconnect(mbox), 0);
        child_done();
    }
    if (giver != LEAVES_IT)
        SP_kill(mbox);
    send_numbers(BACKLOG, 2 * BACKLOG);
    tell(to_child);
    wait_to_be_told(to_parent);
    send_numbers(2 * BACKLOG, 3 * BACKLOG);
    wait_for_child(child);
    /* What the child has sent, and its good-bye. */
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.type, 0x10000 | MARKERS);
    sent_free(&sent);
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.type, 0x40000 | MARKERS);
    sent_free(&sent);
    if (giver == LEAVES_IT)
        SP_kill(mbox);
    SYS(close(daemon_end));
    close_pipes();
}

/* The child takes first, and gives back by ending or by SP_kill. */
static void there_and_back(const char *name, bool kills, bool by_select)
{
    mailbox mbox;
    pid_t child;

    check_case("%s: there and back%s, the child %s", name, by_select ? " with select" : "", kills ? "calls SP_kill" : "ends");
    daemon_end = fake_session(&fake, name, &mbox);
    child = fork_checked();
    if (child == 0) {
        SYS(close(daemon_end));
        take_numbers(mbox, by_select, 0, BACKLOG);
        if (kills)
            SP_kill(mbox);
        child_done();
    }
    send_numbers(0, BACKLOG);
    wait_for_child(child);
    send_numbers(BACKLOG, 2 * BACKLOG);
    take_numbers(mbox, by_select, BACKLOG, 2 * BACKLOG);
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(daemon_end));
}

/* SP_disconnect in the child ends the session for both. */
static void child_disconnects(const char *name)
{
    struct got got;
    mailbox mbox = session(name, true, NULL);
    pid_t child;

    check_case("%s: SP_disconnect in the child", name);
    child = fork_checked();
    if (child == 0) {
        CHECK_EQ(SP_disconnect(mbox), 0);
        child_done();
    }
    wait_for_child(child);
    WAIT_READABLE(mbox);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* The name is free again once the last holder has let go. */
static void last_holder(const char *name)
{
    char group[MAX_GROUP_NAME];
    struct got got;
    mailbox watcher = session(name, true, NULL);
    mailbox mbox;
    pid_t child;

    check_case("%s: a session lives as long as one process holds it", name);
    new_group(group, "hold");
    join(watcher, group);
    open_pipes();
    mbox = session(name, true, NULL);
    join(mbox, group);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_JOIN, group, &got);
    got_free(&got);
    child = fork_checked();
    if (child == 0) {
        SP_kill(watcher);
        wait_to_be_told(to_child);
        child_done();
    }
    SP_kill(mbox);
    CHECK_EQ(SP_multicast(watcher, AGREED_MESS, group, 1, 6, "marker"), 6);
    receive_any(watcher, &got);
    /* No sign of the other member's end. */
    CHECK_EQ(got.type, AGREED_MESS);
    got_free(&got);
    tell(to_child);
    wait_for_child(child);
    EXPECT_MEMBERSHIP(watcher, REG_MEMB_MESS | CAUSED_BY_DISCONNECT, group, &got);
    got_free(&got);
    CHECK_EQ(SP_disconnect(watcher), 0);
    close_pipes();
}

int main(int argc, char **argv)
{
    enum giver giver;
    int i;

    check_start(argc, argv, "fork_handover", 40);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        for (giver = 0; giver < GIVERS; giver++) {
            to_the_child(name, giver, false);
            to_the_child(name, giver, true);
        }
        there_and_back(name, false, false);
        there_and_back(name, false, true);
        there_and_back(name, true, false);
        there_and_back(name, true, true);
    }
    for (i = 0; i < check_names; i++) {
        child_disconnects(check_name(i));
        last_holder(check_name(i));
    }
    fake_close(&fake);
    return check_done();
}
