/* pthread_cancel of threads that are blocked inside calls: they end, their cleanup runs, and the rest of the program goes on. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

static struct fake fake;
static const char *name;
static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};

/* A thread inside a call. Its memory outlives it: nothing may be left allocated by a thread that is cancelled. */
struct inside {
    struct worker worker;
    mailbox mbox;
    int cleaned;
    int result;
    char sender[MAX_GROUP_NAME];
    char groups[5][MAX_GROUP_NAME];
    char body[100];
};

static void clean(void *argument)
{
    struct inside *in = argument;

    in->cleaned = 1;
}

static void *receiving(void *argument)
{
    struct inside *in = argument;
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian;

    pthread_cleanup_push(clean, in);
    in->result = SP_receive(in->mbox, &type, in->sender, 5, &num_groups, in->groups, &mess_type, &endian, sizeof in->body, in->body);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *receiving_scattered(void *argument)
{
    struct inside *in = argument;
    scatter pieces = {.num_elements = 2, .elements = {{in->body, 3}, {in->body + 3, 50}}};
    service type = 0;
    int num_groups;
    int16 mess_type;
    int endian;

    pthread_cleanup_push(clean, in);
    in->result = SP_scat_receive(in->mbox, &type, in->sender, 5, &num_groups, in->groups, &mess_type, &endian, &pieces);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *receiving_uncancelled(void *argument)
{
    int before;

    PTHREAD(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before));
    receiving(argument);
    return argument;
}

static void *sending(void *argument)
{
    static char body[100000];
    struct inside *in = argument;

    pthread_cleanup_push(clean, in);
    do
        in->result = SP_multicast(in->mbox, FIFO_MESS, "room", 0, sizeof body, body);
    while (in->result == (int)sizeof body);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *connecting(void *argument)
{
    struct inside *in = argument;

    pthread_cleanup_push(clean, in);
    in->result = SP_connect(name, "me", 0, 1, &in->mbox, in->sender);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *connecting_with_limit(void *argument)
{
    struct inside *in = argument;
    sp_time limit = {1000, 0};

    pthread_cleanup_push(clean, in);
    in->result = SP_connect_timeout(name, "me", 0, 1, &in->mbox, in->sender, limit);
    pthread_cleanup_pop(0);
    return NULL;
}

static void enter(struct inside *in, void *(*call)(void *), mailbox mbox)
{
    memset(in, 0, sizeof *in);
    in->mbox = mbox;
    in->result = -77;
    worker_start(&in->worker, call, in);
    worker_blocks(&in->worker);
}

static void cancel(struct inside *in)
{
    PTHREAD(pthread_cancel(in->worker.thread));
    CHECK(worker_join(&in->worker) == PTHREAD_CANCELED);
    CHECK_EQ(in->cleaned, 1);
    CHECK_EQ(in->result, -77);
}

/* Reads frames at the daemon's end up to the good-bye. */
static void sees_goodbye(int daemon)
{
    struct sent sent;
    unsigned type;

    do {
        CHECK(fake_receive(daemon, &sent));
        type = sent.type;
        sent_free(&sent);
    } while (type != (0x40000 | MARKERS));
}

/* The receive is cancelled with so many bytes of a message there. */
static void cancelled_receive(void *(*call)(void *), size_t part)
{
    struct inside in;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: a cancelled receive, %zu bytes of a message there", name, part);
    enter(&in, call, mbox);
    if (part > 0) {
        fake_send_part(daemon, &hello, 0, part);
        worker_blocks(&in.worker);
    }
    cancel(&in);

    /* The other calls go on. */
    CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), 5);
    CHECK(SP_poll(mbox) >= 0);
    if (!CLASSIC("pthread_cancel: an abandoned receive lock is taken over")) {
        CHECK_EQ(SP_poll(mbox), (int)part);
        fake_send_part(daemon, &hello, part, frame_size(&hello));
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
        /* Also in the other styles. */
        fake_send(daemon, &hello);
        WAIT_READABLE(mbox);
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
        CHECK(!is_readable(mbox));
        /* And again. */
        enter(&in, call, mbox);
        cancel(&in);
        enter(&in, receiving, mbox);
        fake_send(daemon, &hello);
        worker_join(&in.worker);
        CHECK_EQ(in.result, 5);
    }
    CHECK_EQ(SP_disconnect(mbox), 0);
    sees_goodbye(daemon);
    SYS(close(daemon));
}

/* Nobody calls again after the cancel: the mailbox still becomes readable. */
static void readable_after_cancel(void)
{
    struct inside in;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: readable after a cancelled receive", name);
    enter(&in, receiving, mbox);
    cancel(&in);
    fake_send(daemon, &hello);
    WAIT_READABLE(mbox);
    SP_kill(mbox);
    SYS(close(daemon));
}

/* Another receiver waits its turn behind the cancelled one. */
static void second_receiver(void)
{
    struct inside first;
    struct inside second;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    if (CLASSIC("pthread_cancel: an abandoned receive lock is taken over")) {
        SP_kill(mbox);
        SYS(close(daemon));
        return;
    }
    check_case("%s: a second receiver takes over from a cancelled one", name);
    enter(&first, receiving, mbox);
    enter(&second, receiving, mbox);
    cancel(&first);
    fake_send(daemon, &hello);
    worker_join(&second.worker);
    CHECK_EQ(second.result, 5);

    check_case("%s: the second of two receivers is cancelled", name);
    enter(&first, receiving, mbox);
    enter(&second, receiving, mbox);
    PTHREAD(pthread_cancel(second.worker.thread));
    fake_send(daemon, &hello);
    fake_send(daemon, &hello);
    worker_join(&first.worker);
    CHECK_EQ(first.result, 5);
    if (worker_join(&second.worker) == PTHREAD_CANCELED) {
        CHECK_EQ(second.result, -77);
        EXPECT_DATA(mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
    } else {
        CHECK_EQ(second.result, 5);
    }
    CHECK_EQ(SP_poll(mbox), 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void cancellation_switched_off(void)
{
    struct inside in;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: a thread that does not let itself be cancelled", name);
    enter(&in, receiving_uncancelled, mbox);
    PTHREAD(pthread_cancel(in.worker.thread));
    worker_blocks(&in.worker);
    fake_send(daemon, &hello);
    CHECK(worker_join(&in.worker) == &in);
    CHECK_EQ(in.result, 5);
    CHECK_EQ(in.cleaned, 0);
    SP_kill(mbox);
    SYS(close(daemon));
}

static void cancelled_send(void)
{
    struct inside in;
    struct got got;
    mailbox mbox;
    int daemon = fake_session(&fake, name, &mbox);

    check_case("%s: a cancelled send", name);
    memset(&in, 0, sizeof in);
    in.mbox = mbox;
    worker_start(&in.worker, sending, &in);
    worker_blocks(&in.worker);
    PTHREAD(pthread_cancel(in.worker.thread));
    CHECK(worker_join(&in.worker) == PTHREAD_CANCELED);
    CHECK_EQ(in.cleaned, 1);
    if (!CLASSIC("pthread_cancel: after a cancelled send the session is in error")) {
        CHECK_EQ(SP_join(mbox, "room"), NET_ERROR_ON_SESSION);
        CHECK_EQ(SP_multicast(mbox, FIFO_MESS, "room", 0, 1, "x"), NET_ERROR_ON_SESSION);
        receive_any(mbox, &got);
        CHECK_EQ(got.result, NET_ERROR_ON_SESSION);
        got_free(&got);
        CHECK_EQ(SP_disconnect(mbox), 0);
    } else {
        SP_kill(mbox);
    }
    SYS(close(daemon));
}

/* Cancelled in each step of the connect: no session remains, and the next connect works. */
static void cancelled_connect(void *(*call)(void *))
{
    static const struct step scripts[][6] = {
        {HELLO, SILENCE, END},
        {HELLO, SEND("\005NU"), SILENCE, END},
        {HELLO, SEND("\005NULL "), CHOICE, SILENCE, END},
        {HELLO, SEND("\005NULL "), CHOICE, SEND("\001\005\000"), SILENCE, END},
        {HELLO, SEND("\005NULL "), CHOICE, SEND("\001\005\000\001\010#me"), SILENCE, END},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(scripts); i++) {
        struct visit visit;
        struct inside in;
        mailbox mbox;

        check_case("%s: a connect cancelled in step %zu", name, i);
        fake_start(&visit, &fake, scripts[i]);
        enter(&in, call, -77);
        cancel(&in);
        CHECK_EQ(in.mbox, -77);
        fake_abandon(&visit);
        SYS(close(fake_session(&fake, name, &mbox)));
        CHECK_EQ(SP_disconnect(mbox), 0);
    }
}

/* ---- out of a method's function ---- */

static int exit_thread(int fd, void *data)
{
    (void)fd;
    (void)data;
    pthread_exit(data);
}

static int wait_for_ever(int fd, void *data)
{
    (void)fd;
    (void)data;
    while (pause() != 0)
        continue;
    return 0;
}

static int yes(int fd, void *data)
{
    (void)fd;
    (void)data;
    return 1;
}

static void ended_in_a_method(void)
{
    struct visit visit;
    struct inside in;
    mailbox mbox;

    check_case("%s: pthread_exit in a method", name);
    CHECK_EQ(SP_set_auth_method("NULL", exit_thread, &in), 1);
    fake_start(&visit, &fake, usual_handshake);
    memset(&in, 0, sizeof in);
    in.result = -77;
    worker_start(&in.worker, connecting, &in);
    CHECK(worker_join(&in.worker) == &in);
    CHECK_EQ(in.cleaned, 1);
    CHECK_EQ(in.result, -77);
    CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
    fake_abandon(&visit);
    SYS(close(fake_session(&fake, name, &mbox)));
    CHECK_EQ(SP_disconnect(mbox), 0);

    check_case("%s: pthread_cancel in a method", name);
    CHECK_EQ(SP_set_auth_method("NULL", wait_for_ever, NULL), 1);
    fake_start(&visit, &fake, usual_handshake);
    enter(&in, connecting, -77);
    cancel(&in);
    CHECK_EQ(SP_set_auth_method("NULL", yes, NULL), 1);
    fake_abandon(&visit);
    SYS(close(fake_session(&fake, name, &mbox)));
    CHECK_EQ(SP_disconnect(mbox), 0);
}

int main(int argc, char **argv)
{
    static const size_t parts[] = {0, 1, 47, 48, 60, 80, 83};
    size_t k;
    int i;

    check_start(argc, argv, "threads_cancel", 40);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        for (k = 0; k < COUNT_OF(parts); k++) {
            IN_CHILD(cancelled_receive(receiving, parts[k]));
            IN_CHILD(cancelled_receive(receiving_scattered, parts[k]));
        }
        IN_CHILD(readable_after_cancel());
        IN_CHILD(second_receiver());
        IN_CHILD(cancellation_switched_off());
        IN_CHILD(cancelled_send());
        IN_CHILD(cancelled_connect(connecting));
        IN_CHILD(cancelled_connect(connecting_with_limit));
        IN_CHILD(ended_in_a_method());
    }
    fake_close(&fake);
    return check_done();
}
