/* Programs that connect and then become a daemon: daemon() forks, the parent ends, and the child goes on with the mailbox. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

#define BACKLOG 20

/* What the daemon does with the mailbox. */
enum style { BLOCKING, SELECT, EPOLL_BEFORE, EDGES_BEFORE, SP_POLL, STYLES };

static const char *const styles[] = {"blocking", "select", "an epoll set made before", "an edge-triggered set made before", "SP_poll"};

struct daemon {
    mailbox mbox;
    enum style style;
    int set;
};

/* Until something is there to receive, in the way of the style. */
static void wait_for_message(const struct daemon *d)
{
    struct epoll_event event;
    struct timeval time = {scaled(10), 0};
    fd_set readable;

    switch (d->style) {
    case SELECT:
        FD_ZERO(&readable);
        FD_SET(d->mbox, &readable);
        CHECK_EQ(select(d->mbox + 1, &readable, NULL, NULL, &time), 1);
        break;
    case EPOLL_BEFORE:
        CHECK_EQ(epoll_wait(d->set, &event, 1, scaled(10000)), 1);
        break;
    case EDGES_BEFORE:
        /* An edge is told once: ask for what is there already first. */
        if (SP_poll(d->mbox) == 0)
            CHECK_EQ(epoll_wait(d->set, &event, 1, scaled(10000)), 1);
        break;
    case SP_POLL:
        WAIT_UNTIL(SP_poll(d->mbox) > 0);
        break;
    default:
        break;
    }
}

static void take_numbers(const struct daemon *d, unsigned from, unsigned to)
{
    for (; from < to; from++) {
        struct got got;

        wait_for_message(d);
        receive_any(d->mbox, &got);
        CHECK_EQ(got.result, 100);
        CHECK_EQ(NUMBER_OF_BODY(got.body, got.result), from);
        got_free(&got);
    }
}

/* The program: connects, has some messages waiting, becomes a daemon, and serves. */
static void program(const char *name, enum style style, bool backlog, const char *group, int report)
{
    char own[MAX_GROUP_NAME];
    struct daemon d = {.style = style};

    d.mbox = session(name, true, own);
    join(d.mbox, group);
    if (style == EPOLL_BEFORE || style == EDGES_BEFORE) {
        struct epoll_event event = {.events = EPOLLIN | (style == EDGES_BEFORE ? EPOLLET : 0u)};

        d.set = (int)SYS(epoll_create1(0));
        SYS(epoll_ctl(d.set, EPOLL_CTL_ADD, d.mbox, &event));
    }
    write_all(report, "j", 1);
    if (backlog)
        WAIT_UNTIL(SP_poll(d.mbox) == BACKLOG * 180);
    SYS(daemon(1, 1));
    check_restart();

    write_all(report, "d", 1);
    take_numbers(&d, 0, BACKLOG);
    CHECK_EQ(SP_multicast(d.mbox, AGREED_MESS, own, 5, 5, "hello"), 5);
    wait_for_message(&d);
    EXPECT_DATA(d.mbox, AGREED_MESS, own, own, 5, "hello", 5);
    write_all(report, "a", 1);
    /* A second batch, for which it has to wait. */
    take_numbers(&d, BACKLOG, 2 * BACKLOG);
    CHECK_EQ(SP_leave(d.mbox, group), 0);
    CHECK_EQ(SP_disconnect(d.mbox), 0);
    write_all(report, "e", 1);
    child_done();
}

static void expect_report(int from, char what)
{
    char report;

    read_all(from, &report, 1);
    CHECK_EQ(report, what);
}

static void send_numbers(mailbox mbox, const char *group, unsigned from, unsigned to)
{
    char body[100];

    for (; from < to; from++) {
        number_body(body, sizeof body, from);
        CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 0, sizeof body, body), (int)sizeof body);
    }
}

static void becomes_a_daemon(const char *name, enum style style, bool backlog)
{
    char group[MAX_GROUP_NAME];
    mailbox sender;
    pid_t child;
    int ends[2];

    check_case("%s: %s%s", name, styles[style], backlog ? ", with a backlog" : "");
    new_group(group, "daemon");
    SYS(pipe2(ends, O_CLOEXEC));
    child = fork_checked();
    if (child == 0) {
        SYS(close(ends[0]));
        program(name, style, backlog, group, ends[1]);
    }
    SYS(close(ends[1]));
    /* Connected only now: the program inherits no session. */
    sender = session(name, true, NULL);
    expect_report(ends[0], 'j');
    if (backlog)
        send_numbers(sender, group, 0, BACKLOG);
    expect_report(ends[0], 'd');
    /* daemon() has ended it; the reports tell how it went. */
    SYS(waitpid(child, NULL, 0));
    if (!backlog)
        send_numbers(sender, group, 0, BACKLOG);
    expect_report(ends[0], 'a');
    send_numbers(sender, group, BACKLOG, 2 * BACKLOG);
    expect_report(ends[0], 'e');
    SYS(close(ends[0]));
    CHECK_EQ(SP_disconnect(sender), 0);
}

int main(int argc, char **argv)
{
    enum style style;
    int i;

    check_start(argc, argv, "fork_daemon", 40);
    check_needs_names();
    for (i = 0; i < check_names; i++)
        for (style = 0; style < STYLES; style++) {
            becomes_a_daemon(check_name(i), style, false);
            becomes_a_daemon(check_name(i), style, true);
        }
    return check_done();
}
