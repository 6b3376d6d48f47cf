/* Ending a session while other threads are inside calls on it. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;

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

static void *disconnect_it(void *mbox)
{
    return (void *)(long)SP_disconnect(*(mailbox *)mbox);
}

/* What a receiver is told whose session another thread has ended: that it was closed, or, if it comes to look a little later, that
 * there is no such session. */
#define CHECK_ENDED(result)                                                    \
    do {                                                                       \
        long ended = (long)(result);                                           \
        if (ended != CONNECTION_CLOSED && ended != ILLEGAL_SESSION)            \
            FAIL("the receiver is told %ld", ended);                           \
    } while (0)

static void disconnect_wakes_receiver(const char *name)
{
    struct worker receiver;
    mailbox mbox = session(name, true, NULL);

    check_case("%s: SP_disconnect wakes a receiver", name);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    CHECK_EQ(SP_disconnect(mbox), 0);
    CHECK_ENDED(worker_join(&receiver));
    CHECK_EQ(SP_poll(mbox), ILLEGAL_SESSION);
}

static void disconnect_wakes_two_receivers(const char *name)
{
    struct worker receivers[2];
    mailbox mbox = session(name, true, NULL);
    int i;

    check_case("%s: SP_disconnect wakes two receivers", name);
    for (i = 0; i < 2; i++) {
        worker_start(&receivers[i], receive_one, &mbox);
        worker_blocks(&receivers[i]);
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    for (i = 0; i < 2; i++) {
        long result = (long)worker_join(&receivers[i]);

        /* Or that the other one has been told so. */
        if (result != NET_ERROR_ON_SESSION)
            CHECK_ENDED(result);
    }
}

static void mute_daemon(const char *name)
{
    struct worker receiver;
    struct worker other;
    mailbox mbox;
    int daemon;

    check_case("%s: SP_disconnect wakes a receiver though the daemon does not close", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    worker_start(&other, disconnect_it, &mbox);
    if (CLASSIC("SP_disconnect / SP_kill with another thread blocked in receive")) {
        worker_join(&other);
        worker_blocks(&receiver);
        SYS(close(daemon));
        CHECK_ENDED(worker_join(&receiver));
        return;
    }
    CHECK_ENDED(worker_join(&receiver));
    CHECK_EQ((long)worker_join(&other), 0);
    SYS(close(daemon));
}

static void kill_wakes_receiver(const char *name)
{
    struct worker receiver;
    struct sent sent;
    mailbox mbox;
    int daemon;

    check_case("%s: SP_kill wakes a receiver", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    SP_kill(mbox);
    if (CLASSIC("SP_disconnect / SP_kill with another thread blocked in receive")) {
        worker_blocks(&receiver);
        SYS(close(daemon));
        CHECK_ENDED(worker_join(&receiver));
        return;
    }
    CHECK_ENDED(worker_join(&receiver));
    /* And the daemon learns of it at once, without a good-bye. */
    CHECK(!fake_receive(daemon, &sent));
    SYS(close(daemon));
}

static void shutdown_wakes_receiver(const char *name)
{
    struct worker receiver;
    mailbox mbox = session(name, true, NULL);

    check_case("%s: the program's shutdown() wakes a receiver", name);
    worker_start(&receiver, receive_one, &mbox);
    worker_blocks(&receiver);
    SYS(shutdown(mbox, SHUT_RDWR));
    CHECK_EQ((long)worker_join(&receiver), CONNECTION_CLOSED);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), NET_ERROR_ON_SESSION);
    CHECK_EQ(SP_disconnect(mbox), 0);
}

/* A daemon that has stopped reading. */
static void blocked_sender(const char *name)
{
    struct worker sender;
    struct worker other;
    mailbox mbox;
    long result;
    int daemon;

    check_case("%s: SP_disconnect while a send is blocked", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&sender, send_until_error, &mbox);
    worker_blocks(&sender);
    worker_start(&other, disconnect_it, &mbox);
    if (CLASSIC("SP_disconnect waits at most disconnect_ms")) {
        worker_blocks(&other);
        SYS(close(daemon));
    }
    CHECK_EQ((long)worker_join(&other), 0);
    result = (long)worker_join(&sender);
    if (result != NET_ERROR_ON_SESSION)
        CHECK_ENDED(result);
    if (!check_classic)
        SYS(close(daemon));
}

/* A blocked send of one session holds up nothing of another one. */
static void sessions_are_independent(const char *name)
{
    struct worker sender;
    struct worker receiver;
    mailbox blocked;
    mailbox waiting;
    mailbox mbox;
    char own[MAX_GROUP_NAME];
    int daemons[2];

    check_case("%s: other sessions go on beside blocked ones", name);
    daemons[0] = fake_session(&fake, fake.unix_name, &blocked);
    daemons[1] = fake_session(&fake, fake.tcp_name, &waiting);
    worker_start(&sender, send_until_error, &blocked);
    worker_blocks(&sender);
    worker_start(&receiver, receive_one, &waiting);
    worker_blocks(&receiver);

    mbox = session(name, true, own);
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, own, 3, 5, "hello"), 5);
    EXPECT_DATA(mbox, FIFO_MESS, own, own, 3, "hello", 5);
    CHECK_EQ(SP_disconnect(mbox), 0);

    SYS(close(daemons[0]));
    SYS(close(daemons[1]));
    CHECK_EQ((long)worker_join(&sender), CONNECTION_CLOSED);
    CHECK_EQ((long)worker_join(&receiver), CONNECTION_CLOSED);
    SP_kill(blocked);
    SP_kill(waiting);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "disconnect_threads", 30);
    check_needs_names();
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        mute_daemon(name);
        kill_wakes_receiver(name);
        blocked_sender(name);
    }
    for (i = 0; i < check_names; i++) {
        disconnect_wakes_receiver(check_name(i));
        disconnect_wakes_two_receivers(check_name(i));
        shutdown_wakes_receiver(check_name(i));
        sessions_are_independent(check_name(i));
    }
    fake_close(&fake);
    return check_done();
}
