/* Programs that fork and go on with their mailbox in the parent, whatever the child does: ends, lives on, starts a program, has sessions
 * of its own. */
#include <fcntl.h>
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

enum child { EXITS, LIVES, EXECS, ALIVE_AND_EXECS, KILLS, CHILDREN };

static const char *const children[] = {"ends", "lives on", "starts a program", "starts a program that lives on", "calls SP_kill"};

static pid_t child_that(enum child what, mailbox mbox)
{
    pid_t child = fork_checked();

    if (child != 0)
        return child;
    /* Inherited as well, and not the child's. */
    SYS(close(daemon_end));
    switch (what) {
    case LIVES:
        for (;;)
            pause();
    case EXECS:
        SYS(execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL));
        break;
    case ALIVE_AND_EXECS:
        SYS(execl("/bin/sh", "sh", "-c", "while :; do sleep 1; done", (char *)NULL));
        break;
    case KILLS:
        SP_kill(mbox);
        break;
    default:
        break;
    }
    child_done();
}

static bool lives(enum child what)
{
    return what == LIVES || what == ALIVE_AND_EXECS;
}

static void parent_goes_on(const char *name, enum child what, bool by_select, bool backlog)
{
    unsigned next = backlog ? BACKLOG : 0;
    unsigned taken = 0;
    mailbox mbox;
    int round;

    check_case("%s: the child %s, the parent receives%s%s", name, children[what], by_select ? " with select" : "",
               backlog ? " a backlog" : "");
    daemon_end = fake_session(&fake, name, &mbox);
    send_numbers(0, next);
    WAIT_UNTIL(SP_poll(mbox) == (int)next * 180);
    for (round = 0; round < 3; round++) {
        pid_t child = child_that(what, mbox);

        take_numbers(mbox, by_select, taken, next);
        taken = next;
        if (!lives(what))
            wait_for_child(child);
        send_numbers(next, next + BACKLOG);
        next += BACKLOG;
        take_numbers(mbox, by_select, taken, next);
        taken = next;
        CHECK_EQ(SP_poll(mbox), 0);
        CHECK(!is_readable(mbox));
        if (lives(what))
            kill_child(child);
        /* What comes while nobody calls is there later. */
        send_numbers(next, next + BACKLOG);
        next += BACKLOG;
    }
    take_numbers(mbox, by_select, taken, next);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    SP_kill(mbox);
    SYS(close(daemon_end));
}

/* A child that lives on holds the connection open: the daemon's end is still told to the parent, and the parent's to the daemon. */
static void ends_are_told(const char *name)
{
    struct got got;
    struct sent sent;
    mailbox mbox;
    pid_t child;

    check_case("%s: the daemon closes while a child lives", name);
    daemon_end = fake_session(&fake, name, &mbox);
    child = child_that(LIVES, mbox);
    SYS(close(daemon_end));
    WAIT_READABLE(mbox);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    CHECK_EQ(SP_disconnect(mbox), 0);
    kill_child(child);

    check_case("%s: SP_disconnect while a child lives", name);
    daemon_end = fake_session(&fake, name, &mbox);
    child = child_that(LIVES, mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK(fake_receive(daemon_end, &sent));
    CHECK_EQ(sent.type, 0x40000 | MARKERS);
    sent_free(&sent);
    SYS(close(daemon_end));
    kill_child(child);
}

static void *receive_them(void *mbox)
{
    take_numbers(*(mailbox *)mbox, false, 0, 3 * BACKLOG);
    return NULL;
}

/* A thread is inside a receive while another one forks. */
static void fork_beside_a_receiver(const char *name)
{
    struct worker receiver;
    mailbox mbox;
    unsigned next = 0;
    int what;

    check_case("%s: fork while a thread receives", name);
    daemon_end = fake_session(&fake, name, &mbox);
    worker_start(&receiver, receive_them, &mbox);
    worker_blocks(&receiver);
    for (what = 0; what < 3; what++) {
        pid_t child = child_that((enum child)what, mbox);

        send_numbers(next, next + BACKLOG);
        next += BACKLOG;
        if (lives((enum child)what))
            kill_child(child);
        else
            wait_for_child(child);
    }
    worker_join(&receiver);
    SP_kill(mbox);
    SYS(close(daemon_end));
}

/* The child makes sessions of its own, and the parent's is not disturbed. */
static void child_with_own_sessions(const char *name, const char *live_name)
{
    mailbox mbox;
    pid_t child;

    check_case("%s: a child with sessions of its own", name);
    daemon_end = fake_session(&fake, name, &mbox);
    send_numbers(0, BACKLOG);
    child = fork_checked();
    if (child == 0) {
        char own[MAX_GROUP_NAME];
        int i;

        for (i = 0; i < 3; i++) {
            mailbox another = session(live_name, true, own);

            CHECK(another != mbox);
            CHECK_EQ(SP_multicast(another, AGREED_MESS, own, 5, 5, "hello"), 5);
            if (i == 1)
                WAIT_READABLE(another);
            EXPECT_DATA(another, AGREED_MESS, own, own, 5, "hello", 5);
            CHECK_EQ(SP_disconnect(another), 0);
        }
        child_done();
    }
    take_numbers(mbox, false, 0, BACKLOG);
    wait_for_child(child);
    send_numbers(0, BACKLOG);
    take_numbers(mbox, true, 0, BACKLOG);
    SP_kill(mbox);
    SYS(close(daemon_end));
}

/* A forest of children and grandchildren that do nothing with the mailbox. */
static void many_forks(const char *name)
{
    mailbox mbox;
    unsigned next = 0;
    int i;

    check_case("%s: many forks", name);
    daemon_end = fake_session(&fake, name, &mbox);
    for (i = 0; i < 20; i++) {
        pid_t child;

        send_numbers(next, next + 3);
        child = fork_checked();
        if (child == 0) {
            wait_for_child(child_that(EXITS, mbox));
            child_done();
        }
        send_numbers(next + 3, next + 5);
        take_numbers(mbox, i % 2 == 0, next, next + 5);
        wait_for_child(child);
        next += 5;
    }
    SP_kill(mbox);
    SYS(close(daemon_end));
}

int main(int argc, char **argv)
{
    int what;
    int i;
    int k;

    check_start(argc, argv, "fork_parent", 40);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        for (what = 0; what < CHILDREN; what++)
            for (k = 0; k < 4; k++)
                parent_goes_on(name, (enum child)what, (k & 1) != 0, (k & 2) != 0);
        ends_are_told(name);
        fork_beside_a_receiver(name);
        child_with_own_sessions(name, check_name(i % check_names));
        many_forks(name);
    }
    fake_close(&fake);
    return check_done();
}
