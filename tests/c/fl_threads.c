/* Several threads on one mailbox; threads that are cancelled or jump out of their calls; processes after a fork. With a scripted
 * daemon. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flush/at_fake.h"

static const char *name;
static mailbox mbox;
static int daemon_end;

static void send_hello(void)
{
    send_plain(daemon_end, FAKE_PRIVATE_GROUP, 5, "hello");
}

/* The daemon goes first, or the other end would wait for it. */
static void ends(void)
{
    SYS(close(daemon_end));
    CHECK_EQ(FL_disconnect(mbox), 0);
}

/* ---- receivers ---- */

struct receiver {
    struct worker worker;
    int result;
    int cleaned;
    int num_groups;
    int endian;
    int more;
    service type;
    int16 mess_type;
    char sender[MAX_GROUP_NAME];
    char groups[5][MAX_GROUP_NAME];
    char body[100];
};

static void clean(void *argument)
{
    ((struct receiver *)argument)->cleaned = 1;
}

static void *receiving(void *argument)
{
    struct receiver *r = argument;

    pthread_cleanup_push(clean, r);
    r->type = 0;
    r->result = FL_receive(mbox, &r->type, r->sender, 5, &r->num_groups, r->groups, &r->mess_type, &r->endian, sizeof r->body, r->body,
                           &r->more);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *receiving_scattered(void *argument)
{
    struct receiver *r = argument;
    scatter pieces = {.num_elements = 2, .elements = {{r->body, 3}, {r->body + 3, 50}}};

    pthread_cleanup_push(clean, r);
    r->type = 0;
    r->result = FL_scat_receive(mbox, &r->type, r->sender, 5, &r->num_groups, r->groups, &r->mess_type, &r->endian, &pieces, &r->more);
    pthread_cleanup_pop(0);
    return NULL;
}

static void enters(struct receiver *r, void *(*call)(void *))
{
    memset(r, 0, sizeof *r);
    r->result = -77;
    worker_start(&r->worker, call, r);
    worker_blocks(&r->worker);
}

/* A receiver waits, and the other calls go on beside it. */
static void beside_a_receiver(void)
{
    struct receiver r;
    struct sent sent;

    check_case("%s: calls beside a receiver", name);
    daemon_end = fake_member_with_peer(&mbox, name);
    enters(&r, receiving);
    CHECK_EQ(FL_poll(mbox), 0);
    CHECK_EQ(FL_more_msgs(mbox), 0);
    CHECK_EQ(FL_multicast(mbox, AGREED_MESS, "room", 1, 4, "text"), 4);
    sent = SEES(daemon_end, AGREED_MESS, 1);
    sent_free(&sent);
    if (!CLASSIC("a second receiver that does not wait waits for the first"))
        CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
    CHECK_EQ(FL_flush(mbox, "room"), ILLEGAL_STATE);
    send_hello();
    worker_join(&r.worker);
    CHECK_EQ(r.result, 5);

    /* The receiver takes a request in; another thread flushes; the receiver has the view. */
    enters(&r, receiving);
    send_membership(daemon_end, 5, CAUSED_BY_DISCONNECT, FAKE_PRIVATE_GROUP, "#peer#fake");
    worker_join(&r.worker);
    CHECK_EQ(r.type, FLUSH_REQ_MESS);
    CHECK_EQ(take(mbox, 0), 0);
    CHECK_EQ(taken.type, TRANSITION_MESS);
    enters(&r, receiving);
    CHECK_EQ(FL_flush(mbox, "room"), 0);
    sent = SEES(daemon_end, FIFO_MESS, FLUSH_OK);
    sent_free(&sent);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    worker_join(&r.worker);
    CHECK_EQ(r.result, 48);
    sent = SEES(daemon_end, FIFO_MESS, FLUSH_RECV);
    sent_free(&sent);
    ends();
}

/* Two receivers take turns: each message goes to one of them. */
static void two_receivers(void)
{
    struct receiver one;
    struct receiver other;

    check_case("%s: two receivers", name);
    daemon_end = fake_member_in_group(&mbox, name);
    enters(&one, receiving);
    enters(&other, receiving_scattered);
    send_hello();
    WAIT_UNTIL(worker_done(&one.worker) || worker_done(&other.worker));
    send_hello();
    worker_join(&one.worker);
    worker_join(&other.worker);
    CHECK_EQ(one.result, 5);
    CHECK_EQ(other.result, 5);
    ends();
}

/* FL_disconnect ends a receiver, and those who wait for their turn. */
static void disconnected(void)
{
    struct receiver one;
    struct receiver other;

    check_case("%s: FL_disconnect beside receivers", name);
    daemon_end = fake_member_in_group(&mbox, name);
    enters(&one, receiving);
    enters(&other, receiving);
    CHECK_EQ(FL_disconnect(mbox), 0);
    worker_join(&one.worker);
    worker_join(&other.worker);
    CHECK(one.result == CONNECTION_CLOSED || other.result == CONNECTION_CLOSED);
    CHECK(one.result == ILLEGAL_SESSION || other.result == ILLEGAL_SESSION || one.result == other.result);
    CHECK_EQ(take(mbox, 0), ILLEGAL_SESSION);
    SYS(close(daemon_end));
}

/* ---- cancelled ---- */

static const struct frame hello = {.type = FIFO_MESS, .sender = FAKE_PRIVATE_GROUP, .groups = "room", .body = "hello", .size = 5};

static void cancelled(void *(*call)(void *), size_t part)
{
    struct receiver r;

    check_case("%s: a cancelled receiver, %zu bytes of a message there", name, part);
    daemon_end = fake_member_in_group(&mbox, name);
    enters(&r, call);
    if (part > 0) {
        fake_send_part(daemon_end, &hello, 0, part);
        worker_blocks(&r.worker);
    }
    PTHREAD(pthread_cancel(r.worker.thread));
    CHECK(worker_join(&r.worker) == PTHREAD_CANCELED);
    CHECK_EQ(r.cleaned, 1);
    CHECK_EQ(r.result, -77);
    CHECK_EQ(FL_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), 5);
    fake_send_part(daemon_end, &hello, part, frame_size(&hello));
    CHECK_EQ(take(mbox, 0), 5);
    send_hello();
    CHECK_EQ(take(mbox, 0), 5);
    CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
    ends();
}

static char large[100000];

static void *sending(void *argument)
{
    struct receiver *r = argument;

    pthread_cleanup_push(clean, r);
    do
        r->result = FL_multicast(mbox, FIFO_MESS, "room", 0, sizeof large, large);
    while (r->result == (int)sizeof large);
    pthread_cleanup_pop(0);
    return NULL;
}

/* A sender that waits for the daemon keeps receivers from answering, not from receiving. */
static void beside_a_sender(void)
{
    struct receiver sender;
    struct receiver r;

    check_case("%s: receiving beside a blocked sender", name);
    daemon_end = fake_member_in_group(&mbox, name);
    enters(&sender, sending);
    send_hello();
    CHECK_EQ(take(mbox, 0), 5);
    send_membership(daemon_end, 4, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP " #peer#fake", "#peer#fake");
    CHECK_EQ(take(mbox, 0), 0);
    CHECK_EQ(taken.type, FLUSH_REQ_MESS);
    send_hello();
    CHECK_EQ(take(mbox, DONT_BLOCK), 5);
    /* The one that waits for a message does not hold the sender up either. */
    enters(&r, receiving);
    send_hello();
    worker_join(&r.worker);
    CHECK_EQ(r.result, 5);
    PTHREAD(pthread_cancel(sender.worker.thread));
    CHECK(worker_join(&sender.worker) == PTHREAD_CANCELED);
    CHECK_EQ(sender.cleaned, 1);
    /* Half a frame may be out: nothing can follow it. */
    CHECK_EQ(FL_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), CONNECTION_CLOSED);
    CHECK_EQ(FL_disconnect(mbox), ILLEGAL_SESSION);
    SYS(close(daemon_end));
}

/* ---- jumped out ---- */

static sigjmp_buf back;
static pthread_t sleeper;
static int sleeper_tid;
static int going_to_sleep;
static struct worker alarm_clock;

static void jump(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static void *give_alarm(void *unused)
{
    (void)unused;
    WAIT_UNTIL(__atomic_load_n(&going_to_sleep, __ATOMIC_SEQ_CST) && is_asleep(sleeper_tid));
    PTHREAD(pthread_kill(sleeper, SIGALRM));
    return NULL;
}

static bool receive_with_limit(void)
{
    struct sigaction action = {.sa_handler = jump};

    if (sigsetjmp(back, 1) != 0) {
        worker_join(&alarm_clock);
        return true;
    }
    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGALRM, &action, NULL));
    sleeper = pthread_self();
    sleeper_tid = thread_number();
    going_to_sleep = 0;
    worker_start(&alarm_clock, give_alarm, NULL);
    __atomic_store_n(&going_to_sleep, 1, __ATOMIC_SEQ_CST);
    take(mbox, 0);
    return false;
}

static void jumped_out(size_t part)
{
    int i;

    check_case("%s: out of a receive, %zu bytes of a message there", name, part);
    daemon_end = fake_member_in_group(&mbox, name);
    if (part > 0)
        fake_send_part(daemon_end, &hello, 0, part);
    for (i = 0; i < 3; i++)
        CHECK(receive_with_limit());
    CHECK_EQ(FL_multicast(mbox, FIFO_MESS, "room", 0, 5, "hello"), 5);
    fake_send_part(daemon_end, &hello, part, frame_size(&hello));
    CHECK_EQ(take(mbox, 0), 5);
    /* From another thread as well. */
    CHECK(receive_with_limit());
    {
        struct receiver r;

        memset(&r, 0, sizeof r);
        CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
        worker_start(&r.worker, receiving, &r);
        send_hello();
        worker_join(&r.worker);
        CHECK_EQ(r.result, 5);
    }
    ends();
}

/* ---- processes ---- */

/* The child goes on where the parent was: group, view and all. */
static void in_a_child(bool receiver_waits)
{
    struct receiver r;
    struct sent sent;
    pid_t child;

    check_case("%s: in a forked child%s", name, receiver_waits ? ", with a receiver in the parent" : "");
    daemon_end = fake_member_with_peer(&mbox, name);
    if (receiver_waits)
        enters(&r, receiving);
    child = fork_checked();
    if (child == 0) {
        SYS(close(daemon_end));
        CHECK_EQ(take(mbox, 0), 0);
        CHECK_EQ(taken.type, FLUSH_REQ_MESS);
        CHECK_EQ(FL_flush(mbox, "room"), 0);
        CHECK_EQ(take(mbox, 0), 48);
        CHECK_EQ(FL_multicast(mbox, AGREED_MESS, "room", 1, 5, "child"), 5);
        CHECK_EQ(take(mbox, DONT_BLOCK), WOULD_BLOCK);
        child_done();
    }
    if (receiver_waits) {
        /* It has the claim of reading in the parent: it is ended, as by contract one of the two goes on. */
        PTHREAD(pthread_cancel(r.worker.thread));
        CHECK(worker_join(&r.worker) == PTHREAD_CANCELED);
    }
    send_membership(daemon_end, 5, CAUSED_BY_JOIN, FAKE_PRIVATE_GROUP " #peer#fake #x#fake", "#x#fake");
    sent = SEES(daemon_end, FIFO_MESS, FLUSH_OK);
    sent_free(&sent);
    send_control(daemon_end, FAKE_PRIVATE_GROUP, FLUSH_OK, 5);
    send_control(daemon_end, "#peer#fake", FLUSH_OK, 5);
    send_control(daemon_end, "#x#fake", FLUSH_OK, 5);
    sent = SEES(daemon_end, FIFO_MESS, FLUSH_RECV);
    sent_free(&sent);
    sent = SEES(daemon_end, AGREED_MESS, 1);
    sent_free(&sent);
    wait_for_child(child);
    SP_kill(mbox);
    CHECK_EQ(take(mbox, 0), ILLEGAL_SESSION);
    SYS(close(daemon_end));
}

/* A fork beside threads that are in the middle of their calls does not hang, and the parent's threads go on. */
static void beside_a_fork(void)
{
    struct receiver r;
    int i;

    check_case("%s: forks beside a receiver", name);
    daemon_end = fake_member_in_group(&mbox, name);
    for (i = 0; i < 20; i++) {
        pid_t child;

        enters(&r, receiving);
        child = fork_checked();
        if (child == 0)
            child_done();
        wait_for_child(child);
        send_hello();
        worker_join(&r.worker);
        CHECK_EQ(r.result, 5);
    }
    ends();
}

int main(int argc, char **argv)
{
    static const size_t parts[] = {0, 1, 48, 60, 83};
    size_t k;
    int i;

    check_start(argc, argv, "fl_threads", 60);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        IN_CHILD(beside_a_receiver());
        IN_CHILD(two_receivers());
        if (CLASSIC("threads that are disconnected in turn, cancelled, jump out, or fork beside others"))
            continue;
        IN_CHILD(disconnected());
        IN_CHILD(in_a_child(false));
        for (k = 0; k < COUNT_OF(parts); k++) {
            IN_CHILD(cancelled(receiving, parts[k]));
            IN_CHILD(cancelled(receiving_scattered, parts[k]));
            IN_CHILD(jumped_out(parts[k]));
        }
        IN_CHILD(beside_a_sender());
        IN_CHILD(in_a_child(true));
        IN_CHILD(beside_a_fork());
    }
    fake_close(&fake);
    return check_done();
}
