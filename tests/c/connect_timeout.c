/* SP_connect_timeout: which times are legal, when it gives up, and that it gives up in every step. */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"

/* What "at once" and "at the limit" may take. */
#define UPPER scaled(is_slow() ? 5000 : 600)

static struct fake fake;
static const char *name;

static int connect_within(long sec, long usec)
{
    sp_time limit = {sec, usec};
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;
    int result = SP_connect_timeout(name, "me", 0, 1, &mbox, private_group, limit);

    if (result == ACCEPT_SESSION)
        SP_kill(mbox);
    else
        CHECK_EQ(mbox, -77);
    return result;
}

static void illegal_times(void)
{
    static const long times[][2] = {
        {1, -1}, {-1, 1}, {0, 1000000}, {0, -1000000}, {5, 1000000}, {-5, -1000000}, {0, LONG_MAX}, {0, LONG_MIN}, {LONG_MAX, -1},
        {LONG_MIN, 1},
    };
    size_t i;

    for (i = 0; i < COUNT_OF(times); i++) {
        check_case("%s: (%ld, %ld) is illegal", name, times[i][0], times[i][1]);
        CHECK_EQ(connect_within(times[i][0], times[i][1]), ILLEGAL_TIME);
    }
    /* No attempt was made. */
    CHECK(!fake_has_visitor(&fake));
}

static void expired_times(void)
{
    static const long times[][2] = {{-1, 0}, {0, -1}, {-1, -1}, {-1000000, -999999}};
    size_t i;

    for (i = 0; i < COUNT_OF(times); i++) {
        long long start = now_ms();

        check_case("%s: (%ld, %ld) is over already", name, times[i][0], times[i][1]);
        CHECK_EQ(connect_within(times[i][0], times[i][1]), CONNECTION_CLOSED);
        CHECK_BETWEEN(now_ms() - start, 0, UPPER);
        /* The daemon may have been asked or not. */
        while (fake_has_visitor(&fake))
            SYS(close(fake_accept(&fake)));
    }
}

static void ample_times(void)
{
    /* (0, 0) is no limit. */
    static const long times[][2] = {{0, 0}, {10, 0}, {0, 999999}, {1L << 40, 0}, {LONG_MAX, 0}, {LONG_MAX, 999999}};
    size_t i;

    for (i = 0; i < COUNT_OF(times); i++) {
        struct visit visit;

        check_case("%s: (%ld, %ld) is time enough", name, times[i][0], times[i][1]);
        if (times[i][0] == LONG_MAX && CLASSIC("D30: a time of LONG_MAX seconds"))
            continue;
        fake_start(&visit, &fake, usual_handshake);
        CHECK_EQ(connect_within(times[i][0], times[i][1]), ACCEPT_SESSION);
        SYS(close(fake_finish(&visit)));
    }
}

/* A script in which the daemon falls silent at some point. */
struct silence {
    const char *what;
    struct step script[6];
};

static const struct silence silences[] = {
    {"before the offer", {HELLO, SILENCE, END}},
    {"in the offer", {HELLO, SEND("\005NU"), SILENCE, END}},
    {"before the answer", {HELLO, SEND("\005NULL "), CHOICE, SILENCE, END}},
    {"in the answer", {HELLO, SEND("\005NULL "), CHOICE, SEND("\001\005"), SILENCE, END}},
    {"before the private group", {HELLO, SEND("\005NULL "), CHOICE, SEND("\001\005\000\001\010"), SILENCE, END}},
    {"in the private group", {HELLO, SEND("\005NULL "), CHOICE, SEND("\001\005\000\001\010#me#fak"), SILENCE, END}},
};

static void gives_up(void)
{
    size_t i;

    for (i = 0; i < COUNT_OF(silences); i++) {
        struct visit visit;
        long long start;

        check_case("%s: silence %s", name, silences[i].what);
        fake_start(&visit, &fake, silences[i].script);
        start = now_ms();
        CHECK_EQ(connect_within(0, 150000), CONNECTION_CLOSED);
        CHECK_BETWEEN(now_ms() - start, 149, UPPER);
        if (fake_finish(&visit) >= 0)
            SYS(close(visit.socket));
    }
}

static void *connect_without_limit(void *result)
{
    char private_group[MAX_GROUP_NAME];
    mailbox mbox = -77;

    *(int *)result = SP_connect(name, "me", 0, 1, &mbox, private_group);
    if (mbox != -77)
        SP_kill(mbox);
    return NULL;
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

/* Without a limit it waits, in each step, and signals do not end that. */
static void waits_for_ever(void)
{
    struct itimerval often = {{0, 2000}, {0, 2000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = count_signal};
    size_t i;

    sigemptyset(&action.sa_mask);
    SYS(sigaction(SIGALRM, &action, NULL));
    for (i = 0; i < COUNT_OF(silences); i++) {
        struct visit visit;
        struct worker client;
        int result = -77;

        check_case("%s: no limit and silence %s", name, silences[i].what);
        fake_start(&visit, &fake, silences[i].script);
        worker_start(&client, connect_without_limit, &result);
        worker_blocks(&client);
        signals = 0;
        SYS(setitimer(ITIMER_REAL, &often, NULL));
        WAIT_UNTIL(signals > 20);
        SYS(setitimer(ITIMER_REAL, &never, NULL));
        CHECK(!worker_done(&client));
        SYS(close(fake_finish(&visit)));
        worker_join(&client);
        CHECK_EQ(result, CONNECTION_CLOSED);
    }
}

/* Sets up a daemon whose backlog is full. Gives how many connections are in it. */
static int fill_backlog(struct fake *full, int waiting[], int room)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int i;

    fake_open_backlog(full, 0);
    memcpy(local.sun_path, full->path, strlen(full->path) + 1);
    /* How many fit is the kernel's business: until one is refused. */
    for (i = 0; i < room; i++) {
        waiting[i] = (int)SYS(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (connect(waiting[i], (struct sockaddr *)&local, sizeof local) != 0) {
            SYS(close(waiting[i]));
            return i;
        }
    }
    FAIL("the backlog has no end");
}

/* Nobody to talk to yet, but somebody may come. Unix sockets only: on TCP the kernel asks again after a whole second. */
static void full_backlog(void)
{
    struct fake full;
    struct visit visit;
    struct worker late;
    int waiting[8];
    int result = -77;
    int number = fill_backlog(&full, waiting, COUNT_OF(waiting));
    long long start = now_ms();

    check_case("a full backlog");
    name = full.unix_name;
    CHECK_EQ(connect_within(0, 150000), CONNECTION_CLOSED);
    if (!CLASSIC("D20: a full backlog is waited for")) {
        CHECK_BETWEEN(now_ms() - start, 149, UPPER);
        worker_start(&late, connect_without_limit, &result);
        start = now_ms();
        WAIT_UNTIL(is_asleep(late.tid) || now_ms() - start > 300);
        CHECK(!worker_done(&late));
        while (number > 0) {
            SYS(close(fake_accept(&full)));
            SYS(close(waiting[--number]));
        }
        fake_start(&visit, &full, usual_handshake);
        worker_join(&late);
        CHECK_EQ(result, ACCEPT_SESSION);
        SYS(close(fake_finish(&visit)));
    }
    while (number > 0)
        SYS(close(waiting[--number]));
    fake_close(&full);
}

int main(int argc, char **argv)
{
    int i;

    check_start(argc, argv, "connect_timeout", 30);
    fake_open(&fake);
    for (i = 0; i < 2; i++) {
        name = i == 0 ? fake.unix_name : fake.tcp_name;
        illegal_times();
        expired_times();
        ample_times();
        gives_up();
        waits_for_ever();
    }
    full_backlog();
    fake_close(&fake);
    return check_done();
}
