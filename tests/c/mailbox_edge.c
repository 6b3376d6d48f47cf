/* The mailbox under edge-triggered epoll, as many event libraries use it: an edge for every arrival, also while others wait, and
 * programs that take one message for each wake-up. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const char *name;

static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};

static int edge_set(mailbox mbox, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = mbox};
    int set = (int)SYS(epoll_create1(EPOLL_CLOEXEC));

    SYS(epoll_ctl(set, EPOLL_CTL_ADD, mbox, &event));
    return set;
}

/* The next event, or 0 after so long. */
static unsigned event_of(int set, int ms)
{
    struct epoll_event event;

    return SYS(epoll_wait(set, &event, 1, ms)) > 0 ? event.events : 0;
}

/* Waits for one that says readable; those that only say writable are no concern here. */
static bool comes_readable(int set)
{
    unsigned events;

    do
        events = event_of(set, scaled(5000));
    while (events != 0 && (events & EPOLLIN) == 0);
    return events != 0;
}

#define EXPECT_EDGE(set) CHECK(comes_readable(set))

static void take_hello(mailbox mbox)
{
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
}

/* One message, one wake-up, one receive; again and again. */
static void in_step(unsigned events)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set = edge_set(mbox, events);
    int i;

    check_case("%s: one message at a time", name);
    for (i = 0; i < 300; i++) {
        fake_send(daemon, &hello);
        EXPECT_EDGE(set);
        take_hello(mbox);
    }
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

/* Each arrival gives an edge though earlier messages wait, whether they came just before or a while ago. */
static void edge_for_each_arrival(bool pauses)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set = edge_set(mbox, EPOLLIN | EPOLLET);
    int round;

    check_case("%s: an edge for each arrival%s", name, pauses ? ", with pauses" : "");
    for (round = 0; round < 10; round++) {
        int i;

        for (i = 0; i < 6; i++) {
            fake_send(daemon, &hello);
            EXPECT_EDGE(set);
            if (pauses) {
                long long until = now_ms() + 3 * round;

                while (now_ms() < until)
                    rest();
            }
        }
        for (i = 0; i < 6; i++)
            take_hello(mbox);
        CHECK_EQ(SP_poll(mbox), 0);
    }
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

/* A program that takes one for each wake-up and is behind: as long as there are arrivals, it comes forward. */
static void one_for_each_wakeup(void)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set = edge_set(mbox, EPOLLIN | EPOLLET);
    int taken = 0;
    int i;

    check_case("%s: one for each wake-up", name);
    /* Three at once may be one edge, so two of them stay behind. */
    for (i = 0; i < 3; i++)
        fake_send(daemon, &hello);
    WAIT_UNTIL(SP_poll(mbox) == 3 * 85);
    for (i = 0; i < 100; i++) {
        EXPECT_EDGE(set);
        take_hello(mbox);
        taken++;
        fake_send(daemon, &hello);
    }
    CHECK_EQ(taken, 100);
    for (i = 0; i < 3; i++)
        take_hello(mbox);
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

/* What is there already is told to a new set, and again after EPOLL_CTL_MOD. */
static void registering_late(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set;
    int i;

    check_case("%s: what was there before", name);
    for (i = 0; i < 3; i++)
        fake_send(daemon, &hello);
    WAIT_READABLE(mbox);
    set = edge_set(mbox, EPOLLIN | EPOLLET);
    EXPECT_EDGE(set);
    for (i = 0; i < 3; i++) {
        SYS(epoll_ctl(set, EPOLL_CTL_MOD, mbox, &event));
        EXPECT_EDGE(set);
        take_hello(mbox);
        if (i < 2)
            WAIT_READABLE(mbox);
    }
    SYS(close(set));

    check_case("%s: EPOLLONESHOT", name);
    event.events = EPOLLIN | EPOLLONESHOT;
    set = edge_set(mbox, EPOLLIN | EPOLLONESHOT);
    for (i = 0; i < 50; i++) {
        fake_send(daemon, &hello);
        EXPECT_EDGE(set);
        take_hello(mbox);
        SYS(epoll_ctl(set, EPOLL_CTL_MOD, mbox, &event));
    }
    CHECK_EQ(event_of(set, 0), 0);
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

/* Nothing there, no event: a program that receives on one would wait for ever. */
static void no_edge_without_message(void)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set = edge_set(mbox, EPOLLIN | EPOLLET);
    int i;
    int k;

    check_case("%s: no event without a message", name);
    for (i = 1; i <= 20; i++) {
        for (k = 0; k < i; k++)
            fake_send(daemon, &hello);
        EXPECT_EDGE(set);
        for (k = 0; k < i; k++)
            take_hello(mbox);
        /* Those of messages that have been taken meanwhile are in order. */
        while (event_of(set, 0) != 0)
            continue;
        CHECK_EQ(event_of(set, 10), 0);
    }
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

static void the_end_is_an_edge(void)
{
    struct got got;
    mailbox mbox;
    int waiting;

    for (waiting = 0; waiting < 3; waiting++) {
        int daemon = fake_session(&fake, name, &mbox);
        int set = edge_set(mbox, EPOLLIN | EPOLLET | EPOLLRDHUP);
        int i;

        check_case("%s: the end is an edge, %d messages wait", name, waiting);
        for (i = 0; i < waiting; i++) {
            fake_send(daemon, &hello);
            EXPECT_EDGE(set);
        }
        SYS(close(daemon));
        CHECK(event_of(set, scaled(10000)) != 0);
        for (i = 0; i < waiting; i++)
            take_hello(mbox);
        receive_any(mbox, &got);
        CHECK_EQ(got.result, CONNECTION_CLOSED);
        got_free(&got);
        SP_kill(mbox);
        SYS(close(set));
    }
}

/* A message in parts: after the last one there is an edge. */
static void last_part_is_an_edge(void)
{
    static const size_t cuts[] = {1, 47, 48, 49, 80, 84};
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int set = edge_set(mbox, EPOLLIN | EPOLLET);
    size_t i;

    for (i = 0; i < COUNT_OF(cuts); i++) {
        int before;

        for (before = 0; before < 2; before++) {
            check_case("%s: cut at %zu, %d messages before", name, cuts[i], before);
            if (before)
                fake_send(daemon, &hello);
            fake_send_part(daemon, &hello, 0, cuts[i]);
            WAIT_UNTIL(SP_poll(mbox) == (int)cuts[i] + 85 * before);
            /* The first part may have been an edge. */
            while (event_of(set, 5) != 0)
                continue;
            fake_send_part(daemon, &hello, cuts[i], 85);
            EXPECT_EDGE(set);
            take_hello(mbox);
            if (before)
                take_hello(mbox);
            while (event_of(set, 0) != 0)
                continue;
        }
    }
    SP_kill(mbox);
    SYS(close(set));
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "mailbox_edge", 30);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        in_step(EPOLLIN | EPOLLET);
        in_step(EPOLLIN | EPOLLOUT | EPOLLET);
        edge_for_each_arrival(false);
        edge_for_each_arrival(true);
        one_for_each_wakeup();
        registering_late();
        no_edge_without_message();
        the_end_is_an_edge();
        last_part_is_an_edge();
    }
    fake_close(&fake);
    return check_done();
}
