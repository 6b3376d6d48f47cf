/* SP_poll: how many bytes it tells in every state, and that it neither blocks nor miscounts while bytes come. */
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define FRAMES 150

static struct fake fake;
static const struct frame hundred = {
    .type = FIFO_MESS, .groups = "room", .size = 100,
    .body = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"};

static void with_a_daemon(const char *name)
{
    char group[MAX_GROUP_NAME];
    char body[100] = "hundred";
    struct got got;
    mailbox mbox = session(name, true, NULL);

    check_case("%s: a join and a message", name);
    new_group(group, "poll");
    CHECK_EQ(SP_poll(mbox), 0);
    CHECK_EQ(SP_join(mbox, group), 0);
    WAIT_UNTIL(SP_poll(mbox) == 136);
    CHECK_EQ(SP_multicast(mbox, AGREED_MESS, group, 0, sizeof body, body), (int)sizeof body);
    WAIT_UNTIL(SP_poll(mbox) == 316);
    receive(mbox, &got, 0, 5, 10);
    CHECK_EQ(got.result, BUFFER_TOO_SHORT);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 268);
    receive(mbox, &got, 0, 0, 0);
    CHECK_EQ(got.result, GROUPS_TOO_SHORT);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 268);
    receive(mbox, &got, 0, 5, 100);
    CHECK_EQ(got.result, 56);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 180);
    receive(mbox, &got, DROP_RECV, 0, 0);
    CHECK_EQ(got.result, BUFFER_TOO_SHORT);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
}

/* Sent in parts: every byte counts at once. */
static void parts(const char *name)
{
    static const size_t borders[] = {0, 1, 47, 48, 49, 80, 81, 100, 179, 180};
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    size_t i;

    check_case("%s: parts of a message", name);
    for (i = 1; i < COUNT_OF(borders); i++) {
        fake_send_part(daemon, &hundred, borders[i - 1], borders[i]);
        WAIT_UNTIL(SP_poll(mbox) == (int)borders[i]);
    }
    fake_send_part(daemon, &hundred, 0, 30);
    WAIT_UNTIL(SP_poll(mbox) == 210);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, 100);
    got_free(&got);
    CHECK_EQ(SP_poll(mbox), 30);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void at_the_end(const char *name)
{
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int i;

    check_case("%s: at the end of the connection", name);
    fake_send(daemon, &hundred);
    SYS(close(daemon));
    WAIT_UNTIL(SP_poll(mbox) == 180);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, 100);
    got_free(&got);
    WAIT_READABLE(mbox);
    for (i = 0; i < 3; i++) {
        if (CLASSIC("SP_poll at end of connection with an empty inbox"))
            CHECK_EQ(SP_poll(mbox), 0);
        else
            WAIT_UNTIL(SP_poll(mbox) == 1);
    }
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    got_free(&got);
    /* Once it has been told, there is nothing left. */
    for (i = 0; i < 3; i++)
        CHECK_EQ(SP_poll(mbox), 0);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void *receive_one(void *mbox)
{
    struct got got;

    receive_any(*(mailbox *)mbox, &got);
    CHECK_EQ(got.result, 100);
    got_free(&got);
    return NULL;
}

static void beside_a_receiver(const char *name)
{
    struct worker receiver;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);
    int i;

    check_case("%s: beside a blocked receiver", name);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    for (i = 0; i < 100; i++)
        CHECK_EQ(SP_poll(mbox), 0);
    fake_send(daemon, &hundred);
    worker_join(&receiver);
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void *send_many(void *daemon)
{
    int i;

    for (i = 0; i < FRAMES; i++)
        fake_send(*(int *)daemon, &hundred);
    return NULL;
}

/* While messages come and nobody receives, the number only grows. */
static void never_shrinks(const char *name)
{
    struct worker sender;
    mailbox mbox;
    int round;

    check_case("%s: the number only grows", name);
    for (round = 0; round < 5; round++) {
        int daemon = fake_session(&fake, name, &mbox);
        int before = 0;
        int now;
        int i;

        worker_start(&sender, send_many, &daemon);
        do {
            now = SP_poll(mbox);
            CHECK_BETWEEN(now, before, 180 * FRAMES);
            before = now;
        } while (now < 180 * FRAMES);
        worker_join(&sender);
        for (i = 0; i < 1000; i++)
            CHECK_EQ(SP_poll(mbox), 180 * FRAMES);
        /* And shrinks by one message for each receive. */
        for (i = FRAMES; i > 0; i--) {
            struct got got;

            CHECK_EQ(SP_poll(mbox), 180 * i);
            receive(mbox, &got, 0, 1, 100);
            CHECK_EQ(got.result, 100);
            got_free(&got);
        }
        CHECK_EQ(SP_poll(mbox), 0);
        SP_kill(mbox);
        SYS(close(daemon));
    }
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "poll_numbers", 20);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        parts(name);
        at_the_end(name);
        beside_a_receiver(name);
        never_shrinks(name);
    }
    for (i = 0; i < check_names; i++)
        with_a_daemon(check_name(i));
    fake_close(&fake);
    return check_done();
}
