/* The receiving loops of real programs, under a stream of messages of all sizes that is written in odd pieces: every message comes, in
 * order, and no loop falls asleep with messages waiting. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define LARGEST 20000

static struct fake fake;
static long messages;

/* ---- the stream ---- */

static int size_of_message(unsigned number)
{
    /* Mostly small, now and then a large one. */
    return number % 97 == 0 ? LARGEST : 4 + (int)(number * 37 % 300);
}

struct writer {
    int daemon;
    long messages;
};

static void *write_stream(void *argument)
{
    const struct writer *w = argument;
    unsigned char *buffer = malloc(4 * (LARGEST + 200));
    char *body = malloc(LARGEST);
    unsigned seed = 1;
    size_t filled = 0;
    unsigned i;

    CHECK(buffer != NULL && body != NULL);
    for (i = 0; i < w->messages; i++) {
        struct frame frame = {.type = FIFO_MESS, .groups = "room", .body = body, .size = size_of_message(i)};

        number_body(body, frame.size, i);
        filled += frame_bytes(&frame, buffer + filled);
        seed = seed * 1103515245 + 12345;
        if (filled > LARGEST || seed >> 30 == 0 || i + 1 == w->messages) {
            /* In two pieces, cut anywhere. */
            size_t cut = (seed >> 8) % (filled + 1);

            fake_send_bytes(w->daemon, buffer, cut);
            fake_send_bytes(w->daemon, buffer + cut, filled - cut);
            filled = 0;
            if (seed >> 28 == 0)
                rest();
        }
    }
    free(body);
    free(buffer);
    return NULL;
}

/* ---- the loops ---- */

struct reader {
    mailbox mbox;
    unsigned next;
    long messages;
    char body[LARGEST];
};

static void take_one(struct reader *r)
{
    char sender[MAX_GROUP_NAME];
    char groups[1][MAX_GROUP_NAME];
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    int size = SP_receive(r->mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian_mismatch, sizeof r->body, r->body);

    CHECK_EQ(size, size_of_message(r->next));
    CHECK_EQ(NUMBER_OF_BODY(r->body, size), r->next);
    r->next++;
}

static bool more(const struct reader *r)
{
    return r->next < r->messages;
}

static void blocking_receives(struct reader *r)
{
    while (more(r))
        take_one(r);
}

static void wait_select(mailbox mbox)
{
    struct timeval time = {scaled(10), 0};
    fd_set set;

    FD_ZERO(&set);
    FD_SET(mbox, &set);
    if (SYS(select(mbox + 1, &set, NULL, NULL, &time)) == 0)
        FAIL("select falls asleep, SP_poll gives %d", SP_poll(mbox));
}

static void one_for_each_select(struct reader *r)
{
    while (more(r)) {
        wait_select(r->mbox);
        take_one(r);
    }
}

static void one_for_each_poll(struct reader *r)
{
    while (more(r)) {
        if (events_of(r->mbox, POLLIN, scaled(10000)) == 0)
            FAIL("poll falls asleep, SP_poll gives %d", SP_poll(r->mbox));
        take_one(r);
    }
}

static void all_that_sp_poll_tells(struct reader *r)
{
    while (more(r)) {
        wait_select(r->mbox);
        while (SP_poll(r->mbox) > 0)
            take_one(r);
    }
}

static void only_sp_poll(struct reader *r)
{
    while (more(r)) {
        while (SP_poll(r->mbox) > 0)
            take_one(r);
        rest();
    }
}

static void edges_and_sp_poll(struct reader *r)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int set = (int)SYS(epoll_create1(EPOLL_CLOEXEC));

    SYS(epoll_ctl(set, EPOLL_CTL_ADD, r->mbox, &event));
    while (more(r)) {
        if (SYS(epoll_wait(set, &event, 1, scaled(10000))) == 0)
            FAIL("an edge is missing, SP_poll gives %d", SP_poll(r->mbox));
        while (SP_poll(r->mbox) > 0)
            take_one(r);
    }
    SYS(close(set));
}

/* Changes its mind all the time. */
static void mixed(struct reader *r)
{
    unsigned seed = 7;

    while (more(r)) {
        int burst;

        seed = seed * 1103515245 + 12345;
        burst = (int)(seed >> 27) + 1;
        if (seed >> 20 & 1)
            while (burst-- > 0 && more(r))
                take_one(r);
        else
            while (burst-- > 0 && more(r)) {
                wait_select(r->mbox);
                take_one(r);
            }
    }
}

/* Asks for the size first, as programs with small buffers do. */
static void sizes_first(struct reader *r)
{
    while (more(r)) {
        char sender[MAX_GROUP_NAME];
        service type = 0;
        int num_groups;
        int16 mess_type;
        int endian_mismatch;

        wait_select(r->mbox);
        CHECK_EQ(SP_receive(r->mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, 0, NULL), GROUPS_TOO_SHORT);
        CHECK_EQ(num_groups, -1);
        CHECK_EQ(endian_mismatch, -size_of_message(r->next));
        wait_select(r->mbox);
        take_one(r);
    }
}

static const struct {
    const char *what;
    void (*loop)(struct reader *);
} loops[] = {
    {"blocking receives", blocking_receives},
    {"one receive for each select", one_for_each_select},
    {"one receive for each poll", one_for_each_poll},
    {"select, and all that SP_poll tells", all_that_sp_poll_tells},
    {"SP_poll alone", only_sp_poll},
    {"edges, and all that SP_poll tells", edges_and_sp_poll},
    {"blocking and select in turn", mixed},
    {"sizes first", sizes_first},
};

static void run(const char *name, size_t which)
{
    static struct reader reader;
    struct writer writer;
    struct worker worker;

    check_case("%s: %s", name, loops[which].what);
    writer.daemon = fake_session(&fake, name, &reader.mbox);
    writer.messages = reader.messages = messages;
    reader.next = 0;
    worker_start(&worker, write_stream, &writer);
    loops[which].loop(&reader);
    worker_join(&worker);
    CHECK_EQ(SP_poll(reader.mbox), 0);
    CHECK(!is_readable(reader.mbox));
    SP_kill(reader.mbox);
    SYS(close(writer.daemon));
}

/* Many mailboxes in one select, each with its own stream. */
static void many_mailboxes(void)
{
    enum { SESSIONS = 20 };
    static struct reader readers[SESSIONS];
    struct writer writers[SESSIONS];
    struct worker workers[SESSIONS];
    int open = SESSIONS;
    int i;

    check_case("many mailboxes in one select");
    for (i = 0; i < SESSIONS; i++) {
        writers[i].daemon = fake_session(&fake, i % 2 == 0 ? fake.unix_name : fake.tcp_name, &readers[i].mbox);
        writers[i].messages = readers[i].messages = messages / SESSIONS + 1;
        readers[i].next = 0;
    }
    for (i = 0; i < SESSIONS; i++)
        worker_start(&workers[i], write_stream, &writers[i]);
    while (open > 0) {
        struct timeval time = {scaled(10), 0};
        fd_set set;

        FD_ZERO(&set);
        for (i = 0; i < SESSIONS; i++)
            if (more(&readers[i]))
                FD_SET(readers[i].mbox, &set);
        if (SYS(select(FD_SETSIZE, &set, NULL, NULL, &time)) == 0)
            FAIL("select falls asleep on %d mailboxes", open);
        for (i = 0; i < SESSIONS; i++)
            if (more(&readers[i]) && FD_ISSET(readers[i].mbox, &set)) {
                take_one(&readers[i]);
                open -= !more(&readers[i]);
            }
    }
    for (i = 0; i < SESSIONS; i++) {
        worker_join(&workers[i]);
        SP_kill(readers[i].mbox);
        SYS(close(writers[i].daemon));
    }
}

int main(int argc, char **argv)
{
    size_t k;

    check_start(argc, argv, "mailbox_loops", 60);
    messages = check_count(is_slow() ? 500 : 5000);
    fake_open(&fake);
    for (k = 0; k < COUNT_OF(loops); k++) {
        run(fake.unix_name, k);
        run(fake.tcp_name, k);
    }
    many_mailboxes();
    fake_close(&fake);
    return check_done();
}
