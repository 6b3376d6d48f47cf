/* Messages that are collected: SPX_cork, SPX_uncork, send_batch_us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"
#include "sp_ext.h"

#define BIG 70000

static struct fake fake;

static int waiting_at(int daemon)
{
    int count;

    SYS(ioctl(daemon, FIONREAD, &count));
    return count;
}

static void put(mailbox mbox, const char *body)
{
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, (int)strlen(body), body), (long)strlen(body));
}

static void expect(int daemon, const char *body)
{
    struct sent sent;

    CHECK(fake_receive(daemon, &sent));
    CHECK_EQ(sent.size, (long)strlen(body));
    CHECK(memcmp(sent.body, body, strlen(body)) == 0);
    sent_free(&sent);
}

static void nothing_goes_out_while_corked(const char *name)
{
    mailbox mbox;
    int daemon;

    check_case("%s: corked", name);
    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SPX_cork(mbox), 0);
    CHECK_EQ(SPX_cork(mbox), 0);
    put(mbox, "one");
    put(mbox, "two");
    put(mbox, "");
    CHECK_EQ(waiting_at(daemon), 0);
    CHECK_EQ(SPX_uncork(mbox), 0);
    expect(daemon, "one");
    expect(daemon, "two");
    expect(daemon, "");
    CHECK_EQ(SPX_uncork(mbox), 0);
    put(mbox, "three");
    expect(daemon, "three");
    SP_kill(mbox);
    SYS(close(daemon));
}

static void order_is_kept(const char *name)
{
    static char big[BIG + 1];
    struct sent sent;
    mailbox mbox;
    int daemon;

    check_case("%s: what is not collected comes after what is", name);
    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SPX_cork(mbox), 0);
    put(mbox, "first");
    memset(big, 'b', BIG);
    put(mbox, big);
    expect(daemon, "first");
    expect(daemon, big);
    put(mbox, "second");
    CHECK_EQ(waiting_at(daemon), 0);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    expect(daemon, "second");
    CHECK(fake_receive(daemon, &sent));
    CHECK_EQ(sent.type & 0x10000, 0x10000);
    sent_free(&sent);
    put(mbox, "last");
    CHECK_EQ(SP_disconnect(mbox), 0);
    expect(daemon, "last");
    SYS(close(daemon));
}

/* 64 KiB are sent without being asked for. */
static void a_full_batch_goes_out(const char *name)
{
    static char body[1001];
    mailbox mbox;
    int daemon;
    int i;

    check_case("%s: a full batch", name);
    daemon = fake_session(&fake, name, &mbox);
    memset(body, 'f', 1000);
    CHECK_EQ(SPX_cork(mbox), 0);
    for (i = 0; i < 60; i++)
        put(mbox, body);
    CHECK_EQ(waiting_at(daemon), 0);
    for (i = 0; i < 10; i++)
        put(mbox, body);
    for (i = 0; i < 60; i++)
        expect(daemon, body);
    CHECK_EQ(waiting_at(daemon), 0);
    CHECK_EQ(SPX_uncork(mbox), 0);
    for (i = 0; i < 10; i++)
        expect(daemon, body);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void *uncork(void *mbox)
{
    return (void *)(long)SPX_uncork(*(mailbox *)mbox);
}

/* What a message is refused behind is sent all the same, and the refused one is not. */
static void a_limit_holds_behind_a_full_batch(const char *name)
{
    static const char room[1][MAX_GROUP_NAME] = {"room"};
    struct worker sender;
    mailbox mbox;
    int daemon;
    int result;
    int sent = 0;
    int limit;
    int i;

    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SPX_cork(mbox), 0);
    for (limit = 0; limit <= 20; limit += 20) {
        check_case("%s: the daemon takes no more of a full batch, at most %d ms", name, limit);
        do {
            char body[1000];

            memset(body, 'l', sizeof body);
            snprintf(body, sizeof body, "%d", sent);
            result = SPX_multicast(mbox, FIFO_MESS, 1, room, 0, sizeof body, body, limit);
        } while (result == 1000 && ++sent);
        CHECK_EQ(result, SPX_TRY_AGAIN);
    }
    worker_start(&sender, uncork, &mbox);
    for (i = 0; i < sent; i++) {
        struct sent one;

        CHECK(fake_receive(daemon, &one));
        CHECK_EQ(one.size, 1000);
        CHECK_EQ(atoi(one.body), i);
        sent_free(&one);
    }
    CHECK_EQ((long)worker_join(&sender), 0);
    put(mbox, "last");
    expect(daemon, "last");
    SP_kill(mbox);
    SYS(close(daemon));
}

static void *receive_one(void *mbox)
{
    struct got got;
    long result;

    receive_any(*(mailbox *)mbox, &got);
    result = got.result;
    got_free(&got);
    return (void *)result;
}

/* A request is on its way before the program waits for the answer. */
static void a_receive_sends_first(const char *name)
{
    static const struct frame answer = {.type = FIFO_MESS, .groups = "room", .body = "answer", .size = 6};
    struct worker receiver;
    mailbox mbox;
    int daemon;

    check_case("%s: before a receive", name);
    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SPX_cork(mbox), 0);
    put(mbox, "request");
    worker_start(&receiver, receive_one, &mbox);
    expect(daemon, "request");
    fake_send(daemon, &answer);
    CHECK_EQ((long)worker_join(&receiver), 6);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void losses_are_told(const char *name)
{
    mailbox mbox;
    int daemon;

    check_case("%s: a loss", name);
    daemon = fake_session(&fake, name, &mbox);
    CHECK_EQ(SPX_cork(mbox), 0);
    put(mbox, "lost");
    SYS(close(daemon));
    WAIT_UNTIL(SPX_uncork(mbox) != 0);
    CHECK_EQ(SPX_uncork(mbox), NET_ERROR_ON_SESSION);
    CHECK_EQ(SPX_cork(mbox), NET_ERROR_ON_SESSION);
    SP_kill(mbox);
    CHECK_EQ(SPX_cork(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SPX_uncork(mbox), ILLEGAL_SESSION);
    CHECK_EQ(SPX_cork(-1), ILLEGAL_SESSION);
}

/* With the option nobody has to ask. */
static void the_clock_sends(const char *name)
{
    char with[100];
    mailbox mbox;
    int daemon;
    int i;

    check_case("%s: send_batch_us", name);
    snprintf(with, sizeof with, "%s?send_batch_us=20000", name);
    daemon = fake_session(&fake, with, &mbox);
    for (i = 0; i < 5; i++) {
        put(mbox, "timed");
        put(mbox, "too");
        expect(daemon, "timed");
        expect(daemon, "too");
    }
    put(mbox, "asked");
    CHECK_EQ(SPX_uncork(mbox), 0);
    expect(daemon, "asked");
    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "batch", 60);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        nothing_goes_out_while_corked(name);
        order_is_kept(name);
        a_full_batch_goes_out(name);
        a_limit_holds_behind_a_full_batch(name);
        a_receive_sends_first(name);
        losses_are_told(name);
        the_clock_sends(name);
    }
    fake_close(&fake);
    return check_done();
}
