/* The codes of calls after the loss of a daemon: CONNECTION_CLOSED once, NET_ERROR_ON_SESSION from then on, whichever direction has
 * noticed it. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hi", .size = 2};
static const char one_group[1][MAX_GROUP_NAME] = {"room"};

static void in_error(mailbox mbox)
{
    char text[] = "x";
    scatter one = {.num_elements = 1, .elements = {{text, 1}}};
    service type = 0;
    char sender[MAX_GROUP_NAME];
    char groups[1][MAX_GROUP_NAME];
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    struct got got;
    int i;

    for (i = 0; i < 2; i++) {
        receive(mbox, &got, 0, 2, 10);
        CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
        CHECK_UNTOUCHED(&got);
        got_free(&got);
        receive(mbox, &got, DROP_RECV, 2, 10);
        CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
        CHECK_UNTOUCHED(&got);
        got_free(&got);
        CHECK_EQ(SP_scat_receive(mbox, &type, sender, 1, &num_groups, groups, &mess_type, &endian_mismatch, &one),
                 NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_leave(mbox, "room"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &one), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_multigroup_multicast(mbox, FIFO_MESS, 1, one_group, 0, 1, "x"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_multigroup_scat_multicast(mbox, FIFO_MESS, 1, one_group, 0, &one), NET_ERROR_ON_SESSION);
    }
}

static void noticed_by_receive(const char *name)
{
    struct got got;
    mailbox mbox;
    int daemon;

    check_case("%s: a receive notices the end", name);
    daemon = fake_session(&fake, name, &mbox);
    fake_send(daemon, &hello);
    fake_send(daemon, &hello);
    SYS(close(daemon));
    /* What came before is delivered first. */
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hi", 2);
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hi", 2);
    WAIT_READABLE(mbox);
    receive_any(mbox, &got);
    CHECK_EQ(got.result, CONNECTION_CLOSED);
    CHECK_UNTOUCHED(&got);
    got_free(&got);
    in_error(mbox);
    CHECK_EQ(SP_poll(mbox), 0);
    CHECK(is_readable(mbox));
    CHECK_EQ(SP_disconnect(mbox), 0);
}

static void scatter_receive_notices(const char *name)
{
    char text[10];
    scatter one = {.num_elements = 1, .elements = {{text, sizeof text}}};
    service type = 0;
    char sender[MAX_GROUP_NAME];
    int num_groups;
    int16 mess_type;
    int endian_mismatch;
    mailbox mbox;

    check_case("%s: a scatter receive notices the end", name);
    SYS(close(fake_session(&fake, name, &mbox)));
    CHECK_EQ(SP_scat_receive(mbox, &type, sender, 0, &num_groups, NULL, &mess_type, &endian_mismatch, &one), CONNECTION_CLOSED);
    in_error(mbox);
    SP_kill(mbox);
}

/* The calls that can notice it when sending. */
static int by_join(mailbox mbox)
{
    return SP_join(mbox, "room");
}

static int by_leave(mailbox mbox)
{
    return SP_leave(mbox, "room");
}

static int by_multicast(mailbox mbox)
{
    return SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x");
}

static int by_empty_multicast(mailbox mbox)
{
    return SP_multicast(mbox, FIFO_MESS, "room", 0, 0, NULL);
}

static int by_scatter(mailbox mbox)
{
    char text[] = "x";
    scatter one = {.num_elements = 1, .elements = {{text, 1}}};

    return SP_scat_multicast(mbox, FIFO_MESS, "room", 0, &one);
}

static int by_multigroup(mailbox mbox)
{
    return SP_multigroup_multicast(mbox, FIFO_MESS, 1, one_group, 0, 1, "x");
}

static const struct sending {
    const char *call;
    int (*send)(mailbox);
} sendings[] = {
    {"SP_join", by_join},
    {"SP_leave", by_leave},
    {"SP_multicast", by_multicast},
    {"an empty SP_multicast", by_empty_multicast},
    {"SP_scat_multicast", by_scatter},
    {"SP_multigroup_multicast", by_multigroup},
};

/* On a unix socket the first send after the close fails. On TCP the first ones go through until the peer's reset is there. */
static void fails_at_last(const char *name, mailbox mbox, const struct sending *how)
{
    int result = how->send(mbox);

    if (is_tcp(name))
        WAIT_UNTIL(result < 0 || (result = how->send(mbox)) < 0);
    CHECK_EQ(result, CONNECTION_CLOSED);
}

static void noticed_by_send(const char *name, const struct sending *how)
{
    mailbox mbox;

    check_case("%s: %s notices the end", name, how->call);
    SYS(close(fake_session(&fake, name, &mbox)));
    fails_at_last(name, mbox, how);
    in_error(mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* A failed send ends the receiving at once: what waits is not delivered any more. */
static void send_ends_receiving(const char *name, const struct sending *how)
{
    mailbox mbox;
    int daemon;
    int i;

    check_case("%s: %s ends the receiving", name, how->call);
    daemon = fake_session(&fake, name, &mbox);
    for (i = 0; i < 3; i++)
        fake_send(daemon, &hello);
    WAIT_UNTIL(SP_poll(mbox) == 246);
    SYS(close(daemon));
    fails_at_last(name, mbox, how);
    in_error(mbox);
    if (!is_tcp(name))
        CHECK_EQ(SP_poll(mbox), 246);
    CHECK(is_readable(mbox));
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* The daemon's host resets the connection. */
static void reset(const char *name)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    mailbox mbox;
    int daemon;

    check_case("%s: a reset", name);
    daemon = fake_session(&fake, name, &mbox);
    /* Unread bytes make a unix socket's close a reset. */
    CHECK_EQ(SP_join(mbox, "room"), 0);
    SYS(setsockopt(daemon, SOL_SOCKET, SO_LINGER, &now, sizeof now));
    SYS(close(daemon));
    CHECK_EQ(receive_to_the_end(mbox), CONNECTION_CLOSED);
    in_error(mbox);
    CHECK_EQ(SP_disconnect(mbox), 0);
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

static void *send_until_error(void *mbox)
{
    static char body[100000];
    long result;

    do
        result = SP_multicast(*(mailbox *)mbox, FIFO_MESS, "room", 0, sizeof body, body);
    while (result == (long)sizeof body);
    return (void *)result;
}

static void several_threads(const char *name)
{
    struct worker receivers[3];
    struct worker sender;
    mailbox mbox;
    int closed = 0;
    int daemon;
    int i;

    check_case("%s: three receivers learn of it", name);
    daemon = fake_session(&fake, name, &mbox);
    for (i = 0; i < 3; i++) {
        worker_start(&receivers[i], receive_one, &mbox);
        worker_blocks(&receivers[i]);
    }
    SYS(close(daemon));
    for (i = 0; i < 3; i++) {
        long result = (long)worker_join(&receivers[i]);

        if (result == CONNECTION_CLOSED)
            closed++;
        else
            CHECK_EQ(result, NET_ERROR_ON_SESSION);
    }
    CHECK_EQ(closed, 1);
    in_error(mbox);
    SP_kill(mbox);

    check_case("%s: a receiver and a sender learn of it", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&receivers[0], receive_one, &mbox);
    worker_start(&sender, send_until_error, &mbox);
    worker_blocks(&receivers[0]);
    worker_blocks(&sender);
    SYS(close(daemon));
    for (i = 0; i < 2; i++) {
        long result = (long)worker_join(i == 0 ? &receivers[0] : &sender);

        /* Both were inside when it happened. */
        if (result != NET_ERROR_ON_SESSION)
            CHECK_EQ(result, CONNECTION_CLOSED);
    }
    in_error(mbox);
    SP_kill(mbox);
}

/* Another session does not care. */
static void other_sessions_live(const char *name)
{
    mailbox lost;
    mailbox mbox;
    int daemon;

    check_case("%s: one session is lost, another one lives", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(close(fake_session(&fake, name, &lost)));
    CHECK_EQ(receive_to_the_end(lost), CONNECTION_CLOSED);
    fake_send(daemon, &hello);
    EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hi", 2);
    SP_kill(lost);
    CHECK_EQ(SP_join(mbox, "room"), 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    size_t k;
    int i;

    check_start(argc, argv, "session_loss", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        noticed_by_receive(name);
        scatter_receive_notices(name);
        for (k = 0; k < COUNT_OF(sendings); k++) {
            noticed_by_send(name, &sendings[k]);
            send_ends_receiving(name, &sendings[k]);
        }
        reset(name);
        several_threads(name);
        other_sessions_live(name);
    }
    fake_close(&fake);
    return check_done();
}
