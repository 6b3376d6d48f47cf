/* Sending while the daemon does not read: calls block, lose nothing, and go on by themselves. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "fake.h"
#include "session.h"

#define MESSAGES 40
#define LARGE 90000

static struct fake fake;

static void *send_numbered(void *mbox)
{
    static char body[LARGE];
    int i;

    for (i = 0; i < MESSAGES; i++) {
        int size = i % 3 == 0 ? LARGE : 100 + i;

        number_body(body, size, (unsigned)i);
        CHECK_EQ(SP_multicast(*(mailbox *)mbox, FIFO_MESS, "room", (int16)i, size, body), size);
    }
    return NULL;
}

/* Reads all of them at the daemon's end, in order and whole. */
static void all_arrive(int daemon)
{
    struct sent sent;
    int i;

    for (i = 0; i < MESSAGES; i++) {
        CHECK(fake_receive(daemon, &sent));
        CHECK_EQ(sent.size, i % 3 == 0 ? LARGE : 100 + i);
        CHECK_EQ(NUMBER_OF_BODY(sent.body, sent.size), i);
        sent_free(&sent);
    }
}

static void goes_on(const char *name)
{
    struct worker sender;
    mailbox mbox;
    int daemon;

    check_case("%s: a blocked send goes on", name);
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&sender, send_numbered, &mbox);
    worker_blocks(&sender);
    all_arrive(daemon);
    worker_join(&sender);
    SP_kill(mbox);
    SYS(close(daemon));
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

/* Signals neither end a blocked send nor cut a message. */
static void under_signals(const char *name)
{
    struct itimerval often = {{0, 1000}, {0, 1000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = count_signal};
    struct worker sender;
    mailbox mbox;
    int daemon;

    check_case("%s: a blocked send and signals", name);
    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGALRM, &action, NULL));
    signals = 0;
    daemon = fake_session(&fake, name, &mbox);
    worker_start(&sender, send_numbered, &mbox);
    worker_blocks(&sender);
    SYS(setitimer(ITIMER_REAL, &often, NULL));
    WAIT_UNTIL(signals > 20);
    CHECK(!worker_done(&sender));
    all_arrive(daemon);
    worker_join(&sender);
    SYS(setitimer(ITIMER_REAL, &never, NULL));
    SP_kill(mbox);
    SYS(close(daemon));
}

static long long cpu_ms(void)
{
    struct rusage used;

    SYS(getrusage(RUSAGE_SELF, &used));
    return (long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

static void *receive_one(void *mbox)
{
    EXPECT_DATA(*(mailbox *)mbox, FIFO_MESS, "#peer#fake", "room", 0, "hello", 5);
    return NULL;
}

/* A program has made the descriptor non-blocking: the calls block all the same, without using up the processor. */
static void non_blocking_descriptor(const char *name)
{
    static const struct frame hello = {.type = FIFO_MESS, .groups = "room", .body = "hello", .size = 5};
    struct worker sender;
    struct worker receiver;
    mailbox mbox;
    long long used;
    long long start;
    int daemon;

    check_case("%s: a descriptor made non-blocking", name);
    daemon = fake_session(&fake, name, &mbox);
    SYS(fcntl(mbox, F_SETFL, fcntl(mbox, F_GETFL) | O_NONBLOCK));
    worker_start(&sender, send_numbered, &mbox);
    worker_start(&receiver, receive_one, &mbox);
    if (!CLASSIC("D5: a non-blocking descriptor")) {
        worker_blocks(&sender);
        worker_blocks(&receiver);
        used = cpu_ms();
        start = now_ms();
        WAIT_UNTIL(now_ms() - start > 200);
        CHECK_BETWEEN(cpu_ms() - used, 0, 80);
    }
    CHECK(!worker_done(&receiver));
    CHECK(!worker_done(&sender));
    fake_send(daemon, &hello);
    worker_join(&receiver);
    all_arrive(daemon);
    worker_join(&sender);
    SP_kill(mbox);
    SYS(close(daemon));
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "multicast_blocked", 20);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        const char *name = i == 0 ? fake.unix_name : fake.tcp_name;

        goes_on(name);
        under_signals(name);
        non_blocking_descriptor(name);
    }
    fake_close(&fake);
    return check_done();
}
