/* The mailbox as a descriptor: readable as long as a receive has something to give, in every state of a session, whether asked by
 * select, poll or epoll (level-triggered), and writable. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const char *name;

static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};

/* ---- three ways to ask ---- */

static bool by_select(int fd, bool write, int ms)
{
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    return SYS(select(fd + 1, write ? NULL : &set, write ? &set : NULL, NULL, &time)) > 0;
}

static bool by_poll(int fd, bool write, int ms)
{
    return (events_of(fd, write ? POLLOUT : POLLIN, ms) & (write ? POLLOUT : POLLIN)) != 0;
}

static bool by_epoll(int fd, bool write, int ms)
{
    struct epoll_event event = {.events = write ? EPOLLOUT : EPOLLIN};
    int set = (int)SYS(epoll_create1(EPOLL_CLOEXEC));
    bool ready;

    SYS(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    ready = SYS(epoll_wait(set, &event, 1, ms)) > 0;
    SYS(close(set));
    return ready;
}

static const struct {
    const char *what;
    bool (*ready)(int fd, bool write, int ms);
} ways[] = {{"select", by_select}, {"poll", by_poll}, {"epoll", by_epoll}};

#define WAYS COUNT_OF(ways)

/* All agree. */
static void is_ready(mailbox mbox, const char *file, int line)
{
    size_t i;

    for (i = 0; i < WAYS; i++)
        if (!ways[i].ready(mbox, false, 0))
            check_fail(file, line, "%s does not find the mailbox readable", ways[i].what);
}

static void is_idle(mailbox mbox, const char *file, int line)
{
    size_t i;

    for (i = 0; i < WAYS; i++) {
        if (ways[i].ready(mbox, false, 0))
            check_fail(file, line, "%s finds the mailbox readable, and nothing is there", ways[i].what);
        if (!ways[i].ready(mbox, true, 0))
            check_fail(file, line, "%s does not find the mailbox writable", ways[i].what);
    }
}

#define READY(mbox) is_ready((mbox), __FILE__, __LINE__)
#define IDLE(mbox) is_idle((mbox), __FILE__, __LINE__)

/* Stays so, whatever the library does by itself meanwhile. */
#define FOR_A_WHILE(check)                                  \
    do {                                                    \
        long long until = now_ms() + 15;                    \
        do {                                                \
            check;                                          \
            rest();                                         \
        } while (now_ms() < until);                         \
    } while (0)

static void take_hello(mailbox mbox)
{
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
}

static void backlog(void)
{
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int i;

    check_case("%s: nothing there", name);
    FOR_A_WHILE(IDLE(mbox));
    for (i = 1; i <= 5; i++) {
        int k;

        check_case("%s: %d messages wait", name, i);
        for (k = 0; k < i; k++)
            fake_send(daemon, &hello);
        WAIT_READABLE(mbox);
        for (k = 0; k < i; k++) {
            /* Taken at once the first time, after a while later. */
            if (i % 2 == 0)
                FOR_A_WHILE(READY(mbox));
            READY(mbox);
            take_hello(mbox);
            if (k + 1 < i)
                WAIT_READABLE(mbox);
        }
        IDLE(mbox);
    }
    FOR_A_WHILE(IDLE(mbox));
    SP_kill(mbox);
    SYS(close(daemon));
}

static void refused_message(void)
{
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int others;

    for (others = 0; others < 3; others++) {
        int i;

        check_case("%s: a refused message and %d others", name, others);
        for (i = 0; i <= others; i++)
            fake_send(daemon, &hello);
        WAIT_READABLE(mbox);
        for (i = 0; i < 2; i++) {
            receive(mbox, &got, 0, 1, 2);
            CHECK_EQ(got.result, BUFFER_TOO_SHORT);
            got_free(&got);
            FOR_A_WHILE(READY(mbox));
        }
        take_hello(mbox);
        for (i = 0; i < others; i++) {
            WAIT_READABLE(mbox);
            take_hello(mbox);
        }
        IDLE(mbox);
    }
    SP_kill(mbox);
    SYS(close(daemon));
}

/* A part may make it readable or not; the whole does. */
static void partial_message(void)
{
    static const size_t cuts[] = {1, 47, 48, 49, 79, 80, 84};
    mailbox mbox;
    size_t i;
    int daemon = fake_session(&fake, name, &mbox);

    for (i = 0; i < COUNT_OF(cuts); i++) {
        int before;

        for (before = 0; before < 2; before++) {
            check_case("%s: %zu bytes of a message, %d messages before", name, cuts[i], before);
            if (before)
                fake_send(daemon, &hello);
            fake_send_part(daemon, &hello, 0, cuts[i]);
            WAIT_UNTIL(SP_poll(mbox) == (int)cuts[i] + 85 * before);
            if (before) {
                WAIT_READABLE(mbox);
                FOR_A_WHILE(READY(mbox));
                take_hello(mbox);
            }
            FOR_A_WHILE(CHECK(by_poll(mbox, true, 0)));
            fake_send_part(daemon, &hello, cuts[i], 85);
            WAIT_READABLE(mbox);
            FOR_A_WHILE(READY(mbox));
            take_hello(mbox);
            IDLE(mbox);
        }
    }
    SP_kill(mbox);
    SYS(close(daemon));
}

static void after_the_end(mailbox mbox, int code)
{
    struct got got;

    FOR_A_WHILE(READY(mbox));
    receive_any(mbox, &got);
    CHECK_EQ(got.result, code);
    got_free(&got);
    FOR_A_WHILE(READY(mbox));
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void ends(void)
{
    static const struct frame broken = {.type = FIFO_MESS, .lies = true, .claimed_groups = -1, .claimed_size = 5};
    mailbox mbox;
    int messages;
    int daemon;

    for (messages = 0; messages < 3; messages++) {
        int i;

        check_case("%s: the daemon closes behind %d messages", name, messages);
        daemon = fake_session(&fake, name, &mbox);
        for (i = 0; i < messages; i++)
            fake_send(daemon, &hello);
        SYS(close(daemon));
        WAIT_READABLE(mbox);
        for (i = 0; i < messages; i++) {
            FOR_A_WHILE(READY(mbox));
            take_hello(mbox);
            READY(mbox);
        }
        after_the_end(mbox, CONNECTION_CLOSED);

        check_case("%s: the daemon closes behind %d messages and a part", name, messages);
        daemon = fake_session(&fake, name, &mbox);
        for (i = 0; i < messages; i++)
            fake_send(daemon, &hello);
        fake_send_part(daemon, &hello, 0, 60);
        SYS(close(daemon));
        WAIT_READABLE(mbox);
        for (i = 0; i < messages; i++) {
            FOR_A_WHILE(READY(mbox));
            take_hello(mbox);
        }
        WAIT_READABLE(mbox);
        after_the_end(mbox, CONNECTION_CLOSED);

        check_case("%s: a send fails, %d messages wait", name, messages);
        daemon = fake_session(&fake, name, &mbox);
        for (i = 0; i < messages; i++)
            fake_send(daemon, &hello);
        WAIT_UNTIL(SP_poll(mbox) == 85 * messages);
        SYS(close(daemon));
        WAIT_UNTIL(SP_join(mbox, "room") < 0);
        after_the_end(mbox, NET_ERROR_ON_SESSION);
    }

    check_case("%s: the program shuts the mailbox down", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(shutdown(mbox, SHUT_RDWR));
    READY(mbox);
    after_the_end(mbox, CONNECTION_CLOSED);
    SYS(close(daemon));

    if (CLASSIC("D15: a broken frame from the daemon"))
        return;
    check_case("%s: a broken frame", name);
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &hello);
    fake_send(daemon, &broken);
    WAIT_READABLE(mbox);
    FOR_A_WHILE(READY(mbox));
    take_hello(mbox);
    WAIT_READABLE(mbox);
    after_the_end(mbox, ILLEGAL_MESSAGE);
    SYS(close(daemon));
}

/* ---- waking who waits ---- */

struct waiting {
    mailbox mbox;
    size_t way;
};

static void *wait_until_ready(void *argument)
{
    const struct waiting *w = argument;

    return ways[w->way].ready(w->mbox, false, scaled(10000)) ? argument : NULL;
}

static void *take_one(void *mbox)
{
    take_hello(*(mailbox *)mbox);
    return NULL;
}

/* Somebody waits already when the message comes, and, before that, has received in the other style. */
static void wakes(void)
{
    mailbox mbox;
    size_t way;
    int daemon = fake_session(&fake, name, &mbox);

    for (way = 0; way < WAYS; way++) {
        int blocking;

        for (blocking = 0; blocking < 40; blocking += blocking == 0 ? 1 : 13) {
            struct waiting waiting = {mbox, way};
            struct worker worker;
            int i;

            check_case("%s: %s wakes, after %d blocking receives", name, ways[way].what, blocking);
            for (i = 0; i < blocking; i++) {
                worker_start(&worker, take_one, &mbox);
                if (i == 0)
                    worker_blocks(&worker);
                fake_send(daemon, &hello);
                worker_join(&worker);
            }
            for (i = 0; i < 5; i++) {
                worker_start(&worker, wait_until_ready, &waiting);
                worker_blocks(&worker);
                fake_send(daemon, &hello);
                CHECK(worker_join(&worker) != NULL);
                take_hello(mbox);
                IDLE(mbox);
            }
        }
    }
    check_case("%s: the end wakes", name);
    for (way = 0; way < WAYS; way++) {
        struct waiting waiting = {mbox, way};
        struct worker worker;

        worker_start(&worker, wait_until_ready, &waiting);
        worker_blocks(&worker);
        SYS(close(daemon));
        CHECK(worker_join(&worker) != NULL);
        after_the_end(mbox, CONNECTION_CLOSED);
        daemon = fake_session(&fake, name, &mbox);
    }
    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "mailbox_readable", 40);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        backlog();
        refused_message();
        partial_message();
        ends();
        wakes();
    }
    fake_close(&fake);
    return check_done();
}
